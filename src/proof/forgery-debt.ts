/**
 * What forged bodies may cost: the bytes of those that were looked at for nothing, a second.
 *
 * Whoever writes a friend's name and the id of its key makes this server bring a body into its canonical form before it can tell
 * that the signature is wrong, which takes up to 0.1 ms a kilobyte. Above the bound longer bodies are not looked at until the debt is paid, so
 * they are forwarded in new traces, honest ones as well; short ones and requests without body are looked at always.
 */

import { CHUNKED } from "../http1/framing.ts";

export interface ForgeryDebt {
  /** Whether a body of this length is not to be looked at now. @param bodyLength of a request's head */
  isOver(bodyLength: number): boolean;
  /** A body of so many bytes proved nothing. */
  note(bytes: number): void;
}

/** Half a mebibyte a second of the costliest bodies keeps a twentieth of a processor busy. */
const BYTES_PER_SECOND = 512 * 1024;
/** A body of so many takes less than its verification. */
const SHORT_BYTES = 4096;

/** @param nowMs monotonic */
export function createForgeryDebt(nowMs: () => number): ForgeryDebt {
  let debt = 0;
  let atMs = nowMs();

  function pay(): void {
    const thenMs = nowMs();
    debt = Math.max(0, debt - ((thenMs - atMs) / 1000) * BYTES_PER_SECOND);
    atMs = thenMs;
  }

  return {
    isOver(bodyLength) {
      if (bodyLength !== CHUNKED && bodyLength <= SHORT_BYTES) return false;
      pay();
      return debt > BYTES_PER_SECOND;
    },
    note(bytes) {
      pay();
      debt += bytes;
    },
  };
}
