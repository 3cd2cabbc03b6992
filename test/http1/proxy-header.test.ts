/** parseProxyHeader: what the specification's two versions say, each way to break them, and any split into pieces. */

import { describe, expect, it } from "vitest";
import { crc32c } from "../../src/http1/crc32c.ts";
import { parseProxyHeader } from "../../src/http1/proxy-header.ts";
import { INET, INET6, SIGNATURE, tlv, v2, withChecksum } from "./proxy-headers.ts";

const text = (line: string): Buffer => Buffer.from(line, "latin1");
const V1 = "PROXY TCP4 192.0.2.7 198.51.100.1 1000 443\r\n";

describe("a header of version 1", () => {
  it.each([
    { line: V1, address: "192.0.2.7", why: "TCP over IPv4" },
    { line: "PROXY TCP6 2001:db8::7 ::1 1 65535\r\n", address: "2001:db8::7", why: "TCP over IPv6" },
    {
      line: "PROXY TCP6 2001:0DB8:0:0::7 ::1 1 2\r\n",
      address: "2001:db8::7",
      why: "written as sockets show it",
    },
    {
      line: "PROXY TCP6 ::ffff:c000:207 ::1 1 2\r\n",
      address: "::ffff:192.0.2.7",
      why: "and so a mapped one",
    },
    {
      line: "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
      address: "255.255.255.255",
      why: "the longest",
    },
    { line: "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", address: "0.0.0.0", why: "the shortest" },
    { line: "PROXY UNKNOWN\r\n", address: undefined, why: "nothing is known" },
    {
      line: `PROXY UNKNOWN ${"f".repeat(91)}\r\n`,
      address: undefined,
      why: "107 bytes, what follows is ignored",
    },
  ])("tells $address: $why", ({ line, address }) => {
    expect(parseProxyHeader(text(line))).toEqual({ address, length: line.length });
    expect(parseProxyHeader(text(`${line}GET / HTTP/1.1\r\n\r\n`))).toEqual({ address, length: line.length });
  });

  it.each([
    { line: "GET / HTTP/1.1\r\n\r\n", refusal: "absent", why: "HTTP" },
    { line: "PROXYTCP4", refusal: "absent", why: "no space" },
    { line: "proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n", refusal: "absent", why: "small letters" },
    { line: "\x16\x03\x01", refusal: "absent", why: "TLS" },
    { line: ` ${V1}`, refusal: "absent", why: "a space before it" },
    { line: `PROXY UNKNOWN ${"f".repeat(92)}\r\n`, refusal: "length", why: "108 bytes" },
    { line: `PROXY UNKNOWN ${"f".repeat(93)}`, refusal: "length", why: "no end within 107 bytes" },
    { line: V1.replace("\r", ""), refusal: "syntax", why: "LF alone" },
    { line: V1.replace("\n", " "), refusal: "syntax", why: "CR alone" },
    { line: V1.replace("443", "443 "), refusal: "syntax", why: "a space at its end" },
    { line: V1.replace(" 1000", "  1000"), refusal: "syntax", why: "two spaces" },
    { line: V1.replace(" 1000", "\t1000"), refusal: "syntax", why: "a tab" },
    { line: V1.replace("1000", "01000"), refusal: "syntax", why: "a port with a leading zero" },
    { line: V1.replace("1000", "65536"), refusal: "syntax", why: "a port too large" },
    { line: V1.replace("1000", "-1"), refusal: "syntax", why: "a port below zero" },
    { line: V1.replace(" 443", ""), refusal: "syntax", why: "one port" },
    { line: V1.replace("443", "443 1"), refusal: "syntax", why: "three ports" },
    { line: V1.replace("192.0.2.7", "192.0.2.07"), refusal: "syntax", why: "an address with a leading zero" },
    { line: V1.replace("192.0.2.7", "192.0.2"), refusal: "syntax", why: "an address of three numbers" },
    { line: V1.replace("192.0.2.7", "::1"), refusal: "syntax", why: "the other family's source" },
    { line: V1.replace("198.51.100.1", "::1"), refusal: "syntax", why: "the other family's destination" },
    { line: V1.replace("TCP4", "TCP6"), refusal: "syntax", why: "IPv4 as TCP6" },
    { line: "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", refusal: "syntax", why: "a zone" },
    { line: "PROXY TCP6 [::1] [::1] 1 2\r\n", refusal: "syntax", why: "brackets" },
    { line: V1.replace("TCP4", "UDP4"), refusal: "syntax", why: "another protocol" },
    { line: V1.replace("TCP4", "tcp4"), refusal: "syntax", why: "its protocol in small letters" },
    { line: "PROXY UNKNOWNX\r\n", refusal: "syntax", why: "a longer word" },
    { line: "PROXY \r\n", refusal: "syntax", why: "nothing" },
    { line: V1.replace("TCP4", "TCP4\0"), refusal: "syntax", why: "a NUL" },
  ])("is refused as $refusal: $why", ({ line, refusal }) => {
    expect(parseProxyHeader(text(line))).toBe(refusal);
  });
});

const LOCAL = 0x20;

describe("a header of version 2", () => {
  it.each([
    { header: v2(), address: "192.0.2.7", why: "TCP over IPv4" },
    {
      header: v2({ family: 0x12 }),
      address: "192.0.2.7",
      why: "a datagram's client, as with HTTP/3 in front",
    },
    { header: v2({ family: 0x21, addresses: INET6 }), address: "2001:db8::7", why: "TCP over IPv6" },
    {
      header: v2({
        family: 0x21,
        addresses: Buffer.concat([
          Buffer.from("00000000000000000000ffffc0000207", "hex"),
          INET6.subarray(16),
        ]),
      }),
      address: "::ffff:192.0.2.7",
      why: "a mapped one as sockets show it",
    },
    {
      header: v2({ family: 0x31, addresses: Buffer.alloc(216, 97) }),
      address: undefined,
      why: "a unix socket's client",
    },
    { header: v2({ family: 0, addresses: Buffer.alloc(0) }), address: undefined, why: "of no known family" },
    {
      header: v2({ command: LOCAL, family: 0, addresses: Buffer.alloc(0) }),
      address: undefined,
      why: "the proxy itself",
    },
    {
      header: v2({ command: LOCAL }),
      address: undefined,
      why: "the proxy itself, whose addresses are ignored",
    },
    {
      header: v2({ command: LOCAL, family: 0x77, addresses: Buffer.alloc(3) }),
      address: undefined,
      why: "and its family",
    },
    {
      header: v2({
        tlvs: Buffer.concat([tlv(1, text("h2")), tlv(4, Buffer.alloc(9)), tlv(0x20, Buffer.alloc(0))]),
      }),
      address: "192.0.2.7",
      why: "with TLVs",
    },
    {
      header: v2({ tlvs: tlv(0x21, Buffer.alloc(4096 - 12 - 3)) }),
      address: "192.0.2.7",
      why: "as long as may be",
    },
    { header: withChecksum({}), address: "192.0.2.7", why: "with its checksum" },
    {
      header: withChecksum({ tlvs: tlv(1, text("h2")) }),
      address: "192.0.2.7",
      why: "with a checksum behind another TLV",
    },
    {
      header: withChecksum({ family: 0, addresses: Buffer.alloc(0) }),
      address: undefined,
      why: "with a checksum and no address",
    },
  ])("tells $address: $why", ({ header, address }) => {
    expect(parseProxyHeader(header)).toEqual({ address, length: header.length });
    expect(parseProxyHeader(Buffer.concat([header, header]))).toEqual({ address, length: header.length });
  });

  it.each([
    {
      header: Buffer.concat([SIGNATURE.subarray(0, 11), text("\r")]),
      refusal: "absent",
      why: "a signature with another end",
    },
    { header: v2({ command: 0x11 }), refusal: "version", why: "version 1" },
    { header: v2({ command: 0x31 }), refusal: "version", why: "version 3" },
    { header: v2({ command: 0x22 }), refusal: "command", why: "a command that there is not" },
    { header: v2({ family: 0x13 }), refusal: "family", why: "a transport that there is not" },
    { header: v2({ family: 0x41 }), refusal: "family", why: "a family that there is not" },
    { header: v2({ family: 0x10 }), refusal: "family", why: "a family without transport" },
    { header: v2({ addresses: INET.subarray(1) }), refusal: "length", why: "too short for its addresses" },
    { header: v2({ family: 0x21 }), refusal: "length", why: "IPv4 as IPv6" },
    { header: v2({ family: 0x31 }), refusal: "length", why: "too short for paths" },
    {
      header: v2({ tlvs: tlv(0x21, Buffer.alloc(4096 - 12 - 2)) }),
      refusal: "length",
      why: "4,097 bytes behind its head",
    },
    { header: v2({ length: 65_535 }), refusal: "length", why: "and at once, without waiting for them" },
    { header: v2({ tlvs: Buffer.from([1]) }), refusal: "tlv", why: "a TLV without length" },
    { header: v2({ tlvs: Buffer.from([1, 0, 2, 0]) }), refusal: "tlv", why: "a TLV cut off" },
    { header: withChecksum({}, 1), refusal: "checksum", why: "a checksum off by one bit" },
    { header: v2({ tlvs: tlv(3, Buffer.alloc(0)) }), refusal: "checksum", why: "an empty checksum" },
    { header: v2({ tlvs: tlv(3, Buffer.alloc(5)) }), refusal: "checksum", why: "a checksum of five bytes" },
    { header: withChecksum({ tlvs: tlv(3, Buffer.alloc(4)) }), refusal: "checksum", why: "two of them" },
  ])("is refused as $refusal: $why", ({ header, refusal }) => {
    expect(parseProxyHeader(header)).toBe(refusal);
  });
});

it("is waited for byte by byte, and no longer than it must be", () => {
  for (const header of [
    text(V1),
    text("PROXY UNKNOWN\r\n"),
    v2(),
    withChecksum({}),
    v2({ command: LOCAL }),
  ]) {
    for (let length = 0; length < header.length; length++) {
      expect(parseProxyHeader(header.subarray(0, length))).toBe("more");
    }
  }
});

/** RFC 3720, appendix B.4. */
it.each([
  { bytes: Buffer.alloc(32), crc: 0x8a9136aa, why: "32 zeros" },
  { bytes: Buffer.alloc(32, 0xff), crc: 0x62a8ab43, why: "32 times 0xff" },
  { bytes: Buffer.from(Array.from({ length: 32 }, (_, index) => index)), crc: 0x46dd794e, why: "0 to 31" },
  {
    bytes: Buffer.from(Array.from({ length: 32 }, (_, index) => 31 - index)),
    crc: 0x113fdb5c,
    why: "31 to 0",
  },
  { bytes: Buffer.from("123456789"), crc: 0xe3069283, why: "the usual check value" },
])("has the CRC-32C of $why", ({ bytes, crc }) => {
  expect(crc32c(bytes)).toBe(crc);
});
