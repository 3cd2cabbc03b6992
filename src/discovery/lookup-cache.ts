/**
 * A cache before slow look-ups: what is known is returned at once, not as a promise, since it stands in the way of every
 * request. Askers of the same key share one look-up; look-ups under way are bounded, and so is what is kept.
 *
 * A value that is asked for late in its life is looked up again behind the asker's back, so that what is in use never
 * runs out. A failure never replaces an answer that is still good; where too many look-ups are under way, one that has ended lately
 * is given as well (RFC 8767).
 * Not here: what is looked up, and for how long it is good (the `load` says so); timers: nothing happens unasked.
 */

import type { Clock } from "../core/clock.ts";
import { createBoundedCache } from "../core/bounded-cache.ts";

export interface Loaded<V> {
  readonly value: V;
  /** How long it is good for, failures as well; 0 or less: for those who wait for it only. */
  readonly ttlMs: number;
  /** The next try may do better: an answer that is still good is kept in its place. */
  readonly isFailure: boolean;
}

export interface Kept<V> {
  readonly value: V;
  /** On the monotonic clock; past for what was not kept. */
  readonly untilMs: number;
}

export interface LookupCacheOptions<S, V> {
  /** Must not reject. @param failuresBefore in a row, for a back-off */
  readonly load: (subject: S, failuresBefore: number) => Promise<Loaded<V>>;
  /** The answer to who asks when too many look-ups are under way. Not kept. */
  readonly busy: V;
  /** At least 2. */
  readonly entriesMax: number;
  /** Look-ups under way at a time. Refreshes take at most half, so that they never push out who waits. */
  readonly inFlightMax: number;
  readonly clock: Clock;
}

/** Since the start, but for the last two. */
export interface LookupCounters {
  readonly hits: number;
  /** Asked for when it was not known, whether that began a look-up, joined one or was refused. */
  readonly misses: number;
  /** Look-ups ahead of the end. */
  readonly refreshes: number;
  /** Answered with `busy`, and refreshes left out for the same reason. */
  readonly refused: number;
  readonly inFlight: number;
  /** Entries held, expired ones included; never above the bound. */
  readonly size: number;
}

export interface LookupCache<S, V> {
  /** @returns at once what is known; looks it up again behind that where it has lived 80 % of its time */
  get(key: string, subject: S): Kept<V> | Promise<Kept<V>>;
  /** For look-ups that other look-ups are made of: as `get`, but waits for what is looked up again. */
  renew(key: string, subject: S): Kept<V> | Promise<Kept<V>>;
  counters(): LookupCounters;
}

/** As Synapse refreshes a .well-known; leaves 2 s of the shortest ttl (10 s) for the look-up. */
const REFRESH_AT = 0.8;

/** How long after its end an answer may still be given when too many look-ups are under way (RFC 8767 allows a day to three). */
const STALE_MS = 600_000;

interface Entry<V> extends Kept<V> {
  readonly refreshAtMs: number;
  /** Look-ups in a row that failed; the value may be an older, good one. */
  readonly failures: number;
  readonly isFailure: boolean;
}

export function createLookupCache<S, V>(options: LookupCacheOptions<S, V>): LookupCache<S, V> {
  const { clock, inFlightMax } = options;
  const entries = createBoundedCache<Entry<V>>(options.entriesMax);
  const inFlight = new Map<string, Promise<Kept<V>>>();
  let hits = 0;
  let misses = 0;
  let refreshes = 0;
  let refused = 0;

  async function load(key: string, subject: S): Promise<Kept<V>> {
    const before = entries.get(key);
    const loaded = await options.load(subject, before?.failures ?? 0);
    // What stood there may have been pushed out meanwhile, and is as good as before all the same.
    const entry = settle(loaded, before, clock.monotonicMs());
    if (loaded.ttlMs > 0) entries.set(key, entry);
    return entry;
  }

  function start(key: string, subject: S): Promise<Kept<V>> {
    const started = load(key, subject).finally(() => inFlight.delete(key));
    inFlight.set(key, started);
    return started;
  }

  function ask(key: string, subject: S, isWaiting: boolean): Kept<V> | Promise<Kept<V>> {
    const nowMs = clock.monotonicMs();
    const entry = entries.get(key);
    const known = entry !== undefined && nowMs < entry.untilMs ? entry : undefined;
    if (known === undefined) misses++;
    else hits++;
    if (known !== undefined && nowMs < known.refreshAtMs) return known;

    const running = inFlight.get(key);
    if (running !== undefined) return known === undefined || isWaiting ? running : known;
    const limit = known === undefined || isWaiting ? inFlightMax : inFlightMax / 2;
    if (inFlight.size >= limit) {
      refused++;
      return known ?? { value: staleValue(entry, nowMs) ?? options.busy, untilMs: nowMs };
    }
    if (known !== undefined) refreshes++;
    const started = start(key, subject);
    return known === undefined || isWaiting ? started : known;
  }

  return {
    get: (key, subject) => ask(key, subject, false),
    renew: (key, subject) => ask(key, subject, true),
    counters: () => ({
      hits,
      misses,
      refreshes,
      refused,
      inFlight: inFlight.size,
      size: entries.counters().size,
    }),
  };
}

/** What is over for a while yet, where nobody can be asked: names that nobody answers for must not shut out those that were known. */
function staleValue<V>(entry: Entry<V> | undefined, nowMs: number): V | undefined {
  return entry !== undefined && !entry.isFailure && nowMs < entry.untilMs + STALE_MS
    ? entry.value
    : undefined;
}

function settle<V>(loaded: Loaded<V>, before: Entry<V> | undefined, nowMs: number): Entry<V> {
  const { value, ttlMs, isFailure } = loaded;
  const failures = isFailure ? (before?.failures ?? 0) + 1 : 0;
  if (isFailure && before !== undefined && !before.isFailure && nowMs < before.untilMs) {
    return { ...before, failures, refreshAtMs: nowMs + ttlMs };
  }
  return { value, untilMs: nowMs + ttlMs, refreshAtMs: nowMs + ttlMs * REFRESH_AT, failures, isFailure };
}
