/**
 * The socket of a connection to an upstream: how it is opened, why it could not be, and what its end means.
 *
 * A body that runs until the connection's end is whole with TLS too, unless it was reset: node:tls tells a closure alert and a
 * mere end of TCP alike, in "end". RFC 9112 section 9.8 asks for the alert; who can cut a TLS connection can cut such a body, as
 * he can for every client made with Node.
 * Not here: what comes between (upstream-connection.ts), and what a certificate must be (upstream-tls.ts).
 */

import { connect, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { ErrorCode } from "../core/errors.ts";
import type { UpstreamAddress } from "./upstream-connection.ts";
import { NOT_PINNED } from "./upstream-tls.ts";

/** @returns the socket, and itself once more where it speaks TLS: then it is open at `secureConnect`, else at `connect` */
export function openSocket(address: UpstreamAddress): {
  readonly socket: Socket;
  readonly tls: TLSSocket | undefined;
} {
  if ("path" in address) return { socket: connect({ path: address.path }), tls: undefined };
  const { host, port } = address;
  const tls = address.tls?.connect(host, port);
  return { socket: tls ?? connect({ host, port, noDelay: true }), tls };
}

/**
 * Why a socket did not open.
 *
 * @param tls where it was connected, and speaks TLS: nothing is wrong with its certificate unless node:tls, or a pin, says so
 * @param errorCode of what it was destroyed with
 */
export function openingFailure(tls: TLSSocket | undefined, errorCode: string | undefined): ErrorCode {
  if (tls === undefined) return "UPSTREAM_REFUSED";
  // Null, as long as there was no verification; its type knows nothing of that.
  const verified: unknown = tls.authorizationError;
  const isRefused = errorCode === NOT_PINNED || (verified !== null && verified !== undefined);
  return isRefused ? "UPSTREAM_UNTRUSTED" : "UPSTREAM_TLS_FAILED";
}

/**
 * Whether an end was none. libuv tells of a reset as of an end where bytes came with it (uv__stream_io, POLLHUP): a body that was
 * cut would pass for whole. A socket that was reset has no peer; node:net keeps the first answer, so nothing else may ask for it
 * before.
 */
export function wasReset(socket: Socket, address: UpstreamAddress): boolean {
  return "host" in address && socket.remoteAddress === undefined;
}
