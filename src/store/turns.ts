/**
 * The line in which all work waits that looks through much: searches, encoders, the peers' table. One at a time, for a
 * moment each, with the event loop free between any two, so that many readers together keep a request of the proxy
 * waiting no longer than one would.
 *
 * A turn is measured in time, not in spans: code that runs for the first time is ten times slower than code that is warm, and a
 * span may have one attribute or sixty.
 */

import type { Clock } from "../core/clock.ts";

/** A tenth of what a request may be kept waiting: the garbage collector and the busy machine have their share too. */
const TURN_MS = 1;

export interface Turns {
  /** Resolves when it is the caller's turn, at the earliest once the event loop has been round. */
  take(): Promise<void>;
  /** Whether the turn has lasted long enough; asked after each small step, some microseconds of work. */
  isOver(): boolean;
}

export function createTurns(clock: Pick<Clock, "monotonicMs">): Turns {
  let last = Promise.resolve();
  let endsAtMs = 0;
  return {
    take() {
      last = last.then(
        () =>
          new Promise((resolve) => {
            setImmediate(() => {
              endsAtMs = clock.monotonicMs() + TURN_MS;
              resolve();
            });
          }),
      );
      return last;
    },
    isOver: () => clock.monotonicMs() >= endsAtMs,
  };
}
