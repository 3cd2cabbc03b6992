/**
 * cutServerTiming: what is cut, that the rest stays byte for byte, and that no quoting hides an entry.
 * The last test is the bound: a hostile value costs time in line with its length.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutServerTiming } from "../../src/propagation/server-timing.ts";

const PARENT = 'traceparent;desc="00-d4cda95b652f4a1592b449d5929fda1b-6e0c63257de34c92-01"';

describe("cutServerTiming", () => {
  it.each([
    { why: "alone", value: PARENT, left: undefined },
    { why: "trace, alone", value: "trace;dur=1", left: undefined },
    { why: "without parameters", value: "trace", left: undefined },
    { why: "in any case", value: `TraceParent;desc=x`, left: undefined },
    { why: "with white space around the name", value: ` \ttraceparent ; desc=x`, left: undefined },
    { why: "with only empty entries left", value: `, ${PARENT} ,`, left: undefined },
    { why: "first", value: `${PARENT}, db;dur=53`, left: "db;dur=53" },
    { why: "last", value: `db;dur=53 , ${PARENT}`, left: "db;dur=53 " },
    { why: "between", value: `db;dur=53, ${PARENT},  app;dur=47.2`, left: "db;dur=53,  app;dur=47.2" },
    { why: "twice", value: `trace, db, ${PARENT}`, left: "db" },
    { why: "behind a quoted comma", value: `db;desc="a, b";dur=1, ${PARENT}`, left: 'db;desc="a, b";dur=1' },
    {
      why: "behind an escaped quote",
      value: String.raw`db;desc="a\", b", trace`,
      left: String.raw`db;desc="a\", b"`,
    },
    {
      why: "behind a quote that is not closed",
      value: `db;desc="a, ${PARENT.replaceAll('"', "")}`,
      left: 'db;desc="a',
    },
    { why: "behind a quote that opens nothing", value: `db", trace;x=1, app"`, left: `db", app"` },
    { why: "malformed, but named", value: "traceparent=x, db", left: "db" },
  ])("cuts an entry: $why", ({ value, left }) => {
    expect(cutServerTiming(value)).toBe(left);
  });

  it.each([
    { why: "nothing", value: "" },
    { why: "other entries", value: "db;dur=53, app;dur=47.2" },
    { why: "names that only start alike", value: "traceparents, trace-id;dur=1, tracer" },
    { why: "the name in a description", value: 'db;desc="x, traceparent;y, trace"' },
    { why: "the name behind an escaped quote", value: String.raw`db;desc="a\", trace;x=\"b"` },
    { why: "the name in a parameter", value: "db;trace=1" },
    { why: "odd white space and empty entries", value: " , db ,, app\t" },
  ])("leaves the very string: $why", ({ value }) => {
    expect(cutServerTiming(value)).toBe(value);
  });

  it("never throws, cuts all there is to cut in one go, and never adds", () => {
    const piece = fc.constantFrom("trace", "traceparent", "db", ";desc=", '"', "\\", ",", " ", "=", "x");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const value = pieces.join("");
        const left = cutServerTiming(value);
        if (left === undefined) return;
        expect(left.length).toBeLessThanOrEqual(value.length);
        expect(cutServerTiming(left)).toBe(left);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    { why: "quotes that are not closed", unit: 'a="' },
    { why: "escapes", unit: String.raw`a="\"` },
    { why: "entries to cut", unit: "trace," },
    { why: "white space", unit: "  \t " },
  ])("costs in line with the length: $why", ({ unit }) => {
    const value = unit.repeat(200_000); // Quadratic time would be minutes.
    expect(() => cutServerTiming(value)).not.toThrow();
  });
});
