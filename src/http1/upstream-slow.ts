/**
 * Exchanges that hold a connection to an upstream while their client still owes a part of its body, and which of them gives
 * its place up when others wait for one.
 *
 * nginx reads a whole body before it asks the server behind; here a body is streamed, so a client that sends it a byte a
 * minute would hold a connection for as long as it likes, and a thousand of them all there are. As long as there is room
 * nobody minds (`limits.body_timeout` alone counts). Where there is none, a body that is late by Apache's measure
 * (https://httpd.apache.org/docs/2.4/mod/mod_reqtimeout.html: so many seconds, and a second more for each 500 bytes) is
 * broken off with 408 in favour of whoever waits.
 */

import type { ErrorCode } from "../core/errors.ts";

/** A link that lost packets has come back by then. Half of Apache's: there somebody waits for a thread, here for an answer. */
const GRACE_MS = 10_000;
const BYTES_PER_SECOND_MIN = 500;

/** An upstream's connection, as far as this matters. */
export interface SlowConnection {
  readonly socket: { readonly bytesWritten: number };
  fail(code: ErrorCode): void;
}

interface Begun {
  readonly sinceMs: number;
  /** What had been sent on the connection by then. */
  readonly sentBytes: number;
}

/** Bounded by the connections that an address may have. */
export class SlowBodies {
  readonly #awaited = new Map<SlowConnection, Begun>();

  /** A part of the request's body is missing. Called again, it is still the first time that counts. */
  await(connection: SlowConnection, nowMs: number): void {
    if (this.#awaited.has(connection)) return;
    this.#awaited.set(connection, { sinceMs: nowMs, sentBytes: connection.socket.bytesWritten });
  }

  /** The body is there, or the exchange is over. */
  done(connection: SlowConnection): void {
    if (this.#awaited.size > 0) this.#awaited.delete(connection);
  }

  /** Breaks off the exchange that has been late for the longest. @returns whether there was one */
  breakOffOne(nowMs: number): boolean {
    for (const [connection, { sinceMs, sentBytes }] of this.#awaited) {
      const sent = connection.socket.bytesWritten - sentBytes;
      if (nowMs - sinceMs < GRACE_MS + (sent * 1000) / BYTES_PER_SECOND_MIN) continue;
      this.#awaited.delete(connection);
      connection.fail("BODY_TIMEOUT");
      return true;
    }
    return false;
  }
}
