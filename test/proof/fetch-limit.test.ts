import { expect, test } from "vitest";
import { createFetchLimit } from "../../src/proof/fetch-limit.ts";

/** How many of `asked` fetches at each of these times are allowed. */
function allowed(perSecond: number, isKnown: boolean, timesMs: readonly number[], asked = 100): number[] {
  const limit = createFetchLimit(perSecond);
  return timesMs.map(
    (nowMs) => Array.from({ length: asked }, () => limit.take(isKnown, nowMs)).filter(Boolean).length,
  );
}

const ROWS: readonly {
  readonly why: string;
  readonly perSecond: number;
  readonly isKnown: boolean;
  readonly timesMs: readonly number[];
  readonly counts: readonly number[];
}[] = [
  {
    why: "seven of ten are for names never met, two in a quarter of a second",
    perSecond: 10,
    isKnown: false,
    timesMs: [0, 0, 249, 250, 500, 750, 999],
    counts: [2, 0, 0, 2, 2, 1, 0],
  },
  {
    why: "after a rest there are no more for having waited",
    perSecond: 10,
    isKnown: false,
    timesMs: [0, 5000, 5250],
    counts: [2, 2, 2],
  },
  {
    why: "three are kept for those whose keys were known",
    perSecond: 10,
    isKnown: true,
    timesMs: [0, 249, 250, 500, 750, 999, 1000],
    counts: [1, 0, 1, 1, 0, 0, 1],
  },
  {
    why: "one a second is one of each kind in two seconds",
    perSecond: 1,
    isKnown: false,
    timesMs: [0, 1999, 2000],
    counts: [1, 0, 1],
  },
  {
    why: "a share of a worker's may be below one",
    perSecond: 0.5,
    isKnown: true,
    timesMs: [0, 3999, 4000],
    counts: [1, 0, 1],
  },
];

test.each(ROWS)("$why", ({ perSecond, isKnown, timesMs, counts }) => {
  expect(allowed(perSecond, isKnown, timesMs)).toEqual(counts);
});

test("no window of a second has more than was asked for, whenever strangers come", () => {
  const limit = createFetchLimit(10);
  const takenMs: number[] = [];
  for (let nowMs = 0; nowMs < 10_000; nowMs += 7) {
    for (const isKnown of [true, false, false]) if (limit.take(isKnown, nowMs)) takenMs.push(nowMs);
  }
  const busiest = Math.max(
    ...takenMs.map((fromMs) => takenMs.filter((at) => at >= fromMs && at < fromMs + 1000).length),
  );
  expect(busiest).toBe(10);
});
