/**
 * Time limits for many connections with one timer.
 *
 * A limit is a number on its owner; moving it costs an assignment, where a timer of its own costs a system
 * call or two per request. One interval looks over all owners; so a limit fires up to `resolutionMs` late,
 * which no limit here minds.
 */

import type { Clock } from "../core/clock.ts";

export interface DeadlineOwner {
  /** On the monotonic clock; `NO_DEADLINE` for none. */
  deadlineMs: number;
  /** Called once the deadline has passed; it is `NO_DEADLINE` by then. Must not throw. */
  onDeadline(): void;
}

export const NO_DEADLINE = Number.POSITIVE_INFINITY;

export interface Deadlines {
  nowMs(): number;
  add(owner: DeadlineOwner): void;
  delete(owner: DeadlineOwner): void;
  /** Ends the timer; no deadline fires any more. */
  stop(): void;
}

/** Fine enough for the shortest default limit (5 s), and ten looks a second cost nothing. */
const RESOLUTION_MS = 100;

/** Starts the one interval; it does not keep the process alive. Bounded by the connections' own bounds. */
export function startDeadlines(clock: Clock, resolutionMs = RESOLUTION_MS): Deadlines {
  const owners = new Set<DeadlineOwner>();
  const timer = setInterval(() => {
    const nowMs = clock.monotonicMs();
    for (const owner of owners) {
      if (owner.deadlineMs > nowMs) continue;
      owner.deadlineMs = NO_DEADLINE;
      owner.onDeadline();
    }
  }, resolutionMs);
  timer.unref();
  return {
    nowMs: () => clock.monotonicMs(),
    add: (owner) => void owners.add(owner),
    delete: (owner) => void owners.delete(owner),
    stop: () => clearInterval(timer),
  };
}
