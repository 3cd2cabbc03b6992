/** The command line: what can't be read as a command is told with the usage, and changes nothing. */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { runCli, runCliEach } from "../support/cli.ts";

const REFUSED = [
  { args: [], why: "no command" },
  { args: ["fly"], why: "no such command" },
  { args: ["constructor"], why: "a name that every object has" },
  { args: ["run"], why: "a required option is missing" },
  { args: ["run", "--config"], why: "an option without its value" },
  { args: ["run", "--config", ""], why: "an empty value" },
  { args: ["check", "extra", "--config", "x.yaml"], why: "one word too many" },
  { args: ["check", "--colour", "x"], why: "an unknown option" },
  { args: ["decide", "--config", "x.yaml", "--host", "h.test"], why: "decide without a direction" },
  { args: ["decide", "--config", "x.yaml", "--direction", "up", "--host", "h.test"], why: "no direction" },
  { args: ["decide", "--config", "x.yaml", "--direction", "in"], why: "decide without a host" },
  { args: ["demo", "--requests", "0"], why: "fewer requests than one" },
  { args: ["demo", "--requests", "1.5"], why: "half a request" },
  { args: ["demo", "--requests", "many"], why: "no number" },
];

it("refuses what is no command with the usage and status 2", async () => {
  const finished = await runCliEach(REFUSED.map(({ args }) => args));
  for (const [index, { status, stdout, stderr }] of finished.entries()) {
    const why = REFUSED[index]?.why;
    expect({ status, stdout }, why).toEqual({ status: 2, stdout: "" });
    expect(stderr, why).toMatch(/^[^\n]+\n\nusage: fedtrace COMMAND\n/);
  }
  expect(finished).toHaveLength(REFUSED.length);
  expect(finished[1]).toEqual(await runCli(["fly"]));
});

it("prints its version", async () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(await runCli(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
});

it("prints its usage where it is asked to, on standard output", async () => {
  const { status, stdout, stderr } = await runCli(["--help"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  for (const command of ["run", "check", "decide", "demo"])
    expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
});
