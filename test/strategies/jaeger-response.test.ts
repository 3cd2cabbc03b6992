/** Jaeger's answers → strategies: all of its forms, what it leaves out, and each refusal. */

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OPERATIONS_MAX } from "../../src/sampling/samplers.ts";
import type { Strategy } from "../../src/sampling/strategy.ts";
import { parseSamplingResponse, RESPONSE_LENGTH_MAX } from "../../src/strategies/jaeger-response.ts";
import { ADAPTIVE_SEEN, ADAPTIVE_UNSEEN, ANSWERS_WITHOUT_DEFAULT_OPERATIONS } from "./jaeger-answers.ts";

const CAPTURED = new Map(ANSWERS_WITHOUT_DEFAULT_OPERATIONS);

function plain(type: "probabilistic" | "ratelimiting", param: number): Strategy {
  return { sampler: { type, param }, operations: [], lowerBound: 0 };
}

function withOperations(param: number, rates: Readonly<Record<string, number>>, lowerBound = 0): Strategy {
  const operations = Object.entries(rates).map(([operation, rate]) => ({
    operation,
    isLiteral: true,
    sampler: { type: "probabilistic", param: rate } as const,
  }));
  return { sampler: { type: "probabilistic", param }, operations, lowerBound };
}

describe("what Jaeger answers", () => {
  it.each<{ why: string; text: string | undefined; strategy: Strategy }>([
    { why: "Jaeger 2, a share", text: CAPTURED.get("foo"), strategy: plain("probabilistic", 0.8) },
    { why: "Jaeger 2, none", text: CAPTURED.get("zero"), strategy: plain("probabilistic", 0) },
    { why: "Jaeger 2, a rate", text: CAPTURED.get("bar"), strategy: plain("ratelimiting", 5) },
    { why: "operations", text: CAPTURED.get("ops"), strategy: withOperations(0.5, { "GET /x": 0.1 }) },
    {
      why: "operations come before a rate limit",
      text: CAPTURED.get("rlops"),
      strategy: withOperations(0.001, { "GET /y": 0.1 }),
    },
    { why: "operations without one", text: CAPTURED.get("onlyrl"), strategy: withOperations(0.5, {}) },
    { why: "adaptive, unseen", text: ADAPTIVE_UNSEEN, strategy: withOperations(0.1, {}, 1 / 60) },
    {
      why: "adaptive, seen",
      text: ADAPTIVE_SEEN,
      strategy: withOperations(0.1, { "str/str": 0.0024999270325000004, "lowerbound/double": 0.2 }, 1 / 60),
    },
    {
      why: "Jaeger 1, a share",
      text: '{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.5}}',
      strategy: plain("probabilistic", 0.5),
    },
    {
      why: "Jaeger 1, a rate",
      text: '{"strategyType":"RATE_LIMITING","rateLimitingSampling":{"maxTracesPerSecond":3}}',
      strategy: plain("ratelimiting", 3),
    },
    {
      why: "proto3 leaves out the type 0",
      text: '{"probabilisticSampling":{"samplingRate":1}}',
      strategy: plain("probabilistic", 1),
    },
    {
      why: "proto3 leaves out the rate 0",
      text: '{"probabilisticSampling":{}}',
      strategy: plain("probabilistic", 0),
    },
    {
      why: "proto3 leaves out no traces a second",
      text: '{"strategyType":1,"rateLimitingSampling":{}}',
      strategy: plain("ratelimiting", 0),
    },
    {
      why: "proto3 leaves out every zero of operations",
      text: '{"operationSampling":{"perOperationStrategies":[{"operation":"a","probabilisticSampling":{}}]}}',
      strategy: withOperations(0, { a: 0 }),
    },
    { why: "and an empty list", text: '{"operationSampling":{}}', strategy: withOperations(0, {}) },
    {
      why: "null is absent",
      text: '{"strategyType":null,"operationSampling":null,"probabilisticSampling":{"samplingRate":null}}',
      strategy: plain("probabilistic", 0),
    },
    {
      why: "of one name the last counts, as in Jaeger's clients",
      text: '{"operationSampling":{"perOperationStrategies":[{"operation":"a","probabilisticSampling":{"samplingRate":0.1}},{"operation":"b","probabilisticSampling":{}},{"operation":"a","probabilisticSampling":{"samplingRate":0.2}}]}}',
      strategy: withOperations(0, { a: 0.2, b: 0 }),
    },
    {
      why: "the type isn't looked at where there are operations",
      text: '{"strategyType":"FUTURE","operationSampling":{"defaultSamplingProbability":1}}',
      strategy: withOperations(1, {}),
    },
  ])("$why", ({ text = "", strategy }) => {
    expect(parseSamplingResponse(text)).toEqual({ strategy });
  });
});

function rule(rate: string): string {
  return `{"operationSampling":{"perOperationStrategies":[{"operation":"a","probabilisticSampling":{"samplingRate":${rate}}}]}}`;
}

describe("what is refused", () => {
  it.each([
    { why: "nothing", text: "", word: /not a JSON object/ },
    { why: "no JSON", text: "<html>", word: /not a JSON object/ },
    {
      why: "NaN is no JSON",
      text: '{"probabilisticSampling":{"samplingRate":NaN}}',
      word: /not a JSON object/,
    },
    { why: "null", text: "null", word: /not a JSON object/ },
    { why: "a list", text: "[]", word: /the answer is a list/ },
    { why: "a number", text: "1", word: /the answer is a number/ },
    {
      why: "an empty answer must not turn sampling off",
      text: "{}",
      word: /probabilisticSampling is not there/,
    },
    {
      why: "a type without its message",
      text: '{"strategyType":1}',
      word: /rateLimitingSampling is not there/,
    },
    {
      why: "an unknown type",
      text: '{"strategyType":2,"probabilisticSampling":{}}',
      word: /strategyType is none/,
    },
    {
      why: "a type's number as text",
      text: '{"strategyType":"1","rateLimitingSampling":{}}',
      word: /strategyType is none/,
    },
    { why: "a share above 1", text: '{"probabilisticSampling":{"samplingRate":1.01}}', word: /more than 1/ },
    { why: "a share below 0", text: '{"probabilisticSampling":{"samplingRate":-0.01}}', word: /less than 0/ },
    {
      why: "as text",
      text: '{"probabilisticSampling":{"samplingRate":"0.5"}}',
      word: /is a string, not a number/,
    },
    {
      why: "infinite",
      text: '{"probabilisticSampling":{"samplingRate":1e999}}',
      word: /no number that can be/,
    },
    {
      why: "a message that is none",
      text: '{"probabilisticSampling":0.5}',
      word: /is a number, not an object/,
    },
    {
      why: "a rate below 0",
      text: '{"strategyType":1,"rateLimitingSampling":{"maxTracesPerSecond":-5}}',
      word: /maxTracesPerSecond is -5, less than 0/,
    },
    {
      why: "an infinite rate",
      text: '{"strategyType":1,"rateLimitingSampling":{"maxTracesPerSecond":1e999}}',
      word: /no number/,
    },
    {
      why: "operations that are none",
      text: '{"operationSampling":[]}',
      word: /operationSampling is a list/,
    },
    {
      why: "a list that is none",
      text: '{"operationSampling":{"perOperationStrategies":{}}}',
      word: /perOperationStrategies is an object, not a list/,
    },
    {
      why: "a default out of range",
      text: '{"operationSampling":{"defaultSamplingProbability":2}}',
      word: /defaultSamplingProbability is 2/,
    },
    {
      why: "a lower bound below 0",
      text: '{"operationSampling":{"defaultLowerBoundTracesPerSecond":-1}}',
      word: /defaultLowerBoundTracesPerSecond is -1/,
    },
    {
      why: "a rule out of range",
      text: rule("7"),
      word: /perOperationStrategies\[0\]\.\S+samplingRate is 7/,
    },
    {
      why: "a rule without a sampler",
      text: '{"operationSampling":{"perOperationStrategies":[{"operation":"a"}]}}',
      word: /\[0\]\.probabilisticSampling is not there/,
    },
    {
      why: "a rule that is null",
      text: '{"operationSampling":{"perOperationStrategies":[null]}}',
      word: /\[0\]\.probabilisticSampling is not there/,
    },
    {
      why: "a name that is none",
      text: '{"operationSampling":{"perOperationStrategies":[{"operation":1,"probabilisticSampling":{}}]}}',
      word: /\[0\]\.operation is a number/,
    },
  ])("$why", ({ text, word }) => {
    expect(parseSamplingResponse(text)).toEqual({ refused: expect.stringMatching(word) as string });
  });

  const manyRules = (count: number): string =>
    JSON.stringify({
      operationSampling: {
        perOperationStrategies: Array.from({ length: count }, (_, index) => ({
          operation: `op ${index}`,
          probabilisticSampling: { samplingRate: 0.5 },
        })),
      },
    });

  it("more operations than Jaeger's clients keep", () => {
    expect(parseSamplingResponse(manyRules(OPERATIONS_MAX))).toHaveProperty("strategy");
    expect(parseSamplingResponse(manyRules(OPERATIONS_MAX + 1))).toEqual({
      refused: "2001 operations, more than 2000",
    });
  });

  it("more than a mebi of characters", () => {
    const answer = '{"probabilisticSampling":{}}';
    expect(parseSamplingResponse(answer.padEnd(RESPONSE_LENGTH_MAX))).toHaveProperty("strategy");
    expect(parseSamplingResponse(answer.padEnd(RESPONSE_LENGTH_MAX + 1))).toEqual({
      refused: expect.stringMatching(/^longer than 1048576/) as string,
    });
  });
});

const anyMember = fc.oneof(
  { withCrossShrink: true, depthSize: "small" },
  fc.jsonValue(),
  fc.constantFrom(0, 1, -1, 0.5, 2, null, "PROBABILISTIC", "RATE_LIMITING", "", {}, []),
);

/** Answers that have Jaeger's members, with anything in them. */
const likeJaegers = fc.record(
  {
    strategyType: anyMember,
    probabilisticSampling: fc.oneof(anyMember, fc.record({ samplingRate: anyMember })),
    rateLimitingSampling: fc.oneof(anyMember, fc.record({ maxTracesPerSecond: anyMember })),
    operationSampling: fc.oneof(
      anyMember,
      fc.record(
        {
          defaultSamplingProbability: anyMember,
          defaultLowerBoundTracesPerSecond: anyMember,
          perOperationStrategies: fc.oneof(
            anyMember,
            fc.array(
              fc.record({ operation: anyMember, probabilisticSampling: anyMember }, { requiredKeys: [] }),
            ),
          ),
        },
        { requiredKeys: [] },
      ),
    ),
  },
  { requiredKeys: [] },
);

it("never throws, and what it takes is in range", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        likeJaegers.map((each) => JSON.stringify(each)),
      ),
      (text) => {
        const parsed = parseSamplingResponse(text);
        if ("refused" in parsed) {
          expect(parsed.refused).not.toBe("");
          return;
        }
        const { sampler, operations, lowerBound } = parsed.strategy;
        expect(lowerBound).toBeGreaterThanOrEqual(0);
        for (const { type, param } of [sampler, ...operations.map((each) => each.sampler)]) {
          expect(param).toBeGreaterThanOrEqual(0);
          expect(param).toBeLessThanOrEqual(type === "ratelimiting" ? Number.MAX_VALUE : 1);
        }
      },
    ),
    { numRuns: 500 },
  );
});
