/**
 * Whether one upstream address is worth a request, judged by what requests met there (passive health: no probe is sent).
 *
 * ```
 *   in ──── a connect fails, or 5 requests in a row get no answer ────► out
 *    ▲                                                                   │ 1 s, then 2, 4 … 30 s
 *    └──── an answer ◄──── one request goes there as a trial ◄───────────┘
 * ```
 * An answer is any response's head: a 500 is the server's own decision, and the client's to see.
 */

/** Requests in a row that may get no answer. Fewer, and one path that breaks the server would take it out. */
const FAILURES_MAX = 5;
/** A restart takes seconds; a minute of a server that is back and left alone would be felt. */
const BACK_OFF_FIRST_MS = 1000;
const BACK_OFF_MAX_MS = 30_000;

export class UpstreamHealth {
  #untilMs: number | undefined;
  #backOffMs = 0;
  #failures = 0;

  /** When a trial is due, on the monotonic clock; undefined: it is in. */
  get outUntilMs(): number | undefined {
    return this.#untilMs;
  }

  /** A response's head came. @returns whether that brings it back in */
  noteAnswer(): boolean {
    if (this.#failures === 0) return false;
    this.#failures = 0;
    const wasOut = this.#untilMs !== undefined;
    this.#untilMs = undefined;
    return wasOut;
  }

  /** A connection could not be opened. @returns whether that takes it out */
  noteConnectFailure(nowMs: number): boolean {
    this.#failures++;
    return this.#takeOut(nowMs);
  }

  /** A connection ended, or stayed silent too long, before a response's head. @returns whether that takes it out */
  noteNoAnswer(nowMs: number): boolean {
    this.#failures++;
    return this.#failures >= FAILURES_MAX && this.#takeOut(nowMs);
  }

  /** The back-off begins with the first failure alone: many requests meet the same one at the same time. */
  #takeOut(nowMs: number): boolean {
    if (this.#untilMs !== undefined) return false;
    this.#backOffMs = BACK_OFF_FIRST_MS;
    this.#untilMs = nowMs + BACK_OFF_FIRST_MS;
    return true;
  }

  /** A request goes there now; the next trial comes after twice the wait, unless this one gets an answer. */
  beginTrial(nowMs: number): void {
    this.#backOffMs = Math.min(BACK_OFF_MAX_MS, 2 * this.#backOffMs);
    this.#untilMs = nowMs + this.#backOffMs;
  }
}
