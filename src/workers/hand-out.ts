/**
 * Which worker gets a new connection: the one that was given the fewest, so that connections that are kept are spread evenly, and
 * a few at a time, so that a worker that is stuck holds no more than those.
 *
 * ```
 *   door ─► waiting (bounded) ─► worker with the fewest ─► given ─ took ─► its own
 *                 ▲                                          └─ the worker is gone: given to others
 *                 └──────────────────────────────────────────┘
 * ```
 * Not here: the listening sockets (door.ts), and the channel to a worker.
 */

import type { ListenerName } from "./messages.ts";

/** Connections that came faster than they could be given away, each a file descriptor; as many more wait in the system's queue. */
const WAITING_MAX = 1024;
/** Given to one worker and not taken yet: enough that a burst is spread evenly over workers that are not equally quick. */
const UNTAKEN_MAX = 8;
/** By how many a worker may be behind that could not take any; more it doesn't catch up, or all newcomers would be its. */
const BEHIND_MAX = 64;

/** One that nothing was read from yet. */
export interface Arrival<S> {
  readonly listener: ListenerName;
  readonly socket: S;
}

/** A worker, as far as it is given connections. */
export interface Taker<S> {
  give(arrival: Arrival<S>): void;
}

export interface HandOut<S> {
  offer(arrival: Arrival<S>): void;
  /** From now on this one is given connections. */
  join(taker: Taker<S>): void;
  /** It has the first of those that it was given and had not taken, one unless said. */
  took(taker: Taker<S>, connections?: number): void;
  /** It is gone; what it was given and did not take goes to others. */
  leave(taker: Taker<S>): void;
  /** Closes what waits. */
  stop(): void;
}

export interface HandOutOptions<S> {
  /** Closes this process's end of it; the connection lives on where a worker took it. */
  readonly close: (socket: S) => void;
  /** One was closed because too many wait. */
  readonly onDropped: () => void;
  /** 1,024 unless set. */
  readonly waitingMax?: number;
}

interface Account<S> {
  /** The oldest first. */
  readonly untaken: Arrival<S>[];
  /** How many it was given, or was excused from. */
  given: number;
}

export function createHandOut<S>({
  close,
  onDropped,
  waitingMax = WAITING_MAX,
}: HandOutOptions<S>): HandOut<S> {
  const waiting: Arrival<S>[] = [];
  const accounts = new Map<Taker<S>, Account<S>>();

  function giveAway(): void {
    while (waiting.length > 0) {
      const next = findNext(accounts);
      const arrival = next === undefined ? undefined : waiting.shift();
      if (next === undefined || arrival === undefined) return;
      const [taker, account] = next;
      account.given += 1;
      account.untaken.push(arrival);
      for (const other of accounts.values()) other.given = Math.max(other.given, account.given - BEHIND_MAX);
      taker.give(arrival);
    }
  }

  return {
    offer(arrival) {
      if (waiting.length >= waitingMax) {
        close(arrival.socket);
        onDropped();
        return;
      }
      waiting.push(arrival);
      giveAway();
    },
    join(taker) {
      // As if it had been here from the start: it gets its share of what comes, not all of it.
      const given = Math.max(0, ...[...accounts.values()].map((account) => account.given));
      accounts.set(taker, { untaken: [], given });
      giveAway();
    },
    took(taker, connections = 1) {
      for (const { socket } of accounts.get(taker)?.untaken.splice(0, connections) ?? []) close(socket);
      giveAway();
    },
    leave(taker) {
      waiting.unshift(...(accounts.get(taker)?.untaken ?? []));
      accounts.delete(taker);
      giveAway();
    },
    stop() {
      for (const { socket } of waiting.splice(0)) close(socket);
    },
  };
}

/** Of several that were given equally few, the one that is here the longest. */
function findNext<S>(
  accounts: ReadonlyMap<Taker<S>, Account<S>>,
): readonly [Taker<S>, Account<S>] | undefined {
  let next: readonly [Taker<S>, Account<S>] | undefined;
  for (const [taker, account] of accounts) {
    if (account.untaken.length >= UNTAKEN_MAX) continue;
    if (next === undefined || account.given < next[1].given) next = [taker, account];
  }
  return next;
}
