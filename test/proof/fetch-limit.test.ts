import { expect, test } from "vitest";
import { createFetchLimit, type NameKind } from "../../src/proof/fetch-limit.ts";

/** How many fetches are allowed at each of these times, of a hundred asked for, each of a host of its own. */
function allowed(perSecond: number, kind: NameKind, timesMs: readonly number[]): number[] {
  const limit = createFetchLimit(perSecond);
  let host = 0;
  return timesMs.map(
    (nowMs) =>
      Array.from({ length: 100 }, () => limit.take(kind, `host-${host++}`, nowMs)).filter(Boolean).length,
  );
}

const QUARTERS = [0, 0, 249, 250, 500, 750, 999, 1000];
const ROWS: readonly {
  readonly why: string;
  readonly perSecond: number;
  readonly kind: NameKind;
  readonly timesMs: readonly number[];
  readonly counts: readonly number[];
}[] = [
  {
    why: "four of ten are for names that the whitelist spells out, one in a quarter of a second",
    perSecond: 10,
    kind: "listed",
    timesMs: QUARTERS,
    counts: [1, 0, 0, 1, 1, 1, 0, 1],
  },
  {
    why: "three for those that it takes by a pattern",
    perSecond: 10,
    kind: "patterned",
    timesMs: QUARTERS,
    counts: [1, 0, 0, 1, 1, 0, 0, 1],
  },
  {
    why: "three are kept for those whose keys were known",
    perSecond: 10,
    kind: "known",
    timesMs: QUARTERS,
    counts: [1, 0, 0, 1, 1, 0, 0, 1],
  },
  {
    why: "after a rest there are no more for having waited",
    perSecond: 10,
    kind: "listed",
    timesMs: [0, 5000, 5250],
    counts: [1, 1, 1],
  },
  {
    why: "one a second is one of each kind in three seconds",
    perSecond: 1,
    kind: "patterned",
    timesMs: [0, 2999, 3000],
    counts: [1, 0, 1],
  },
  {
    why: "a share of a worker's may be below one",
    perSecond: 0.5,
    kind: "known",
    timesMs: [0, 5999, 6000],
    counts: [1, 0, 1],
  },
];

test.each(ROWS)("$why", ({ perSecond, kind, timesMs, counts }) => {
  expect(allowed(perSecond, kind, timesMs)).toEqual(counts);
});

test("a host has two a second, whatever its ports, and leaves the rest to others", () => {
  const limit = createFetchLimit(100);
  const take = (host: string, nowMs: number): boolean => limit.take("listed", host, nowMs);
  expect([take("a.test", 0), take("a.test", 0), take("a.test", 0), take("b.test", 0)]).toEqual([
    true,
    true,
    false,
    true,
  ]);
  expect([take("a.test", 999), take("a.test", 1000)]).toEqual([false, true]);
});

test("no window of a second has more than was asked for, whenever strangers come", () => {
  const limit = createFetchLimit(10);
  const takenMs: number[] = [];
  for (let nowMs = 0; nowMs < 10_000; nowMs += 7) {
    for (const kind of ["known", "listed", "patterned"] as const) {
      if (limit.take(kind, `host-${nowMs}`, nowMs)) takenMs.push(nowMs);
    }
  }
  const busiest = Math.max(
    ...takenMs.map((fromMs) => takenMs.filter((at) => at >= fromMs && at < fromMs + 1000).length),
  );
  expect(busiest).toBe(10);
});
