/** Events of a transaction, counted while it streams: the same in any pieces, and in linear time whatever comes. */

import { describe, expect, it } from "vitest";
import { CHUNKED } from "../../src/http1/framing.ts";
import { followBody } from "../../src/proxy/follow-body.ts";
import { TransactionUnits } from "../../src/proxy/transaction-units.ts";

/** @param size of the pieces that the body comes in */
function unitsIn(body: string, size = Infinity, isChunked = false): readonly number[] {
  const units = new TransactionUnits();
  const bodyLength = isChunked ? CHUNKED : Buffer.byteLength(body);
  const read = followBody(bodyLength, (piece) => units.read(piece));
  const bytes = Buffer.from(body);
  const step = Math.min(size, bytes.length || 1);
  for (let at = 0; at < bytes.length; at += step) read(bytes.subarray(at, at + step));
  return [units.pdus, units.edus];
}

const PDU = {
  type: "m.room.message",
  content: { body: 'a "quoted" } ] , \\ {', edus: [{}, {}] },
  pdus: [{ a: 1 }],
};

describe("counts items of the body's own lists", () => {
  it.each([
    {
      body: JSON.stringify({ origin: "a", pdus: [PDU, PDU], edus: [{ edu_type: "m.typing" }] }),
      units: [2, 1],
      why: "a transaction",
    },
    { body: JSON.stringify({ edus: [PDU], pdus: [] }), units: [0, 1], why: "in the other order" },
    { body: JSON.stringify({ pdus: [] }), units: [0, 0], why: "an empty list" },
    {
      body: JSON.stringify({ content: { pdus: [{}] }, other: [{}, {}] }),
      units: [0, 0],
      why: "lists of others",
    },
    { body: JSON.stringify({ pdus: { a: {}, b: {} } }), units: [0, 0], why: "an object in the list's place" },
    {
      body: JSON.stringify({ pdus: [1, "{", null, [{}], {}] }),
      units: [1, 0],
      why: "items that are no objects",
    },
    { body: '{"x":"pdus","edus":"[{","y":[{}]}', units: [0, 0], why: "the words as values" },
    { body: '{"pdus" : [ {} , {} ] , "edus":[{}]}', units: [2, 1], why: "with white space" },
    { body: '{"\\u0070dus":[{}]}', units: [0, 0], why: "a key written with escapes is not found" },
    { body: '{"pdusedus":[{}],"xpdus":[{}]}', units: [0, 0], why: "longer keys" },
    { body: '[{"pdus":[{}]}]', units: [0, 0], why: "no object around it" },
    { body: "}}]]{{[[pdus", units: [0, 0], why: "no JSON" },
    { body: `{"pdus":[${"{},".repeat(5000)}{}]}`, units: [1000, 0], why: "as many as may be counted" },
    { body: "", units: [0, 0], why: "nothing" },
  ])("$why", ({ body, units }) => {
    for (const size of [Infinity, 1, 2, 3, 7, 16]) expect(unitsIn(body, size)).toEqual(units);
  });
});

describe("reads each byte a few times at most: the square of these would outlast the test by hours", () => {
  it.each([
    { filler: "\\n".repeat(4_000_000), why: "escapes without end" },
    { filler: '\\"'.repeat(4_000_000), why: "escaped quotes without end" },
    { filler: '","'.repeat(2_000_000), why: "strings without end" },
    { filler: "a".repeat(8_000_000), why: "one string without end" },
  ])("$why", ({ filler }) => {
    expect(unitsIn(`{"a":"${filler}","pdus":[{}]}`)).toEqual([1, 0]);
  });
});

describe("reads what chunks hold, and not their framing", () => {
  const chunked = (pieces: readonly string[], extension = ""): string =>
    `${[...pieces, ""].map((piece) => `${Buffer.byteLength(piece).toString(16)}${extension}\r\n${piece}\r\n`).join("")}`;
  it.each([
    { body: chunked(['{"pdus":[{},{}]', ',"edus":[{}]}']), units: [2, 1], why: "between lists" },
    { body: chunked(['{"pd', 'us":[{}]}']), units: [1, 0], why: "within a key" },
    { body: chunked(['{"a":"\\', '"","pdus":[{}]}']), units: [1, 0], why: "within an escape" },
    {
      body: chunked(['{"pdus":[', "{},", "{}", "]}"], ';a="{"'),
      units: [2, 0],
      why: "with extensions of braces",
    },
  ])("$why", ({ body, units }) => {
    for (const size of [Infinity, 1, 2, 3, 7, 16]) expect(unitsIn(body, size, true)).toEqual(units);
  });
});
