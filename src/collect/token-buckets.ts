/**
 * How often one source may come: a bucket of tokens each, in a table that has a bound. Where it is full, whoever was idle
 * longest is forgotten, and then has a full bucket again: a flood of names can lift a limit for others, but takes no memory.
 */

import type { Clock } from "../core/clock.ts";

export interface Rate {
  /** At once; at least 1. */
  readonly burst: number;
  readonly perSecond: number;
}

export interface TokenBuckets {
  /** Takes a token. @returns 0, or in how many whole seconds there will be one, where there is none */
  take(key: string): number;
  /** Sources known now. */
  readonly size: number;
}

export function createTokenBuckets(
  { burst, perSecond }: Rate,
  { clock, sourcesMax }: { readonly clock: Clock; readonly sourcesMax: number },
): TokenBuckets {
  /** Those idle longest first. */
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  return {
    take(key) {
      const atMs = clock.monotonicMs();
      const bucket = buckets.get(key) ?? { tokens: burst, atMs };
      bucket.tokens = Math.min(burst, bucket.tokens + ((atMs - bucket.atMs) / 1000) * perSecond);
      bucket.atMs = atMs;
      buckets.delete(key);
      buckets.set(key, bucket);
      if (buckets.size > sourcesMax) for (const idlest of buckets.keys()) if (buckets.delete(idlest)) break;
      if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / perSecond));
      bucket.tokens -= 1;
      return 0;
    },
    get size() {
      return buckets.size;
    },
  };
}
