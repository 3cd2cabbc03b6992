/**
 * How long to wait before a batch is sent again: exponential back-off with full jitter, as OTLP asks
 * (https://opentelemetry.io/docs/specs/otlp/#otlphttp-throttling), so that the sidecars of a back end that comes back don't
 * all come back at once.
 */

import type { Random } from "../core/random.ts";

/** Times a batch is sent in all; then it is dropped. With the waits below: given up after some 15 s on average. */
export const ATTEMPTS_MAX = 6;

const FIRST_WAIT_MS = 1000;
const WAIT_MS_MAX = 30_000;

/** A back end may ask for a longer wait than ours, but not stop the export for good. */
const RETRY_AFTER_MS_MAX = 60_000;

/**
 * @param attempt the one that failed; the first is 1
 * @param retryAfterMs the back end's wish, which comes before ours
 * @returns milliseconds
 */
export function retryWaitMs(
  attempt: number,
  retryAfterMs: number | undefined,
  random: Pick<Random, "fraction">,
): number {
  if (retryAfterMs !== undefined) return Math.min(Math.max(0, retryAfterMs), RETRY_AFTER_MS_MAX);
  return random.fraction() * Math.min(FIRST_WAIT_MS * 2 ** (attempt - 1), WAIT_MS_MAX);
}
