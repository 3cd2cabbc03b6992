/** What tests of sampling share: candidates by their R, and a policy of which each test changes a part. */

import fc from "fast-check";
import type { Log } from "../../src/core/log.ts";
import { createBuckets } from "../../src/sampling/buckets.ts";
import type { SamplingPolicy } from "../../src/sampling/decision.ts";
import { createForcedBudget } from "../../src/sampling/forced.ts";
import { createKeptTraces } from "../../src/sampling/kept-traces.ts";
import { createPressure } from "../../src/sampling/pressure.ts";
import {
  type Candidate,
  createSampler,
  type Sampler,
  type SamplerVerdict,
} from "../../src/sampling/samplers.ts";
import { createPeerShare } from "../../src/sampling/share.ts";
import type { OperationRule, SamplerSpec, Strategy } from "../../src/sampling/strategy.ts";
import { fakeClock } from "../support/clock.ts";

export const LOWEST = "0".repeat(14);
export const HIGHEST = "f".repeat(14);

/** 14 hex digits. */
export const anyRandomness = fc.string({
  unit: fc.constantFrom(..."0123456789abcdef".split("")),
  minLength: 14,
  maxLength: 14,
});

/** A new trace whose right-most 56 bits are these 14 digits. */
export function candidate(randomness: string, changes: Partial<Candidate> = {}): Candidate {
  return { traceId: "d4cda95b652f4a1592" + randomness, randomness, operation: "GET", nowMs: 0, ...changes };
}

/** The `index`-th of `count` R that are spread evenly. */
export function evenly(index: number, count: number): string {
  return (BigInt(index) * (2n ** 56n / BigInt(count))).toString(16).padStart(14, "0");
}

export function strategyOf(sampler: SamplerSpec, changes: Partial<Strategy> = {}): Strategy {
  return { sampler, operations: [], lowerBound: 0, ...changes };
}

export function samplerOf(strategy: Strategy, buckets = createBuckets()): Sampler {
  return createSampler(strategy, buckets);
}

export const quietLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** What a sampler and its lower bound say together, as a decision asks them. */
export function ask(sampler: Sampler, of: Candidate): SamplerVerdict {
  const verdict = sampler.sample(of);
  const added = sampler.guarantee?.(of, verdict);
  return verdict.isSampled ? verdict : (added ?? verdict);
}

export function rule(operation: string, sampler: SamplerSpec, isLiteral = false): OperationRule {
  return { operation, isLiteral, sampler };
}

/** Exporters keep up, there is no bound, and the sampler is this one. */
export function policyOf(sampler: Sampler, changes: Partial<SamplingPolicy> = {}): SamplingPolicy {
  return {
    sampler,
    forced: createForcedBudget(fakeClock()),
    share: createPeerShare(),
    pressure: createPressure(() => 0, quietLog),
    kept: createKeptTraces(),
    isOff: false,
    ceiling: undefined,
    ...changes,
  };
}
