/**
 * parseUberTraceId against the propagation format of the Jaeger clients, and against what made a published
 * propagator throw (CVE-2026-59892) and makes Synapse answer 500.
 * Method: one row a case; valid rows give the context, refused rows the reason, limits from both sides.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatUberTraceId, parseUberTraceId } from "../../src/propagation/jaeger.ts";
import { nearly, plainContexts, SPAN, TRACE } from "./arbitraries.ts";

const VALID = `${TRACE}:${SPAN}:0:1`;

describe("parseUberTraceId", () => {
  it.each([
    { why: "plain", value: VALID, isSampled: true },
    { why: "percent-encoded colons", value: `${TRACE}%3A${SPAN}%3a0%3A1`, isSampled: true },
    { why: "upper-case hex", value: `${TRACE.toUpperCase()}:${SPAN.toUpperCase()}:0:01`, isSampled: true },
    { why: "not sampled", value: `${TRACE}:${SPAN}:0:0`, isSampled: false },
    { why: "debug and sampled", value: `${TRACE}:${SPAN}:0:3`, isSampled: true, more: { wish: "debug" } },
    {
      why: "debug without sampled: debug never counts",
      value: `${TRACE}:${SPAN}:0:2`,
      isSampled: false,
      more: { wish: "debug" },
    },
    { why: "all flags", value: `${TRACE}:${SPAN}:0:FF`, isSampled: true, more: { wish: "debug" } },
    { why: "longest: full parent id", value: `${TRACE}%3A${SPAN}%3A${SPAN}%3A01`, isSampled: true },
  ])("reads $why", ({ value, isSampled, more }) => {
    expect(parseUberTraceId(value)).toEqual({
      traceId: TRACE,
      spanId: SPAN,
      isSampled,
      isRandom: false,
      traceState: "",
      ...more,
    });
  });

  it.each([
    { why: "64-bit ids without their zeros", value: "abc:DEF:0:1", traceId: "abc", spanId: "def" },
    { why: "a full 64-bit trace id", value: `${SPAN}:1:0:1`, traceId: SPAN, spanId: "1" },
  ])("pads $why", ({ value, traceId, spanId }) => {
    expect(parseUberTraceId(value)).toMatchObject({
      traceId: traceId.padStart(32, "0"),
      spanId: spanId.padStart(16, "0"),
    });
  });

  it.each([
    { why: "nothing", value: "", refusal: "fields" },
    { why: "no field (Synapse answers 500)", value: "zzz", refusal: "fields" },
    { why: "three fields (Synapse answers 500)", value: "1:2:3", refusal: "fields" },
    { why: "five fields", value: `${TRACE}:${SPAN}:0:1:1`, refusal: "fields" },
    { why: "an empty trace id", value: `:${SPAN}:0:1`, refusal: "fields" },
    { why: "an empty span id", value: `${TRACE}::0:1`, refusal: "fields" },
    { why: "an empty parent id", value: `${TRACE}:${SPAN}::1`, refusal: "fields" },
    { why: "an escape that is none (CVE-2026-59892)", value: "%ZZ", refusal: "fields" },
    { why: "an escape that is none, within an id", value: `%ZZ:${SPAN}:0:1`, refusal: "hex" },
    { why: "a cut escape", value: `${TRACE}:${SPAN}:0:%`, refusal: "flags" },
    { why: "another escape than the colon's", value: `%61bc:${SPAN}:0:1`, refusal: "hex" },
    { why: "trace id of 33 digits", value: `${TRACE}0:${SPAN}:0:1`, refusal: "length" },
    { why: "span id of 17 digits", value: `${TRACE}:${SPAN}0:0:1`, refusal: "length" },
    { why: "parent id of 17 digits", value: `${TRACE}:${SPAN}:${SPAN}0:1`, refusal: "length" },
    { why: "one past the longest", value: `${TRACE}%3A${SPAN}%3A${SPAN}%3A001`, refusal: "length" },
    { why: "non-hex span id", value: `${TRACE}:xyz:0:1`, refusal: "hex" },
    { why: "a sign before an id", value: `-1:${SPAN}:0:1`, refusal: "hex" },
    { why: "non-hex parent id", value: `${TRACE}:${SPAN}:x:1`, refusal: "hex" },
    { why: "trace id zero (Synapse answers 500)", value: "0:1:0:1", refusal: "zero" },
    { why: "span id zero", value: `${TRACE}:0:0:1`, refusal: "zero" },
    { why: "flags not hex: not taken as sampled", value: `${TRACE}:${SPAN}:0:zz`, refusal: "flags" },
    { why: "flags and more (Synapse answers 500)", value: "abc:def:0:1;x", refusal: "flags" },
    { why: "three flag digits", value: `${TRACE}:${SPAN}:0:001`, refusal: "flags" },
    { why: "no flags", value: `${TRACE}:${SPAN}:0:`, refusal: "flags" },
  ])("refuses $why", ({ value, refusal }) => {
    expect(parseUberTraceId(value)).toBe(refusal);
  });

  it("reads back what it writes", () => {
    fc.assert(
      fc.property(plainContexts, (context) => {
        expect(parseUberTraceId(formatUberTraceId(context))).toEqual(context);
      }),
    );
  });

  it("never throws, and reads only what reads the same once it is written", () => {
    fc.assert(
      fc.property(nearly(VALID), (value) => {
        const outcome = parseUberTraceId(value);
        if (typeof outcome === "string") return;
        const written = formatUberTraceId(outcome);
        expect(written).toMatch(/^[0-9a-f]{32}:[0-9a-f]{16}:0:[01]$/);
        // What is written is a decision, never a debug flag.
        const { wish: _, ...decided } = outcome;
        expect(parseUberTraceId(written)).toEqual(decided);
      }),
    );
  });
});
