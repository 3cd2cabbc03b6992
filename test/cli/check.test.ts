/** `check`: what an operator is told of a config, all at once, and by which exit status. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCli, temporaryDirectory } from "../support/cli.ts";

function checkText(text: string): ReturnType<typeof runCli> {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "fedtrace.yaml"), text);
  return runCli(["check", "--config", "fedtrace.yaml"], { directory });
}

const VALID = `server_name: own.test
inbound: { listen: 127.0.0.1:0, upstream: http://127.0.0.1:1 }
`;

it("confirms a valid file on standard output", async () => {
  expect(await checkText(VALID)).toEqual({ status: 0, stdout: "fedtrace.yaml: valid\n", stderr: "" });
});

it("tells every fault at once on standard error, in the order of the file", async () => {
  const finished = await checkText(`server_name: own.test
inbound: { listen: 127.0.0.1, upstream: http://127.0.0.1:1 }
whitelst: []
whitelist:
  - '(unclosed'
  - glob: '*.example.net'
    sampling: always
limits: { idle: 125 }
`);
  expect(finished).toMatchObject({ status: 2, stdout: "" });
  expect(finished.stderr.split("\n").map((line) => line.split(": ", 2).join(": "))).toEqual([
    "fedtrace.yaml:2:20: inbound.listen",
    "fedtrace.yaml:3:1: whitelst",
    "fedtrace.yaml:5:5: whitelist[0]",
    "fedtrace.yaml:7:15: whitelist[1].sampling",
    "fedtrace.yaml:8:17: limits.idle",
    "",
  ]);
});

describe("warns, and still passes", () => {
  it.each([
    { entry: "'.*'", why: "lets everybody in" },
    { entry: "'^hs1\\.example'", why: "reads like a prefix, but the whole name must match" },
    { entry: "'https://hs1\\.example'", why: "never matches: no server name has a scheme" },
    { entry: "'hs1.example'", why: "is wider than it reads: a bare dot is any character" },
  ])("of $entry, which $why", async ({ entry }) => {
    const { status, stdout, stderr } = await checkText(
      `${VALID}whitelist:\n  - ${entry}\n`.replace(
        "upstream",
        "authenticate: network, networks: { a.test: [10.0.0.0/8] }, upstream",
      ),
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: "fedtrace.yaml: valid\n" });
    expect(stderr).toMatch(/^warning: fedtrace\.yaml:4:5: whitelist\[0\]: \S/);
  });
});

it.each([
  { path: "absent.yaml", why: "does not exist" },
  { path: ".", why: "is a directory" },
])("refuses a file that $why", async ({ path }) => {
  const finished = await runCli(["check", "--config", path], { directory: temporaryDirectory() });
  expect(finished).toMatchObject({ status: 2, stdout: "" });
  expect(finished.stderr).toMatch(/^[^\n]+:1:1: \(file\): [^\n]+\n$/);
  expect(finished.stderr.startsWith(`${path}:`)).toBe(true);
});

it("counts a whitelist as a whole, as a start would", async () => {
  const pattern = `  - '([a-z0-9]{1,20}[.-]){1,5}x\\.example'\n`;
  const finished = await checkText(`${VALID}whitelist:\n${pattern.repeat(600)}`);
  expect(finished).toMatchObject({ status: 2, stdout: "" });
  expect(finished.stderr).toMatch(
    /^fedtrace\.yaml:4:3: whitelist: compiles to \d+ instructions, 50000 are allowed for all patterns together/,
  );
});
