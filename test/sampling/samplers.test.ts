/**
 * The local samplers, each by a table: constant and probabilistic exactly at their ends, probabilistic by R alone, and on a fake
 * clock the exact number of traces that a rate limit and a lower bound give.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBuckets } from "../../src/sampling/buckets.ts";
import { matchesPattern, type Sampler } from "../../src/sampling/samplers.ts";
import type { SamplerSpec, Strategy } from "../../src/sampling/strategy.ts";
import {
  anyRandomness,
  ask,
  candidate,
  evenly,
  HIGHEST,
  LOWEST,
  rule,
  samplerOf,
  strategyOf,
} from "./support.ts";

const NONE: SamplerSpec = { type: "const", param: 0 };
const ALL: SamplerSpec = { type: "const", param: 1 };

function probabilistic(rate: number): Sampler {
  return samplerOf(strategyOf({ type: "probabilistic", param: rate }));
}

function takes(sampler: Sampler, randomness: string): boolean {
  return ask(sampler, candidate(randomness)).isSampled;
}

/** How many of so many requests an operation has taken, one each `everyMs`. */
function count(
  sampler: Sampler,
  { operation = "GET", requests, everyMs }: { operation?: string; requests: number; everyMs: number },
): number {
  let taken = 0;
  for (let index = 0; index < requests; index++) {
    if (ask(sampler, candidate(LOWEST, { operation, nowMs: index * everyMs })).isSampled) taken++;
  }
  return taken;
}

describe("a sampler describes itself, and each of its decisions as Jaeger's clients do", () => {
  it.each([
    { strategy: strategyOf(NONE), description: "const(0)", type: "const", param: false },
    { strategy: strategyOf(ALL), description: "const(1)", type: "const", param: true },
    {
      strategy: strategyOf({ type: "probabilistic", param: 0.01 }),
      description: "probabilistic(0.01)",
      type: "probabilistic",
      param: 0.01,
    },
    {
      strategy: strategyOf({ type: "ratelimiting", param: 2 }),
      description: "ratelimiting(2/s)",
      type: "ratelimiting",
      param: 2,
    },
    {
      strategy: strategyOf({ type: "probabilistic", param: 0.01 }, { lowerBound: 0.5 }),
      description: "probabilistic(0.01), at least 0.5/s each",
      type: "lowerbound",
      param: 0.01, // The probability, not the bound: jaeger-client-go, sampler.go.
    },
    {
      strategy: strategyOf(NONE, { operations: [rule("GET", ALL)] }),
      description: "const(0), 1 operation rules",
      type: "const",
      param: true,
    },
  ])("$description: $type", ({ strategy, description, type, param }) => {
    const sampler = samplerOf(strategy);
    expect(sampler.description).toBe(description);
    expect(ask(sampler, candidate(LOWEST))).toMatchObject({ type, param });
  });
});

describe("const", () => {
  it.each([
    { spec: NONE, isSampled: false },
    { spec: ALL, isSampled: true },
  ])("samples $isSampled for $spec.param", ({ spec, isSampled }) => {
    expect(takes(samplerOf(strategyOf(spec)), LOWEST)).toBe(isSampled);
  });
});

describe("probabilistic", () => {
  it.each([
    { why: "0 takes not even the highest", rate: 0, digits: HIGHEST, isSampled: false },
    { why: "1 takes even the lowest", rate: 1, digits: LOWEST, isSampled: true },
    { why: "a half: the lowest that is in", rate: 0.5, digits: "80000000000000", isSampled: true },
    { why: "a half: the highest that is out", rate: 0.5, digits: "7fffffffffffff", isSampled: false },
    { why: "a quarter: the lowest that is in", rate: 0.25, digits: "c0000000000000", isSampled: true },
    { why: "a quarter: the highest that is out", rate: 0.25, digits: "bfffffffffffff", isSampled: false },
    { why: "a letter is above a digit", rate: 0.5, digits: "a0000000000000", isSampled: true },
    { why: "the smallest rate: only the highest", rate: 2 ** -56, digits: HIGHEST, isSampled: true },
    { why: "the smallest rate: not the next", rate: 2 ** -56, digits: "fffffffffffffe", isSampled: false },
    { why: "a rate too small to keep", rate: 2 ** -58, digits: HIGHEST, isSampled: false },
    {
      why: "the greatest rate below 1: not the lowest",
      rate: 1 - 2 ** -53,
      digits: LOWEST,
      isSampled: false,
    },
    {
      why: "the greatest rate below 1: the ninth",
      rate: 1 - 2 ** -53,
      digits: "00000000000008",
      isSampled: true,
    },
  ])("$why", ({ rate, digits, isSampled }) => {
    expect(takes(probabilistic(rate), digits)).toBe(isSampled);
  });

  it("is OpenTelemetry's rule: R >= (1 - p) × 2^56", () => {
    const rate = fc.nat({ max: 2 ** 20 }).map((numerator) => numerator / 2 ** 20);
    fc.assert(
      fc.property(rate, anyRandomness, (p, digits) => {
        const threshold = BigInt((1 - p) * 2 ** 56);
        expect(takes(probabilistic(p), digits)).toBe(BigInt(`0x${digits}`) >= threshold);
      }),
    );
  });

  it("samples at a lower rate a part of what it samples at a higher one", () => {
    const rate = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(rate, rate, anyRandomness, (one, other, digits) => {
        const isInLower = takes(probabilistic(Math.min(one, other)), digits);
        const isInHigher = takes(probabilistic(Math.max(one, other)), digits);
        expect(isInLower && !isInHigher).toBe(false);
      }),
    );
  });

  it.each([0.01, 0.1, 0.5, 0.9])("takes its share of evenly spread R: %d", (rate) => {
    const sampler = probabilistic(rate);
    let taken = 0;
    for (let index = 0; index < 10_000; index++) if (takes(sampler, evenly(index, 10_000))) taken++;
    expect(Math.abs(taken - rate * 10_000)).toBeLessThanOrEqual(1);
  });
});

describe("ratelimiting takes its burst, then its rate, exactly", () => {
  it.each([
    {
      why: "one at once, then one in two seconds",
      perSecond: 0.5,
      requests: 10_000,
      everyMs: 1,
      taken: 1 + 4,
    },
    { why: "two at once, then two a second", perSecond: 2, requests: 10_000, everyMs: 1, taken: 2 + 19 },
    { why: "a hundred at once", perSecond: 100, requests: 100, everyMs: 0, taken: 100 },
    { why: "and no more at once", perSecond: 100, requests: 1000, everyMs: 0, taken: 100 },
    { why: "slower than its rate: all", perSecond: 5, requests: 50, everyMs: 200, taken: 50 },
    {
      why: "after an hour of rest no more than a burst",
      perSecond: 3,
      requests: 2,
      everyMs: 3_600_000,
      taken: 2,
    },
    { why: "0 takes none, not even one at first", perSecond: 0, requests: 100, everyMs: 1000, taken: 0 },
  ])("$why", ({ perSecond, requests, everyMs, taken }) => {
    const sampler = samplerOf(strategyOf({ type: "ratelimiting", param: perSecond }));
    expect(count(sampler, { requests, everyMs })).toBe(taken);
  });

  it("gives nobody a new first burst when the strategy changes", () => {
    const buckets = createBuckets();
    const before = samplerOf(strategyOf({ type: "ratelimiting", param: 10 }), buckets);
    expect(count(before, { requests: 100, everyMs: 0 })).toBe(10);
    const after = samplerOf(strategyOf({ type: "ratelimiting", param: 5 }), buckets);
    expect(count(after, { requests: 100, everyMs: 0 })).toBe(0);
  });

  it("takes its share of the rate where several processes share the work", () => {
    const buckets = createBuckets({ share: 1 / 4 });
    const sampler = samplerOf(strategyOf({ type: "ratelimiting", param: 8 }), buckets);
    expect(count(sampler, { requests: 100, everyMs: 0 })).toBe(2);
    expect(ask(sampler, candidate(LOWEST)).param).toBe(8); // What is configured is what is told.
  });
});

describe("operations", () => {
  const strategy: Strategy = strategyOf(NONE, {
    operations: [
      rule("PUT /_matrix/federation/v1/send/{txnId}", ALL),
      rule("GET /_matrix/key/*", ALL),
      rule("* /users/{name}/inbox", ALL),
      rule("DELETE*", ALL),
      rule("GET /_matrix/*", { type: "probabilistic", param: 0.5 }),
      rule("GET /_matrix/late/*", ALL),
    ],
  });

  it.each([
    {
      why: "the whole name",
      operation: "PUT /_matrix/federation/v1/send/{txnId}",
      type: "const",
      param: true,
    },
    {
      why: "another method of that route",
      operation: "GET /_matrix/federation/v1/send/{txnId}",
      type: "probabilistic",
      param: 0.5,
    },
    { why: "a route that begins so", operation: "GET /_matrix/key/v2/server", type: "const", param: true },
    { why: "any method", operation: "POST /users/{name}/inbox", type: "const", param: true },
    { why: "a method with a route", operation: "DELETE /a", type: "const", param: true },
    { why: "a method without a route", operation: "DELETE", type: "const", param: true },
    { why: "none: the default", operation: "POST", type: "const", param: false },
    {
      why: "the first that matches, not the closest",
      operation: "GET /_matrix/late/x",
      type: "probabilistic",
      param: 0.5,
    },
    {
      why: "letter case counts, as in names",
      operation: "get /_matrix/key/v2/server",
      type: "const",
      param: false,
    },
    {
      why: "no pattern is a regex",
      operation: "PUT /_matrix/federation/v1/send/x",
      type: "const",
      param: false,
    },
  ])("$why: $operation", ({ operation, type, param }) => {
    const sampler = samplerOf(strategy);
    for (const _ of [1, 2]) {
      expect(ask(sampler, candidate(LOWEST, { operation }))).toMatchObject({ type, param });
    }
  });

  it("gives a rule's rate to all that it matches together", () => {
    const sampler = samplerOf(
      strategyOf(NONE, { operations: [rule("GET *", { type: "ratelimiting", param: 3 })] }),
    );
    const taken = ["GET /a", "GET /b", "GET /c", "GET /d", "GET /e"].filter(
      (operation) => ask(sampler, candidate(LOWEST, { operation })).isSampled,
    );
    expect(taken).toEqual(["GET /a", "GET /b", "GET /c"]);
  });
});

describe("a rule of Jaeger's", () => {
  it("takes its name as it stands", () => {
    const sampler = samplerOf(strategyOf(NONE, { operations: [rule("GET /*", ALL, true)] }));
    expect(ask(sampler, candidate(LOWEST, { operation: "GET /a" })).isSampled).toBe(false);
    expect(ask(sampler, candidate(LOWEST, { operation: "GET /*" })).isSampled).toBe(true);
  });
});

describe("matchesPattern", () => {
  it.each([
    { why: "the whole name", name: "GET /a", pattern: "GET /a", matches: true },
    { why: "not its beginning", name: "GET /ab", pattern: "GET /a", matches: false },
    { why: "not its end", name: "GET /a", pattern: "/a", matches: false },
    { why: "anything", name: "GET /a", pattern: "*", matches: true },
    { why: "anything is nothing too", name: "GET", pattern: "GET*", matches: true },
    { why: "several stars", name: "GET /a/b/c", pattern: "*/a*/c", matches: true },
    { why: "a star goes on where it has begun too early", name: "aab", pattern: "*ab", matches: true },
    { why: "stars side by side", name: "GET", pattern: "**G**T**", matches: true },
    { why: "letters of a regex are letters", name: "GET /a", pattern: "GET .a", matches: false },
    { why: "nothing but stars is left", name: "", pattern: "**", matches: true },
    { why: "something is left", name: "", pattern: "*a", matches: false },
  ])("$why", ({ name, pattern, matches }) => {
    expect(matchesPattern(name, pattern)).toBe(matches);
  });

  it("is what a regular expression says", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 12 });
    fc.assert(
      fc.property(text, text, (name, pattern) => {
        const regex = new RegExp(`^${pattern.replaceAll(/\*+/g, "[^]*")}$`);
        expect(matchesPattern(name, pattern)).toBe(regex.test(name));
      }),
    );
  });

  it("takes no time that grows with more than the two lengths", () => {
    expect(matchesPattern("a".repeat(1000), `${"*a".repeat(200)}X`)).toBe(false);
    expect(matchesPattern("GET /_matrix", "*".repeat(900_000))).toBe(true);
  });
});

describe("lower bound", () => {
  const rare = strategyOf({ type: "probabilistic", param: 0.001 }, { lowerBound: 0.5 });

  it.each([
    { why: "each operation has its own", operation: "GET /a", requests: 10_000, everyMs: 1, taken: 1 + 4 },
    {
      why: "one that comes once a minute is seen each time",
      operation: "GET /rare",
      requests: 10,
      everyMs: 60_000,
      taken: 10,
    },
  ])("$why", ({ operation, requests, everyMs, taken }) => {
    const sampler = samplerOf(rare);
    expect(count(sampler, { operation: "GET /other", requests: 100, everyMs: 0 })).toBe(1);
    expect(count(sampler, { operation, requests, everyMs })).toBe(taken);
  });

  it("counts what the sampler takes towards the bound", () => {
    const sampler = samplerOf(strategyOf({ type: "probabilistic", param: 0.5 }, { lowerBound: 1 }));
    expect(ask(sampler, candidate(HIGHEST))).toMatchObject({ isSampled: true, type: "probabilistic" });
    expect(ask(sampler, candidate(LOWEST))).toMatchObject({ isSampled: false, type: "probabilistic" });
    expect(ask(sampler, candidate(LOWEST, { nowMs: 1000 }))).toMatchObject({
      isSampled: true,
      type: "lowerbound",
      param: 0.5,
      threshold: undefined, // Chance had no part in it.
    });
  });

  it("holds for operations with a rule too", () => {
    const sampler = samplerOf({ ...rare, operations: [rule("GET /never", NONE)] });
    expect(count(sampler, { operation: "GET /never", requests: 5, everyMs: 2000 })).toBe(5);
  });

  it("keeps apart so many operations and no more", () => {
    const sampler = samplerOf(rare);
    const taken = Array.from({ length: 3000 }, (_, index) =>
      ask(sampler, candidate(LOWEST, { operation: `GET /${index}` })),
    ).filter(({ isSampled }) => isSampled);
    expect(taken.length).toBe(2000);
  });
});
