/** Token buckets by name, bounded: they outlive the samplers that take from them, which come and go with each change of a strategy. */

import { createTokenBucket, type TokenBucket } from "./token-bucket.ts";

export interface Buckets {
  /** Takes a token of this name's bucket if there is one. `nowMs` never goes back; `perSecond`, above 0, may change. */
  take(name: string, perSecond: number, nowMs: number): boolean;
  /** The same of one name, found once: the same bucket each time. */
  of(name: string): (perSecond: number, nowMs: number) => boolean;
}

/** Two for each of the operations that a sampler keeps apart, and their rules; names beyond that share one bucket. */
const BUCKETS_MAX = 5000;
const OTHER = "";

/**
 * @param options `share` of each rate that is this process's, where several share the work. A bucket holds a token at least
 *   (token-bucket.ts), so N processes may begin with N traces where one would with one.
 */
export function createBuckets({ share = 1, bucketsMax = BUCKETS_MAX } = {}): Buckets {
  const buckets = new Map<string, TokenBucket>();
  const find = (name: string, perSecond: number, nowMs: number): TokenBucket => {
    const known = buckets.get(name);
    if (known !== undefined) return known;
    const kept = buckets.size < bucketsMax ? name : OTHER;
    const bucket = buckets.get(kept) ?? createTokenBucket(perSecond, nowMs);
    buckets.set(kept, bucket);
    return bucket;
  };
  return {
    take: (name, perSecond, nowMs) => find(name, perSecond * share, nowMs).take(perSecond * share, nowMs),
    of(name) {
      let bucket: TokenBucket | undefined;
      return (perSecond, nowMs) => {
        bucket ??= find(name, perSecond * share, nowMs);
        return bucket.take(perSecond * share, nowMs);
      };
    },
  };
}
