/**
 * The server name of a ClientHello: what node:tls and others send, in any pieces, and whatever else may come.
 * Method: hellos of node:tls clients, and one made by hand to be cut and bent.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseHello } from "../../src/http1/listener-hello.ts";

/** A length in `width` bytes, then the bytes. */
function vector(width: number, content: Buffer): Buffer {
  const length = Buffer.alloc(width);
  length.writeUIntBE(content.length, 0, width);
  return Buffer.concat([length, content]);
}

function extension(type: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 255]), vector(2, content)]);
}

const serverName = (name: string, type = 0): Buffer =>
  extension(0, vector(2, Buffer.concat([Buffer.from([type]), vector(2, Buffer.from(name, "latin1"))])));

/** RFC 8446, section 4.1.2: version, random, session id, suites, compression, extensions. */
function message(extensions: readonly Buffer[], sessionId = Buffer.alloc(32)): Buffer {
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    vector(1, sessionId),
    vector(2, Buffer.from([0x13, 0x01])),
    vector(1, Buffer.from([0])),
    vector(2, Buffer.concat(extensions)),
  ]);
  return Buffer.concat([Buffer.from([1]), vector(3, body)]);
}

const record = (content: Buffer, type = 22): Buffer =>
  Buffer.concat([Buffer.from([type, 3, 1]), vector(2, content)]);

const OTHER = extension(10, Buffer.from([0, 2, 0, 29]));
const HELLO = record(message([OTHER, serverName("a.example"), OTHER]));

describe("the name of", () => {
  it.each([
    { bytes: HELLO, name: "a.example", why: "a hello" },
    { bytes: record(message([serverName("A.Example")])), name: "a.example", why: "one in capitals" },
    {
      bytes: record(message([serverName("a.example")], Buffer.alloc(0))),
      name: "a.example",
      why: "one without session id",
    },
    { bytes: record(message([OTHER])), name: undefined, why: "one without a name" },
    { bytes: record(message([])), name: undefined, why: "one without extensions" },
    { bytes: record(message([serverName("a.example", 1)])), name: undefined, why: "a name of another type" },
    { bytes: record(message([extension(0, Buffer.alloc(0))])), name: undefined, why: "an empty extension" },
    { bytes: record(Buffer.from([2, 0, 0, 0])), name: undefined, why: "another message" },
    { bytes: record(Buffer.from([1, 0, 0, 3, 3, 3, 0])), name: undefined, why: "a hello of three bytes" },
    { bytes: record(Buffer.from([1, 0, 0x40, 1])), name: undefined, why: "one of over 16 KiB" },
    { bytes: record(Buffer.alloc(0)), name: undefined, why: "an empty record" },
    { bytes: record(Buffer.from([2, 40]), 21), name: undefined, why: "an alert" },
    {
      bytes: Buffer.concat([
        HELLO.subarray(0, 3),
        Buffer.from([0, 9]),
        HELLO.subarray(5, 14),
        record(Buffer.from([2, 40]), 21),
      ]),
      name: undefined,
      why: "a part of a hello, then an alert",
    },
    {
      bytes: Buffer.concat([HELLO, record(Buffer.from([1]), 20)]),
      name: "a.example",
      why: "a hello, then another record",
    },
    { bytes: Buffer.from("GET / HTTP/1.1\r\n"), name: undefined, why: "plain HTTP" },
    { bytes: Buffer.concat([HELLO, HELLO]), name: "a.example", why: "a hello and what follows" },
  ])("$why is $name", ({ bytes, name }) => {
    expect(parseHello(bytes)).toEqual({ serverName: name });
  });
});

it("is waited for in any pieces, of TCP and of records", () => {
  const whole = message([OTHER, serverName("a.example")]);
  for (let cut = 1; cut < whole.length; cut++) {
    const records = Buffer.concat([record(whole.subarray(0, cut)), record(whole.subarray(cut))]);
    expect(parseHello(records)).toEqual({ serverName: "a.example" });
    expect(parseHello(records.subarray(0, 5 + cut))).toBe("more");
  }
  for (let length = 0; length < HELLO.length; length++) {
    expect(parseHello(HELLO.subarray(0, length))).toBe("more");
  }
});

it("never throws, and never waits for more than 16 KiB", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: HELLO.length }), fc.nat(HELLO.length), (noise, at) => {
      const bent = Buffer.concat([HELLO.subarray(0, at), noise, HELLO.subarray(at + noise.length)]);
      parseHello(bent);
      const full = Buffer.concat([bent, Buffer.alloc(70_000, 22)]);
      expect(parseHello(full)).not.toBe("more");
    }),
  );
});
