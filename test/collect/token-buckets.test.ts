/** How often a source may come, and that any number of sources takes a bounded table. */

import { expect, it } from "vitest";
import { createTokenBuckets } from "../../src/collect/token-buckets.ts";
import { fakeClock } from "../support/clock.ts";

it("lets a burst through, then as many as come back, and says when the next may come", () => {
  const clock = fakeClock();
  const buckets = createTokenBuckets({ burst: 3, perSecond: 0.1 }, { clock, sourcesMax: 10 });
  expect([1, 2, 3, 4].map(() => buckets.take("a"))).toEqual([0, 0, 0, 10]);
  expect(buckets.take("b")).toBe(0);
  clock.advance(9500);
  expect(buckets.take("a")).toBe(1);
  clock.advance(500);
  expect([buckets.take("a"), buckets.take("a")]).toEqual([0, 10]);
  clock.advance(3_600_000);
  expect([1, 2, 3, 4].map(() => buckets.take("a"))).toEqual([0, 0, 0, 10]);
});

it("forgets whoever was idle longest where the table is full, and nobody who comes often", () => {
  const buckets = createTokenBuckets({ burst: 1, perSecond: 0.001 }, { clock: fakeClock(), sourcesMax: 100 });
  expect(buckets.take("busy")).toBe(0);
  for (let index = 0; index < 10_000; index++) {
    buckets.take(`flood${index}`);
    expect(buckets.take("busy")).toBeGreaterThan(0);
  }
  expect(buckets.size).toBe(100);
  expect(buckets.take("flood0")).toBe(0);
});
