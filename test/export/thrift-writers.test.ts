/**
 * The two Thrift protocols, byte by byte where the specifications say so and where a form changes with the value.
 * https://github.com/apache/thrift/blob/master/doc/specs/thrift-binary-protocol.md and thrift-compact-protocol.md. What
 * whole messages are to other implementations is in jaeger-thrift.test.ts.
 */

import { describe, expect, it } from "vitest";
import { ThriftBinaryWriter } from "../../src/export/thrift-binary.ts";
import { ThriftCompactWriter } from "../../src/export/thrift-compact.ts";
import type { ThriftWriter } from "../../src/export/thrift-writer.ts";

function bytesOf(writer: ThriftWriter, write: (writer: ThriftWriter) => void): string {
  write(writer);
  return writer.bytes.copy().toString("hex");
}

const ONES = 0xffff_ffff;

it.each<{ why: string; write: (writer: ThriftWriter) => void; binary: string; compact: string }>([
  {
    why: "a oneway call",
    write: (to) => to.onewayCall("ab"),
    binary: "80010004" + "00000002" + "6162" + "00000000",
    compact: "82" + "81" + "00" + "02" + "6162",
  },
  { why: "i32", write: (to) => to.i32Field(1, 1), binary: "080001" + "00000001", compact: "15" + "02" },
  {
    why: "i32, below 0",
    write: (to) => to.i32Field(1, -1),
    binary: "080001" + "ffffffff",
    compact: "15" + "01",
  },
  {
    why: "i32, the smallest",
    write: (to) => to.i32Field(1, -(2 ** 31)),
    binary: "080001" + "80000000",
    compact: "15" + "ffffffff0f",
  },
  {
    why: "i64, 0",
    write: (to) => to.i64Field(1, 0, 0),
    binary: "0a0001" + "00".repeat(8),
    compact: "16" + "00",
  },
  {
    why: "i64, the last of one byte",
    write: (to) => to.i64Field(1, 0, 63),
    binary: "0a0001" + "000000000000003f",
    compact: "16" + "7e",
  },
  {
    why: "i64, the first of two bytes",
    write: (to) => to.i64Field(1, 0, 64),
    binary: "0a0001" + "0000000000000040",
    compact: "16" + "8001",
  },
  {
    why: "i64, -1",
    write: (to) => to.i64Field(1, -1, ONES),
    binary: "0a0001" + "ff".repeat(8),
    compact: "16" + "01",
  },
  {
    why: "i64, -1 without its sign, as an id has it",
    write: (to) => to.i64Field(1, ONES, ONES),
    binary: "0a0001" + "ff".repeat(8),
    compact: "16" + "01",
  },
  {
    why: "i64, the largest",
    write: (to) => to.i64Field(1, 0x7fff_ffff, ONES),
    binary: "0a0001" + "7f" + "ff".repeat(7),
    compact: "16" + "feffffffffffffffff01",
  },
  {
    why: "i64, the smallest",
    write: (to) => to.i64Field(1, -(2 ** 31), 0),
    binary: "0a0001" + "80" + "00".repeat(7),
    compact: "16" + "ffffffffffffffffff01",
  },
  {
    why: "double, in the order of each",
    write: (to) => to.doubleField(1, 1),
    binary: "040001" + "3ff0000000000000",
    compact: "17" + "000000000000f03f",
  },
  { why: "true", write: (to) => to.boolField(1, true), binary: "020001" + "01", compact: "11" },
  { why: "false", write: (to) => to.boolField(1, false), binary: "020001" + "00", compact: "12" },
  { why: "no text", write: (to) => to.textField(1, ""), binary: "0b0001" + "00000000", compact: "18" + "00" },
  {
    why: "a lone surrogate",
    write: (to) => to.textField(1, "\ud800"),
    binary: "0b0001" + "00000003" + "efbfbd",
    compact: "18" + "03" + "efbfbd",
  },
  {
    why: "the next field is a distance in compact, an id in binary",
    write: (to) => {
      to.i32Field(2, 0);
      to.i32Field(5, 0);
    },
    binary: "080002" + "00000000" + "080005" + "00000000",
    compact: "25" + "00" + "35" + "00",
  },
  {
    why: "distances start anew in a struct, and go on behind it",
    write: (to) => {
      to.structField(3);
      to.boolField(1, true);
      to.endStruct();
      to.boolField(4, true);
    },
    binary: "0c0003" + "02000101" + "00" + "02000401",
    compact: "3c" + "11" + "00" + "11",
  },
  {
    why: "a list of 14",
    write: (to) => to.structsField(1, 14),
    binary: "0f0001" + "0c" + "0000000e",
    compact: "19" + "ec",
  },
  {
    why: "a list of 15",
    write: (to) => to.structsField(1, 15),
    binary: "0f0001" + "0c" + "0000000f",
    compact: "19" + "fc" + "0f",
  },
])("$why", ({ write, binary, compact }) => {
  expect(bytesOf(new ThriftBinaryWriter(), write)).toBe(binary);
  expect(bytesOf(new ThriftCompactWriter(), write)).toBe(compact);
});

describe("a text's length", () => {
  it.each([
    { why: "the last that a loop writes", text: "x".repeat(30) },
    { why: "the first that the engine writes", text: "x".repeat(31) },
    { why: "one byte of length, ASCII", text: "x".repeat(127) },
    { why: "two bytes of length, ASCII", text: "x".repeat(128) },
    { why: "two bytes of length, where one was kept free", text: "é".repeat(64) },
    { why: "three bytes of length, where two were kept free", text: "€".repeat(16_000) },
    { why: "more than the buffer begins with", text: "x".repeat(100_000) },
    { why: "four bytes of length: more than is kept", text: "x".repeat(5_000_000) },
  ])("$why", ({ text }) => {
    const utf8 = Buffer.from(text);
    const writers = [new ThriftBinaryWriter(), new ThriftCompactWriter()];
    for (const writer of writers) {
      for (let use = 1; use <= 2; use++) {
        writer.reset();
        writer.textField(use, text);
        writer.boolField(15, true);
        const bytes = writer.bytes.copy();
        const end = bytes.length - (writer instanceof ThriftBinaryWriter ? 4 : 1);
        expect(bytes.subarray(end - utf8.length, end).equals(utf8)).toBe(true);
      }
    }
  });
});

it("starts anew after a struct that was never ended", () => {
  const writer = new ThriftCompactWriter();
  writer.structField(3);
  writer.boolField(7, true);
  writer.reset();
  expect(bytesOf(writer, (to) => to.boolField(2, true))).toBe("21");
});
