/**
 * Whose connection makes room for a newcomer when all are taken: of those that wait for a request, one of the client
 * with the most connections, the one that has waited longest first. A client that hoards loses; one that is served does not.
 *
 * Looking for them takes a pass over all connections, so a flood of newcomers must not set the pace: one pass serves
 * many, and passes have a bound in number and in time.
 */

/** What is asked of a connection, a ServerConnection above all. */
interface Waiting {
  /** Nothing of a next request has come. */
  readonly isIdle: boolean;
  /** Idle after a request, not before its first. */
  readonly isKept: boolean;
  readonly idleSinceMs: number;
}

/** A pass over 10,000 connections takes about a millisecond. */
const SWEEP_MS = 100;
/** A pass that took long puts the next one off: together they take at most a twentieth of the time. */
const SWEEP_SHARE = 20;
/** Kept of one pass: room for 2,500 newcomers a second, more than would come by themselves. */
const EVICTABLE_MAX = 256;
/** A new connection has a moment to send its first byte: a round trip across the world, with a lost packet. */
const FIRST_BYTE_MS = 1000;

export interface EvictionOptions<T extends Waiting> {
  /** Open connections and the key of each one's client. */
  readonly connections: ReadonlyMap<T, string | undefined>;
  /** Open connections of a client. */
  countOf(key: string | undefined): number;
  /** On the clock of `idleSinceMs`. */
  nowMs(): number;
}

interface Candidate<T> {
  readonly connection: T;
  readonly count: number;
  readonly idleSinceMs: number;
}

/** @returns a function that names the next connection to close; undefined where none can be spared, or none is known yet */
export function createEviction<T extends Waiting>(options: EvictionOptions<T>): () => T | undefined {
  const { connections } = options;
  /** The next to go is the last. */
  let candidates: Candidate<T>[] = [];
  let nextSweepMs = Number.NEGATIVE_INFINITY;

  function sweep(startMs: number): void {
    candidates = [];
    for (const [connection, key] of connections) {
      if (!canGo(connection, startMs)) continue;
      insert(candidates, { connection, count: options.countOf(key), idleSinceMs: connection.idleSinceMs });
    }
    const endMs = options.nowMs();
    nextSweepMs = endMs + Math.max(SWEEP_MS, (endMs - startMs) * SWEEP_SHARE);
  }

  return () => {
    const now = options.nowMs();
    if (now >= nextSweepMs) sweep(now);
    for (let last = candidates.pop(); last !== undefined; last = candidates.pop()) {
      const { connection, idleSinceMs } = last;
      // Since the pass it may have closed, begun a request, or ended one: then it is not the one that waited longest.
      const isSame = connections.has(connection) && connection.idleSinceMs === idleSinceMs;
      if (isSame && canGo(connection, now)) return connection;
    }
    return undefined;
  };
}

/** Keeps those that go first, in order. Most of many candidates are passed over at the first comparison. */
function insert<T>(candidates: Candidate<T>[], candidate: Candidate<T>): void {
  const [first] = candidates;
  if (candidates.length >= EVICTABLE_MAX) {
    if (first !== undefined && !goesBefore(candidate, first)) return;
    candidates.shift();
  }
  let from = 0;
  let to = candidates.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const other = candidates[middle];
    // Of two that are alike the one found first, which was accepted first, goes first.
    if (other !== undefined && !goesBefore(candidate, other)) to = middle;
    else from = middle + 1;
  }
  candidates.splice(from, 0, candidate);
}

function goesBefore(a: Candidate<unknown>, b: Candidate<unknown>): boolean {
  return a.count === b.count ? a.idleSinceMs < b.idleSinceMs : a.count > b.count;
}

/** Never one with an open exchange, and never one whose request has begun to come. */
function canGo(connection: Waiting, nowMs: number): boolean {
  if (!connection.isIdle) return false;
  return connection.isKept || nowMs - connection.idleSinceMs > FIRST_BYTE_MS;
}
