/** PROXY protocol headers for tests, as the specification and haproxy write them. */

import { crc32c } from "../../src/http1/crc32c.ts";

export const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const CRC32C = 3;

/** Bytes of a header of version 2. */
export interface V2 {
  /** Version and command: 0x21 is PROXY, 0x20 LOCAL. */
  readonly command?: number;
  /** Family and transport: 0x11 is TCP over IPv4. */
  readonly family?: number;
  readonly addresses?: Buffer;
  readonly tlvs?: Buffer;
  /** Where another length is to be told than is there. */
  readonly length?: number;
}

/** 192.0.2.7:1000 → 198.51.100.1:443, as bytes. */
export const INET = Buffer.from([192, 0, 2, 7, 198, 51, 100, 1, 3, 232, 1, 187]);
/** 2001:db8::7 → 2001:db8::1, likewise. */
export const INET6 = Buffer.from(
  "20010db8000000000000000000000007" + "20010db8000000000000000000000001" + "03e801bb",
  "hex",
);

export function v2({
  command = 0x21,
  family = 0x11,
  addresses = INET,
  tlvs = Buffer.alloc(0),
  length,
}: V2 = {}): Buffer {
  const rest = Buffer.concat([addresses, tlvs]);
  const head = Buffer.from([command, family, 0, 0]);
  head.writeUInt16BE(length ?? rest.length, 2);
  return Buffer.concat([SIGNATURE, head, rest]);
}

export function tlv(type: number, value: Buffer): Buffer {
  const head = Buffer.from([type, 0, 0]);
  head.writeUInt16BE(value.length, 1);
  return Buffer.concat([head, value]);
}

/** The header with a checksum at its end, which is right, or off by `error`. */
export function withChecksum(parts: V2, error = 0): Buffer {
  const header = v2({
    ...parts,
    tlvs: Buffer.concat([parts.tlvs ?? Buffer.alloc(0), tlv(CRC32C, Buffer.alloc(4))]),
  });
  header.writeUInt32BE((crc32c(header) ^ error) >>> 0, header.length - 4);
  return header;
}
