/**
 * What a peer may take of a sampler that decides by R: about its share, whatever trace ids it makes up.
 *
 * R is in the trace id, or in `rv`, of who began the trace (threshold.ts). A friend that only sends traces with the highest R would have
 * all of them kept: a "sampled" flag in other clothes. So each of a peer's requests earns it twice what an honest one costs on average:
 *
 * ```
 *   credit  at first 20, at most 1,000      + 2p for each request      − 1 for each that is kept
 *           below 1: no other trace is kept, but those that are go on, down to −200
 * ```
 * An honest peer takes p of its traces, so its credit drifts up, and it runs out less than once in 10^10 traces of one request (the ruin
 * of a random walk whose steps are 2p up and 1 down with chance p); of traces of some dozens more often, but rarely. One that chooses its ids
 * gets twice the share of all that it sends, and 220 requests. Names that are new get their first 20 five times a second, after 300 at
 * once, all together: a pattern may take any number of them. One without begins with nothing, and may lose its first traces.
 *
 * What one peer is refused is nobody else's: notes are each peer's own, and a trace that began here, or at the own server, costs a peer
 * nothing with the R that it has there.
 * Not here: contexts of the own server, but for the traces that peers brought it.
 */

import { createBoundedCache } from "../core/bounded-cache.ts";
import { createTokenBucket } from "./token-bucket.ts";

const EARNED = 2;
const FIRST_CREDIT = 20;
/** As many requests as a trace of a peer's may have (proxy/foreign-traces.ts). */
const CREDIT_MAX = 1000;
const DEBT_MAX = 200;
const NEW_NAMES_PER_SECOND = 5;
/** After a start every peer is new. */
const NEW_NAMES_AT_ONCE = 300;
/** A whitelist of federation servers that trace is a few hundred. One that is forgotten is new again. */
const PEERS_MAX = 1000;
/** So that most requests change no table. */
const MOVE_EVERY_MS = 1000;
/** Of one peer, and of all: some 5 MB. */
const TRACES_PER_PEER_MAX = 1024;
const TRACES_MAX = 32_768;
/** Of the own server. */
const OWN_TRACES_MAX = 16_384;

interface Asked {
  /** Its name, as the whitelist knows it: lower case, without a port. */
  readonly peer: string;
  readonly traceId: string;
  /** With which a trace is kept, all considered: above 0 and below 1. */
  readonly probability: number;
  /** R of this request, 14 hex digits: a peer may say another one with each. */
  readonly randomness: string;
  /** Whether R says that it is kept. */
  readonly isSampled: boolean;
  /** Monotonic. */
  readonly nowMs: number;
}

export interface PeerShare {
  /** Whether this request is kept. */
  allows(asked: Asked): boolean;
  /** A trace that began here, or at the own server: with the R that it has there it costs a peer nothing. */
  noteOwn(traceId: string, randomness: string): void;
  /** Whether the own server's requests of this trace may be kept: not if peers alone brought it, and none had it kept. */
  allowsOwn(traceId: string): boolean;
}

interface PeerNote {
  credit: number;
  /** When it was last put to the end of the peers. */
  movedAtMs: number;
  /** Trace id → whether it was kept; the oldest first. */
  readonly traces: Map<string, boolean>;
}

/** How many peers had a trace kept, and how many were refused it. */
interface TraceNote {
  kept: number;
  refused: number;
}

export function createPeerShare(
  limits = { peersMax: PEERS_MAX, tracesPerPeerMax: TRACES_PER_PEER_MAX, tracesMax: TRACES_MAX },
): PeerShare {
  /** The least recently used first, give or take a second. */
  const peers = new Map<string, PeerNote>();
  /** Of all peers: exactly those that stand in one's `traces`. */
  const traces = new Map<string, TraceNote>();
  const newNames = createTokenBucket(NEW_NAMES_PER_SECOND, 0, NEW_NAMES_AT_ONCE);
  /** Trace id → R. */
  const own = createBoundedCache<string>(OWN_TRACES_MAX);
  let notes = 0;

  function use(peer: string, nowMs: number): PeerNote {
    const known = peers.get(peer);
    if (known !== undefined && nowMs - known.movedAtMs < MOVE_EVERY_MS) return known;
    const note = known ?? {
      credit: newNames.take(NEW_NAMES_PER_SECOND, nowMs) ? FIRST_CREDIT : 0,
      movedAtMs: nowMs,
      traces: new Map<string, boolean>(),
    };
    note.movedAtMs = nowMs;
    peers.delete(peer); // And set again: a Map keeps the order in which its keys were set.
    peers.set(peer, note);
    if (peers.size > limits.peersMax) forgetOldestPeer();
    return note;
  }

  function forgetOldestPeer(): void {
    for (const [peer, note] of peers) {
      peers.delete(peer);
      for (const [traceId, isKept] of note.traces) forget(traceId, isKept);
      return;
    }
  }

  function forget(traceId: string, isKept: boolean): void {
    notes--;
    const note = traces.get(traceId);
    if (note === undefined) return;
    note[isKept ? "kept" : "refused"]--;
    if (note.kept + note.refused === 0) traces.delete(traceId);
  }

  function remember(note: PeerNote, traceId: string, isKept: boolean): void {
    for (const [oldest, wasKept] of note.traces) {
      if (note.traces.size < limits.tracesPerPeerMax) break;
      note.traces.delete(oldest);
      forget(oldest, wasKept);
    }
    note.traces.set(traceId, isKept);
    const known = traces.get(traceId) ?? { kept: 0, refused: 0 };
    known[isKept ? "kept" : "refused"]++;
    traces.set(traceId, known);
    notes++;
    while (notes > limits.tracesMax) forgetOldestPeer();
  }

  return {
    allows({ peer, traceId, probability, randomness, isSampled, nowMs }) {
      if (own.get(traceId) === randomness) return isSampled;
      const note = use(peer, nowMs);
      note.credit = Math.min(CREDIT_MAX, note.credit + EARNED * probability);
      if (!isSampled) return false;
      const isKnownKept = note.traces.get(traceId);
      if (isKnownKept === false) return false;
      const isKept = isKnownKept === true ? note.credit > -DEBT_MAX : note.credit >= 1;
      if (isKept) note.credit -= 1;
      if (isKnownKept === undefined) remember(note, traceId, isKept);
      return isKept;
    },
    noteOwn(traceId, randomness) {
      if (own.get(traceId) === undefined) own.set(traceId, randomness);
    },
    allowsOwn(traceId) {
      if (own.get(traceId) !== undefined) return true;
      const note = traces.get(traceId);
      return note === undefined || note.kept > 0;
    },
  };
}
