/** Which few of many are considered: as many as were asked for, and whoever takes turns with others in any rhythm. */

import { expect, it } from "vitest";
import { createSomeOf } from "../../src/metrics/some-of.ts";

it.each([1, 2, 8, 100])("is one in %i on average", (every) => {
  const isNext = createSomeOf(every);
  let some = 0;
  for (let at = 0; at < 10_000 * every; at++) if (isNext()) some++;
  expect(some).toBeGreaterThan(9500);
  expect(some).toBeLessThan(10_500);
});

it.each([2, 3, 4, 5, 7, 8, 16, 64])(
  "is each of %i that take turns, about as often as the others",
  (turns) => {
    const isNext = createSomeOf(8);
    const times = Array.from({ length: turns }, () => 0);
    const mean = 1000;
    for (let at = 0; at < mean * 8 * turns; at++)
      if (isNext()) times[at % turns] = (times[at % turns] ?? 0) + 1;
    expect(Math.min(...times)).toBeGreaterThan(0.8 * mean);
    expect(Math.max(...times)).toBeLessThan(1.2 * mean);
  },
);
