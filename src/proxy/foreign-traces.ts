/**
 * How many spans each trace of a peer's may have here: contexts that were taken are counted by their trace id, in a table of fixed size.
 *
 * A whitelisted peer that sends one trace id for ever, or a million requests within a trace of somebody else's, makes a trace that no back
 * end can show. Above the bound a context counts as refused (contract section 9), and a new trace begins.
 *
 * ```
 *   taken   one more span, one more credit            hand ─►  ┌───┬───┬───┬───┬───┬───┐
 *   full    the hand goes on: who has no credit goes,          │ 0 │ 7 │ 0 │ 0 │999│ 0 │ …  credits
 *           who has loses one                                  └───┴───┴───┴───┴───┴───┘
 * ```
 * So what a flood of new ids pushes out is the flood's own, and traces of few spans: one that was counted n times stays for n rounds of
 * the hand, whoever drives it round (the clock algorithm with counters, "GCLOCK": A. J. Smith, ACM TODS 3.3, 1978).
 *
 * Contexts are counted, not recorded spans: nearly all samplers take a trace as a whole or not at all, so for those that are recorded it
 * is the same. A known id costs 0.07 µs of CPU, a new one 0.36 µs.
 * Not here: the own server's contexts, which are not a peer's, and what a trace gets from our own requests within it.
 */

import type { Extraction } from "../propagation/extract.ts";

/** A homeserver's request makes some dozens here; back ends show some thousands. */
const SPANS_MAX = 1000;
/** Of one worker among many: a peer's connection stays with one, so its trace must have room there. */
const SPANS_SHARE_MIN = 100;
/** Some 3.4 MB. At a flood of 1,000 ids a second one that was seen once is known for 16 s. */
const TRACES_MAX = 16_384;
/** Since it was last used: the longest that a homeserver tries one transaction again (resends.ts). */
const FORGOTTEN_SECONDS = 3600;
/** The hand's steps for one new trace, at most; if all of these have credit, the poorest goes. */
const STEPS_MAX = 16;

export interface ForeignTraces {
  /** Counts one more span of the trace. @returns false where it has as many as it may have */
  take(traceId: string): boolean;
  /** Whether a peer brought this trace lately. */
  has(traceId: string): boolean;
  /** Traces that are known. */
  readonly size: number;
}

export interface ForeignTracesOptions {
  /** Of one trace, 65,535 at most. */
  readonly spansMax: number;
  readonly tracesMax?: number;
  /** A trace of more than one span was forgotten to make room. */
  readonly onForgotten?: () => void;
}

/** @param workers that share the peers' requests @returns how many spans of one trace each of them may take */
export function foreignSpansMax(workers: number): number {
  return Math.max(SPANS_SHARE_MIN, Math.ceil(SPANS_MAX / workers));
}

/** @param nowMs on any clock that only goes forward */
export function createForeignTraces(
  nowMs: () => number,
  { spansMax, tracesMax = TRACES_MAX, onForgotten }: ForeignTracesOptions,
): ForeignTraces {
  const slots = new Map<string, number>();
  // By slot. Plain numbers side by side, which no garbage collector looks at.
  const ids: string[] = [];
  const spans = new Uint16Array(tracesMax);
  const credits = new Uint16Array(tracesMax);
  const usedAtSeconds = new Uint32Array(tracesMax);
  let hand = 0;

  function isForgotten(slot: number, nowSeconds: number): boolean {
    return nowSeconds - (usedAtSeconds[slot] ?? 0) >= FORGOTTEN_SECONDS;
  }

  /** Empties a slot. */
  function makeRoom(nowSeconds: number): number {
    let chosen = hand;
    let least = Number.POSITIVE_INFINITY;
    for (let steps = 0; steps < STEPS_MAX && least > 0; steps++) {
      const credit = isForgotten(hand, nowSeconds) ? 0 : (credits[hand] ?? 0);
      if (credit > 0) credits[hand] = credit - 1;
      if (credit < least) {
        least = credit;
        chosen = hand;
      }
      hand = (hand + 1) % tracesMax;
    }
    slots.delete(ids[chosen] ?? "");
    if ((spans[chosen] ?? 0) > 1) onForgotten?.();
    return chosen;
  }

  function begin(traceId: string, nowSeconds: number): number {
    const slot = ids.length < tracesMax ? ids.length : makeRoom(nowSeconds);
    ids[slot] = traceId;
    slots.set(traceId, slot);
    spans[slot] = 0;
    credits[slot] = 0;
    return slot;
  }

  return {
    take(traceId) {
      const nowSeconds = Math.floor(nowMs() / 1000);
      let slot = slots.get(traceId);
      if (slot === undefined) {
        slot = begin(traceId, nowSeconds);
      } else if (isForgotten(slot, nowSeconds)) {
        spans[slot] = 0;
        credits[slot] = 0;
      } else {
        credits[slot] = Math.min((credits[slot] ?? 0) + 1, spansMax);
      }
      usedAtSeconds[slot] = nowSeconds; // Refused ones too: a trace that never rests is never forgotten.
      const count = spans[slot] ?? 0;
      if (count >= spansMax) return false;
      spans[slot] = count + 1;
      return true;
    },
    has: (traceId) => slots.has(traceId),
    get size() {
      return slots.size;
    },
  };
}

/** @returns what was taken; or that it was refused, where its trace is full */
export function withinTrace(traces: ForeignTraces, taken: Extraction): Extraction {
  const { context, format } = taken;
  if (context === undefined || format === undefined || traces.take(context.traceId)) return taken;
  return {
    context: undefined,
    format: undefined,
    refusals: [...taken.refusals, { format, reason: "trace-full" }],
  };
}
