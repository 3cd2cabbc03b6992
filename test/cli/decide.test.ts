/** `decide`: one JSON object with the contract's keys, and an exit status that a script can branch on. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decideCommand } from "../../src/commands/decide.ts";
import { type Finished, runCli, temporaryDirectory } from "../support/cli.ts";
import { captured } from "../support/commands.ts";

const CONFIG = `server_name: own.test
inbound: { listen: 127.0.0.1:0, upstream: http://127.0.0.1:1, authenticate: network }
whitelist:
  - 'matrix\\.org'
  - glob: '*.example.net'
    sampling: trust
  - 'ported\\.example:8448'
propagation: { formats: [jaeger, w3c] }
`;

type Direction = "in" | "out";

function decideIn(directory: string, direction: Direction, host: string): Promise<Finished> {
  const path = join(directory, "fedtrace.yaml");
  return captured(directory, (output) => decideCommand({ path, direction, host }, output));
}

function decide(text: string, direction: Direction, host: string): Promise<Finished> {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "fedtrace.yaml"), text);
  return decideIn(directory, direction, host);
}

it.each([
  { direction: "in", host: "a.b.example.net", status: 0 },
  { direction: "out", host: "evil.org", status: 3 },
] as const)("as a program, $direction and $host, says the same and exits $status", async (row) => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "fedtrace.yaml"), CONFIG);
  const words = ["--config", "fedtrace.yaml", "--direction", row.direction, "--host", row.host];
  const finished = await runCli(["decide", ...words], { directory });
  expect(finished.status).toBe(row.status);
  expect(finished).toEqual(await decideIn(directory, row.direction, row.host));
});

describe("a whitelisted host: status 0", () => {
  it.each([
    { host: "matrix.org", entry: "matrix\\.org", sampling: "accept", why: "as it is written" },
    { host: "matrix.org:8448", entry: "matrix\\.org", sampling: "accept", why: "with a port" },
    { host: "MATRIX.Org", entry: "matrix\\.org", sampling: "accept", why: "in another letter case" },
    { host: "matrix.org.", entry: "matrix\\.org", sampling: "accept", why: "with a trailing dot" },
    { host: "a.b.example.net", entry: "*.example.net", sampling: "trust", why: "by a glob over dots" },
    {
      host: "ported.example:8448",
      entry: "ported\\.example:8448",
      sampling: "accept",
      why: "by a pattern with the port",
    },
  ])("$host, $why", async ({ host, entry, sampling }) => {
    const { status, stdout, stderr } = await decide(CONFIG, "in", host);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const { reason, ...report } = JSON.parse(stdout) as Record<string, unknown>;
    expect(report).toEqual({
      host,
      direction: "in",
      whitelisted: true,
      entry,
      sampling,
      formats: ["jaeger", "w3c"],
    });
    expect(reason).toMatch(/network/); // The proof that its name needs.
  });
});

it("names an entry of whitelist_file by its line, and the proof that it needs itself", async () => {
  const directory = temporaryDirectory();
  const list =
    "- listed\\.example\n- { glob: '*.proven.example', authenticate: mtls }\n- { regex: weak, authenticate: claimed }\n";
  writeFileSync(join(directory, "peers.yaml"), list);
  writeFileSync(join(directory, "fedtrace.yaml"), `${CONFIG}whitelist_file: peers.yaml\n`);
  const reasonFor = async (host: string): Promise<unknown> => {
    const { stdout } = await decideIn(directory, "in", host);
    return (JSON.parse(stdout) as { reason: unknown }).reason;
  };
  const matches = "matches the whole name; its proof must be at least";
  expect(await reasonFor("matrix.org")).toBe(`whitelist[0] ${matches} network`);
  expect(await reasonFor("listed.example")).toBe(`peers.yaml:1 ${matches} network`);
  expect(await reasonFor("hs1.proven.example")).toBe(`peers.yaml:2 ${matches} mtls`);
  expect(await reasonFor("weak")).toBe(`peers.yaml:3 ${matches} network`);
  expect(await reasonFor("evil.example")).toBe("none of the 6 whitelist entries matches the whole name");
});

describe("any other host: status 3", () => {
  it.each([
    { host: "evil.org", why: "no entry names it" },
    { host: "matrix.org.evil.org", why: "an entry matches its beginning only" },
    { host: "notmatrix.org", why: "an entry matches its end only" },
    { host: "example.net", why: "the glob wants a subdomain" },
    { host: "ported.example", why: "the pattern wants the port" },
    { host: "matrix.org/path", why: "it is no server name" },
  ])("$host: $why", async ({ host }) => {
    const { status, stdout } = await decide(CONFIG, "out", host);
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toEqual({
      host,
      direction: "out",
      whitelisted: false,
      entry: null,
      sampling: null,
      formats: [],
      reason: expect.stringMatching(/\w/) as string,
    });
  });
});

it("prints one line with the contract's keys in the contract's order", async () => {
  const { stdout } = await decide(CONFIG, "out", "matrix.org");
  expect(stdout.endsWith("}\n")).toBe(true);
  expect(stdout.split("\n")).toHaveLength(2);
  const keys = ["host", "direction", "whitelisted", "entry", "sampling", "formats", "reason"];
  expect(Object.keys(JSON.parse(stdout) as object)).toEqual(keys);
});

it.each([
  { direction: "out", isTold: true, why: "it is sent to" },
  { direction: "in", isTold: false, why: "what it sends is taken as it is" },
] as const)(
  "says where a host is given trace ids of its own: $direction ($why)",
  async ({ direction, isTold }) => {
    const config = CONFIG.replace("formats:", "outbound_ids: per_peer, formats:");
    const { reason } = JSON.parse((await decide(config, direction, "matrix.org")).stdout) as {
      reason: string;
    };
    expect(reason.includes("trace ids of its own")).toBe(isTold);
  },
);

it("lets nobody in by an absent whitelist", async () => {
  const { status, stdout } = await decide(
    CONFIG.replace(/whitelist:[^]*?(?=propagation)/, ""),
    "in",
    "matrix.org",
  );
  expect(status).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({
    whitelisted: false,
    reason: expect.stringMatching(/empty/) as string,
  });
});

it("tells the faults of a bad config: status 2", async () => {
  const { status, stdout, stderr } = await decide("server_name: own.test\n", "in", "matrix.org");
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(/^fedtrace\.yaml:\d+:\d+: /);
});
