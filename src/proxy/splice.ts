/**
 * Two sockets joined after an upgrade: bytes go through as they come, with back-pressure, until either ends.
 *
 * Source: RFC 9110 section 7.8. Node's `pipe` does the copying; what it leaves open is closed here: an error or
 * a silence on one side ends both.
 */

import type { Socket } from "node:net";
import type { ErrorCode } from "../core/errors.ts";

export interface SpliceEnd {
  readonly socket: Socket;
  /** What was read behind the upgrade's head. */
  readonly ahead: Buffer | undefined;
  /** Is shown what comes from it, as it passes; must not throw. */
  readonly watch?: ((bytes: Buffer) => void) | undefined;
}

/** How long the other side may take none of what it was given before it is closed too: nobody waits for it any more. */
const LAST_BYTES_MS = 2000;

/**
 * @param idleMs without a byte either way before both are closed
 * @param onEnd called once, when the first of the two is closed; the other still sends what it was given. Told of a side that
 *   broke off, and of silence; not of one that ended
 */
export function spliceSockets(
  client: SpliceEnd,
  upstream: SpliceEnd,
  idleMs: number,
  onEnd: (error: ErrorCode | undefined) => void,
): void {
  let isOver = false;
  let error: ErrorCode | undefined;
  join(client, upstream.socket, "CLIENT_ABORTED");
  join(upstream, client.socket, "UPSTREAM_CLOSED");

  function join({ socket, ahead, watch }: SpliceEnd, other: Socket, onBreak: ErrorCode): void {
    if (ahead !== undefined) {
      watch?.(ahead);
      other.write(ahead);
    }
    socket.setTimeout(idleMs, () => {
      error ??= "TUNNEL_IDLE";
      socket.destroy();
    });
    socket.on("error", () => {
      error ??= onBreak;
      socket.destroy();
    });
    socket.once("close", () => {
      other.setTimeout(Math.min(idleMs, LAST_BYTES_MS));
      other.destroySoon();
      if (isOver) return;
      isOver = true;
      onEnd(error);
    });
    // Beside the pipe, which alone says when it rests; and gone with it, or the rest would be read for nobody.
    if (watch !== undefined) other.once("unpipe", () => socket.off("data", watch));
    socket.pipe(other);
    if (watch !== undefined) socket.on("data", watch);
  }
}
