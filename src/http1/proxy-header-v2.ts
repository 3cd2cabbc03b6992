/**
 * Version 2 of the PROXY protocol's header: binary, of a length that it tells itself.
 *
 * Source: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, section 2.2.
 * Not here: what its TLVs say (ALPN, the client's certificate, …), but for the checksum, which is verified where there is one.
 */

import { SocketAddress } from "node:net";
import { crc32c } from "./crc32c.ts";
import type { ProxyHeader, ProxyHeaderRefusal } from "./proxy-header.ts";

export const SIGNATURE_V2 = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

const HEAD_BYTES = 16;
/** Behind the first 16 bytes. Addresses take 216 at most; the rest are TLVs, of which a client's certificate is the largest. */
const REST_BYTES_MAX = 4096;

const VERSION = 2;
const LOCAL = 0;
const PROXY = 1;

/** Family and transport → how many bytes the addresses have, and of them the source. A datagram's client may come by HTTP/3. */
const FAMILIES: ReadonlyMap<number, { readonly bytes: number; readonly source: number }> = new Map([
  [0x00, { bytes: 0, source: 0 }], // UNSPEC
  [0x11, { bytes: 12, source: 4 }], // INET, stream
  [0x12, { bytes: 12, source: 4 }], // INET, datagram
  [0x21, { bytes: 36, source: 16 }], // INET6, stream
  [0x22, { bytes: 36, source: 16 }], // INET6, datagram
  [0x31, { bytes: 216, source: 0 }], // UNIX, stream: no address of a host
  [0x32, { bytes: 216, source: 0 }], // UNIX, datagram
]);

const TLV_HEAD_BYTES = 3;
const CRC32C = 0x03;
const CRC32C_BYTES = 4;

/** @param bytes at least the signature, which is right */
export function parseProxyHeaderV2(bytes: Buffer): ProxyHeader | "more" | ProxyHeaderRefusal {
  const versionAndCommand = bytes[12];
  if (versionAndCommand === undefined) return "more";
  if (versionAndCommand >> 4 !== VERSION) return "version";
  const command = versionAndCommand & 0x0f;
  if (command !== LOCAL && command !== PROXY) return "command";
  if (bytes.length < HEAD_BYTES) return "more";
  const rest = bytes.readUInt16BE(14);
  if (rest > REST_BYTES_MAX) return "length";
  const length = HEAD_BYTES + rest;
  if (bytes.length < length) return "more";
  // The proxy speaks for itself, and the rest is to be thrown away unread.
  if (command === LOCAL) return { address: undefined, length };
  const family = FAMILIES.get(bytes[13] ?? 0);
  if (family === undefined) return "family";
  if (rest < family.bytes) return "length";
  const header = bytes.subarray(0, length);
  const fault = findTlvFault(header, HEAD_BYTES + family.bytes);
  if (fault !== undefined) return fault;
  return { address: formatAddress(header.subarray(HEAD_BYTES, HEAD_BYTES + family.source)), length };
}

/** As node:net shows it. */
function formatAddress(source: Buffer): string | undefined {
  if (source.length === 0) return undefined;
  if (source.length === 4) return source.join(".");
  const groups: string[] = [];
  for (let at = 0; at < source.length; at += 2) groups.push(source.readUInt16BE(at).toString(16));
  return new SocketAddress({ address: groups.join(":"), family: "ipv6" }).address;
}

function findTlvFault(header: Buffer, from: number): "tlv" | "checksum" | undefined {
  let at = from;
  while (at < header.length) {
    const value = at + TLV_HEAD_BYTES;
    if (value > header.length) return "tlv";
    const end = value + header.readUInt16BE(at + 1);
    if (end > header.length) return "tlv";
    if (header[at] === CRC32C && !isChecksumRight(header, value, end)) return "checksum";
    at = end;
  }
  return undefined;
}

/** Of the whole header, its own field taken for zeros. */
function isChecksumRight(header: Buffer, from: number, end: number): boolean {
  if (end - from !== CRC32C_BYTES) return false;
  const zeroed = Buffer.from(header);
  zeroed.fill(0, from, end);
  return crc32c(zeroed) === header.readUInt32BE(from);
}
