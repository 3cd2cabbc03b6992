/**
 * What Jaeger 2.13.0 answered to `GET /sampling?service=S`, as it came, with the strategies file it answered from.
 *
 * Captured with extensions remote_sampling (`file`, without `default_sampling_probability`) and curl. Its head had Content-Type,
 * Date and Content-Length: no ETag, no Last-Modified, no Cache-Control. `/?service=S` answers the same.
 */

/** Its default has rules for operations. */
export const FILE_WITH_DEFAULT_OPERATIONS = `{
"default_strategy":{"type":"probabilistic","param":0.25,"operation_strategies":[{"operation":"GET /health","type":"probabilistic","param":0},{"operation":"GET /x","type":"probabilistic","param":0.9}]},
"service_strategies":[{"service":"foo","type":"probabilistic","param":0.8},{"service":"zero","type":"probabilistic","param":0},
{"service":"bar","type":"ratelimiting","param":5},{"service":"half","type":"ratelimiting","param":0.5},
{"service":"odd","type":"const","param":1},
{"service":"ops","type":"probabilistic","param":0.5,"operation_strategies":[{"operation":"GET /x","type":"probabilistic","param":0.1},{"operation":"GET /x","type":"probabilistic","param":0.2},{"operation":"rl","type":"ratelimiting","param":3},{"operation":"unk","type":"wat","param":3}]},
{"service":"rlops","type":"ratelimiting","param":7,"operation_strategies":[{"operation":"GET /y","type":"probabilistic","param":0.1}]},
{"service":"dup","type":"probabilistic","param":0.1},{"service":"dup","type":"probabilistic","param":0.2},{"service":"caseless","TYPE":"probabilistic","Param":0.3},
{"service":"emptyops","type":"probabilistic","param":0.5,"operation_strategies":[]},{"service":"onlyrl","type":"probabilistic","param":0.5,"operation_strategies":[{"operation":"rl","type":"ratelimiting","param":3}]},{"service":"big","type":"probabilistic","param":7}
]}`;

const DEFAULT_OPERATIONS =
  '[{"operation":"GET /health","probabilisticSampling":{"samplingRate":0}},{"operation":"GET /x","probabilisticSampling":{"samplingRate":0.9}}]';

function byOperation(head: string, probability: number, list: string): string {
  return `{${head},"operationSampling":{"defaultSamplingProbability":${probability},"defaultLowerBoundTracesPerSecond":0,"perOperationStrategies":${list},"defaultUpperBoundTracesPerSecond":0}}`;
}

function rate(probability: number): string {
  return `"strategyType":0,"probabilisticSampling":{"samplingRate":${probability}}`;
}

/** Service and answer. `big` is a probability of 7: Jaeger hands out any number. */
export const ANSWERS_WITH_DEFAULT_OPERATIONS: readonly (readonly [service: string, answer: string])[] = [
  ["foo", byOperation(rate(0.8), 0.8, DEFAULT_OPERATIONS)],
  ["zero", byOperation(rate(0), 0, DEFAULT_OPERATIONS)],
  [
    "bar",
    byOperation('"strategyType":1,"rateLimitingSampling":{"maxTracesPerSecond":5}', 0.25, DEFAULT_OPERATIONS),
  ],
  [
    "half",
    byOperation('"strategyType":1,"rateLimitingSampling":{"maxTracesPerSecond":0}', 0.25, DEFAULT_OPERATIONS),
  ],
  ["odd", byOperation(rate(0.001), 0.001, DEFAULT_OPERATIONS)],
  [
    "ops",
    byOperation(
      rate(0.5),
      0.5,
      '[{"operation":"GET /x","probabilisticSampling":{"samplingRate":0.1}},{"operation":"GET /x","probabilisticSampling":{"samplingRate":0.2}},{"operation":"unk","probabilisticSampling":{"samplingRate":0.001}},{"operation":"GET /health","probabilisticSampling":{"samplingRate":0}}]',
    ),
  ],
  [
    "rlops",
    byOperation(
      '"strategyType":1,"rateLimitingSampling":{"maxTracesPerSecond":7}',
      0.001,
      '[{"operation":"GET /y","probabilisticSampling":{"samplingRate":0.1}},{"operation":"GET /health","probabilisticSampling":{"samplingRate":0}},{"operation":"GET /x","probabilisticSampling":{"samplingRate":0.9}}]',
    ),
  ],
  ["dup", byOperation(rate(0.2), 0.2, DEFAULT_OPERATIONS)],
  ["caseless", byOperation(rate(0.3), 0.3, DEFAULT_OPERATIONS)],
  ["emptyops", byOperation(rate(0.5), 0.5, DEFAULT_OPERATIONS)],
  ["onlyrl", byOperation(rate(0.5), 0.5, DEFAULT_OPERATIONS)],
  ["big", byOperation(rate(7), 7, DEFAULT_OPERATIONS)],
  ["none", byOperation(rate(0.25), 0.25, DEFAULT_OPERATIONS)],
];

/** Its default has none. */
export const FILE_WITHOUT_DEFAULT_OPERATIONS = `{"default_strategy":{"type":"probabilistic","param":0.25},
"service_strategies":[{"service":"foo","type":"probabilistic","param":0.8},{"service":"zero","type":"probabilistic","param":0},
{"service":"bar","type":"ratelimiting","param":5},{"service":"half","type":"ratelimiting","param":0.5},
{"service":"odd","type":"const","param":1},{"service":"neg","type":"ratelimiting","param":-5},{"service":"over","type":"ratelimiting","param":5000000000},
{"service":"ops","type":"probabilistic","param":0.5,"operation_strategies":[{"operation":"GET /x","type":"probabilistic","param":0.1}]},
{"service":"rlops","type":"ratelimiting","param":7,"operation_strategies":[{"operation":"GET /y","type":"probabilistic","param":0.1}]},{"service":"onlyrl","type":"probabilistic","param":0.5,"operation_strategies":[{"operation":"rl","type":"ratelimiting","param":3}]}
]}`;

/** `neg` is not taken here; `over` overflows there (to 0) and is refused here. */
export const ANSWERS_WITHOUT_DEFAULT_OPERATIONS: readonly (readonly [service: string, answer: string])[] = [
  ["foo", '{"strategyType":0,"probabilisticSampling":{"samplingRate":0.8}}'],
  ["zero", '{"strategyType":0,"probabilisticSampling":{"samplingRate":0}}'],
  ["bar", '{"strategyType":1,"rateLimitingSampling":{"maxTracesPerSecond":5}}'],
  ["half", '{"strategyType":1,"rateLimitingSampling":{"maxTracesPerSecond":0}}'],
  ["odd", '{"strategyType":0,"probabilisticSampling":{"samplingRate":0.001}}'],
  ["neg", '{"strategyType":1,"rateLimitingSampling":{"maxTracesPerSecond":-5}}'],
  [
    "ops",
    byOperation(rate(0.5), 0.5, '[{"operation":"GET /x","probabilisticSampling":{"samplingRate":0.1}}]'),
  ],
  [
    "rlops",
    byOperation(
      '"strategyType":1,"rateLimitingSampling":{"maxTracesPerSecond":7}',
      0.001,
      '[{"operation":"GET /y","probabilisticSampling":{"samplingRate":0.1}}]',
    ),
  ],
  ["onlyrl", byOperation(rate(0.5), 0.5, "[]")],
  ["none", '{"strategyType":0,"probabilisticSampling":{"samplingRate":0.25}}'],
];

/** Adaptive sampling, of a service that it has not seen yet. */
export const ADAPTIVE_UNSEEN =
  '{"strategyType":0,"operationSampling":{"defaultSamplingProbability":0.1,"defaultLowerBoundTracesPerSecond":0.016666666666666666,"perOperationStrategies":[],"defaultUpperBoundTracesPerSecond":0}}';

/** The same, of one that it has. */
export const ADAPTIVE_SEEN =
  '{"strategyType":0,"operationSampling":{"defaultSamplingProbability":0.1,"defaultLowerBoundTracesPerSecond":0.016666666666666666,"perOperationStrategies":[{"operation":"str/str","probabilisticSampling":{"samplingRate":0.0024999270325000004}},{"operation":"lowerbound/double","probabilisticSampling":{"samplingRate":0.2}}],"defaultUpperBoundTracesPerSecond":0}}';
