/** The kept answer: over restarts, of its owner alone, and never the end of anything. */

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type RemoteStrategyOptions, startRemoteStrategy } from "../../src/strategies/remote-strategy.ts";
import { createStrategyCache } from "../../src/strategies/strategy-cache.ts";
import type { StrategySource } from "../../src/strategies/strategy-source.ts";
import { poll } from "../support/poll.ts";
import {
  LIMITS,
  type Recorded,
  recordTools,
  samplingServer,
  share,
  temporaryDirectory,
  text,
} from "./harness.ts";

const DEADLINE_MS = 10_000;
/** Longer than any test: what is looked at is the first look. */
const POLL_MS = 3_600_000;

function start(
  more: Pick<RemoteStrategyOptions, "url" | "cacheFile"> & Partial<RemoteStrategyOptions>,
): Recorded & {
  readonly source: StrategySource;
} {
  const recorded = recordTools();
  recorded.clock.advance(more.pollIntervalMs === undefined ? 0 : 42_000);
  const source = startRemoteStrategy(
    { service: "S", pollIntervalMs: POLL_MS, ...LIMITS, ...more },
    recorded.tools,
  );
  onTestFinished(() => source.stop());
  return Object.assign(recorded, { source });
}

async function untilCached(path: string, rate: number): Promise<void> {
  const isThere = await poll(
    () =>
      Promise.resolve((existsSync(path) && readFileSync(path, "utf8").includes(`:${rate}}`)) || undefined),
    DEADLINE_MS,
  );
  expect(isThere).toBe(true);
}

/** A cache that was written, and the address it was written for, where nobody is now. */
async function leftBehind(rate: number): Promise<{ readonly url: string; readonly cacheFile: string }> {
  const cacheFile = join(temporaryDirectory(), "strategy.json");
  const server = await samplingServer(text(share(rate)));
  const { source } = start({ url: server.url, cacheFile });
  await untilCached(cacheFile, rate);
  source.stop();
  await server.stop();
  return { url: server.url, cacheFile };
}

describe("a restart", () => {
  it("begins with the last good strategy, at once, and says how old it is", async () => {
    const { url, cacheFile } = await leftBehind(0.25);
    const { source, descriptions, lines, untilPolled, outcomes } = start({
      url,
      cacheFile,
      pollIntervalMs: POLL_MS,
    });
    expect(descriptions()).toEqual(["probabilistic(0.25)"]);
    await source.ready;
    const facts = { source: url, from: undefined, to: "probabilistic(0.25)", file: cacheFile, age_s: 42 };
    expect(lines).toEqual([["info", "sampling strategy taken from its cache", facts]]);
    await untilPolled(1);
    expect(outcomes).toEqual(["failed"]);
    expect(descriptions()).toHaveLength(1);
  });

  it("bounds it by what holds now", async () => {
    const { url, cacheFile } = await leftBehind(0.25);
    expect(start({ url, cacheFile, maxProbability: 0.1 }).descriptions()).toEqual(["probabilistic(0.1)"]);
  });

  it("is told nothing where Jaeger says the same", async () => {
    const cacheFile = join(temporaryDirectory(), "strategy.json");
    const server = await samplingServer(text(share(0.25)));
    start({ url: server.url, cacheFile });
    await untilCached(cacheFile, 0.25);
    const { mtimeMs, ino } = statSync(cacheFile);
    const { untilPolled, outcomes, strategies } = start({ url: server.url, cacheFile });
    await untilPolled(1);
    expect(outcomes).toEqual(["unchanged"]);
    expect(strategies).toHaveLength(1);
    expect(statSync(cacheFile)).toMatchObject({ mtimeMs, ino });
  });

  it.each([
    { why: "service", change: { service: "other" } },
    { why: "address", change: { url: "http://127.0.0.1:1/sampling" } },
  ])("doesn't take another $why's", async ({ change }) => {
    const left = await leftBehind(0.25);
    const { strategies, lines, source } = start({ ...left, ...change });
    expect(strategies).toEqual([]);
    expect(lines[0]?.slice(0, 2)).toEqual([
      "info",
      "cached sampling strategy is another service's or address's",
    ]);
    await source.ready;
  });
});

it("is for its user alone, and leaves no draft", async () => {
  const { cacheFile } = await leftBehind(0.25);
  expect(statSync(cacheFile).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(cacheFile, ".."))).toEqual(["strategy.json"]);
});

describe("what can't be read", () => {
  const saved = (more: object): string =>
    JSON.stringify({
      service: "S",
      url: "http://127.0.0.1:1/sampling",
      savedUnixMs: 0,
      text: share(1),
      ...more,
    });
  it.each([
    { why: "empty", content: "", reason: "not JSON" },
    { why: "half of it", content: saved({}).slice(0, -9), reason: "not JSON" },
    { why: "another program's", content: "{}", reason: "not what this program writes" },
    { why: "null", content: "null", reason: "not what this program writes" },
    { why: "no time", content: saved({ savedUnixMs: "now" }), reason: "not what this program writes" },
    {
      why: "a strategy out of range",
      content: saved({ text: share(2) }),
      reason: expect.stringContaining("more than 1") as string,
    },
    { why: "too long", content: " ".repeat(8 * 1024 * 1024 + 1), reason: "more than 8388608 bytes" },
  ])("is one line: $why", async ({ content, reason }) => {
    const cacheFile = join(temporaryDirectory(), "strategy.json");
    writeFileSync(cacheFile, content);
    const { strategies, lines, untilPolled } = start({ url: "http://127.0.0.1:1/sampling", cacheFile });
    expect(strategies).toEqual([]);
    expect(lines).toEqual([["warn", "cached sampling strategy can't be read", { file: cacheFile, reason }]]);
    await untilPolled(1);
  });

  it.each([
    { why: "a config", content: "server_name: hs1.example\n", isReplaced: false },
    { why: "another program's JSON", content: "{}", isReplaced: false },
    { why: "an empty file", content: "", isReplaced: true },
    { why: "another service's cache", content: saved({ service: "T" }), isReplaced: true },
  ])("is replaced only if it is one: $why", async ({ content, isReplaced }) => {
    const cacheFile = join(temporaryDirectory(), "strategy.json");
    writeFileSync(cacheFile, content);
    const server = await samplingServer(text(share(0.5)));
    const { lines, untilPolled } = start({ url: server.url, cacheFile });
    await untilPolled(1);
    if (isReplaced) return untilCached(cacheFile, 0.5);
    const isTold = (): boolean => lines.some(([, message]) => message === "sampling strategy not cached");
    await poll(() => Promise.resolve(isTold() || undefined), DEADLINE_MS);
    expect(isTold()).toBe(true);
    expect(readFileSync(cacheFile, "utf8")).toBe(content);
  });

  it("is one line: a directory; and what can't be written another", async () => {
    const cacheFile = temporaryDirectory();
    mkdirSync(join(cacheFile, "in it"));
    const server = await samplingServer(text(share(0.5)));
    const { lines, outcomes, untilPolled } = start({ url: server.url, cacheFile });
    await untilPolled(1);
    expect(outcomes).toEqual(["changed"]);
    await poll(() => Promise.resolve(lines.length >= 3 || undefined), DEADLINE_MS);
    expect(lines.map(([level, message]) => [level, message])).toEqual([
      ["warn", "cached sampling strategy can't be read"],
      ["info", "sampling strategy changed"],
      ["warn", "sampling strategy not cached"],
    ]);
    expect(readdirSync(join(cacheFile, "..")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

it("is whole at any time while several write it, and is the last of one of them in the end", async () => {
  const directory = temporaryDirectory();
  const path = join(directory, "strategy.json");
  const owner = { service: "S", url: "http://jaeger.test/sampling" };
  const { tools, lines } = recordTools();
  const caches = Array.from({ length: 4 }, () => createStrategyCache(path, owner, tools));
  const last = new Set(caches.map((_, writer) => `${writer} 49 ${"x".repeat(50_000)}`));
  for (let turn = 0; turn < 50; turn++) {
    for (const [writer, cache] of caches.entries()) cache.write(`${writer} ${turn} ${"x".repeat(50_000)}`);
    await new Promise((resolve) => void setImmediate(resolve));
    const read = caches[0]?.read()?.text;
    if (read !== undefined) expect(read).toMatch(/^\d \d+ x{50000}$/);
  }
  await poll(
    () =>
      Promise.resolve(
        (last.has(caches[0]?.read()?.text ?? "") && readdirSync(directory).length === 1) || undefined,
      ),
    DEADLINE_MS,
  );
  expect(last).toContain(caches[0]?.read()?.text);
  expect(readdirSync(directory)).toEqual(["strategy.json"]);
  expect(lines).toEqual([]);
});
