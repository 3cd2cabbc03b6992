/**
 * Looks at what a client sends first, before anything else reads of its socket, and gives back what was not taken.
 *
 * Not here: what is looked for (listener-hello.ts, listener-announced.ts), and a bound on bytes: `look` must end by itself.
 */

import type { Socket } from "node:net";

/** @property taken how many bytes nobody after this shall see; the rest goes back to the socket */
export interface Found<T> {
  readonly found: T;
  readonly taken: number;
}

/**
 * @param look called with all that has come, each time that more has
 * @param done called once; with "gone" or "timeout" the socket is destroyed
 */
export function readFirstBytes<T>(
  socket: Socket,
  timeoutMs: number,
  look: (bytes: Buffer) => Found<T> | "more",
  done: (found: T | "gone" | "timeout") => void,
): void {
  let bytes: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => fail("timeout"), timeoutMs).unref();

  function onReadable(): void {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const seen = look(bytes);
    if (seen === "more") return;
    leave();
    if (seen.taken < bytes.length) socket.unshift(bytes.subarray(seen.taken));
    done(seen.found);
  }
  const onGone = (): void => fail("gone");

  function leave(): void {
    clearTimeout(timer);
    socket.off("readable", onReadable).off("end", onGone).off("error", onGone).off("close", onGone);
  }

  function fail(why: "gone" | "timeout"): void {
    leave();
    socket.on("error", () => undefined).destroy();
    done(why);
  }

  socket.on("readable", onReadable).on("end", onGone).on("error", onGone).on("close", onGone);
}
