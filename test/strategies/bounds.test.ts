/** Bounds of strategies from elsewhere, and how they read. */

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SamplerSpec, Strategy } from "../../src/sampling/strategy.ts";
import { boundStrategy, describeChanges, describeStrategy } from "../../src/strategies/bounds.ts";

const LIMITS = { maxProbability: 0.5, maxPerSecond: 10 };

function strategy(
  sampler: SamplerSpec,
  operations: Readonly<Record<string, SamplerSpec>> = {},
  lowerBound = 0,
): Strategy {
  const rules = Object.entries(operations).map(([operation, each]) => ({
    operation,
    isLiteral: true,
    sampler: each,
  }));
  return { sampler, operations: rules, lowerBound };
}

const share = (param: number): SamplerSpec => ({ type: "probabilistic", param });
const rate = (param: number): SamplerSpec => ({ type: "ratelimiting", param });
const ALL: SamplerSpec = { type: "const", param: 1 };
const NONE: SamplerSpec = { type: "const", param: 0 };

describe("boundStrategy", () => {
  it.each<{ why: string; given: Strategy; expected: Strategy; bounded: readonly string[] }>([
    {
      why: "a share above",
      given: strategy(share(0.51)),
      expected: strategy(share(0.5)),
      bounded: ["probabilistic(0.51) cut to probabilistic(0.5)"],
    },
    {
      why: "everything is a share of 1",
      given: strategy(ALL),
      expected: strategy(share(0.5)),
      bounded: ["const(1) cut to probabilistic(0.5)"],
    },
    {
      why: "a rate above",
      given: strategy(rate(11)),
      expected: strategy(rate(10)),
      bounded: ["ratelimiting(11) cut to ratelimiting(10)"],
    },
    {
      why: "operations, counted by what they become",
      given: strategy(share(0.5), { a: share(1), b: ALL, c: share(0.1), d: rate(20) }),
      expected: strategy(share(0.5), { a: share(0.5), b: share(0.5), c: share(0.1), d: rate(10) }),
      bounded: ["2 operations cut to probabilistic(0.5)", "1 operation cut to ratelimiting(10)"],
    },
    {
      why: "the least of each",
      given: strategy(share(0), {}, 11),
      expected: strategy(share(0), {}, 10),
      bounded: ["at least 11/s each cut to 10/s"],
    },
  ])("$why is cut", ({ given, expected, bounded }) => {
    expect(boundStrategy(given, LIMITS)).toEqual({ strategy: expected, bounded });
  });

  it.each([
    { why: "at the bounds", given: strategy(share(0.5), { a: rate(10) }, 10) },
    { why: "none", given: strategy(NONE, { a: NONE }) },
  ])("what is within ($why) is the very same", ({ given }) => {
    const { strategy: kept, bounded } = boundStrategy(given, LIMITS);
    expect(kept).toBe(given);
    expect(bounded).toEqual([]);
  });

  it("everything stays where the share may be 1", () => {
    const given = strategy(ALL, { a: ALL });
    expect(boundStrategy(given, { ...LIMITS, maxProbability: 1 }).strategy).toBe(given);
  });

  it("never leaves anything beyond the bounds, and says so in a few lines", () => {
    const sampler = fc.oneof(
      fc.constantFrom(ALL, NONE),
      fc.double({ min: 0, max: 1, noNaN: true }).map(share),
      fc.double({ min: 0, max: 1e9, noNaN: true }).map(rate),
    );
    const any = fc.record({
      sampler,
      operations: fc.array(fc.record({ operation: fc.string(), isLiteral: fc.boolean(), sampler })),
      lowerBound: fc.double({ min: 0, max: 1e9, noNaN: true }),
    });
    const limits = fc.record({
      maxProbability: fc.double({ min: 0, max: 1, noNaN: true }),
      maxPerSecond: fc.double({ min: 0, max: 1e6, noNaN: true }),
    });
    fc.assert(
      fc.property(any, limits, (given, max) => {
        const { strategy: cut, bounded } = boundStrategy(given, max);
        for (const { type, param } of [cut.sampler, ...cut.operations.map((each) => each.sampler)]) {
          expect(param).toBeLessThanOrEqual(type === "ratelimiting" ? max.maxPerSecond : max.maxProbability);
        }
        expect(cut.lowerBound).toBeLessThanOrEqual(max.maxPerSecond);
        expect(cut.operations.map((each) => each.operation)).toEqual(
          given.operations.map((each) => each.operation),
        );
        expect(bounded.length).toBeLessThanOrEqual(4);
        expect(bounded.length === 0).toBe(cut === given);
        expect(describeStrategy(cut).length).toBeLessThan(100);
      }),
    );
  });
});

describe("describeStrategy", () => {
  it.each([
    { given: strategy(share(0.01)), text: "probabilistic(0.01)" },
    { given: strategy(ALL), text: "const(1)" },
    { given: strategy(rate(5), { a: NONE }), text: "ratelimiting(5), 1 operation" },
    {
      given: strategy(share(0.01), { a: NONE, b: NONE, c: NONE }, 0.1),
      text: "probabilistic(0.01), 3 operations, at least 0.1/s each",
    },
    {
      given: strategy(share(0.0024999270325000004), {}, 1 / 60),
      text: "probabilistic(0.00249993), at least 0.0166667/s each",
    },
  ])("$text", ({ given, text }) => {
    expect(describeStrategy(given)).toBe(text);
  });
});

describe("describeChanges", () => {
  const many = (param: number) =>
    Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`GET /${index}`, share(param)]));

  it.each([
    { why: "nothing", before: { a: share(0.1) }, after: { a: share(0.1) }, changes: [] },
    {
      why: "a number",
      before: { a: share(0.1) },
      after: { a: share(0.2) },
      changes: ["a: probabilistic(0.1) → probabilistic(0.2)"],
    },
    { why: "one more", before: {}, after: { a: share(0.2) }, changes: ["a: none → probabilistic(0.2)"] },
    { why: "one less", before: { a: rate(1) }, after: {}, changes: ["a: ratelimiting(1) → none"] },
    {
      why: "a long name",
      before: {},
      after: { ["x".repeat(100)]: rate(1) },
      changes: [`${"x".repeat(80)}…: none → ratelimiting(1)`],
    },
  ])("$why", ({ before, after, changes }) => {
    expect(describeChanges(strategy(ALL, before), strategy(ALL, after))).toEqual(changes);
  });

  it("tells five, and how many more", () => {
    const changes = describeChanges(strategy(ALL, many(0.1)), strategy(ALL, many(0.2)));
    expect(changes).toHaveLength(6);
    expect(changes[5]).toBe("and 2 more");
  });
});
