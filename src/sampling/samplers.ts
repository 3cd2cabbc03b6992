/**
 * The local sampling strategies: constant, probabilistic, rate limiting. Names and meaning are Jaeger's
 * (https://www.jaegertracing.io/docs/1.52/sampling/#client-sampling-configuration).
 *
 * Each is a plain object made by a function; none reads a clock of its own.
 * Not here: what a peer asks for (decision.ts), and OpenTelemetry's `ot=th:…;rv:…` in `tracestate`: a peer could
 * choose its own randomness there.
 */

import type { Clock } from "../core/clock.ts";
import { createTokenBucket } from "./token-bucket.ts";

/** What a sampler may look at. */
export interface Candidate {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** The span's name. */
  readonly operation: string;
}

export interface Sampler {
  /** As it reads in logs and on the admin page: `probabilistic(0.01)`. */
  readonly description: string;
  isSampled(candidate: Candidate): boolean;
}

/** `sampling` of the config, checked: param is 0 or 1 for const, 0 to 1 for probabilistic, > 0 for ratelimiting. */
export interface SamplerOptions {
  readonly type: "const" | "probabilistic" | "ratelimiting";
  readonly param: number;
}

export function createSampler(options: SamplerOptions, clock: Clock): Sampler {
  switch (options.type) {
    case "const":
      return constSampler(options.param !== 0);
    case "probabilistic":
      return probabilisticSampler(options.param);
    case "ratelimiting":
      return rateLimitingSampler(options.param, clock);
  }
}

/** Samples all or nothing. */
function constSampler(isSampled: boolean): Sampler {
  return { description: `const(${isSampled ? 1 : 0})`, isSampled: () => isSampled };
}

/** The right-most 56 bits of a trace id, which W3C level 2 says are the random ones. */
const RANDOM_DIGITS = 14;
const RANDOM_VALUES = 2 ** (4 * RANDOM_DIGITS);
/** Sorts after every hex digit: no id reaches it. */
const NEVER = "~";

/**
 * Samples a share of all traces, chosen by the trace id, so that all servers with one rate choose the same
 * traces, and one with a lower rate a part of them.
 *
 * OpenTelemetry's consistent probability sampling: sampled where R >= (1 - p) × 2^56, R being the right-most 56
 * bits of the id (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/). Hex digits of
 * one length sort as their numbers do, so both sides stay text: a double cannot hold 56 bits, a BigInt costs an
 * allocation per request. Rates are kept to 2^-56; one below 2^-57 is 0.
 *
 * @param rate 0 to 1; 0 samples nothing and 1 everything, exactly
 */
function probabilisticSampler(rate: number): Sampler {
  const sampledValues = Math.round(rate * RANDOM_VALUES);
  const threshold = BigInt(RANDOM_VALUES) - BigInt(sampledValues);
  const lowest = sampledValues === 0 ? NEVER : threshold.toString(16).padStart(RANDOM_DIGITS, "0");
  return {
    description: `probabilistic(${rate})`,
    isSampled: ({ traceId }) => traceId.slice(-RANDOM_DIGITS) >= lowest,
  };
}

/**
 * Samples at most `perSecond` traces a second, over any window, after a first burst (token-bucket.ts).
 *
 * @param perSecond traces a second, > 0; fractions mean one trace in 1/perSecond seconds
 */
function rateLimitingSampler(perSecond: number, clock: Clock): Sampler {
  const bucket = createTokenBucket(perSecond, clock.monotonicMs());
  return {
    description: `ratelimiting(${perSecond}/s)`,
    isSampled: () => bucket.take(perSecond, clock.monotonicMs()),
  };
}
