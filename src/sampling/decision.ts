/**
 * Whether a request's span is recorded: the sender's wish, what it is worth, and the local sampler.
 *
 * Rule: docs contract, section 3, rule 5. A wish can add a trace, never take one away: "not sampled" is not
 * followed from anybody. Not here: debug flags, which no codec reads, and metrics, which do not ask.
 */

import type { TraceContext } from "../propagation/context.ts";
import type { ForcedBudget } from "./forced.ts";
import type { Candidate, Sampler } from "./samplers.ts";

/** Who sent the request, and so what its "sampled" is worth. */
export type WishSource =
  /** The operator's own server, on its way out. Its yes always counts. */
  | { readonly kind: "own" }
  /** A remote peer. `accept`: its wish is nothing. `trust`: its yes counts within its budget. */
  | {
      readonly kind: "peer";
      /** In lower case. */
      readonly name: string;
      readonly sampling: "accept" | "trust";
      /** New traces a second, of the whitelist entry; looked at under `trust` only. */
      readonly forcedPerSecond: number;
    };

export interface SamplingDecision {
  readonly isSampled: boolean;
  /** `own`, `forced`: a wish was followed, the own server's or a trusted peer's. `local`: the sampler decided. */
  readonly by: "local" | "forced" | "own";
}

export interface SamplingPolicy {
  readonly sampler: Sampler;
  readonly forced: ForcedBudget;
}

/**
 * Decides once for a request. A wish that counts settles it, and the local sampler is not asked: a rate-limiting
 * one has all its traces left for requests that nobody vouches for.
 *
 * @param parent the context that was taken over; undefined where none was, or none may be
 * @param candidate its trace id is the parent's where there is one
 */
export function decideSampling(
  policy: SamplingPolicy,
  source: WishSource,
  parent: TraceContext | undefined,
  candidate: Candidate,
): SamplingDecision {
  if (parent?.isSampled === true) {
    if (source.kind === "own") return { isSampled: true, by: "own" };
    const { name, sampling, forcedPerSecond } = source;
    if (sampling === "trust" && policy.forced.allows(name, candidate.traceId, forcedPerSecond)) {
      return { isSampled: true, by: "forced" };
    }
  }
  return { isSampled: policy.sampler.isSampled(candidate), by: "local" };
}
