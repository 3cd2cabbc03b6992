/**
 * Jaeger's file of sampling strategies, read for one service as Jaeger 1.76 and 2.13 would answer for it.
 *
 * Format: https://www.jaegertracing.io/docs/1.76/sampling/#file-based-sampling-configuration. Meaning: internal/sampling/samplingstrategy/file/provider.go
 * there, `parseStrategies` on: what is unknown becomes the built-in default with a warning; a rate limit for one operation is left out
 * with a warning; the default's operations count for every service, after its own; a rate limit is cut to a whole number; names of
 * members are read in any case, and of two entries of a service the last counts. Its answers are in test/strategies/jaeger-answers.ts.
 * Where any operation has a rule, a rate limit of the whole service is void: Jaeger's clients look at `operationSampling` alone then.
 * Not here: a file behind a URL, and Jaeger's option `default_sampling_probability`, which is 0.001 unless set.
 */

import { OPERATIONS_MAX } from "../sampling/samplers.ts";
import type { OperationRule, SamplerSpec, Strategy } from "../sampling/strategy.ts";
import { lastOfEachName, probabilistic } from "./jaeger-response.ts";
import {
  createJsonReader,
  type JsonObject,
  type JsonReader,
  parseJson,
  PER_SECOND,
  PROBABILITY,
} from "./json-reader.ts";

export type ParsedFile =
  /** @property warnings what Jaeger warns of or changes without a word, a line each; ten at most */
  { readonly strategy: Strategy; readonly warnings: readonly string[] } | { readonly refused: string };

/** A file is for all services of an installation: some thousands with some operations each. */
export const FILE_LENGTH_MAX = 8 * 1024 * 1024;

/** Jaeger's `DefaultSamplingProbability`: where nothing else is said. */
const DEFAULT_PROBABILITY = 0.001;
/** Jaeger keeps rate limits in an int32; what is more overflows there. */
const RATE_MAX = 2 ** 31 - 1;
const WARNINGS_MAX = 10;
/** Of a name in a line of the log. */
const NAME_LENGTH_MAX = 100;

/** One strategy as the file has it. */
interface Entry {
  /** Of the service or the operation. */
  readonly name: string;
  readonly type: string;
  readonly param: number;
  readonly operations: readonly Entry[];
}

/** What Jaeger would answer. */
interface Answer {
  readonly sampler: SamplerSpec;
  /** Undefined: no `operationSampling` in it. */
  readonly byOperation:
    { readonly probability: number; readonly rules: readonly OperationRule[] } | undefined;
}

type Warn = (warning: string) => void;

/**
 * Never throws. Names of operations are literal, as in an answer of Jaeger's.
 *
 * @param text refused whole where a member has a wrong type anywhere, as Jaeger does; a number out of its range is refused where it counts for the service
 */
export function parseStrategyFile(text: string, service: string): ParsedFile {
  if (text.length > FILE_LENGTH_MAX) return { refused: `longer than ${FILE_LENGTH_MAX} characters` };
  const reader = createJsonReader();
  const json = parseJson(text);
  if (json === undefined) return { refused: "not JSON" };
  const file = caseless(reader.object(json, "the file") ?? {});
  const fallback = readEntry(file["default_strategy"], "default_strategy", "service", reader);
  const services = readEntries(file["service_strategies"], "service_strategies", "service", reader);
  if (reader.fault !== undefined) return { refused: reader.fault };

  const warnings: string[] = [];
  const warn: Warn = (warning) => void warnings.push(warning);
  const standard: Answer =
    fallback === undefined
      ? { sampler: probabilistic(DEFAULT_PROBABILITY), byOperation: undefined }
      : answerFor(fallback, "default_strategy", warn);
  const own = services.findLast(({ name }) => name === service);
  const answer =
    own === undefined ? standard : merge(answerFor(own, `service ${quote(service)}`, warn), standard);
  const strategy = strategyOf(answer);
  const fault = faultOf(strategy);
  return fault === undefined ? { strategy, warnings: atMost(WARNINGS_MAX, warnings) } : { refused: fault };
}

/** As Go's decoder takes names; of two that differ in case alone the last counts. */
function caseless(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name.toLowerCase(), value]));
}

/** Whose strategy it is, and so the member that has the name. */
type Kind = "service" | "operation";

function readEntries(value: unknown, place: string, kind: Kind, reader: JsonReader): readonly Entry[] {
  return reader.list(value, place).flatMap((each, index) => {
    const entry = readEntry(each, `${place}[${index}]`, kind, reader);
    if (entry === undefined) reader.refuse(`${place}[${index}] is null`); // Ends Jaeger with a nil pointer.
    return entry ?? [];
  });
}

function readEntry(value: unknown, place: string, kind: Kind, reader: JsonReader): Entry | undefined {
  const object = reader.object(value, place);
  if (object === undefined) return undefined;
  const members = caseless(object);
  const list = kind === "service" ? members["operation_strategies"] : undefined;
  return {
    name: reader.text(members[kind], `${place}.${kind}`),
    type: reader.text(members["type"], `${place}.type`),
    param: reader.number(members["param"], `${place}.param`),
    operations: readEntries(list, `${place}.operation_strategies`, "operation", reader),
  };
}

/** `parseServiceStrategies` of Jaeger. */
function answerFor(entry: Entry, whose: string, warn: Warn): Answer {
  const sampler = samplerOf(entry, whose, warn);
  if (entry.operations.length === 0) return { sampler, byOperation: undefined };
  const probability = sampler.type === "probabilistic" ? sampler.param : DEFAULT_PROBABILITY;
  const rules = entry.operations.flatMap((each) => {
    const which = `operation ${quote(each.name)} of ${whose}`;
    if (each.type !== "ratelimiting") {
      return { operation: each.name, isLiteral: true, sampler: samplerOf(each, which, warn) };
    }
    warn(`${which}: Jaeger has rate limits for whole services only, the rule is ignored`);
    return [];
  });
  return { sampler, byOperation: { probability, rules } };
}

/** `parseStrategy` of Jaeger. */
function samplerOf({ type, param }: Entry, whose: string, warn: Warn): SamplerSpec {
  if (type === "probabilistic") return probabilistic(param);
  if (type !== "ratelimiting") {
    warn(
      `${whose}: type ${quote(type)} is unknown to Jaeger, probabilistic(${DEFAULT_PROBABILITY}) is in its place`,
    );
    return probabilistic(DEFAULT_PROBABILITY);
  }
  const whole = Math.trunc(param) + 0; // Never -0.
  if (whole !== param) warn(`${whose}: Jaeger cuts ${param} traces a second to ${whole}`);
  return { type, param: whole };
}

/** The second half of `parseStrategies` of Jaeger: the default's operations are every service's. */
function merge(own: Answer, standard: Answer): Answer {
  const { sampler, byOperation } = own;
  if (standard.byOperation === undefined) return own;
  if (byOperation === undefined) {
    const probability = sampler.type === "probabilistic" ? sampler.param : standard.byOperation.probability;
    return { sampler, byOperation: { ...standard.byOperation, probability } };
  }
  const names = new Set(byOperation.rules.map(({ operation }) => operation));
  const others = standard.byOperation.rules.filter(({ operation }) => !names.has(operation));
  return { sampler, byOperation: { ...byOperation, rules: [...byOperation.rules, ...others] } };
}

/** What Jaeger's clients make of the answer. */
function strategyOf({ sampler, byOperation }: Answer): Strategy {
  if (byOperation === undefined) return { sampler, operations: [], lowerBound: 0 };
  const operations = lastOfEachName(byOperation.rules);
  return { sampler: probabilistic(byOperation.probability), operations, lowerBound: 0 };
}

/** Jaeger hands out any number; its clients don't take every one. */
function faultOf({ sampler, operations }: Strategy): string | undefined {
  const reader = createJsonReader();
  if (operations.length > OPERATIONS_MAX) {
    reader.refuse(`${operations.length} operations, more than ${OPERATIONS_MAX}`);
  }
  const range = sampler.type === "ratelimiting" ? ([PER_SECOND[0], RATE_MAX] as const) : PROBABILITY;
  reader.number(sampler.param, `the ${sampler.type} param`, range);
  for (const rule of operations) {
    reader.number(rule.sampler.param, `the param of operation ${quote(rule.operation)}`, PROBABILITY);
  }
  return reader.fault;
}

function quote(name: string): string {
  return JSON.stringify(name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX)}…` : name);
}

function atMost(count: number, lines: readonly string[]): readonly string[] {
  if (lines.length <= count) return lines;
  return [...lines.slice(0, count - 1), `and ${lines.length - count + 1} more`];
}
