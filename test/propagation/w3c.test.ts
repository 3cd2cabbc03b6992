/**
 * parseTraceparent and parseTracestate against W3C Trace Context level 2 (https://www.w3.org/TR/trace-context-2/).
 * Method: one row a case; valid rows give the context, refused rows the reason. Each reason has a row, and the row
 * just inside each limit stands beside the row just outside it. Then properties over arbitrary and nearly valid text.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatTraceparent, parseTraceparent, parseTracestate } from "../../src/propagation/w3c.ts";
import { contexts, nearly, SPAN, TRACE } from "./arbitraries.ts";

const VALID = `00-${TRACE}-${SPAN}-01`;

describe("parseTraceparent", () => {
  it.each([
    { why: "sampled", value: VALID, isSampled: true, isRandom: false },
    { why: "not sampled", value: `00-${TRACE}-${SPAN}-00`, isSampled: false, isRandom: false },
    { why: "random", value: `00-${TRACE}-${SPAN}-02`, isSampled: false, isRandom: true },
    { why: "sampled and random", value: `00-${TRACE}-${SPAN}-03`, isSampled: true, isRandom: true },
    {
      why: "reserved flags only: not sampled",
      value: `00-${TRACE}-${SPAN}-fc`,
      isSampled: false,
      isRandom: false,
    },
    { why: "all flags", value: `00-${TRACE}-${SPAN}-ff`, isSampled: true, isRandom: true },
    {
      why: "a later version of the same length",
      value: `cc-${TRACE}-${SPAN}-01`,
      isSampled: true,
      isRandom: false,
    },
    {
      why: "a later version with more",
      value: `cc-${TRACE}-${SPAN}-01-what`,
      isSampled: true,
      isRandom: false,
    },
    {
      why: "a later version with a bare dash",
      value: `fe-${TRACE}-${SPAN}-00-`,
      isSampled: false,
      isRandom: false,
    },
  ])("reads $why", ({ value, isSampled, isRandom }) => {
    expect(parseTraceparent(value)).toEqual({
      traceId: TRACE,
      spanId: SPAN,
      isSampled,
      isRandom,
      traceState: "",
    });
  });

  it.each([
    { why: "nothing", value: "", refusal: "length" },
    { why: "one character short", value: VALID.slice(0, -1), refusal: "length" },
    { why: "version 00 with more", value: `${VALID}-what`, refusal: "length" },
    { why: "version 00 with a space", value: `${VALID} `, refusal: "length" },
    {
      why: "a later version with more, without a dash",
      value: `cc-${TRACE}-${SPAN}-01.what`,
      refusal: "length",
    },
    { why: "the forbidden version", value: `ff-${TRACE}-${SPAN}-01`, refusal: "version" },
    { why: "an upper-case version", value: `CC-${TRACE}-${SPAN}-01`, refusal: "version" },
    { why: "a version that is none", value: `.0-${TRACE}-${SPAN}-01`, refusal: "version" },
    { why: "another separator", value: VALID.replaceAll("-", "_"), refusal: "fields" },
    { why: "no dash behind the version", value: `00_${TRACE}-${SPAN}-01`, refusal: "fields" },
    { why: "no dash behind the trace id", value: `00-${TRACE}_${SPAN}-01`, refusal: "fields" },
    { why: "ids the other way round", value: `00-${SPAN}-${TRACE}-01`, refusal: "fields" },
    { why: "no dash before the flags", value: `00-${TRACE}-${SPAN}001`, refusal: "fields" },
    { why: "an upper-case trace id", value: `00-${TRACE.toUpperCase()}-${SPAN}-01`, refusal: "hex" },
    { why: "an upper-case span id", value: `00-${TRACE}-${SPAN.toUpperCase()}-01`, refusal: "hex" },
    { why: "the character before 0", value: `00-${TRACE.slice(1)}/-${SPAN}-01`, refusal: "hex" },
    { why: "the character after 9", value: `00-${TRACE.slice(1)}:-${SPAN}-01`, refusal: "hex" },
    { why: "the character before a", value: `00-${TRACE.slice(1)}\`-${SPAN}-01`, refusal: "hex" },
    { why: "the character after f", value: `00-${TRACE.slice(1)}g-${SPAN}-01`, refusal: "hex" },
    { why: "trace id zero", value: `00-${"0".repeat(32)}-${SPAN}-01`, refusal: "zero" },
    { why: "span id zero", value: `00-${TRACE}-${"0".repeat(16)}-01`, refusal: "zero" },
    { why: "upper-case flags", value: `00-${TRACE}-${SPAN}-0A`, refusal: "flags" },
    { why: "flags that parseInt would take", value: `00-${TRACE}-${SPAN}-1 `, refusal: "flags" },
  ])("refuses $why", ({ value, refusal }) => {
    expect(parseTraceparent(value)).toBe(refusal);
  });

  it("reads back what it writes", () => {
    fc.assert(
      fc.property(contexts, (context) => {
        expect(parseTraceparent(formatTraceparent(context))).toEqual(context);
      }),
    );
  });

  it("never throws, and reads only what it would write", () => {
    fc.assert(
      fc.property(nearly(VALID), (value) => {
        const outcome = parseTraceparent(value);
        if (typeof outcome === "string") return;
        expect(parseTraceparent(formatTraceparent(outcome))).toEqual(outcome);
        if (value.startsWith("00")) expect(value.slice(0, 53)).toBe(formatTraceparent(outcome).slice(0, 53));
      }),
    );
  });
});

/** `a0=1,a1=1,…`, with values of as many digits as bring it to the length. */
function listOf(members: number, length = 0): string {
  const keys = Array.from({ length: members }, (_, index) => `a${index}=1`);
  for (let missing = length - keys.join(",").length; missing > 0; missing--) keys[missing % members] += "1";
  return keys.join(",");
}

const KEY_CHARACTERS = "0abcdefghijklmnopqrstuvwxyz0123456789_-*/@";
const VALUE_CHARACTERS = Array.from({ length: 0x7f - 0x20 }, (_, index) => String.fromCharCode(0x20 + index))
  .filter((character) => character !== "," && character !== "=")
  .join("");

describe("parseTracestate", () => {
  it.each([
    { why: "one member", lines: ["foo=1"], state: "foo=1" },
    {
      why: "several lines, in order",
      lines: ["foo=1,bar=2", "rojo=1", "baz=3"],
      state: "foo=1,bar=2,rojo=1,baz=3",
    },
    { why: "no line", lines: [], state: "" },
    { why: "an empty line", lines: [""], state: "" },
    { why: "empty members", lines: [",foo=1, ,\t,bar=2,", ""], state: "foo=1,bar=2" },
    { why: "spaces and tabs around members", lines: [" \tfoo=1\t , \tbar=2 "], state: "foo=1,bar=2" },
    { why: "spaces before a value: they are its own", lines: ["foo= 1"], state: "foo= 1" },
    { why: "a key that comes twice: the first, most recent", lines: ["a=1,b=2", "a=3"], state: "a=1,b=2" },
    { why: "every character of a key", lines: [`${KEY_CHARACTERS}=1`], state: `${KEY_CHARACTERS}=1` },
    { why: "every character of a value", lines: [`a=${VALUE_CHARACTERS}`], state: `a=${VALUE_CHARACTERS}` },
    { why: "a key of one digit", lines: ["1=1"], state: "1=1" },
    { why: "the longest key", lines: [`${"k".repeat(256)}=1`], state: `${"k".repeat(256)}=1` },
    { why: "the longest value", lines: [`k=${"v".repeat(256)}`], state: `k=${"v".repeat(256)}` },
    { why: "as many members as may be", lines: [listOf(32)], state: listOf(32) },
    { why: "as long as may be", lines: [listOf(32, 512)], state: listOf(32, 512) },
    {
      why: "as long as may be, on two lines",
      lines: [listOf(16, 255), `${"k".repeat(254)}=1`],
      state: `${listOf(16, 255)},${"k".repeat(254)}=1`,
    },
  ])("reads $why", ({ lines, state }) => {
    expect(parseTracestate(lines)).toEqual({ traceState: state });
  });

  it.each([
    { why: "one member too many", lines: [listOf(33)], refusal: "members" },
    { why: "one member too many, on two lines", lines: [listOf(32), "x=1"], refusal: "members" },
    { why: "one character too many", lines: [listOf(32, 513)], refusal: "length" },
    {
      why: "one character too many with the comma",
      lines: [listOf(16, 256), `${"k".repeat(254)}=1`],
      refusal: "length",
    },
    { why: "one character too many with the white space", lines: [`${listOf(32, 512)} `], refusal: "length" },
    { why: "a member without a value", lines: ["foo=1,bar"], refusal: "fields" },
    { why: "a key too long", lines: [`${"k".repeat(257)}=1`], refusal: "key" },
    { why: "no key", lines: ["=1"], refusal: "key" },
    { why: "an upper-case key", lines: ["Foo=1"], refusal: "key" },
    { why: "a key that starts with a sign", lines: ["@foo=1"], refusal: "key" },
    { why: "a space behind a key", lines: ["foo =1"], refusal: "key" },
    { why: "another sign in a key", lines: ["foo.bar=1"], refusal: "key" },
    { why: "a value too long", lines: [`k=${"v".repeat(257)}`], refusal: "value" },
    { why: "an empty value", lines: ["foo="], refusal: "value" },
    { why: "a value of a space", lines: ["foo= "], refusal: "value" },
    { why: "an equals sign in a value", lines: ["foo=bar=1"], refusal: "value" },
    { why: "a tab in a value", lines: ["foo=a\tb"], refusal: "value" },
    { why: "a delete character", lines: ["foo=\x7f"], refusal: "value" },
    { why: "a no-break space that trim() would take", lines: ["foo=1\u00a0"], refusal: "value" },
    { why: "a line feed that $ alone would take", lines: ["foo=1\n"], refusal: "value" },
  ])("refuses $why", ({ lines, refusal }) => {
    expect(parseTracestate(lines)).toBe(refusal);
  });

  it("never throws, and what travels on is within its bounds and reads the same again", () => {
    fc.assert(
      fc.property(fc.array(nearly("foo=1, bar@x=2,,baz= 3"), { maxLength: 4 }), (lines) => {
        const outcome = parseTracestate(lines);
        if (typeof outcome === "string") return;
        expect(outcome.traceState.length).toBeLessThanOrEqual(512);
        expect(outcome.traceState).toMatch(/^[\x20-\x7e]*$/);
        expect(parseTracestate([outcome.traceState])).toEqual(outcome);
      }),
    );
  });
});
