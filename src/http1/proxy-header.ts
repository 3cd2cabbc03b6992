/**
 * The header of the PROXY protocol, by which a proxy says before everything else whose connection it hands on: version 1, a line
 * of text, here; version 2 in proxy-header-v2.ts.
 *
 * Source: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, section 2. A receiver must not guess: whether there is a
 * header is configured, and where one is due anything else ends the connection.
 * Not here: who may send one (listener-announced.ts). The destination is checked and passed over: nothing asks for it.
 */

import { isIPv4, isIPv6, SocketAddress } from "node:net";
import { parseProxyHeaderV2, SIGNATURE_V2 } from "./proxy-header-v2.ts";

/** What a proxy says of a connection. */
export interface Announcement {
  /**
   * The client's IP address, as node:net shows addresses; undefined where the proxy does not say it: its own health check (LOCAL),
   * a client of a unix socket, or of a family that it does not know.
   */
  readonly address: string | undefined;
}

/** A whole header: what it says, and how long it is. */
export interface ProxyHeader extends Announcement {
  readonly length: number;
}

/** `absent`: what has come begins no header. `tlv`: what follows the addresses is cut off. */
export type ProxyHeaderRefusal =
  "absent" | "syntax" | "length" | "version" | "command" | "family" | "tlv" | "checksum";

/** Section 2.1: the longest line, with its CRLF. */
const V1_BYTES_MAX = 107;
const V1_START = Buffer.from("PROXY ", "latin1");
const CR = 0x0d;
const LF = 0x0a;

/** Section 2.1: one space each, ports without leading zeros, nothing behind. What follows UNKNOWN is to be ignored. */
const V1_UNKNOWN = /^PROXY UNKNOWN(?: [\x20-\x7e]*)?$/;
const V1_ADDRESSES = /^PROXY (TCP[46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/;
const PORT_MAX = 65_535;

/**
 * @param bytes all that has come; what follows the header is not looked at
 * @returns "more" while the rest of a header may be on its way, for at most 4,112 bytes. Never throws.
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | "more" | ProxyHeaderRefusal {
  if (startsAs(bytes, SIGNATURE_V2))
    return bytes.length < SIGNATURE_V2.length ? "more" : parseProxyHeaderV2(bytes);
  if (!startsAs(bytes, V1_START)) return "absent";
  const line = bytes.subarray(0, V1_BYTES_MAX);
  const end = line.indexOf(CR);
  const lineFeed = line.indexOf(LF);
  // Nobody waits for the CR of a line that has ended without it.
  if (lineFeed !== -1 && (end === -1 || lineFeed < end)) return "syntax";
  if (end === -1) return bytes.length < V1_BYTES_MAX ? "more" : "length";
  if (end === V1_BYTES_MAX - 1) return "length";
  if (end + 1 === bytes.length) return "more";
  if (bytes[end + 1] !== LF) return "syntax";
  const address = readLine(bytes.toString("latin1", 0, end));
  return address === "syntax" ? address : { ...address, length: end + 2 };
}

/** Whether the shorter of both is the beginning of the longer. */
function startsAs(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function readLine(line: string): Announcement | "syntax" {
  if (V1_UNKNOWN.test(line)) return { address: undefined };
  const [, family, source = "", destination = "", ...ports] = V1_ADDRESSES.exec(line) ?? [];
  const isAddress = family === "TCP4" ? isIPv4 : isIPv6;
  if (!isAddress(source) || !isAddress(destination)) return "syntax";
  if (ports.some((port) => Number(port) > PORT_MAX)) return "syntax";
  return {
    address: new SocketAddress({ address: source, family: family === "TCP4" ? "ipv4" : "ipv6" }).address,
  };
}
