/**
 * canonicalOf against the specification's examples (appendices, "Canonical JSON"), every refusal, and what must hold of
 * any document. Python's own word on thousands of documents is test/real/canonical-json.test.ts.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, canonicalOf, DEPTH_MAX, readSignableJson } from "../../src/proof/canonical-json.ts";
import { unicodeText } from "../support/unicode-text.ts";

function read(body: string | Uint8Array): string {
  const result = canonicalOf(typeof body === "string" ? new TextEncoder().encode(body) : body);
  return typeof result === "string" ? `refused: ${result}` : result.text;
}

function nested(depth: number): string {
  return "[".repeat(depth) + "]".repeat(depth);
}

/** Written with `canonicalJson`'s opposite: keys the other way round, every character escaped, blanks everywhere. */
function writeOtherwise(value: unknown): string {
  if (typeof value === "string") {
    const units = Array.from({ length: value.length }, (_, at) => value.charCodeAt(at));
    return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("")}"`;
  }
  if (Array.isArray(value)) return `[ ${value.map(writeOtherwise).join(" ,\n")} ]`;
  if (typeof value !== "object" || value === null) return ` ${JSON.stringify(value)}\t`;
  const members = Object.entries(value).reverse();
  return `{\r${members.map(([key, item]) => `${writeOtherwise(key)} : ${writeOtherwise(item)}`).join(",")} }`;
}

const text = unicodeText().filter((units) => !/\p{Surrogate}/u.test(units));
const documents = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.maxSafeInteger(),
    fc.constantFrom(null, true, false, 2 ** 53 - 1, 1 - 2 ** 53),
    text,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof(text, fc.constantFrom("\u{1f600}", "\ufffd", "\ud7ff", "__proto__", "10", "9")),
      tie("value"),
      {
        maxKeys: 6,
        noNullPrototype: true,
      },
    ),
  ),
})).value;

describe("canonicalOf, the specification's examples", () => {
  it.each([
    { why: "nothing", body: "{}", canonical: "{}" },
    {
      why: "blanks",
      body: '{\n    "one": 1,\n    "two": "Two"\n}',
      canonical: '{"one":1,"two":"Two"}',
    },
    { why: "order, with blanks", body: '{\n    "b": "2",\n    "a": "1"\n}', canonical: '{"a":"1","b":"2"}' },
    { why: "order", body: '{"b":"2","a":"1"}', canonical: '{"a":"1","b":"2"}' },
    {
      why: "objects in each other",
      body: `{"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe",
        "three_pids": [{"medium": "email", "address": "john.doe@example.org"},
        {"medium": "msisdn", "address": "123456789"}]}}}`,
      canonical:
        '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}',
    },
    { why: "Japanese", body: '{ "a": "日本語" }', canonical: '{"a":"日本語"}' },
    { why: "Japanese keys", body: '{ "本": 2, "日": 1 }', canonical: '{"日":1,"本":2}' },
    { why: "an escape that isn't needed", body: String.raw`{"a": "\u65E5"}`, canonical: '{"a":"日"}' },
    { why: "null", body: '{ "a": null }', canonical: '{"a":null}' },
  ])("$why", ({ body, canonical }) => {
    expect(read(body)).toBe(canonical);
  });
});

describe("canonicalOf", () => {
  it.each([
    {
      why: "the escapes of the grammar, and no other",
      body: String.raw`"\u0000\u0007\b\t\n\u000b\f\r\u001f\"\\\/\u007f\u2028\u2029"`,
      canonical: `${String.raw`"\u0000\u0007\b\t\n\u000b\f\r\u001f\"\\/`}\u007f\u2028\u2029"`,
    },
    {
      why: "a pair of surrogate escapes is one character",
      body: String.raw`"\uD83D\uDE00"`,
      canonical: '"\u{1f600}"',
    },
    {
      why: "characters beyond U+FFFF come last, though their units don't",
      body: '{"\u{1f600}":1,"\uffee":2,"\ue000":3,"\ud7ff":4}',
      canonical: '{"\ud7ff":4,"\ue000":3,"\uffee":2,"\u{1f600}":1}',
    },
    {
      why: "the second half of two characters decides, in order as it came",
      body: '{"a\u{1f600}":1,"a\u{1f601}":2}',
      canonical: '{"a\u{1f600}":1,"a\u{1f601}":2}',
    },
    { why: "a key before those it begins", body: '{"ab":1,"a":2,"":3}', canonical: '{"":3,"a":2,"ab":1}' },
    {
      why: "keys that V8 takes for indices are sorted as texts",
      body: '{"9":1,"10":2,"-1":3,"!":4}',
      canonical: '{"!":4,"-1":3,"10":2,"9":1}',
    },
    { why: "indices in V8's order and a text's", body: '{"1":1,"2":2}', canonical: '{"1":1,"2":2}' },
    {
      why: "names of every object's own",
      body: '{"toString":1,"constructor":{},"__proto__":{"__proto__":2},"toJSON":3}',
      canonical: '{"__proto__":{"__proto__":2},"constructor":{},"toJSON":3,"toString":1}',
    },
    { why: "the last of a key that stands twice", body: '{"a":1,"b":2,"a":3}', canonical: '{"a":3,"b":2}' },
    { why: "the same, written differently", body: String.raw`{"a":1,"\u0061":2}`, canonical: '{"a":2}' },
    { why: "minus nothing", body: '{"a":-0}', canonical: '{"a":0}' },
    { why: "the greatest integers", body: "[9007199254740991,-9007199254740991]", canonical: undefined },
    { why: "fractions that are text", body: String.raw`["1.0","\"1e3\\","2E5"]`, canonical: undefined },
    { why: "no object", body: " true ", canonical: "true" },
    { why: "as deep as may be", body: nested(DEPTH_MAX), canonical: undefined },
  ])("writes $why", ({ body, canonical }) => {
    expect(read(body)).toBe(canonical ?? body);
  });

  it.each([
    { why: "nothing", body: "", refusal: "json" },
    { why: "half an object", body: '{"a":1', refusal: "json" },
    { why: "more behind it", body: "{}{}", refusal: "json" },
    { why: "a byte order mark", body: "\ufeff{}", refusal: "json" },
    { why: "what Python takes for numbers", body: "[NaN]", refusal: "json" },
    { why: "a line end in a string", body: '"\n"', refusal: "json" },
    { why: "blanks of other alphabets", body: "\u00a0{}", refusal: "json" },
    { why: "bytes that are no UTF-8", body: Uint8Array.of(0x22, 0xff, 0x22), refusal: "utf8" },
    { why: "a character cut off", body: Uint8Array.of(0x22, 0xe6, 0x97, 0x22), refusal: "utf8" },
    { why: "a surrogate as bytes", body: Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), refusal: "utf8" },
    { why: "a character longer than need be", body: Uint8Array.of(0x22, 0xc0, 0x80, 0x22), refusal: "utf8" },
    { why: "a fraction", body: '{"a":1.5}', refusal: "number" },
    { why: "a fraction of nothing, which parsers lose", body: '{"a":1.0}', refusal: "number" },
    { why: "an exponent, which parsers lose", body: '{"a":[1e3]}', refusal: "number" },
    { why: "a large exponent letter", body: "1E3", refusal: "number" },
    { why: "minus nothing as a fraction", body: "-0.0", refusal: "number" },
    {
      why: "a fraction behind quotes in a string",
      body: String.raw`{"a":"\\\"1","b":"\\","c":1.0}`,
      refusal: "number",
    },
    { why: "one more than the greatest", body: "9007199254740992", refusal: "number" },
    { why: "one less than the least", body: "-9007199254740992", refusal: "number" },
    { why: "what rounds into the range", body: "9007199254740991.4", refusal: "number" },
    { why: "what no double holds", body: `[1${"0".repeat(400)}]`, refusal: "number" },
    { why: "half a character", body: String.raw`{"a":"\ud800"}`, refusal: "surrogate" },
    { why: "the other half, in a key", body: String.raw`{"\uDFFFa":1}`, refusal: "surrogate" },
    { why: "two halves the wrong way round", body: String.raw`"\ude00\ud83d"`, refusal: "surrogate" },
    { why: "one level too many", body: nested(DEPTH_MAX + 1), refusal: "depth" },
    { why: "64 KiB of brackets, closed", body: nested(32_768), refusal: "depth" },
    { why: "64 KiB of brackets", body: "[".repeat(65_536), refusal: "json" },
    { why: "64 KiB of objects", body: '{"a":'.repeat(13_107), refusal: "json" },
  ])("refuses $why", ({ body, refusal }) => {
    expect(read(body)).toBe(`refused: ${refusal}`);
  });

  it("takes an escaped backslash before `ud800` for what it is", () => {
    expect(read(String.raw`"\\ud800 \u65e5"`)).toBe(String.raw`"\\ud800 日"`);
  });

  it("is the same for every way to write a document, and for its own result", () => {
    fc.assert(
      fc.property(documents, (value) => {
        const canonical = read(JSON.stringify(value));
        expect(canonical).toBe(canonicalJson(value));
        expect(read(canonical)).toBe(canonical);
        expect(read(writeOtherwise(value))).toBe(canonical);
        expect(JSON.parse(canonical)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("orders keys as their UTF-8 does", () => {
    fc.assert(
      fc.property(fc.uniqueArray(text), (keys) => {
        const canonical = read(`{${keys.map((key) => `${JSON.stringify(key)}:0`).join()}}`);
        const sorted = keys.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
        expect(canonical).toBe(`{${sorted.map((key) => `${JSON.stringify(key)}:0`).join()}}`);
      }),
    );
  });
});

describe("readSignableJson", () => {
  it.each([
    { why: "no keys", body: "1", isOrdered: true },
    { why: "keys in order, in objects in order", body: '{"a":{"b":1,"c":2},"b":3}', isOrdered: true },
    { why: "more items than one digit counts", body: `[${"0,".repeat(11)}0]`, isOrdered: true },
    { why: "an object within that is not", body: '[{"a":{"c":1,"b":2}}]', isOrdered: false },
    { why: "indices in V8's order and not a text's", body: '{"9":1,"10":2}', isOrdered: false },
    { why: "units in order and characters not", body: '{"\u{1f600}":1,"\ufffd":2}', isOrdered: false },
  ])("says whether keys are in order: $why", ({ body, isOrdered }) => {
    expect(readSignableJson(body)).toMatchObject({ isOrdered });
  });

  it("gives the value of text and of bytes, and refuses as canonicalOf", () => {
    expect(readSignableJson('{"b":[1],"a":{}}')).toEqual({ value: { b: [1], a: {} }, isOrdered: false });
    expect(readSignableJson(Buffer.from("[]"))).toEqual({ value: [], isOrdered: true });
    expect(readSignableJson('{"a":1.0}')).toBe("number");
  });
});
