/**
 * Looking through the store beside traffic: in slices, with the event loop free between any two.
 *
 * Readers share one line of turns, so that several together keep a request waiting no longer than one would.
 */

import type { RecentStore, StoredTrace } from "./recent-store.ts";

/** About a millisecond of looking (bench/store.bench.ts); the largest trace is 5,000. */
const SPANS_PER_SLICE = 1000;

/** Resolves when it is the caller's turn, at the earliest once the event loop has been round. */
export type TakeTurn = () => Promise<void>;

export function createTurns(): TakeTurn {
  let last = Promise.resolve();
  return () => {
    last = last.then(() => new Promise((resolve) => setImmediate(resolve)));
    return last;
  };
}

/**
 * Newest first, to the oldest or until `visit` returns false. Traces that come meanwhile are not visited, and those that
 * went are not either.
 */
export async function walkTraces(
  store: RecentStore,
  takeTurn: TakeTurn,
  visit: (trace: StoredTrace) => boolean,
): Promise<void> {
  let left = SPANS_PER_SLICE;
  for (let trace = store.newest(); trace !== undefined; trace = trace.older) {
    left -= trace.spans.length;
    if (!visit(trace)) return;
    if (left > 0) continue;
    await takeTurn();
    left = SPANS_PER_SLICE;
  }
}
