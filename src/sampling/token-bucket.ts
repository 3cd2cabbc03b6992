/**
 * A token bucket: at most so many a second over any window, after a first burst. What the rate-limiting sampler
 * and the forced budget count with.
 *
 * It holds at most max(1, perSecond) tokens and starts full, as Jaeger's own limiter does
 * (https://github.com/jaegertracing/jaeger-client-go/blob/master/utils/rate_limiter.go), so the first second may
 * take 2 × perSecond. Not here: a clock (the caller has read it) and waiting: a token is there or it is not.
 */

export interface TokenBucket {
  /** Takes a token if there is one. `nowMs` never goes back; `perSecond` may change between calls. */
  take(perSecond: number, nowMs: number): boolean;
}

/**
 * @param perSecond tokens a second, > 0; a fraction means one in 1/perSecond seconds
 * @param atOnce tokens that it holds at most, and at first; those of a second, and one at least, unless said
 */
export function createTokenBucket(perSecond: number, nowMs: number, atOnce?: number): TokenBucket {
  let tokens = atOnce ?? capacityOf(perSecond);
  let filledAtMs = nowMs;
  return {
    take(currentPerSecond, currentMs) {
      const gained = ((currentMs - filledAtMs) / 1000) * currentPerSecond;
      tokens = Math.min(atOnce ?? capacityOf(currentPerSecond), tokens + gained);
      filledAtMs = currentMs;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}

/** At least one whole token, or a rate below one a second would never give any. */
function capacityOf(perSecond: number): number {
  return Math.max(1, perSecond);
}
