/**
 * Public keys of others, kept: what is at hand is given at once, and what is not is fetched behind the asker's back.
 *
 * Nobody waits here, since who asks stands in the way of a request. Askers of the same holder share one fetch, fetches are limited
 * in number and in rate, and what failed is left alone for a while, longer each time. An entry is made only once a fetch is
 * allowed, so names that strangers make up fill neither the cache nor the network. Keys that are in use are fetched again before
 * they end, and a failure never takes away keys that are still good.
 * Not here: the fetch itself, what makes a key (given), and verifying with it.
 */

import type { Clock } from "../core/clock.ts";
import { detach } from "../core/text.ts";
import { createBoundedCache } from "../core/bounded-cache.ts";
import type { FetchLimit } from "./fetch-limit.ts";

/** What a holder (a server, an actor) has said. */
export interface FetchedKeys<K> {
  /** By key id; none where that is all it said. */
  readonly keys: ReadonlyMap<string, K>;
  /** How long they are good for. */
  readonly ttlMs: number;
}

/**
 * Why a key is not at hand. "fetching": it is being fetched now; "unknown": its holder has no such key, or could not be asked, a short
 * while ago; "busy": too many fetches.
 */
export type KeyRefusal = "fetching" | "unknown" | "busy";

export interface KeyCacheOptions<K> {
  /** Must not reject. @returns a word for the log where there are no keys */
  readonly fetch: (holder: string) => Promise<FetchedKeys<K> | string>;
  /** Of a holder's name, without port: what is limited together. */
  readonly hostOf: (holder: string) => string;
  /** Shared by all caches of a process. */
  readonly limit: FetchLimit;
  /** Told of each fetch that has ended; `refusal` is undefined where it gave keys. */
  readonly onFetched: (holder: string, refusal: string | undefined) => void;
  readonly clock: Clock;
  /** In [0, 1), for jitter. */
  readonly fraction: () => number;
  /** Holders kept; at least 2. */
  readonly holdersMax?: number;
}

export interface KeyCache<K> {
  /** At once. Begins a fetch where that may help. @param isListed whether the whitelist spells the name out */
  get(holder: string, keyId: string, isListed: boolean): K | KeyRefusal;
  /**
   * The key of a holder's that was asked for did not verify: it may have been replaced under the same id. Fetches it anew, unless that was
   * done a short while ago.
   */
  doubt(holder: string): void;
  /** All keys of a holder, waited for; undefined where they can't be had. Counts against the limit like every fetch. */
  learn(holder: string): Promise<ReadonlyMap<string, K> | undefined>;
  counters(): KeyCounters;
}

interface KeyCounters {
  readonly hits: number;
  readonly misses: number;
  /** Fetches that the limits held back. */
  readonly held: number;
  readonly inFlight: number;
  readonly size: number;
}

interface Entry<K> {
  keys: ReadonlyMap<string, K>;
  /** On the monotonic clock: when the keys end, from when they are renewed, before when nothing is fetched. */
  untilMs: number;
  refreshAtMs: number;
  retryAtMs: number;
  /** Fetches in a row that gave nothing new. */
  futile: number;
}

/** A big homeserver federates with some thousands; one entry has about 500 bytes. */
const HOLDERS_MAX = 8192;
/** Fetches under way: each is bounded to seconds, and at ten a second few would be needed. */
const IN_FLIGHT_MAX = 64;
/**
 * After a fetch that gave no key, or nothing new: doubled each time. Within it a friend that was down is met untraced, and whoever claims its name
 * meanwhile makes it longer, so it ends soon.
 */
const RETRY_MS = 30_000;
const RETRY_MAX_MS = 300_000;
/** Renewed between these parts of their life, by chance, so that a thousand servers met at the start don't stay together. */
const REFRESH_FROM = 0.5;
const REFRESH_TO = 0.8;

export function createKeyCache<K>(options: KeyCacheOptions<K>): KeyCache<K> {
  const { clock, limit, fraction } = options;
  const entries = createBoundedCache<Entry<K>>(options.holdersMax ?? HOLDERS_MAX);
  const inFlight = new Map<string, Promise<void>>();
  let hits = 0;
  let misses = 0;
  let held = 0;

  function settle(entry: Entry<K>, fetched: FetchedKeys<K> | string): void {
    const nowMs = clock.monotonicMs();
    const isNews = typeof fetched !== "string" && !isSame(entry.keys, fetched.keys);
    entry.futile = isNews ? 0 : entry.futile + 1;
    entry.retryAtMs = nowMs + Math.min(RETRY_MS * 2 ** Math.max(0, entry.futile - 1), RETRY_MAX_MS);
    if (typeof fetched === "string") {
      entry.refreshAtMs = entry.retryAtMs;
      return;
    }
    entry.keys = fetched.keys;
    entry.untilMs = nowMs + fetched.ttlMs;
    entry.refreshAtMs = nowMs + fetched.ttlMs * (REFRESH_FROM + (REFRESH_TO - REFRESH_FROM) * fraction());
  }

  async function fetchInto(holder: string, entry: Entry<K>): Promise<void> {
    const fetched = await options.fetch(holder);
    settle(entry, fetched);
    entries.set(holder, entry); // It may have been pushed out meanwhile.
    inFlight.delete(holder);
    options.onFetched(holder, typeof fetched === "string" ? fetched : undefined);
  }

  /** @returns whether the holder is being asked now */
  function begin(asked: string, known: Entry<K> | undefined, nowMs: number, isListed = true): boolean {
    if (inFlight.has(asked)) return true;
    if (known !== undefined && nowMs < known.retryAtMs) return false;
    const kind = known !== undefined && known.keys.size > 0 ? "known" : isListed ? "listed" : "patterned";
    if (inFlight.size >= IN_FLIGHT_MAX || !limit.take(kind, options.hostOf(asked), nowMs)) {
      held++;
      return false;
    }
    const holder = detach(asked);
    const entry = known ?? { keys: new Map(), untilMs: 0, refreshAtMs: 0, retryAtMs: 0, futile: 0 };
    entries.set(holder, entry);
    inFlight.set(holder, fetchInto(holder, entry));
    return true;
  }

  /** @returns the holder's keys that are good now */
  function current(entry: Entry<K> | undefined, nowMs: number): ReadonlyMap<string, K> | undefined {
    return entry !== undefined && nowMs < entry.untilMs ? entry.keys : undefined;
  }

  return {
    get(holder, keyId, isListed) {
      const nowMs = clock.monotonicMs();
      const entry = entries.get(holder);
      const key = current(entry, nowMs)?.get(keyId);
      if (entry !== undefined && key !== undefined) {
        hits++;
        if (nowMs >= entry.refreshAtMs) begin(holder, entry, nowMs);
        return key;
      }
      misses++;
      if (begin(holder, entry, nowMs, isListed)) return "fetching";
      return entry !== undefined && nowMs < entry.retryAtMs ? "unknown" : "busy";
    },
    doubt(holder) {
      const entry = entries.get(holder);
      if (entry !== undefined) begin(holder, entry, clock.monotonicMs());
    },
    async learn(holder) {
      const nowMs = clock.monotonicMs();
      const entry = entries.get(holder);
      const known = current(entry, nowMs);
      if (known !== undefined) return known;
      begin(holder, entry, nowMs);
      await inFlight.get(holder);
      return current(entries.get(holder), clock.monotonicMs());
    },
    counters: () => ({ hits, misses, held, inFlight: inFlight.size, size: entries.counters().size }),
  };
}

/** By id alone: a key that was replaced under its id is found out by what it verifies. */
function isSame<K>(before: ReadonlyMap<string, K>, now: ReadonlyMap<string, K>): boolean {
  return before.size === now.size && [...now.keys()].every((id) => before.has(id));
}
