/**
 * The server name that a TLS client asks for, read from its first bytes before the handshake begins.
 *
 * Source: RFC 8446, sections 4.1.2 (ClientHello) and 5.1 (records); RFC 6066, section 3 (server_name); the outer form is
 * the same in every version. node:tls has a callback for this, but it puts the named certificate beside the listener's
 * own, so that an RSA one is never shown where the first is ECDSA.
 * Not here: judging the ClientHello. What can't be read has no name, and the handshake itself refuses it.
 */

import type { Socket } from "node:net";
import { readFirstBytes } from "./first-bytes.ts";

/** A ClientHello with post-quantum key shares has 2 KiB, and one record holds no more than this. */
const HELLO_BYTES_MAX = 16 * 1024;
/** It comes in two or three pieces; each is a look at all before it, so one byte at a time must not be cheap to send. */
const PIECES_MAX = 64;
const RECORD_HEADER_BYTES = 5;
const MESSAGE_HEADER_BYTES = 4;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;

/** In lower case; undefined: there is none, or none that can be read. */
interface Hello {
  readonly serverName: string | undefined;
}

/**
 * Waits for the ClientHello and gives its bytes back to the socket.
 *
 * @param done called once; with "gone" or "timeout" the socket is destroyed
 */
export function readHello(
  socket: Socket,
  timeoutMs: number,
  done: (hello: Hello | "gone" | "timeout") => void,
): void {
  let pieces = 0;
  readFirstBytes<Hello>(
    socket,
    timeoutMs,
    (bytes) => {
      const hello = parseHello(bytes);
      pieces++;
      if (hello !== "more") return { found: hello, taken: 0 };
      const isEndless = pieces >= PIECES_MAX || bytes.length > HELLO_BYTES_MAX;
      return isEndless ? { found: { serverName: undefined }, taken: 0 } : "more";
    },
    done,
  );
}

/** @returns "more" while the rest may be on its way. Never throws. */
export function parseHello(bytes: Buffer): Hello | "more" {
  const { message, canGrow } = joinRecords(bytes);
  const incomplete = canGrow ? "more" : { serverName: undefined };
  if (message.length < MESSAGE_HEADER_BYTES) return incomplete;
  const end = MESSAGE_HEADER_BYTES + message.readUIntBE(1, 3);
  if (message[0] !== CLIENT_HELLO || end > HELLO_BYTES_MAX) return { serverName: undefined };
  if (message.length < end) return incomplete;
  return { serverName: findServerName(message.subarray(MESSAGE_HEADER_BYTES, end)) };
}

/** What handshake records carry, as far as it has come, and whether more of it may follow. */
function joinRecords(bytes: Buffer): { readonly message: Buffer; readonly canGrow: boolean } {
  const fragments: Buffer[] = [];
  let at = 0;
  while (at < bytes.length && bytes[at] === HANDSHAKE_RECORD && bytes.length >= at + RECORD_HEADER_BYTES) {
    const end = at + RECORD_HEADER_BYTES + bytes.readUInt16BE(at + 3);
    // An empty one carries nothing forward, and any number of them would never end (RFC 8446, section 5.1).
    if (end === at + RECORD_HEADER_BYTES) break;
    fragments.push(bytes.subarray(at + RECORD_HEADER_BYTES, end));
    at = end;
  }
  const isCut =
    at >= bytes.length || (bytes[at] === HANDSHAKE_RECORD && bytes.length < at + RECORD_HEADER_BYTES);
  return { message: Buffer.concat(fragments), canGrow: isCut };
}

/** @param hello from its version on */
function findServerName(hello: Buffer): string | undefined {
  const sessionId = 2 + 32;
  const suites = skip(hello, sessionId, 1);
  const compression = skip(hello, suites, 2);
  const extensions = skip(hello, compression, 1) + 2;
  for (let at = extensions; at + 4 <= hello.length; at = skip(hello, at + 2, 2)) {
    if (hello.readUInt16BE(at) !== SERVER_NAME) continue;
    // The length of the list stands before the one name that it may hold.
    const name = at + 4 + 2;
    if (name + 3 > hello.length || hello[name] !== HOST_NAME) return undefined;
    return hello.toString("latin1", name + 3, skip(hello, name + 1, 2)).toLowerCase();
  }
  return undefined;
}

/** Where a vector ends whose length stands at `at` in `width` bytes; past the end where it is cut off. */
function skip(bytes: Buffer, at: number, width: 1 | 2): number {
  return at + width > bytes.length ? bytes.length : at + width + bytes.readUIntBE(at, width);
}
