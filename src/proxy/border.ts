/**
 * What the border decides about one request: whether the other side is whitelisted, which context becomes the
 * parent, whether the span is recorded, and where the own context may go.
 *
 * Contract section 3, rules 2 to 7. The two directions differ in one thing only: who sends and who receives.
 *
 * ```
 *              sender            receiver
 *   inbound    the peer          the own server     context is taken from the sender if it is trusted,
 *   outbound   the own server    the peer           and given to the receiver if it is trusted
 * ```
 * The own server is always trusted; a peer is when the whitelist names it and its name is proven well enough.
 */

import type { Random } from "../core/random.ts";
import type { Direction, ProxyMetrics } from "../metrics/proxy-metrics.ts";
import type { Peer } from "../peer/identify.ts";
import { type Proof, reaches } from "../peer/proof.ts";
import type { Verdict, Whitelist } from "../peer/whitelist.ts";
import type { Format, TraceContext } from "../propagation/context.ts";
import { type Extraction, extractContext } from "../propagation/extract.ts";
import {
  decideSampling,
  type SamplingDecision,
  type SamplingPolicy,
  traceStateAfter,
  type WishSource,
} from "../sampling/decision.ts";
import type { Sampler } from "../sampling/samplers.ts";
import { randomnessOf, readOtState } from "../sampling/threshold.ts";
import type { SamplingFacts } from "../span/conventions.ts";
import { type ForeignTraces, withinTrace } from "./foreign-traces.ts";
import type { OutboundIds } from "./outbound-ids.ts";
import type { RequestFields } from "./request-fields.ts";

/** What an operator may change while requests run; replaced as a whole. */
export interface BorderPolicy {
  readonly whitelist: Whitelist;
  /** The least proof that an inbound peer's name needs; an entry of the whitelist may ask for more. */
  readonly authenticate: Proof;
  /** Bytes of a body that are waited for to check its signature. */
  readonly authenticateBodyMax: number;
  readonly formats: readonly Format[];
  /** What whitelisted destinations are given in the place of our ids; undefined: ours. */
  readonly outboundIds: OutboundIds | undefined;
  readonly sampling: SamplingPolicy;
  /** The sampler that one peer has, by its name; undefined: none has one of its own. */
  readonly samplerOf: ((peer: string) => Sampler | undefined) | undefined;
  /** Undefined: none are given out. */
  readonly passes: DebugPasses | undefined;
}

/** Who knows debug passes (passes/debug-pass.ts). */
interface DebugPasses {
  /** Whether this token lets its bearer have this trace recorded. Never throws. @param peer as proven */
  admits(token: string, peer: string, traceId: string): boolean;
}

export interface Crossing {
  readonly peer: Peer;
  /** Whether the whitelist names the peer and its proof was enough. */
  readonly isWhitelisted: boolean;
  /** The whitelist names the peer, and its proof was not enough: somebody uses a friend's name, or a friend can't prove its own. */
  readonly isUnproven: boolean;
  /** `fedtrace.context`; contract section 9. */
  readonly contextState: "extracted" | "restarted" | "refused" | "absent";
  /** Contexts of a trusted sender that were malformed, or over a bound. */
  readonly refusals: Extraction["refusals"];
  readonly parent: TraceContext | undefined;
  /** Of the span that this request is. */
  readonly context: TraceContext;
  /** Of a trusted sender; undefined where it asked for nothing. */
  readonly asked: SamplingFacts["asked"];
  readonly decision: SamplingDecision;
  /** Whether the sender is the own server or a whitelisted peer, and may use this side. */
  readonly isSenderTrusted: boolean;
  /** Whether the receiver is given the context. */
  readonly mayInject: boolean;
}

const NOTHING_TAKEN: Extraction = { context: undefined, format: undefined, refusals: [] };
const OWN_SERVER: WishSource = { kind: "own" };
const NO_WISH: WishSource = { kind: "peer", name: "", sampling: "accept", forcedPerSecond: 0 };

/**
 * @param sent `isAdmitted`: false for a caller that is refused anyway; then nothing of what it sent is believed
 * @param operation the span's name, for samplers that tell operations apart
 */
export function crossBorder(
  border: {
    readonly policy: BorderPolicy;
    readonly random: Random;
    readonly metrics: ProxyMetrics;
    readonly foreignTraces: ForeignTraces;
  },
  direction: Direction,
  sent: {
    readonly peer: Peer;
    readonly fields: RequestFields;
    readonly isAdmitted: boolean;
    /** Monotonic. */
    readonly startMs: number;
  },
  operation: string,
): Crossing {
  const { policy, random, metrics } = border;
  const { peer, fields } = sent;
  const isInbound = direction === "inbound";

  const verdict = judge(policy, peer, isInbound);
  const isSenderTrusted = sent.isAdmitted && (!isInbound || verdict.isWhitelisted);
  const read = isSenderTrusted ? extractContext(policy.formats, fields.context) : NOTHING_TAKEN;
  const taken = isInbound ? withinTrace(border.foreignTraces, read) : read;
  for (const { format, reason } of taken.refusals) metrics.contextRefused(format, reason);

  const parent = taken.context;
  const traceId = parent?.traceId ?? random.traceId();
  const traceState = parent?.traceState ?? "";
  const state = readOtState(traceState);
  const decision = decideSampling(
    policy.sampling,
    {
      // A peer is looked at only where it sent a context, and its name costs a little.
      source: isInbound ? (parent === undefined ? NO_WISH : peerWish(peer, verdict)) : OWN_SERVER,
      sampler: isInbound && !verdict.isWhitelisted ? undefined : policy.samplerOf?.(peer.name ?? ""),
      isKnown: isSenderTrusted,
      isForeign: !isInbound && parent !== undefined && border.foreignTraces.has(traceId),
      state,
      hasPass: isInbound && isSenderTrusted && hasPass(policy, sent, traceId),
    },
    parent,
    { traceId, randomness: randomnessOf(traceId, state), operation, nowMs: sent.startMs },
  );
  metrics.sampling.decided(decision.by, decision.isSampled);
  if (decision.withheld !== undefined) metrics.sampling.withheld(decision.withheld);

  return {
    peer,
    isWhitelisted: verdict.isWhitelisted,
    isUnproven: verdict === UNPROVEN,
    contextState: contextState(taken, isSenderTrusted, fields.hasContext),
    refusals: taken.refusals,
    parent,
    context: {
      traceId,
      spanId: random.spanId(),
      isSampled: decision.isSampled,
      isRandom: parent?.isRandom ?? true,
      traceState: traceStateAfter(traceState, state, decision),
    },
    asked: isSenderTrusted ? askedBy(parent, fields) : undefined,
    decision,
    isSenderTrusted,
    mayInject: isInbound || verdict.isWhitelisted,
  };
}

const STRANGER: Verdict = { isWhitelisted: false, entry: undefined };
const UNPROVEN: Verdict = { isWhitelisted: false, entry: undefined };

function judge(policy: BorderPolicy, peer: Peer, isProofNeeded: boolean): Verdict {
  if (peer.name === undefined) return STRANGER;
  const verdict = policy.whitelist.decide(peer.name);
  if (!isProofNeeded || reaches(peer.proof, leastProof(policy, verdict.entry))) return verdict;
  return verdict.isWhitelisted ? UNPROVEN : STRANGER;
}

/** What a name needs that this entry names: the more of what the side and the entry ask for. */
export function leastProof(
  { authenticate }: Pick<BorderPolicy, "authenticate">,
  entry: Verdict["entry"],
): Proof {
  const asked = entry?.authenticate;
  return asked !== undefined && reaches(asked, authenticate) ? asked : authenticate;
}

function hasPass(
  { passes }: BorderPolicy,
  { peer, fields }: { readonly peer: Peer; readonly fields: RequestFields },
  traceId: string,
): boolean {
  if (passes === undefined || fields.debugPass === undefined) return false;
  return passes.admits(fields.debugPass, peer.name ?? "", traceId);
}

function askedBy(parent: TraceContext | undefined, { hasForcing }: RequestFields): SamplingFacts["asked"] {
  if (hasForcing || parent?.wish === "debug") return "debug";
  if (parent === undefined || parent.wish === "none") return undefined;
  return parent.isSampled ? "sampled" : "not_sampled";
}

function peerWish(peer: Peer, { entry }: Verdict): WishSource {
  return {
    kind: "peer",
    // Without its port: a port is free to choose, and each would have a budget of its own.
    name: (peer.name ?? "").replace(/:\d+$/, ""),
    sampling: entry?.sampling ?? "accept",
    forcedPerSecond: entry?.forcedPerSecond ?? 0,
  };
}

function contextState(
  taken: Extraction,
  isSenderTrusted: boolean,
  hasContext: boolean,
): Crossing["contextState"] {
  if (taken.context !== undefined) return "extracted";
  if (!isSenderTrusted) return hasContext ? "restarted" : "absent";
  return taken.refusals.length > 0 ? "refused" : "absent";
}
