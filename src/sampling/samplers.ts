/**
 * The local sampling strategies: constant, probabilistic, rate limiting, one for each operation, and a lower bound under all of them.
 * Names and meaning are Jaeger's (https://www.jaegertracing.io/docs/1.76/sampling/).
 *
 * Each is a plain object made by a function; none reads a clock of its own, and a decision makes no object.
 * Not here: what a peer asks for, and what holds for the sidecar as a whole (decision.ts).
 */

import type { Buckets } from "./buckets.ts";
import type { OperationRule, SamplerSpec, Strategy } from "./strategy.ts";
import { ALWAYS, thresholdOf } from "./threshold.ts";

/** What a sampler may look at. */
export interface Candidate {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 14 hex digits (threshold.ts). */
  readonly randomness: string;
  /** The span's name. */
  readonly operation: string;
  /** Monotonic. */
  readonly nowMs: number;
}

/** What a sampler made of a trace: one of a few objects, the same each time. */
export interface SamplerVerdict {
  readonly isSampled: boolean;
  /** `sampler.type` and `sampler.param` of the trace's first span, as Jaeger's clients have them. */
  readonly type: SamplerSpec["type"] | "lowerbound";
  /** const: a boolean; probabilistic and lowerbound: the probability; ratelimiting: traces a second. */
  readonly param: number | boolean;
  /** What R was compared with, 14 hex digits; undefined: chance had no part in it, and what is kept can't be scaled up. */
  readonly threshold: string | undefined;
}

export interface Sampler {
  /** As it reads in logs and on the admin page: `probabilistic(0.01)`. */
  readonly description: string;
  /** Whether two requests of one trace may be decided differently, since what was left at the time decides. */
  readonly isByTurn: boolean;
  /** Whether this operation's is a rate limit: a trace that it refused is not to be asked for again with its next request. */
  isRated(operation: string): boolean;
  sample(candidate: Candidate): SamplerVerdict;
  /**
   * The lower bound's word about a trace, where there is one: takes a token of its operation. To be asked once it is known what becomes of
   * what `sample` said: what is kept anyway counts towards the bound, and what is not gets another chance.
   *
   * @param verdict what `sample` said @returns what keeps the trace; undefined: no token is left
   */
  readonly guarantee?:
    ((candidate: Candidate, verdict: SamplerVerdict) => SamplerVerdict | undefined) | undefined;
}

/** Operations whose sampler is remembered, as many as Jaeger's clients keep; of all further ones each is looked for again, and has no lower bound. */
export const OPERATIONS_MAX = 2000;

/**
 * One sampler for all operations: each has the first rule's that matches, and its own lower bound.
 *
 * @param buckets kept over changes of the strategy, so that a change gives nobody a new first burst
 */
export function createSampler(strategy: Strategy, buckets: Buckets): Sampler {
  const { lowerBound } = strategy;
  const byDefault = simpleSampler(strategy.sampler, buckets, "sampler");
  const rules = strategy.operations.map((rule) => compileRule(rule, buckets));
  if (rules.length === 0 && lowerBound === 0) return byDefault;

  const known = new Map<string, Sampler>();
  const find = (operation: string): Sampler =>
    rules.find(({ matches }) => matches(operation))?.sampler ?? byDefault;
  const learn = (operation: string): Sampler => {
    const sampler = find(operation);
    if (known.size < OPERATIONS_MAX) known.set(operation, sampler);
    return sampler;
  };
  return {
    description: describe(strategy, byDefault),
    isByTurn: lowerBound > 0 || byDefault.isByTurn || rules.some(({ sampler }) => sampler.isByTurn),
    isRated: (operation) => (known.get(operation) ?? learn(operation)).isByTurn,
    sample: (candidate) => (known.get(candidate.operation) ?? learn(candidate.operation)).sample(candidate),
    guarantee: lowerBound === 0 ? undefined : guaranteeOf(lowerBound, buckets),
  };
}

function describe({ operations, lowerBound }: Strategy, { description }: Sampler): string {
  const rules = operations.length === 0 ? "" : `, ${operations.length} operation rules`;
  return `${description}${rules}${lowerBound === 0 ? "" : `, at least ${lowerBound}/s each`}`;
}

/** @param bucketKey names a rate-limiting one's tokens */
export function simpleSampler(spec: SamplerSpec, buckets: Buckets, bucketKey: string): Sampler {
  switch (spec.type) {
    case "const":
      return constSampler(spec.param === 1);
    case "probabilistic":
      return probabilisticSampler(spec.param);
    case "ratelimiting":
      return rateLimitingSampler(spec.param, buckets, bucketKey);
  }
}

/** Samples all or nothing. */
function constSampler(isSampled: boolean): Sampler {
  const verdict: SamplerVerdict = {
    isSampled,
    type: "const",
    param: isSampled,
    threshold: isSampled ? ALWAYS : undefined,
  };
  return {
    description: `const(${isSampled ? 1 : 0})`,
    isByTurn: false,
    isRated: () => false,
    sample: () => verdict,
  };
}

/** Samples a share of all traces, chosen by their R (threshold.ts). @param rate 0 to 1; 0 samples nothing and 1 everything, exactly */
function probabilisticSampler(rate: number): Sampler {
  const threshold = thresholdOf(rate);
  const yes: SamplerVerdict = { isSampled: true, type: "probabilistic", param: rate, threshold };
  const no: SamplerVerdict = { ...yes, isSampled: false };
  return {
    description: `probabilistic(${rate})`,
    isByTurn: false,
    isRated: () => false,
    sample: ({ randomness }) => (randomness >= threshold ? yes : no),
  };
}

/**
 * Samples at most `perSecond` traces a second, over any window, after a first burst (token-bucket.ts).
 *
 * @param perSecond traces a second; fractions mean one trace in 1/perSecond seconds, 0 none
 */
function rateLimitingSampler(perSecond: number, buckets: Buckets, bucketKey: string): Sampler {
  const yes: SamplerVerdict = {
    isSampled: true,
    type: "ratelimiting",
    param: perSecond,
    threshold: undefined,
  };
  const no: SamplerVerdict = { ...yes, isSampled: false };
  const take = buckets.of(bucketKey);
  return {
    description: `ratelimiting(${perSecond}/s)`,
    isByTurn: true,
    isRated: () => true,
    sample: ({ nowMs }) => (perSecond > 0 && take(perSecond, nowMs) ? yes : no),
  };
}

/**
 * Of each operation at least so many traces a second, so that a rare one is seen at all.
 *
 * As Jaeger's clients do it: what the sampler takes counts towards the bound too, and what the bound adds says `lowerbound`, with
 * the probability as its param (https://github.com/jaegertracing/jaeger-client-go/blob/master/sampler.go).
 */
function guaranteeOf(perSecond: number, buckets: Buckets): NonNullable<Sampler["guarantee"]> {
  const added = new Map<SamplerVerdict["param"], SamplerVerdict>();
  const taking = new Map<string, ReturnType<Buckets["of"]>>();
  return ({ operation, nowMs }, { type, param: rate }) => {
    let take = taking.get(operation);
    if (take === undefined) {
      if (taking.size >= OPERATIONS_MAX) return undefined;
      taking.set(operation, (take = buckets.of(`at least: ${operation}`)));
    }
    if (!take(perSecond, nowMs)) return undefined;
    const param = type === "probabilistic" ? rate : 0;
    const known = added.get(param);
    if (known !== undefined) return known;
    const verdict: SamplerVerdict = { isSampled: true, type: "lowerbound", param, threshold: undefined };
    added.set(param, verdict);
    return verdict;
  };
}

interface CompiledRule {
  readonly matches: (operation: string) => boolean;
  readonly sampler: Sampler;
}

/** A rule's tokens are for all operations that it matches together. */
function compileRule({ operation, isLiteral, sampler }: OperationRule, buckets: Buckets): CompiledRule {
  return {
    matches: isLiteral ? (name) => name === operation : (name) => matchesPattern(name, operation),
    sampler: simpleSampler(sampler, buckets, `rule: ${operation}`),
  };
}

/**
 * Whether a name is one of a pattern's, where `*` stands for any characters. Goes back to the last `*` alone, so it takes at most the
 * length of one times that of the other, whatever they are.
 */
export function matchesPattern(name: string, pattern: string): boolean {
  let at = 0;
  let place = 0;
  let star = -1;
  let resume = 0;
  while (at < name.length) {
    if (pattern[place] === "*") {
      star = place++;
      resume = at;
    } else if (pattern[place] === name[at]) {
      at++;
      place++;
    } else if (star >= 0) {
      place = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[place] === "*") place++;
  return place === pattern.length;
}
