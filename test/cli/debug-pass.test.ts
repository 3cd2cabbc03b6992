/** `debug-pass`: a token that the config's secret verifies, what is said of it, and what is refused. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { debugPassCommand, parseDebugPass } from "../../src/commands/debug-pass.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { createPassBook, type PassOutcome } from "../../src/passes/debug-pass.ts";
import { type Finished, runCli, temporaryDirectory } from "../support/cli.ts";
import { captured } from "../support/commands.ts";

const SECRET = "correct-horse-battery-staple";
const CONFIG = `server_name: Own.test
inbound: { listen: 127.0.0.1:0, upstream: http://127.0.0.1:1 }
whitelist: ['hs2\\.example(:8448)?']
sampling: { type: probabilistic, param: 0.01, debug_pass_secret: "\${PASS_SECRET}" }
`;

/** By the built program. */
function debugPass(args: readonly string[], text = CONFIG, name = "fedtrace.yaml"): Promise<Finished> {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, name), text);
  return runCli(["debug-pass", ...args], { directory, environment: { PASS_SECRET: SECRET } });
}

/** By the command's own function, with the secret in the config itself. */
function debugPassFor(peer: string, text: string): Promise<Finished> {
  const directory = temporaryDirectory();
  const path = join(directory, "fedtrace.yaml");
  writeFileSync(path, text.replace("${PASS_SECRET}", SECRET));
  const asked = { peer, ttlMs: 600_000, count: 20 };
  return captured(directory, (output) => debugPassCommand(path, asked, output));
}

/** What a sidecar with that config makes of it, as often as it is presented. */
async function outcomesOf(token: string, peer: string, times: number): Promise<readonly PassOutcome[]> {
  const outcomes: PassOutcome[] = [];
  const book = await createPassBook(
    { secret: SECRET, audience: "own.test" },
    {
      clock: createSystemClock(),
      counters: { presented: (outcome) => void outcomes.push(outcome) },
      onUsed() {},
    },
  );
  for (let index = 0; index < times; index++) book.admits(token, peer, String(index).padStart(32, "0"));
  return outcomes;
}

it("prints a token alone, and on standard error how it is used, until when and for how many traces", async () => {
  const before = Date.now();
  const args = ["--peer", "HS2.example:8448", "--ttl", "90s", "--count", "2"];
  const { status, stdout, stderr } = await debugPass(args);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^v1\.[\w-]+\.[\w-]{43}\n$/);
  const token = stdout.trim();
  expect(await outcomesOf(token, "hs2.example:8448", 3)).toEqual(["used", "used", "spent"]);
  const [first = "", ...rest] = stderr.split("\n");
  const [, until = ""] = /^For hs2\.example:8448 at own\.test: 2 traces, until (\S+Z)\./.exec(first) ?? [];
  expect(Date.parse(until)).toBeGreaterThanOrEqual(before + 90_000);
  expect(Date.parse(until)).toBeLessThanOrEqual(Date.now() + 91_000);
  expect(rest).toEqual(["", `fedtrace-debug-pass: ${token}`, ""]);
  expect(stdout + stderr).not.toContain(SECRET);
});

it("warns where the peer is not whitelisted, and gives the token all the same", async () => {
  const { status, stdout, stderr } = await debugPassFor("hs3.example", CONFIG);
  expect(status).toBe(0);
  expect(stderr).toMatch(/\nwarning: hs3\.example is not whitelisted /);
  expect(stderr).toContain("20 traces");
  expect(await outcomesOf(stdout.trim(), "hs3.example", 1)).toEqual(["used"]);
});

describe("its config", () => {
  it("may have any name", async () => {
    const { status } = await debugPass(
      ["--peer", "hs2.example", "--config", "other.yaml"],
      CONFIG,
      "other.yaml",
    );
    expect(status).toBe(0);
  });

  it.each([
    {
      why: "it has no secret",
      text: CONFIG.replace(/, debug_pass_secret[^}]*\}"/, ""),
      says: /^fedtrace\.yaml: sampling\.debug_pass_secret: is not set.*openssl rand -hex 32/,
    },
    {
      why: "it says nothing of sampling",
      text: CONFIG.replace(/sampling.*\n/, ""),
      says: /sampling\.debug_pass_secret: is not set/,
    },
    {
      why: "its secret is short",
      text: CONFIG.replace(/"\$\{PASS_SECRET\}"/, "fifteen-letters"),
      says: /:\d+:\d+: sampling\.debug_pass_secret: has under 16 characters/,
    },
    {
      why: "it is wrong elsewhere",
      text: `${CONFIG}workers: none\n`,
      says: /^fedtrace\.yaml:5:\d+: workers: /,
    },
    {
      why: "names are too long",
      text: CONFIG.replace("Own.test", `${"a".repeat(60)}.`.repeat(4) + "test"),
      peer: `${"b".repeat(60)}.`.repeat(4) + "test",
      says: /^debug-pass: .*over 512 characters/,
    },
  ])("is refused with status 2 where $why", async ({ text, says, peer = "hs2.example" }) => {
    const { status, stdout, stderr } = await debugPassFor(peer, text);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(says);
    expect(stderr).not.toContain("fifteen-letters");
  });

  it("is refused with status 2 where there is none", async () => {
    const { status, stderr } = await debugPass(["--peer", "hs2.example"], CONFIG, "elsewhere.yaml");
    expect(status).toBe(2);
    expect(stderr).toContain("fedtrace.yaml");
  });
});

describe("the words of the command line", () => {
  const PEER = "hs2.example";

  it.each([
    { why: "defaults", words: {}, value: { peer: PEER, ttlMs: 600_000, count: 20 } },
    { why: "the least", words: { ttl: "1s", count: "1" }, value: { peer: PEER, ttlMs: 1000, count: 1 } },
    {
      why: "the most",
      words: { ttl: "24h", count: "10000" },
      value: { peer: PEER, ttlMs: 86_400_000, count: 10_000 },
    },
    {
      why: "a name in any case",
      words: { peer: "[2001:DB8::1]:8448" },
      value: { peer: "[2001:db8::1]:8448", ttlMs: 600_000, count: 20 },
    },
  ])("are taken: $why", ({ words, value }) => {
    expect(parseDebugPass({ peer: PEER, ttl: undefined, count: undefined, ...words })).toEqual({ value });
  });

  it.each([
    { why: "no peer", words: { peer: undefined }, options: ["--peer"] },
    { why: "a peer that is no server name", words: { peer: "https://hs2.example/" }, options: ["--peer"] },
    { why: "less than a second", words: { ttl: "999ms" }, options: ["--ttl"] },
    { why: "more than a day", words: { ttl: "1441m" }, options: ["--ttl"] },
    { why: "a time without a unit", words: { ttl: "10" }, options: ["--ttl"] },
    { why: "no trace", words: { count: "0" }, options: ["--count"] },
    { why: "too many traces", words: { count: "10001" }, options: ["--count"] },
    { why: "no number", words: { count: "1e3" }, options: ["--count"] },
    { why: "all at once", words: { peer: "", ttl: "", count: "" }, options: ["--peer", "--ttl", "--count"] },
  ])("are refused, and what is allowed is told: $why", ({ words, options }) => {
    const parsed = parseDebugPass({ peer: PEER, ttl: undefined, count: undefined, ...words });
    if (!("refused" in parsed)) throw new Error("it was taken");
    expect(parsed.refused.map((line) => line.split(" ")[0])).toEqual(options);
  });

  it("are told with the usage and status 2", async () => {
    const { status, stdout, stderr } = await debugPass(["--ttl", "0s"]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^--peer is [^\n]+\n--ttl is [^\n]+\n\nusage: fedtrace COMMAND\n/);
  });
});
