/**
 * Whether a request's span is recorded: the sender's wish, what it is worth, the local sampler, and what holds for the sidecar as a whole.
 *
 * ```
 *   a debug pass ───────────────────────────────────────────────────────────────────────────────► yes
 *   own server's yes, a trusted peer's within its budget ─┐
 *   the peer's sampler, or the operation's ─► yes ────────┴─► back-pressure ─► max_per_second ───► yes
 * ```
 * Rule: docs contract, section 3, rule 5. A wish can add a trace, never take one away: "not sampled" is not
 * followed from anybody. Not here: metrics, which do not ask.
 */

import type { TraceContext } from "../propagation/context.ts";
import type { Buckets } from "./buckets.ts";
import type { ForcedBudget } from "./forced.ts";
import type { KeptTraces } from "./kept-traces.ts";
import { type Pressure, thinnedThreshold } from "./pressure.ts";
import type { Candidate, Sampler, SamplerVerdict } from "./samplers.ts";
import type { PeerShare } from "./share.ts";
import { ALWAYS, hasState, saidThreshold, withThreshold } from "./threshold.ts";

/** Who sent the request, and so what its "sampled" is worth. */
export type WishSource =
  /** The operator's own server, on its way out. Its yes counts. */
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

/**
 * `own`, `forced`: a wish was followed, the own server's or a trusted peer's. `local`: the sampler decided. `debug_pass`: the sender has
 * a pass (passes/debug-pass.ts).
 */
type DecidedBy = "local" | "forced" | "own" | "debug_pass";

/** Why a trace was not kept that somebody wanted: exporters are behind, there are enough, or a peer has had its share. */
type Withheld = "pressure" | "max_per_second" | "share";

export interface SamplingDecision {
  readonly isSampled: boolean;
  readonly by: DecidedBy;
  /** The local sampler's; undefined where it was not asked. */
  readonly verdict: SamplerVerdict | undefined;
  /** What R reached, 14 hex digits, so that what is kept can be scaled up; undefined where that is not known. */
  readonly threshold: string | undefined;
  readonly withheld: Withheld | undefined;
}

export interface SamplingPolicy {
  readonly sampler: Sampler;
  readonly forced: ForcedBudget;
  readonly share: PeerShare;
  readonly pressure: Pressure;
  readonly kept: KeptTraces;
  readonly buckets: Buckets;
  /** New traces a second of the whole sidecar; undefined: no bound. */
  readonly maxPerSecond: number | undefined;
}

/** What is known of a request besides its context. */
export interface DecisionFacts {
  readonly source: WishSource;
  /** Of the peer, where it has a sampler of its own; undefined: the policy's. */
  readonly sampler: Sampler | undefined;
  readonly hasPass: boolean;
}

const ALL = "all";

/**
 * Decides once for a request. A wish that counts settles it, and the local sampler is not asked: a rate-limiting
 * one has all its traces left for requests that nobody vouches for.
 *
 * @param parent the context that was taken over; undefined where none was, or none may be
 * @param candidate its trace id is the parent's where there is one
 */
export function decideSampling(
  policy: SamplingPolicy,
  { source, sampler = policy.sampler, hasPass }: DecisionFacts,
  parent: TraceContext | undefined,
  candidate: Candidate,
): SamplingDecision {
  if (hasPass) return decided("debug_pass", true, undefined, undefined);
  const { kept, maxPerSecond } = policy;
  const isByTurn = sampler.isByTurn || maxPerSecond !== undefined;
  if (isByTurn && parent !== undefined) {
    const known = kept.find(candidate.traceId, candidate.nowMs);
    if (known !== undefined) return known;
  }
  const decision = withinPressure(
    policy,
    followWish(policy, source, parent, candidate) ??
      askSampler(policy, { source, sampler }, parent, candidate),
    candidate,
  );
  if (!decision.isSampled || !isByTurn) return decision;
  if (maxPerSecond !== undefined && !policy.buckets.take(ALL, maxPerSecond, candidate.nowMs)) {
    return withheld(decision, "max_per_second");
  }
  kept.keep(candidate.traceId, decision, candidate.nowMs);
  return decision;
}

/** @returns undefined where there is no wish, or none that counts */
function followWish(
  { forced }: SamplingPolicy,
  source: WishSource,
  parent: TraceContext | undefined,
  { traceId }: Candidate,
): SamplingDecision | undefined {
  if (parent?.isSampled !== true) return undefined;
  const isFollowed =
    source.kind === "own" ||
    (source.sampling === "trust" && forced.allows(source.name, traceId, source.forcedPerSecond));
  if (!isFollowed) return undefined;
  const by = source.kind === "own" ? "own" : "forced";
  return decided(by, true, undefined, saidThreshold(traceId, parent.traceState));
}

function askSampler(
  { share }: SamplingPolicy,
  { source, sampler }: { readonly source: WishSource; readonly sampler: Sampler },
  parent: TraceContext | undefined,
  candidate: Candidate,
): SamplingDecision {
  const verdict = sampler.sample(candidate);
  const { isSampled, type, param, threshold } = verdict;
  const decision = decided("local", isSampled, verdict, isSampled ? threshold : undefined);
  // Who began the trace has chosen R: ids of our own are random.
  if (parent === undefined || type !== "probabilistic" || typeof param !== "number") return decision;
  if (param === 0 || param === 1) return decision;
  const isWithinShare =
    source.kind === "own"
      ? !share.hasRefused(candidate.traceId)
      : share.allows(source.name, candidate.traceId, param, isSampled);
  return isSampled && !isWithinShare ? withheld(decision, "share") : decision;
}

function withinPressure(
  { pressure }: SamplingPolicy,
  decision: SamplingDecision,
  { randomness, nowMs }: Candidate,
): SamplingDecision {
  const step = pressure.step(nowMs);
  if (step === 0 || !decision.isSampled) return decision;
  const threshold = thinnedThreshold(decision.verdict, step);
  if (randomness < threshold) return withheld(decision, "pressure");
  return decision.threshold === undefined
    ? decision
    : { ...decision, threshold: later(decision.threshold, threshold) };
}

/** The one that fewer R reach. */
function later(one: string, other: string): string {
  return one > other ? one : other;
}

function decided(
  by: DecidedBy,
  isSampled: boolean,
  verdict: SamplerVerdict | undefined,
  threshold: string | undefined,
): SamplingDecision {
  return { isSampled, by, verdict, threshold, withheld: undefined };
}

function withheld(decision: SamplingDecision, why: Withheld): SamplingDecision {
  return { ...decision, isSampled: false, threshold: undefined, withheld: why };
}

/**
 * `tracestate` as it goes on: with the threshold of this decision, or without any.
 *
 * A trace that is kept by `const` says nothing of it, unless it says something already: its count is one either way, and a header
 * more in every request would tell nobody anything.
 *
 * @param traceState the parent's; "" where there is none
 */
export function traceStateAfter(
  traceState: string,
  { isSampled, verdict, threshold }: SamplingDecision,
): string {
  if (!isSampled) return withThreshold(traceState, undefined);
  const isPlain = threshold === ALWAYS && verdict?.type === "const";
  return isPlain && !hasState(traceState) ? traceState : withThreshold(traceState, threshold);
}
