/**
 * What a peer may take of a probabilistic sampler: about its share, whatever trace ids it makes up.
 *
 * Which traces are kept is decided by R, and R is in the trace id, or in `rv`, of who began the trace (threshold.ts). A friend that only
 * sends traces with the highest R would have all of them kept: a "sampled" flag in other clothes. So each new trace of a peer earns it
 * twice what an honest one costs on average, and a kept one costs a whole:
 *
 * ```
 *   credit  ≤ 20, at first 20      + 2p for each new trace      − 1 for each kept one; without credit it isn't kept
 * ```
 * An honest peer takes p of its traces, so its credit drifts up, and it is without one less than once in 10^10 traces (the ruin of a
 * random walk whose steps are 2p up and 1 down with chance p). One that chooses its ids gets twice its share and 20, for ever.
 * Not here: contexts of the own server, and samplers that R has no part in.
 */

/** Kept traces that chance may be ahead by. */
const CREDIT_MAX = 20;
const EARNED = 2;
/** Traces whose decision is remembered: some 2 MB. */
const TRACES_MAX = 16_384;
/** Peers that sent a context; one that is forgotten has all its credit again. */
const PEERS_MAX = 1000;

export interface PeerShare {
  /**
   * Whether a trace is kept that the sampler has decided about. Each trace earns and costs once, however many requests it has.
   *
   * @param peer its name, as the whitelist knows it: lower case, without a port
   * @param probability of the sampler, 0 to 1
   * @param isSampled what the sampler says
   */
  allows(peer: string, traceId: string, probability: number, isSampled: boolean): boolean;
  /** Whether this trace was not kept for want of credit: then it is kept nowhere here. */
  hasRefused(traceId: string): boolean;
}

interface TraceNote {
  /** The greatest probability that it earned for. */
  earned: number;
  /** Whether it was kept; undefined: the sampler has not wanted it yet. */
  isKept: boolean | undefined;
}

export function createPeerShare(limits = { tracesMax: TRACES_MAX, peersMax: PEERS_MAX }): PeerShare {
  /** The oldest first. */
  const traces = new Map<string, TraceNote>();
  /** The least recently used first. */
  const credits = new Map<string, number>();
  let refused = 0;

  function noteOf(traceId: string): TraceNote {
    const known = traces.get(traceId);
    if (known !== undefined) return known;
    if (traces.size >= limits.tracesMax) forgetOldestTrace();
    const note: TraceNote = { earned: 0, isKept: undefined };
    traces.set(traceId, note);
    return note;
  }

  function forgetOldestTrace(): void {
    for (const [traceId, { isKept }] of traces) {
      traces.delete(traceId);
      if (isKept === false) refused--;
      return;
    }
  }

  function change(peer: string, by: number): boolean {
    const credit = Math.min(CREDIT_MAX, (credits.get(peer) ?? CREDIT_MAX) + by);
    if (credit < 0) return false;
    credits.delete(peer); // And set again: a Map keeps the order in which its keys were set.
    credits.set(peer, credit);
    if (credits.size > limits.peersMax) {
      for (const oldest of credits.keys()) {
        credits.delete(oldest);
        break;
      }
    }
    return true;
  }

  return {
    allows(peer, traceId, probability, isSampled) {
      const note = noteOf(traceId);
      if (probability > note.earned) {
        change(peer, EARNED * (probability - note.earned));
        note.earned = probability;
      }
      if (!isSampled) return false;
      if (note.isKept === undefined) {
        note.isKept = change(peer, -1);
        if (!note.isKept) refused++;
      }
      return note.isKept;
    },
    hasRefused: (traceId) => refused > 0 && traces.get(traceId)?.isKept === false,
  };
}
