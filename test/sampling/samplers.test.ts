/**
 * The local samplers: constant and probabilistic exactly at their ends, probabilistic by the trace id alone, and
 * the bound that the rate-limiting one promises, on a fake clock.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSampler } from "../../src/sampling/samplers.ts";
import { fakeClock } from "../support/clock.ts";

/** A trace id whose right-most 56 bits are these 14 digits. */
function candidate(randomDigits: string) {
  return { traceId: "d4cda95b652f4a1592" + randomDigits, operation: "GET" };
}

const randomDigits = fc.string({
  unit: fc.constantFrom(..."0123456789abcdef".split("")),
  minLength: 14,
  maxLength: 14,
});
const LOWEST = "0".repeat(14);
const HIGHEST = "f".repeat(14);

function sampler(type: "const" | "probabilistic" | "ratelimiting", param: number) {
  return createSampler({ type, param }, fakeClock());
}

describe("createSampler", () => {
  it.each([
    { type: "const", param: 0, description: "const(0)" },
    { type: "const", param: 1, description: "const(1)" },
    { type: "probabilistic", param: 0.01, description: "probabilistic(0.01)" },
    { type: "ratelimiting", param: 2, description: "ratelimiting(2/s)" },
  ] as const)("describes itself: $description", ({ type, param, description }) => {
    expect(sampler(type, param).description).toBe(description);
  });
});

describe("const", () => {
  it.each([
    { param: 0, isSampled: false },
    { param: 1, isSampled: true },
  ])("samples $isSampled for $param", ({ param, isSampled }) => {
    expect(sampler("const", param).isSampled(candidate(LOWEST))).toBe(isSampled);
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
    expect(sampler("probabilistic", rate).isSampled(candidate(digits))).toBe(isSampled);
  });

  it("is OpenTelemetry's rule: R >= (1 - p) × 2^56", () => {
    const rate = fc.nat({ max: 2 ** 20 }).map((numerator) => numerator / 2 ** 20);
    fc.assert(
      fc.property(rate, randomDigits, (p, digits) => {
        const threshold = BigInt((1 - p) * 2 ** 56);
        expect(sampler("probabilistic", p).isSampled(candidate(digits))).toBe(
          BigInt(`0x${digits}`) >= threshold,
        );
      }),
    );
  });

  it("samples at a lower rate a part of what it samples at a higher one", () => {
    const rate = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(rate, rate, randomDigits, (one, other, digits) => {
        const isInLower = sampler("probabilistic", Math.min(one, other)).isSampled(candidate(digits));
        const isInHigher = sampler("probabilistic", Math.max(one, other)).isSampled(candidate(digits));
        expect(isInLower && !isInHigher).toBe(false);
      }),
    );
  });

  it("looks at the right-most 56 bits only, so a padded 64-bit id is as good", () => {
    const half = sampler("probabilistic", 0.5);
    fc.assert(
      fc.property(randomDigits, (digits) => {
        const traceId = digits.padStart(32, "0");
        expect(half.isSampled({ traceId, operation: "PUT" })).toBe(half.isSampled(candidate(digits)));
      }),
    );
  });

  it.each([0.01, 0.1, 0.5, 0.9])("takes its share of evenly spread ids: %d", (rate) => {
    const tenth = sampler("probabilistic", rate);
    let taken = 0;
    for (let index = 0; index < 10_000; index++) {
      const digits = (BigInt(index) * (2n ** 56n / 10_000n)).toString(16).padStart(14, "0");
      if (tenth.isSampled(candidate(digits))) taken++;
    }
    expect(Math.abs(taken - rate * 10_000)).toBeLessThanOrEqual(1);
  });
});

describe("ratelimiting", () => {
  it.each([
    { perSecond: 0.5, seconds: 10 },
    { perSecond: 2, seconds: 10 },
    { perSecond: 100, seconds: 3 },
  ])("takes at most burst + rate × time at $perSecond/s", ({ perSecond, seconds }) => {
    const clock = fakeClock();
    const limited = createSampler({ type: "ratelimiting", param: perSecond }, clock);
    let taken = 0;
    for (let ms = 0; ms < seconds * 1000; ms++) {
      if (limited.isSampled(candidate(LOWEST))) taken++;
      clock.advance(1);
    }
    const bound = Math.max(1, perSecond) + perSecond * seconds;
    expect(taken).toBeLessThanOrEqual(bound);
    expect(taken).toBeGreaterThanOrEqual(Math.floor(bound) - 1);
  });

  it("saves up no more than a burst, however long it was idle", () => {
    const clock = fakeClock();
    const limited = createSampler({ type: "ratelimiting", param: 3 }, clock);
    clock.advance(3_600_000);
    const taken = Array.from({ length: 10 }, () => limited.isSampled(candidate(LOWEST)));
    expect(taken.filter(Boolean).length).toBe(3);
  });
});
