/** `run` that can't: by its exit status, and by lines that name every fault at once. */

import { type AddressInfo, createServer, type Server } from "node:net";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { runCli, temporaryDirectory } from "../support/cli.ts";
import { configText, type LogLine } from "../support/sidecar.ts";

/** Takes a port of its own for as long as the test runs. */
async function takePort(): Promise<string> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function runFile(text: string): ReturnType<typeof runCli> {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "fedtrace.yaml"), text);
  return runCli(["run", "--config", "fedtrace.yaml"], { directory });
}

it("names every address that is taken, and exits 1", async () => {
  const [inbound, outbound, admin] = await Promise.all([takePort(), takePort(), takePort()]);
  const { status, stdout, stderr } = await runFile(
    configText({
      inbound: { listen: inbound, upstream: "http://127.0.0.1:1" },
      outbound: { listen: outbound },
      admin: { listen: admin },
    }),
  );
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  const lines = stderr
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as LogLine);
  expect(lines.map(({ level, msg }) => `${level} ${msg}`)).toEqual(Array(3).fill("error cannot start"));
  expect(new Set(lines.map(({ reason }) => reason))).toEqual(
    new Set([inbound, outbound, admin].map((address) => `cannot listen on ${address}: EADDRINUSE`)),
  );
});

it("does not run by half where one of its addresses is free", async () => {
  const taken = await takePort();
  const { status, stdout, stderr } = await runFile(
    configText({
      inbound: { listen: "127.0.0.1:0", upstream: "http://127.0.0.1:1" },
      outbound: { listen: taken },
    }),
  );
  expect(status).toBe(1);
  expect(stdout).not.toContain("ready");
  expect(stderr).toContain(`cannot listen on ${taken}: EADDRINUSE`);
});

it("exits 1 for an address that is no machine's of ours", async () => {
  const { status, stderr } = await runFile(
    configText({ inbound: { listen: "192.0.2.1:8448", upstream: "http://127.0.0.1:1" } }),
  );
  expect(status).toBe(1);
  expect(stderr).toContain("cannot listen on 192.0.2.1:8448: EADDRNOTAVAIL");
});

it("tells the faults of a bad config as FILE:LINE:COLUMN, and exits 2 before it takes a port", async () => {
  const { status, stdout, stderr } = await runFile(`server_name: own.test
inbound: { listen: 127.0.0.1:0, upstream: ftp://127.0.0.1 }
limits: { drain: soon }
`);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(
    /^fedtrace\.yaml:2:43: inbound\.upstream: [^\n]+\nfedtrace\.yaml:3:18: limits\.drain: [^\n]+\n$/,
  );
});

it("exits 2 for a file that can't be read", async () => {
  const finished = await runCli(["run", "--config", "absent.yaml"], { directory: temporaryDirectory() });
  expect(finished).toMatchObject({ status: 2, stdout: "" });
  expect(finished.stderr).toMatch(/^absent\.yaml:1:1: [^\n]+\n$/);
});
