/** Jaeger's strategies file: what is read for a service is what Jaeger would have answered, with its warnings. */

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OPERATIONS_MAX } from "../../src/sampling/samplers.ts";
import { parseSamplingResponse } from "../../src/strategies/jaeger-response.ts";
import { FILE_LENGTH_MAX, parseStrategyFile } from "../../src/strategies/strategy-file.ts";
import {
  ANSWERS_WITH_DEFAULT_OPERATIONS,
  ANSWERS_WITHOUT_DEFAULT_OPERATIONS,
  FILE_WITH_DEFAULT_OPERATIONS,
  FILE_WITHOUT_DEFAULT_OPERATIONS,
} from "./jaeger-answers.ts";

/** Jaeger hands these out, and its clients would not take them. */
const REFUSED_HERE = new Set(["big", "neg"]);

function strategyOf(parsed: object): unknown {
  return "strategy" in parsed ? parsed.strategy : parsed;
}

describe.each([
  ["with operations in the default", FILE_WITH_DEFAULT_OPERATIONS, ANSWERS_WITH_DEFAULT_OPERATIONS],
  ["without", FILE_WITHOUT_DEFAULT_OPERATIONS, ANSWERS_WITHOUT_DEFAULT_OPERATIONS],
] as const)("a file %s", (_, file, answers) => {
  const taken = answers.filter(([service]) => !REFUSED_HERE.has(service));

  it.each(taken)("has for %s what Jaeger answers", (service, answer) => {
    const expected = parseSamplingResponse(answer);
    expect(expected).toHaveProperty("strategy");
    expect(strategyOf(parseStrategyFile(file, service))).toEqual(strategyOf(expected));
  });

  it.each(answers.filter(([service]) => REFUSED_HERE.has(service)))("is refused for %s", (service) => {
    expect(parseStrategyFile(file, service)).toEqual({
      refused: expect.stringMatching(/param is/) as string,
    });
  });
});

describe("where nothing names the service", () => {
  const builtIn = {
    strategy: { sampler: { type: "probabilistic", param: 0.001 }, operations: [], lowerBound: 0 },
    warnings: [],
  };
  it.each([
    { why: "no default", file: '{"service_strategies":[{"service":"other","type":"const","param":1}]}' },
    { why: "an empty file's object", file: "{}" },
    { why: "null, as Jaeger takes it", file: "null" },
    { why: "null for each", file: '{"default_strategy":null,"service_strategies":null}' },
  ])("$why is Jaeger's built-in default", ({ file }) => {
    expect(parseStrategyFile(file, "S")).toEqual(builtIn);
  });
});

describe("what Jaeger warns of", () => {
  it.each([
    { why: "nothing", service: "foo", warnings: [] },
    { why: "a type of ours alone", service: "odd", warnings: [/^service "odd": type "const" is unknown/] },
    { why: "a part of a trace a second", service: "half", warnings: [/0\.5 traces a second to 0$/] },
    {
      why: "operations with a rate, or an unknown type",
      service: "ops",
      warnings: [/^operation "rl" of service "ops": .*ignored$/, /^operation "unk" .* type "wat" is unknown/],
    },
  ])("$why", ({ service, warnings }) => {
    expect(parseStrategyFile(FILE_WITH_DEFAULT_OPERATIONS, service)).toMatchObject({
      warnings: warnings.map((line) => expect.stringMatching(line) as string),
    });
  });

  it("ten lines at most, with long names cut", () => {
    const operations = Array.from({ length: 50 }, (_, index) => ({
      operation: `${index} ${"x".repeat(1000)}`,
      type: "ratelimiting",
      param: 1,
    }));
    const file = { default_strategy: { type: "probabilistic", param: 1, operation_strategies: operations } };
    const parsed = parseStrategyFile(JSON.stringify(file), "S");
    const warnings = "warnings" in parsed ? parsed.warnings : [];
    expect(warnings).toHaveLength(10);
    expect(warnings.at(-1)).toBe("and 41 more");
    expect(Math.max(...warnings.map((line) => line.length))).toBeLessThan(300);
  });
});

describe("what is refused", () => {
  it.each([
    { why: "no JSON", file: "service: S", word: /^not JSON$/ },
    { why: "a list", file: "[]", word: /the file is a list/ },
    {
      why: "a wrong type, of another service too",
      file: '{"service_strategies":[{"service":1}]}',
      word: /service is a number/,
    },
    {
      why: "a param as text",
      file: '{"default_strategy":{"type":"probabilistic","param":"1"}}',
      word: /param is a string/,
    },
    {
      why: "a list of null, which ends Jaeger",
      file: '{"service_strategies":[null]}',
      word: /\[0\] is null/,
    },
    {
      why: "the same of operations",
      file: '{"default_strategy":{"operation_strategies":[null]}}',
      word: /operation_strategies\[0\] is null/,
    },
    {
      why: "a share out of range",
      file: '{"default_strategy":{"type":"probabilistic","param":1.5}}',
      word: /probabilistic param is 1.5, more than 1/,
    },
    {
      why: "of an operation",
      file: '{"default_strategy":{"type":"probabilistic","param":1,"operation_strategies":[{"operation":"a","type":"probabilistic","param":-1}]}}',
      word: /operation "a" is -1/,
    },
    {
      why: "a rate that overflows there",
      file: '{"default_strategy":{"type":"ratelimiting","param":2147483648}}',
      word: /more than 2147483647/,
    },
  ])("$why", ({ file, word }) => {
    expect(parseStrategyFile(file, "S")).toEqual({ refused: expect.stringMatching(word) as string });
  });

  it("a number out of range that doesn't count for the service is let be", () => {
    expect(parseStrategyFile(FILE_WITH_DEFAULT_OPERATIONS, "foo")).toHaveProperty("strategy");
  });

  it("too many operations, too long a file", () => {
    const file = (count: number): string =>
      JSON.stringify({
        default_strategy: {
          type: "probabilistic",
          operation_strategies: Array.from({ length: count }, (_, index) => ({
            operation: `op ${index}`,
            type: "probabilistic",
          })),
        },
      });
    expect(parseStrategyFile(file(OPERATIONS_MAX), "S")).toHaveProperty("strategy");
    expect(parseStrategyFile(file(OPERATIONS_MAX + 1), "S")).toHaveProperty("refused");
    expect(parseStrategyFile("{}".padEnd(FILE_LENGTH_MAX), "S")).toHaveProperty("strategy");
    expect(parseStrategyFile("{}".padEnd(FILE_LENGTH_MAX + 1), "S")).toHaveProperty("refused");
  });
});

it("never throws", () => {
  const member = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom("probabilistic", "ratelimiting", "S", 0, 0.5, -1, null),
  );
  const operation = fc.record({ operation: member, type: member, param: member }, { requiredKeys: [] });
  const entry = fc.record(
    {
      service: member,
      type: member,
      param: member,
      operation_strategies: fc.oneof(member, fc.array(operation)),
    },
    { requiredKeys: [] },
  );
  const file = fc.record(
    { default_strategy: fc.oneof(member, entry), service_strategies: fc.oneof(member, fc.array(entry)) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        file.map((each) => JSON.stringify(each)),
      ),
      (text) => {
        const parsed = parseStrategyFile(text, "S");
        expect("strategy" in parsed || parsed.refused !== "").toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});
