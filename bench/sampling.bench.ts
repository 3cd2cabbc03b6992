/**
 * Question: what does a sampling decision cost a request, all of it: the wish, the sampler, the bounds of the whole sidecar?
 * Decision it feeds: the bars of the sampler: 0.3 µs for probabilistic, 0.6 µs for 200 operations with a rule each. Above them the
 *           decision is written again.
 * Input:    1,000 different traces, new or within a peer's trace; a task is all 1,000, so its time in ms is the time of one
 *           decision in µs. With operations: 200 names in turn, each with its own rule.
 * Run:      npx vitest bench --run bench/sampling.bench.ts   (alone on the machine, 5 times)
 * Last:     see bench/RESULTS.md: date, commit, CPU, Node; never numbers in this file.
 */

import { bench, describe } from "vitest";
import type { TraceContext } from "../src/propagation/context.ts";
import { createBuckets } from "../src/sampling/buckets.ts";
import {
  decideSampling,
  type DecisionFacts,
  type SamplingPolicy,
  traceStateAfter,
} from "../src/sampling/decision.ts";
import { createCeiling } from "../src/sampling/ceiling.ts";
import { createForcedBudget } from "../src/sampling/forced.ts";
import { createKeptTraces } from "../src/sampling/kept-traces.ts";
import { createPressure } from "../src/sampling/pressure.ts";
import { createSampler } from "../src/sampling/samplers.ts";
import { createPeerShare } from "../src/sampling/share.ts";
import type { Strategy } from "../src/sampling/strategy.ts";
import { randomnessOf, readOtState } from "../src/sampling/threshold.ts";

const TRACES = 1000;
const OPERATIONS = 200;

const quiet = () => undefined;
const clock = { monotonicMs: () => 0, unixMs: () => 0 };
const contexts: readonly TraceContext[] = Array.from({ length: TRACES }, (_, index) => {
  const id = ((index + 1) * 0x9e3779b1).toString(16).padStart(16, "0");
  return { traceId: id + id, spanId: id, isSampled: index % 2 === 0, isRandom: true, traceState: "" };
});
const operations = Array.from(
  { length: OPERATIONS },
  (_, index) => `GET /_matrix/federation/v1/${index}/{id}`,
);

function policyOf(strategy: Strategy, maxPerSecond?: number): SamplingPolicy {
  const buckets = createBuckets();
  return {
    sampler: createSampler(strategy, buckets),
    forced: createForcedBudget(clock),
    share: createPeerShare(),
    pressure: createPressure(() => 0, { debug: quiet, info: quiet, warn: quiet, error: quiet }),
    kept: createKeptTraces(),
    isOff: false,
    ceiling: maxPerSecond === undefined ? undefined : createCeiling(maxPerSecond, buckets),
  };
}

const NO_STATE = readOtState("");
const own: DecisionFacts = {
  source: { kind: "own" },
  isKnown: true,
  isForeign: false,
  sampler: undefined,
  hasPass: false,
  state: NO_STATE,
};
const accepted: DecisionFacts = {
  ...own,
  source: { kind: "peer", name: "a.example", sampling: "accept", forcedPerSecond: 0 },
};
const plain: Strategy = { sampler: { type: "probabilistic", param: 0.1 }, operations: [], lowerBound: 0 };
const perOperation: Strategy = {
  ...plain,
  operations: operations.map((operation, index) => ({
    operation,
    isLiteral: true,
    sampler: { type: "probabilistic", param: index / OPERATIONS },
  })),
};

describe("decide 1,000 times", () => {
  const sink = { length: 0 };
  const cases: readonly (readonly [string, SamplingPolicy, DecisionFacts, boolean])[] = [
    ["const", policyOf({ ...plain, sampler: { type: "const", param: 1 } }), own, false],
    ["probabilistic", policyOf(plain), own, false],
    ["probabilistic, within a peer's trace", policyOf(plain), accepted, true],
    ["ratelimiting", policyOf({ ...plain, sampler: { type: "ratelimiting", param: 100 } }), own, false],
    ["200 operations", policyOf(perOperation), own, false],
    ["200 operations with a lower bound", policyOf({ ...perOperation, lowerBound: 1 }), own, false],
    ["200 operations, max_per_second", policyOf(perOperation, 100), own, false],
  ];
  for (const [name, policy, facts, hasParent] of cases) {
    bench(name, () => {
      for (let index = 0; index < TRACES; index++) {
        const context = contexts[index];
        if (context === undefined) continue;
        const { traceId } = context;
        const decision = decideSampling(policy, facts, hasParent ? context : undefined, {
          traceId,
          randomness: randomnessOf(traceId, NO_STATE),
          operation: operations[index % OPERATIONS] ?? "",
          nowMs: 0,
        });
        sink.length += traceStateAfter("", NO_STATE, decision).length;
      }
    });
  }
});
