/** When reports are made and sent: by the clock, with patience for a collector that is away, and without anybody waiting. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as v from "valibot";
import { logFrom } from "../../src/core/log.ts";
import { reportSchema, type UsageReport } from "../../src/usage/report-schema.ts";
import { type PostResult, startReporter } from "../../src/usage/reporter.ts";
import type { SavedUsage } from "../../src/usage/saved-usage.ts";
import { createUsageBook } from "../../src/usage/usage-book.ts";
import type { UsagePart } from "../../src/usage/usage-part.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const FACTS = {
  serverName: "hs1.example:8448",
  isAnonymous: false,
  serverContext: "family",
  logLevel: "warn",
  storeSpans: 10_000,
  storeSpansDefault: 20_000,
  version: "1.2.3",
  runtime: { node: "20.20.2", platform: "linux", arch: "x64" },
} as const;

const OK: PostResult = { isDelivered: true };
const AWAY: PostResult = {
  isDelivered: false,
  reason: "ECONNREFUSED",
  isRetryable: true,
  retryAfterMs: undefined,
};
const REFUSED: PostResult = { ...AWAY, reason: "HTTP status 400", isRetryable: false };

/** What a process counts in each minute. */
const PART: UsagePart = {
  counts: { requestsIn: 10, requestsOut: 5, transactions: 3, pdus: 7, edus: 2, traces: 4 },
  peers: ["a.example", "b.example"],
  bytes: 1000,
  spans: 8,
  latency: { min: 5, max: 5, sum: 50, zeros: 0, counts: [430, 10] },
  process: { memoryKb: 5000, cpuMs: 600, runQueueMs: 0.5 },
};

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
});
afterEach(() => {
  vi.useRealTimers();
});

function start(
  options: {
    readonly results?: readonly PostResult[];
    readonly intervalMs?: number;
    readonly parts?: readonly UsagePart[];
    /** How long the sidecar has been there. */
    readonly agoMs?: number;
    /** A disk's. */
    readonly write?: (state: SavedUsage) => Promise<void>;
  } = {},
) {
  const { results = [], intervalMs = 4 * HOUR, parts = [PART], agoMs = 0 } = options;
  const startedMs = Date.now();
  const sent: { readonly atMs: number; readonly report: UsageReport }[] = [];
  const saved: SavedUsage[] = [];
  const lines: string[] = [];
  const outcomes: string[] = [];
  const overflows: number[] = [];
  const clock = { monotonicMs: () => Date.now() - startedMs, unixMs: () => Date.now() };
  let made = 0;
  const book = createUsageBook(undefined, {
    isAnonymous: FACTS.isAnonymous,
    unixMs: startedMs,
    createSecret: (count) => new Uint8Array(count).fill(++made),
  });
  const reporter = startReporter({
    intervalMs,
    facts: FACTS,
    started: { monotonicMs: -agoMs, unixMs: startedMs - agoMs },
    book,
    file: {
      read: () => undefined,
      write(state) {
        saved.push(state);
        return options.write?.(state) ?? Promise.resolve();
      },
    },
    take: () => Promise.resolve(parts),
    post(body) {
      sent.push({ atMs: clock.monotonicMs(), report: JSON.parse(body.toString()) as UsageReport });
      return Promise.resolve(results[sent.length - 1] ?? OK);
    },
    onOutcome: (outcome) => void outcomes.push(outcome),
    onPeersOverflow: (times) => void overflows.push(times),
    clock,
    random: { fraction: () => 0.5 }, // In the middle of every jitter.
    log: logFrom((level, message) => void lines.push(`${level} ${message}`)),
  });
  return { reporter, sent, saved, lines, outcomes, overflows };
}

it("sends the first one after five minutes, then one each interval", async () => {
  const { sent, outcomes, lines } = start();
  await vi.advanceTimersByTimeAsync(12 * HOUR + 6 * MINUTE);
  expect(sent.map(({ atMs }) => atMs / MINUTE)).toEqual([5, 245, 485, 725]);
  expect(outcomes).toEqual(Array(4).fill("delivered"));
  expect(lines.filter((line) => !line.startsWith("debug "))).toEqual([]);
});

it("sends the first one after the interval where that is shorter", async () => {
  const { sent } = start({ intervalMs: 2 * MINUTE });
  await vi.advanceTimersByTimeAsync(5 * MINUTE);
  expect(sent.map(({ atMs }) => atMs / MINUTE)).toEqual([2, 4]);
});

it("says of its window what all processes did in it", async () => {
  const { sent } = start({ parts: [PART, { ...PART, peers: ["b.example", "c.example"] }] });
  await vi.advanceTimersByTimeAsync(4 * HOUR + 6 * MINUTE);
  const second = sent[1]?.report;
  expect(v.safeParse(reportSchema, second).success).toBe(true);
  expect(second).toMatchObject({
    homeserver: "hs1.example:8448",
    server_context: "family",
    timestamp: Date.UTC(2026, 0, 1) / 1000 + 245 * 60,
    uptime_seconds: 245 * 60,
    memory_rss: 10_000,
    cpu_average: 2, // 1,200 ms a minute
    node_version: "20.20.2",
    log_level: "WARNING",
    cache_factor: 0.5,
    event_cache_size: 10_000,
    daily_active_peers: 3,
    monthly_active_peers: 3,
    r30_peers_all: 0,
    environment: { os: "linux", arch: "x64", version: "1.2.3" },
    resources: { memory: { min: 10_000, max: 10_000, mean: 10_000 }, cpu: { min: 2 } },
  });
  // Of whole minutes; what came with the first report itself is in the next one.
  expect(second?.usage.latency).toMatchObject({ min: 5, max: 5, mean: 5 });
  expect(second?.usage.requests?.median).toBeGreaterThan(29);
  const ofDay = second?.daily_requests_in ?? 0;
  expect([second?.daily_pdus, second?.daily_sampled_traces]).toEqual([ofDay * 0.7, ofDay * 0.4]);
});

it("says how long the sidecar has been there, not how long ago a reload turned reports on", async () => {
  const { sent, saved } = start({ agoMs: 9 * HOUR });
  await vi.advanceTimersByTimeAsync(6 * MINUTE);
  expect(sent[0]?.report.uptime_seconds).toBe(9 * 3600 + 5 * 60);
  expect(saved[0]?.startedUnixMs).toBe(Date.UTC(2026, 0, 1) - 9 * HOUR);
});

it("names the server by chance where it is anonymous, and is of some 1.5 kB", async () => {
  const { sent } = start();
  await vi.advanceTimersByTimeAsync(6 * MINUTE);
  const [first] = sent;
  const text = JSON.stringify(first?.report);
  expect(text.length).toBeGreaterThan(1000);
  expect(text.length).toBeLessThan(2000);
  expect(text).not.toMatch(/a\.example|b\.example/);
});

it("keeps what was counted once a minute, and not twice what was reported", async () => {
  const { saved } = start({ intervalMs: 4.5 * MINUTE });
  await vi.advanceTimersByTimeAsync(4.4 * MINUTE);
  expect(saved.map(({ savedUnixMs }) => (savedUnixMs - Date.UTC(2026, 0, 1)) / MINUTE)).toEqual([1, 2, 3, 4]);
  await vi.advanceTimersByTimeAsync(0.2 * MINUTE);
  expect(saved.at(-1)?.window).toEqual({ cpuMs: 0, elapsedMs: 0, series: {} });
});

describe("a collector that is away", () => {
  it.each([
    { results: [AWAY, OK], posts: 2, outcomes: ["retried", "delivered"], why: "comes back" },
    {
      results: Array<PostResult>(6).fill(AWAY),
      posts: 6,
      outcomes: [...Array<string>(5).fill("retried"), "given_up"],
      why: "stays away",
    },
    { results: [REFUSED], posts: 1, outcomes: ["given_up"], why: "does not want it" },
  ])("and $why", async ({ results, posts, outcomes }) => {
    const started = start({ results });
    await vi.advanceTimersByTimeAsync(3 * HOUR);
    expect(started.outcomes).toEqual(outcomes);
    expect(started.sent.length).toBe(posts);
    // The same document each time: whoever stored it already knows it by its timestamp.
    expect(new Set(started.sent.map(({ report }) => JSON.stringify(report))).size).toBe(1);
    expect(started.lines.filter((line) => !/^(?:debug|info) /.test(line))).toEqual([]);
    expect(started.lines.filter((line) => line.startsWith("info ")).length).toBe(
      outcomes.includes("given_up") ? 1 : 0,
    );
  });

  it("is waited for longer each time, and never past the next report", async () => {
    const { sent } = start({ results: Array<PostResult>(6).fill(AWAY) });
    await vi.advanceTimersByTimeAsync(3 * HOUR);
    const waits = sent.slice(1).map(({ atMs }, index) => (atMs - (sent[index]?.atMs ?? 0)) / 1000);
    expect(waits).toEqual([15, 30, 60, 120, 240]); // Half of 30 s and its doubles, by this chance.
  });

  it.each([
    { retryAfterMs: 90_000, waitedMs: 90_000, why: "as it asks" },
    { retryAfterMs: 1e12, waitedMs: 15 * MINUTE, why: "not for ever" },
    { retryAfterMs: -5, waitedMs: 1, why: "not into the past" },
  ])("is waited for $why", async ({ retryAfterMs, waitedMs }) => {
    const { sent } = start({ results: [{ ...AWAY, retryAfterMs }] });
    await vi.advanceTimersByTimeAsync(HOUR);
    expect((sent[1]?.atMs ?? 0) - (sent[0]?.atMs ?? 0)).toBe(waitedMs);
  });
});

describe("a stop", () => {
  it("ends the wait for the next try, writes the file once more, and leaves no timer", async () => {
    const { reporter, saved, sent } = start({ results: Array<PostResult>(6).fill(AWAY) });
    await vi.advanceTimersByTimeAsync(5 * MINUTE + 1000);
    const before = saved.length;
    await reporter.stop();
    expect([saved.length, vi.getTimerCount()]).toEqual([before + 1, 0]);
    await vi.advanceTimersByTimeAsync(HOUR);
    expect(sent.length).toBe(1);
  });

  it("while a report is written to the disk lets none be sent any more", async () => {
    const finish: (() => void)[] = [];
    const { reporter, sent, saved } = start({
      // The second one of the report itself: its window has begun anew.
      write: (state) =>
        state.window.elapsedMs > 0 ? Promise.resolve() : new Promise((resolve) => void finish.push(resolve)),
    });
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    expect(saved.at(-1)?.window.elapsedMs).toBe(0);
    const stopping = reporter.stop();
    for (let turns = 0; turns < 3; turns++) {
      for (const resolve of finish) resolve();
      await vi.advanceTimersByTimeAsync(1000);
    }
    await stopping;
    expect(sent).toEqual([]);
  });
});

it("tells of peers for which there was no room, once", async () => {
  const peers = Array.from({ length: 30_002 }, (_, index) => `s${index}.example`);
  let isFirst = true;
  const parts = [
    {
      ...PART,
      get peers() {
        const now = isFirst ? peers : [];
        isFirst = false;
        return now;
      },
    },
  ];
  const { overflows } = start({ parts });
  await vi.advanceTimersByTimeAsync(3.5 * MINUTE);
  expect(overflows).toEqual([2]);
});
