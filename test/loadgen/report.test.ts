/** What is counted, and how it is told. */

import { describe, expect, it } from "vitest";
import { formatJson, formatReport, type RunFacts } from "../../src/loadgen/report.ts";
import type { PlannedRequest } from "../../src/loadgen/request-plan.ts";
import { createTally, type Outcome } from "../../src/loadgen/tally.ts";

const FACTS: RunFacts = { seed: 7, ratePerSecond: 20, inFlightMax: 256, sentForMs: 2000 };

function planned(direction: "in" | "out", route: string): PlannedRequest {
  return { dueMs: 0, direction, method: "GET", route, target: route, headers: {}, body: "" };
}

function tallyOf(
  ends: readonly (readonly [PlannedRequest, Outcome, number])[],
): ReturnType<typeof createTally> {
  const tally = createTally();
  for (const [request, outcome, latencyMs] of ends) tally.onEnd(request, outcome, latencyMs);
  return tally;
}

it.each([
  { status: 200, name: "2xx", why: "as it should be" },
  { status: 299, name: "2xx", why: "the last of its class" },
  { status: 302, name: "3xx", why: "a redirect" },
  { status: 404, name: "4xx", why: "not there" },
  { status: 502, name: "5xx", why: "a failing server" },
  { status: 600, name: "other", why: "no class" },
  { status: 0, name: "other", why: "no status" },
])("counts $status as $name: $why", ({ status, name }) => {
  const { byClass } = tallyOf([[planned("in", "/a"), status, 1]]).result();
  expect(Object.entries(byClass).filter(([, count]) => count > 0)).toEqual([[name, 1]]);
});

describe("latencies", () => {
  it.each([
    { count: 1, latency: { p50: 1, p90: 1, p99: 1, max: 1 }, why: "one" },
    { count: 2, latency: { p50: 1, p90: 2, p99: 2, max: 2 }, why: "two" },
    { count: 100, latency: { p50: 50, p90: 90, p99: 99, max: 100 }, why: "a hundred" },
    {
      count: 1000,
      latency: { p50: 500, p90: 900, p99: 990, max: 1000 },
      why: "numbers, not words, are sorted",
    },
  ])("of $count: $why", ({ count, latency }) => {
    const ends = Array.from(
      { length: count },
      (_, index) => [planned("in", "/a"), 200, count - index] as const,
    );
    expect(tallyOf(ends).result().latencyMs).toEqual(latency);
  });

  it("of failures don't count", () => {
    const { latencyMs } = tallyOf([[planned("in", "/a"), "timeout", 30_000]]).result();
    expect(latencyMs).toBeUndefined();
  });
});

function someTally(): ReturnType<typeof createTally> {
  const tally = tallyOf([
    [planned("in", "/a"), 200, 1],
    [planned("out", "/a"), 404, 2],
    [planned("out", "/a"), "refused", 9],
    [planned("out", "/a"), "reset", 9],
  ]);
  tally.onNotSent();
  return tally;
}

it("keeps directions and routes apart, and has the busiest first", () => {
  expect(someTally().result().routes).toMatchObject([
    { direction: "out", route: "/a", sent: 3, failed: 2, latencyMs: { max: 2 } },
    { direction: "in", route: "/a", sent: 1, failed: 0, latencyMs: { max: 1 } },
  ]);
});

it("is a table whose columns stand below each other", () => {
  expect(formatReport(someTally().result(), FACTS)).toEqual([
    "     method  route  sent  2xx  3xx  4xx  5xx  other  failed  p50  p90  p99  max ms",
    "out  GET     /a        3    -    -    1    -      -       2  2.0  2.0  2.0     2.0",
    "in   GET     /a        1    1    -    -    -      -       -  1.0  1.0  1.0     1.0",
    "             all       4    1    -    1    -      -       2  1.0  2.0  2.0     2.0",
    "",
    "rate reached: 2.0 of 20 a second, for 2.0 s",
    "failures: refused 1, reset 1",
    "not sent: 1, since 256 were in flight",
    "seed: 7",
  ]);
});

it("says so where there is nothing", () => {
  expect(formatReport(createTally().result(), { ...FACTS, sentForMs: 0 }).slice(1)).toEqual([
    "          all       0    -    -    -    -      -       -    -    -    -       -",
    "",
    "rate reached: 0.0 of 20 a second, for 0.0 s",
    "failures: none",
    "not sent: 0",
    "seed: 7",
  ]);
});

it("is one object in JSON", () => {
  const noClass = { "3xx": 0, "5xx": 0, other: 0 };
  const text = formatJson(someTally().result(), FACTS);
  expect(text).not.toContain("\n");
  expect(JSON.parse(text)).toMatchObject({
    seed: 7,
    ratePerSecond: 20,
    reachedPerSecond: 2,
    sentForMs: 2000,
    sent: 4,
    notSent: 1,
    answered: 2,
    failures: { refused: 1, reset: 1 },
    byClass: { "2xx": 1, "4xx": 1, ...noClass },
    latencyMs: { p50: 1, max: 2 },
    routes: [{ direction: "out" }, { direction: "in" }],
  });
  expect(JSON.parse(formatJson(createTally().result(), FACTS))).toMatchObject({
    latencyMs: null,
    routes: [],
  });
});
