/**
 * How often a trusted peer's "sampled" is followed: `forced_per_second` new traces a second for each peer
 * (docs contract, section 3, rule 5). A trace that was followed in the last minute costs no new token, or the
 * second request of a trace could be lost where the first was kept.
 *
 * Everything is bounded: a peer chooses its trace ids, and one with a wild-card entry chooses its names too.
 * Not here: whose wish counts at all (decision.ts).
 */

import type { Clock } from "../core/clock.ts";
import { createTokenBucket, type TokenBucket } from "./token-bucket.ts";

/** Contract, section 9. */
const FOLLOWED_MS = 60_000;

/** The limits of what is remembered; a budget is made with others in tests only. */
interface ForcedBudgetLimits {
  /** Peers that sent a sampled trace. A whitelist of federation servers that trace is a few hundred. */
  readonly peersMax: number;
  /** Traces of one peer. A minute of 64 new ones a second. Less than tracesMax, or a peer would evict itself. */
  readonly tracesPerPeerMax: number;
  /** Traces of all peers: some 10 MB, at about 150 bytes each. */
  readonly tracesMax: number;
}

const LIMITS: ForcedBudgetLimits = { peersMax: 1000, tracesPerPeerMax: 4096, tracesMax: 65_536 };

export interface ForcedBudget {
  /**
   * Whether this wish is followed. Takes a token of the peer's where the trace is new.
   *
   * @param peer its name, as the whitelist knows it: lower case
   * @param perSecond of the whitelist entry; 0 follows nothing
   */
  allows(peer: string, traceId: string, perSecond: number): boolean;
  /** Peers forgotten because there were too many, or too many traces, since the start. */
  evictedPeers(): number;
}

interface PeerBudget {
  readonly bucket: TokenBucket;
  /** Trace id → when it was last followed, the oldest first. */
  readonly followed: Map<string, number>;
}

export function createForcedBudget(clock: Clock, limits: ForcedBudgetLimits = LIMITS): ForcedBudget {
  /** The least recently used first. */
  const peers = new Map<string, PeerBudget>();
  let traces = 0;
  let evicted = 0;

  function use(peer: string, perSecond: number, nowMs: number): PeerBudget {
    const known = peers.get(peer);
    peers.delete(peer); // And set again: a Map keeps the order in which its keys were set.
    const budget = known ?? { bucket: createTokenBucket(perSecond, nowMs), followed: new Map() };
    peers.set(peer, budget);
    if (peers.size > limits.peersMax) evictOldestPeer();
    return budget;
  }

  /** Costs little: it has been idle the longest, so its bucket is about full and its traces are over. */
  function evictOldestPeer(): void {
    for (const [peer, { followed }] of peers) {
      peers.delete(peer);
      traces -= followed.size;
      evicted++;
      return;
    }
  }

  function forgetOldTraces(followed: Map<string, number>, nowMs: number): void {
    for (const [traceId, followedAtMs] of followed) {
      if (nowMs - followedAtMs < FOLLOWED_MS) return;
      followed.delete(traceId);
      traces--;
    }
  }

  /** The trace is not among the followed ones. */
  function remember(traceId: string, followed: Map<string, number>, nowMs: number): void {
    if (followed.size >= limits.tracesPerPeerMax) {
      for (const oldest of followed.keys()) {
        followed.delete(oldest);
        traces--;
        break;
      }
    }
    while (traces >= limits.tracesMax) evictOldestPeer(); // Never this peer: it is the newest.
    followed.set(traceId, nowMs);
    traces++;
  }

  return {
    allows(peer, traceId, perSecond) {
      if (perSecond <= 0) return false;
      const nowMs = clock.monotonicMs();
      const { bucket, followed } = use(peer, perSecond, nowMs);
      forgetOldTraces(followed, nowMs);
      if (followed.delete(traceId)) {
        followed.set(traceId, nowMs); // To the end: followed again just now.
        return true;
      }
      if (!bucket.take(perSecond, nowMs)) return false;
      remember(traceId, followed, nowMs);
      return true;
    },
    evictedPeers: () => evicted,
  };
}
