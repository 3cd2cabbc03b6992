/** `check`: what an operator is told of a config, all at once, and by which exit status. */

import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { type Finished, runCli, temporaryDirectory } from "../support/cli.ts";
import { checkIn, refusedRunIn } from "../support/commands.ts";

function directoryWith(text: string): string {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "fedtrace.yaml"), text);
  return directory;
}

function checkText(text: string): Promise<Finished> {
  return checkIn(directoryWith(text));
}

/** As users run it. */
function checkByProgram(text: string): Promise<Finished> {
  return runCli(["check", "--config", "fedtrace.yaml"], { directory: directoryWith(text) });
}

const VALID = `server_name: own.test
inbound: { listen: 127.0.0.1:0, upstream: http://127.0.0.1:1 }
`;

it("confirms a valid file on standard output", async () => {
  expect(await checkByProgram(VALID)).toEqual({ status: 0, stdout: "fedtrace.yaml: valid\n", stderr: "" });
});

it("tells every fault at once on standard error, in the order of the file", async () => {
  const finished = await checkByProgram(`server_name: own.test
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
      `${VALID}whitelist:\n  - ${entry}\n`.replace("upstream", "authenticate: signature, upstream"),
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: "fedtrace.yaml: valid\n" });
    expect(stderr).toMatch(/^warning: fedtrace\.yaml:4:5: whitelist\[0\]: \S/);
  });
});

describe("warns of sampling rules that never count", () => {
  it.each([
    { rule: "{ template: /_matrix/nowhere, type: const }", word: "matches no operation" },
    { rule: "{ method: put, type: const }", word: "matches no operation" },
    { rule: "{ operation: GET /_matrix/key/v2/server, type: const }", word: "never counts: an earlier rule" },
  ])("$rule", async ({ rule, word }) => {
    const first = "{ method: GET, type: const, param: 0 }";
    const { status, stderr } = await checkText(
      `${VALID}sampling: { type: const, operations: [${first}, ${rule}] }\n`,
    );
    expect(status).toBe(0);
    expect(stderr).toMatch(/^warning: fedtrace\.yaml:3:\d+: sampling\.operations\[1\]: /m);
    expect(stderr).toContain(word);
  });

  it.each([
    "{ method: PUT, type: const }",
    "{ template: '*', type: const }",
    "{ operation: HTTP, type: const }",
  ])("not of %s", async (rule) => {
    const { stderr } = await checkText(`${VALID}sampling: { type: const, operations: [${rule}] }\n`);
    expect(stderr).not.toContain("sampling.operations");
  });

  it("and of a peer's pattern that is not what it looks like", async () => {
    const { status, stderr } = await checkText(
      `${VALID}sampling: { type: const, peers: [{ regex: 'hs1.example', type: const, param: 0 }] }\n`,
    );
    expect(status).toBe(0);
    expect(stderr).toMatch(/^warning: fedtrace\.yaml:3:\d+: sampling\.peers\[0\]\.regex: \S/m);
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

describe("the authority of outbound.intercept", () => {
  const fixtures = resolve("test/fixtures/authority");
  const outbound = (name: string): string =>
    `outbound:\n  listen: 127.0.0.1:0\n  intercept:\n    ca_certificate: ${fixtures}/${name}.pem\n    ca_private_key: ${fixtures}/${name}.key\n`;

  it.each([
    {
      name: "not-ca",
      why: "a certificate that is no authority's",
      at: "6:21: outbound.intercept.ca_certificate",
    },
    { name: "no-sign", why: "one that may not sign", at: "6:21: outbound.intercept.ca_certificate" },
    { name: "rsa-1024", why: "a key that is too short", at: "6:21: outbound.intercept.ca_certificate" },
  ])("is refused: $why; and a start refuses it too", async ({ name, at }) => {
    const finished = await checkText(VALID + outbound(name));
    expect(finished).toMatchObject({ status: 2, stdout: "" });
    expect(finished.stderr).toContain(`fedtrace.yaml:${at}: `);
    const started = await refusedRunIn(directoryWith(VALID + outbound(name)));
    expect(started).toEqual({ ...finished, stdout: "" });
  });

  it("is doubtful where it is over", async () => {
    const { status, stderr } = await checkText(VALID + outbound("expired"));
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^warning: fedtrace\.yaml:6:21: outbound\.intercept\.ca_certificate: names an authority that is over/,
    );
  });

  it("passes where it is one", async () => {
    expect(await checkText(VALID + outbound("p256"))).toMatchObject({ status: 0, stderr: "" });
  });
});
