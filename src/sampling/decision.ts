/**
 * Whether a request's span is recorded: the sender's wish, what it is worth, the local sampler, and what holds for the sidecar as a whole.
 *
 * ```
 *   a debug pass, or a trace that was kept by one ────────────────────────────────────────────────────────► yes
 *   own server's yes, a trusted peer's within its budget ─► back-pressure ─────────────┐
 *   the peer's sampler, or the operation's ─► back-pressure ─► the peer's share ───────┼─► max_per_second ─► yes
 *                                                    no └─► the operation's lower bound ┘
 * ```
 * Rule: docs contract, section 3, rule 5. A wish can add a trace, never take one away: "not sampled" is not
 * followed from anybody. Not here: metrics, which do not ask.
 */

import type { TraceContext } from "../propagation/context.ts";
import type { Ceiling } from "./ceiling.ts";
import type { ForcedBudget } from "./forced.ts";
import type { KeptBy, KeptTraces } from "./kept-traces.ts";
import { type Pressure, stepThreshold, thinnedThreshold } from "./pressure.ts";
import type { Candidate, Sampler, SamplerVerdict } from "./samplers.ts";
import type { PeerShare } from "./share.ts";
import { ALWAYS, type OtState, saidThreshold, withThreshold } from "./threshold.ts";

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
  /** Nothing is sampled, whoever asks. */
  readonly isOff: boolean;
  readonly sampler: Sampler;
  readonly forced: ForcedBudget;
  readonly share: PeerShare;
  readonly pressure: Pressure;
  readonly kept: KeptTraces;
  /** Undefined: no bound for the sidecar as a whole. */
  readonly ceiling: Ceiling | undefined;
}

/** What is known of a request besides its ids. */
export interface DecisionFacts {
  readonly source: WishSource;
  /** Whether it comes from the own server, or from a peer that is whitelisted. */
  readonly isKnown: boolean;
  /** Of the own server's: whether a peer brought this trace before. */
  readonly isForeign: boolean;
  /** Of the peer, where it has a sampler of its own; undefined: the policy's. */
  readonly sampler: Sampler | undefined;
  readonly hasPass: boolean;
  /** Of the parent. */
  readonly state: OtState;
}

const OFF: SamplingDecision = decided("local", false, undefined, undefined);
const NO_ROOM: SamplingDecision = withheld(OFF, "max_per_second");

/**
 * Decides once for a request. A wish that counts settles it, and the local sampler is not asked: a rate-limiting
 * one has all its traces left for requests that nobody vouches for.
 *
 * @param parent the context that was taken over; undefined where none was, or none may be
 * @param candidate its trace id is the parent's where there is one
 */
export function decideSampling(
  policy: SamplingPolicy,
  facts: DecisionFacts,
  parent: TraceContext | undefined,
  candidate: Candidate,
): SamplingDecision {
  const { kept, ceiling } = policy;
  const { traceId, nowMs } = candidate;
  if (policy.isOff) return OFF;
  if (facts.hasPass) {
    kept.keep(traceId, "debug_pass", nowMs);
    return decided("debug_pass", true, undefined, undefined);
  }
  const sampler = facts.sampler ?? policy.sampler;
  const known = parent === undefined ? undefined : kept.find(traceId, nowMs);
  if (known !== undefined) return goneOn(policy, known, { ...facts, sampler }, parent, candidate);

  const isByTurn = sampler.isByTurn || ceiling !== undefined;
  const key = isByTurn ? refusalKey(facts.source, parent, traceId) : "";
  if (ceiling !== undefined && parent !== undefined && isRefused(kept, CEILING, key, candidate))
    return NO_ROOM;
  const decision =
    followWish(policy, facts, parent, candidate) ??
    askOnce(policy, { source: facts.source, sampler, key }, parent, candidate);
  if (!isByTurn || !decision.isSampled) return decision;
  if (ceiling !== undefined && !ceiling.take(facts.isKnown, nowMs)) {
    kept.refuse(CEILING + key, nowMs);
    return withheld(decision, "max_per_second");
  }
  kept.keep(traceId, "turn", nowMs);
  return honest(policy, decision, nowMs);
}

/** Before the key of what was refused for want of room: not even a wish gets it back. */
const CEILING = "ceiling ";

/** A trace that began here, or at the own server, is refused as such; of a peer's only what that peer sends. */
function refusalKey(source: WishSource, parent: TraceContext | undefined, traceId: string): string {
  return source.kind === "own" || parent === undefined ? traceId : `${traceId} ${source.name}`;
}

/** Also by the trace alone: one that was refused when it began here is refused to whoever comes back with it. */
function isRefused(kept: KeptTraces, prefix: string, key: string, { traceId, nowMs }: Candidate): boolean {
  return kept.isRefused(prefix + key, nowMs) || (key !== traceId && kept.isRefused(prefix + traceId, nowMs));
}

/**
 * The next request of a trace that was kept: without another token. What R says of it is asked all the same, so that its threshold is
 * told, and counts towards the peer's share.
 */
function goneOn(
  policy: SamplingPolicy,
  known: KeptBy,
  facts: DecisionFacts & { readonly sampler: Sampler },
  parent: TraceContext | undefined,
  candidate: Candidate,
): SamplingDecision {
  if (known === "debug_pass") return decided(known, true, undefined, undefined);
  const wish = followWish(policy, facts, parent, candidate);
  if (wish?.isSampled === true) return honest(policy, wish, candidate.nowMs);
  const { source, sampler } = facts;
  if (!sampler.isRated(candidate.operation)) {
    const step = policy.pressure.step(candidate.nowMs);
    const again = sampledWithin(
      policy,
      { source, verdict: sampler.sample(candidate), step },
      parent,
      candidate,
    );
    if (again.isSampled) return honest(policy, again, candidate.nowMs);
    if (again.withheld === "share") return again;
  }
  return decided("local", true, undefined, undefined);
}

/** While some are refused that R would have, what is kept stands for more than R says. */
function honest({ ceiling }: SamplingPolicy, decision: SamplingDecision, nowMs: number): SamplingDecision {
  return decision.threshold !== undefined && ceiling?.isBiting(nowMs) === true
    ? { ...decision, threshold: undefined }
    : decision;
}

/** @returns undefined where there is no wish, or none that counts */
function followWish(
  { forced, share, pressure }: SamplingPolicy,
  { source, isForeign, state }: DecisionFacts,
  parent: TraceContext | undefined,
  { traceId, randomness, nowMs }: Candidate,
): SamplingDecision | undefined {
  if (source.kind === "own" && !isForeign) share.noteOwn(traceId, randomness);
  if (parent?.isSampled !== true) return undefined;
  const isFollowed =
    source.kind === "own" ||
    (source.sampling === "trust" && forced.allows(source.name, traceId, source.forcedPerSecond));
  if (!isFollowed) return undefined;
  // What a peer says of its probability is its own: it would weigh in our counts.
  const said = source.kind === "own" ? saidThreshold(state, randomness) : undefined;
  const decision = decided(source.kind === "own" ? "own" : "forced", true, undefined, said);
  const least = stepThreshold(pressure.step(nowMs));
  if (randomness < least) return withheld(decision, "pressure");
  return said === undefined || said >= least ? decision : { ...decision, threshold: least };
}

/** A rate limit says once what becomes of a trace; else its rest would be kept as soon as there is a token. */
function askOnce(
  policy: SamplingPolicy,
  {
    source,
    sampler,
    key,
  }: Pick<DecisionFacts, "source"> & { readonly sampler: Sampler; readonly key: string },
  parent: TraceContext | undefined,
  candidate: Candidate,
): SamplingDecision {
  const isRated = key !== "" && sampler.isRated(candidate.operation);
  if (isRated && parent !== undefined && isRefused(policy.kept, "", key, candidate)) return OFF;
  const decision = askSampler(policy, { source, sampler }, parent, candidate);
  if (isRated && !decision.isSampled) policy.kept.refuse(key, candidate.nowMs);
  return decision;
}

function askSampler(
  policy: SamplingPolicy,
  { source, sampler }: Pick<DecisionFacts, "source"> & { readonly sampler: Sampler },
  parent: TraceContext | undefined,
  candidate: Candidate,
): SamplingDecision {
  const verdict = sampler.sample(candidate);
  const step = policy.pressure.step(candidate.nowMs);
  const decision = sampledWithin(policy, { source, verdict, step }, parent, candidate);
  if (sampler.guarantee === undefined || candidate.randomness < stepThreshold(step)) return decision;
  const added = sampler.guarantee(candidate, verdict);
  return decision.isSampled || added === undefined ? decision : decided("local", true, added, undefined);
}

/** What a sampler says, as far as back-pressure and the peer's share let it. */
function sampledWithin(
  { share }: SamplingPolicy,
  {
    source,
    verdict,
    step,
  }: Pick<DecisionFacts, "source"> & { readonly verdict: SamplerVerdict; readonly step: number },
  parent: TraceContext | undefined,
  { traceId, randomness, nowMs }: Candidate,
): SamplingDecision {
  const threshold = step === 0 ? verdict.threshold : thinnedThreshold(verdict, step);
  const isWithinPressure = step === 0 || threshold === undefined || randomness >= threshold;
  const isSampled = verdict.isSampled && isWithinPressure;
  // Who began the trace has chosen R: ids of our own are random.
  const probability = parent === undefined ? 1 : probabilityOf(verdict) / 2 ** step;
  const isWithinShare =
    probability === 0 ||
    probability === 1 ||
    (source.kind === "own"
      ? share.allowsOwn(traceId)
      : share.allows({ peer: source.name, traceId, probability, randomness, isSampled, nowMs }));
  if (isSampled && isWithinShare) {
    return decided("local", true, verdict, verdict.threshold === undefined ? undefined : threshold);
  }
  const no = decided("local", false, verdict, undefined);
  return verdict.isSampled ? withheld(no, isWithinPressure ? "share" : "pressure") : no;
}

/** As far as R decides: const and what goes by turn is 1, or 0. */
function probabilityOf({ type, param, isSampled }: SamplerVerdict): number {
  return type === "probabilistic" && typeof param === "number" ? param : Number(isSampled);
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
 * @param state what it says
 */
export function traceStateAfter(
  traceState: string,
  state: OtState,
  { isSampled, verdict, threshold }: SamplingDecision,
): string {
  if (!isSampled) return withThreshold(traceState, state, undefined);
  const isPlain = threshold === ALWAYS && verdict?.type === "const";
  return isPlain && !state.isThere ? traceState : withThreshold(traceState, state, threshold);
}
