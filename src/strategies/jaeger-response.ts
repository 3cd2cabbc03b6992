/**
 * What Jaeger answers to `GET /sampling?service=S`: text → strategy, or a word of refusal.
 *
 * Forms: api_v2 `SamplingStrategyResponse` as JSON
 * (https://github.com/jaegertracing/jaeger-idl/blob/main/proto/api_v2/sampling.proto). Jaeger 2 writes `strategyType` as a number, Jaeger 1 as its name.
 * Precedence as in Jaeger's own clients: `operationSampling` comes before all else where it is there, whatever the type says.
 * Not here: how far a strategy may go (bounds.ts), and `defaultUpperBoundTracesPerSecond`, which no client reads.
 */

import { OPERATIONS_MAX } from "../sampling/samplers.ts";
import type { OperationRule, SamplerSpec, Strategy } from "../sampling/strategy.ts";
import {
  createJsonReader,
  type JsonObject,
  type JsonReader,
  parseJson,
  PER_SECOND,
  PROBABILITY,
} from "./json-reader.ts";

export type Parsed = { readonly strategy: Strategy } | { readonly refused: string };

/** Of a name, in characters; a span's is far shorter. */
const OPERATION_LENGTH_MAX = 500;
/** Two thousand operations with long names are 300 kB. */
export const RESPONSE_LENGTH_MAX = 1024 * 1024;

/** Absent is 0 in proto3. */
const TYPES = new Map<unknown, SamplerSpec["type"]>([
  [undefined, "probabilistic"],
  [null, "probabilistic"],
  [0, "probabilistic"],
  ["PROBABILISTIC", "probabilistic"],
  [1, "ratelimiting"],
  ["RATE_LIMITING", "ratelimiting"],
]);

/**
 * Never throws. Names of operations are literal, as in Jaeger: `*` is a letter like any other.
 *
 * @param text refused where it has more than 1 Mi characters, more than 2000 operations, or a number out of its range
 */
export function parseSamplingResponse(text: string): Parsed {
  if (text.length > RESPONSE_LENGTH_MAX) return { refused: `longer than ${RESPONSE_LENGTH_MAX} characters` };
  const reader = createJsonReader();
  const answer = reader.object(parseJson(text), "the answer");
  if (answer === undefined) return { refused: reader.fault ?? "not a JSON object" };
  const strategy = readAnswer(answer, reader);
  return reader.fault === undefined ? { strategy } : { refused: reader.fault };
}

function readAnswer(answer: JsonObject, reader: JsonReader): Strategy {
  const byOperation = reader.object(answer["operationSampling"], "operationSampling");
  if (byOperation !== undefined) return readOperationSampling(byOperation, reader);
  return { sampler: readSampler(answer, reader), operations: [], lowerBound: 0 };
}

function readSampler(answer: JsonObject, reader: JsonReader): SamplerSpec {
  const type = TYPES.get(answer["strategyType"]);
  if (type === undefined) reader.refuse("strategyType is none that is known");
  return type === "ratelimiting"
    ? { type, param: readParam(answer, "rateLimitingSampling", reader) }
    : { type: "probabilistic", param: readParam(answer, "probabilisticSampling", reader) };
}

/** A message that isn't there is no zero: an empty answer must not turn sampling off. */
function readParam(
  holder: JsonObject,
  name: "probabilisticSampling" | "rateLimitingSampling",
  reader: JsonReader,
  place = name as string,
): number {
  const message = reader.object(holder[name], place);
  if (message === undefined) {
    reader.refuse(`${place} is not there`);
    return 0;
  }
  return name === "probabilisticSampling"
    ? reader.number(message["samplingRate"], `${place}.samplingRate`, PROBABILITY)
    : reader.number(message["maxTracesPerSecond"], `${place}.maxTracesPerSecond`, PER_SECOND);
}

function readOperationSampling(message: JsonObject, reader: JsonReader): Strategy {
  const at = (name: string): string => `operationSampling.${name}`;
  const probability = reader.number(
    message["defaultSamplingProbability"],
    at("defaultSamplingProbability"),
    PROBABILITY,
  );
  const lowerBound = reader.number(
    message["defaultLowerBoundTracesPerSecond"],
    at("defaultLowerBoundTracesPerSecond"),
    PER_SECOND,
  );
  const list = reader.list(message["perOperationStrategies"], at("perOperationStrategies"));
  // Jaeger's clients cut off what is more (`DEFAULT_MAX_OPERATIONS`); here it is a fault.
  if (list.length > OPERATIONS_MAX) {
    reader.refuse(`${list.length} operations, more than ${OPERATIONS_MAX}`);
    return { sampler: probabilistic(0), operations: [], lowerBound: 0 };
  }
  const rules = list.map((each, index): OperationRule => {
    const place = at(`perOperationStrategies[${index}]`);
    const rule = reader.object(each, place) ?? {};
    return {
      operation: reader.text(rule["operation"], `${place}.operation`, OPERATION_LENGTH_MAX),
      isLiteral: true,
      sampler: probabilistic(
        readParam(rule, "probabilisticSampling", reader, `${place}.probabilisticSampling`),
      ),
    };
  });
  return { sampler: probabilistic(probability), operations: lastOfEachName(rules), lowerBound };
}

export function probabilistic(param: number): SamplerSpec {
  return { type: "probabilistic", param };
}

/** Jaeger's clients keep samplers by name, so that the last rule of a name counts; with us the first one would. */
export function lastOfEachName(rules: readonly OperationRule[]): readonly OperationRule[] {
  return [...new Map(rules.map((rule) => [rule.operation, rule])).values()];
}
