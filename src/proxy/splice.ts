/**
 * Two sockets joined after an upgrade: bytes go through as they come, with back-pressure, until either ends.
 *
 * Source: RFC 9110 section 7.8. Node's `pipe` does the copying; what it leaves open is closed here: an error or
 * a silence on one side ends both.
 */

import type { Socket } from "node:net";

export interface SpliceEnd {
  readonly socket: Socket;
  /** What was read behind the upgrade's head. */
  readonly ahead: Buffer | undefined;
}

/**
 * @param idleMs without a byte either way before both are closed
 * @param onEnd called once, when both are closed
 */
export function spliceSockets(
  client: SpliceEnd,
  upstream: SpliceEnd,
  idleMs: number,
  onEnd: () => void,
): void {
  let open = 2;
  const ends = [client, upstream];
  for (const [index, { socket, ahead }] of ends.entries()) {
    const other = ends[1 - index]?.socket;
    if (ahead !== undefined) other?.write(ahead);
    socket.setTimeout(idleMs, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      other?.destroySoon();
      if (--open === 0) onEnd();
    });
    if (other !== undefined) socket.pipe(other);
  }
}
