/**
 * `max_per_second`: new traces a second of the whole sidecar, whoever asks for them. Half of it at least is for the own server and for
 * whitelisted peers, or strangers could take it all.
 */

import type { Buckets } from "./buckets.ts";

/** While it has refused something within so long, what is kept is not all that R says. */
const BITES_MS = 10_000;

export interface Ceiling {
  /** Takes a token if there is one. @param isKnown whether the own server or a whitelisted peer asks */
  take(isKnown: boolean, nowMs: number): boolean;
  /** Whether some of what the sampler takes was refused lately: then counts can't be scaled up. */
  isBiting(nowMs: number): boolean;
}

export function createCeiling(perSecond: number, buckets: Buckets): Ceiling {
  let refusedAtMs = -Infinity;
  return {
    take(isKnown, nowMs) {
      const isTaken =
        (isKnown || buckets.take("all: strangers", perSecond / 2, nowMs)) &&
        buckets.take("all", perSecond, nowMs);
      if (!isTaken) refusedAtMs = nowMs;
      return isTaken;
    },
    isBiting: (nowMs) => nowMs - refusedAtMs < BITES_MS,
  };
}
