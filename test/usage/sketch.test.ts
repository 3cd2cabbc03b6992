/** Series in bounded memory: exact where they say so, within one per cent elsewhere. */

import { describe, expect, it } from "vitest";
import { BUCKETS_MAX, RELATIVE_ERROR, Sketch } from "../../src/usage/sketch.ts";

function sketchOf(values: readonly number[]): Sketch {
  const sketch = new Sketch();
  for (const value of values) sketch.add(value);
  return sketch;
}

/** As a statistician would, on the values themselves. */
function medianOf(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor((values.length - 1) / 2)] ?? NaN;
}

/** The same numbers each time, from 0 to 1. */
function* numbers(seed: number): Generator<number, never, undefined> {
  for (let state = seed; ;) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield state / 2 ** 31;
  }
}

describe("least, most and mean are exact; median and mode within 1 %", () => {
  it.each([
    { why: "one value", values: [42], mode: 42 },
    { why: "two of them: the lower is the median", values: [10, 20], mode: 10 },
    { why: "most at one value", values: [5, 5, 5, 100, 200], mode: 5 },
    { why: "the lower of two modes", values: [7, 7, 90, 90, 1], mode: 7 },
    { why: "zeros", values: [0, 0, 0, 1, 2], mode: 0 },
    { why: "all zero", values: [0, 0], mode: 0 },
    { why: "tiny and huge", values: [0.002, 1e14, 0.002], mode: 0.002 },
  ])("$why", ({ values, mode }) => {
    const summary = sketchOf(values).summary();
    expect(summary).toMatchObject({
      min: Math.min(...values),
      max: Math.max(...values),
      mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    });
    expect(Math.abs((summary?.median ?? NaN) - medianOf(values))).toBeLessThanOrEqual(
      RELATIVE_ERROR * medianOf(values),
    );
    expect(Math.abs((summary?.mode ?? NaN) - mode)).toBeLessThanOrEqual(RELATIVE_ERROR * mode);
  });

  it.each([1, 2, 3, 4, 5])("ten thousand values over twelve decades, seed %i", (seed) => {
    const drawn = numbers(seed);
    const values = Array.from({ length: 10_000 }, () => 10 ** (drawn.next().value * 12 - 2));
    const { median = NaN } = sketchOf(values).summary() ?? {};
    expect(Math.abs(median - medianOf(values)) / medianOf(values)).toBeLessThanOrEqual(RELATIVE_ERROR);
  });
});

it("says nothing of nothing", () => {
  expect(sketchOf([]).summary()).toBeUndefined();
  expect(sketchOf([NaN, Infinity, -Infinity]).summary()).toBeUndefined();
});

it.each([
  { value: -3, min: 0, why: "less than nothing counts as nothing" },
  { value: 1e300, min: 1e300, why: "beyond the last bucket the ends stay exact" },
])("$why", ({ value, min }) => {
  expect(sketchOf([value]).summary()).toMatchObject({ min, max: min });
});

it("is as large after a million different values as the buckets are", () => {
  const sketch = new Sketch();
  for (let index = 1; index <= 1_000_000; index++) sketch.add(index * 1.01 ** (index % 3000));
  expect((sketch.save()?.counts.length ?? 0) / 2).toBeLessThanOrEqual(BUCKETS_MAX);
});

it("adds up: two halves are the whole", () => {
  const values = [0, 1, 2.5, 90, 90, 1e6];
  const halves = sketchOf(values.slice(0, 3));
  const other = sketchOf(values.slice(3)).save();
  if (other !== undefined) halves.merge(JSON.parse(JSON.stringify(other)) as typeof other);
  expect(halves.summary()).toEqual(sketchOf(values).summary());
  expect(halves.count).toBe(values.length);
  halves.clear();
  expect([halves.summary(), halves.save()]).toEqual([undefined, undefined]);
});
