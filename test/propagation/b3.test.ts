/**
 * parseB3 and parseB3Multi against https://github.com/openzipkin/b3-propagation.
 * Method: one row a case; valid rows give the context or say that none was sent, refused rows the reason.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatB3, formatB3Multi, parseB3, parseB3Multi } from "../../src/propagation/b3.ts";
import { nearly, plainContexts, SPAN, TRACE } from "./arbitraries.ts";

const VALID = `${TRACE}-${SPAN}-1`;
const SHORT_TRACE = TRACE.slice(0, 16);
const PADDED_TRACE = SHORT_TRACE.padStart(32, "0");

describe("parseB3", () => {
  it.each([
    { why: "accept", value: VALID, traceId: TRACE, isSampled: true },
    { why: "deny", value: `${TRACE}-${SPAN}-0`, traceId: TRACE, isSampled: false },
    {
      why: "debug: it never counts",
      value: `${TRACE}-${SPAN}-d`,
      traceId: TRACE,
      isSampled: false,
      more: { wish: "debug" },
    },
    {
      why: "defer: nobody's wish",
      value: `${TRACE}-${SPAN}`,
      traceId: TRACE,
      isSampled: false,
      more: { wish: "none" },
    },
    { why: "a parent id", value: `${TRACE}-${SPAN}-1-${SPAN}`, traceId: TRACE, isSampled: true },
    { why: "a 64-bit trace id", value: `${SHORT_TRACE}-${SPAN}-1`, traceId: PADDED_TRACE, isSampled: true },
  ])("reads $why", ({ value, traceId, isSampled, more }) => {
    const context = { traceId, spanId: SPAN, isSampled, isRandom: false, traceState: "", ...more };
    expect(parseB3(value)).toEqual(context);
  });

  it.each(["0", "1", "d"])("finds no context, and no fault, in the state %s alone", (value) => {
    expect(parseB3(value)).toBeUndefined();
  });

  it.each([
    { why: "nothing", value: "", refusal: "fields" },
    { why: "another state alone", value: "2", refusal: "fields" },
    { why: "five fields", value: `${TRACE}-${SPAN}-1-${SPAN}-`, refusal: "length" },
    { why: "five short fields", value: `${SHORT_TRACE}-${SPAN}-1-${SPAN}-1`, refusal: "fields" },
    { why: "a trace id of 31 digits", value: `${TRACE.slice(1)}-${SPAN}-1`, refusal: "length" },
    { why: "a trace id of 33 digits", value: `0${TRACE}-${SPAN}-1`, refusal: "length" },
    { why: "a trace id of 15 digits", value: `${TRACE.slice(0, 15)}-${SPAN}-1`, refusal: "length" },
    { why: "a span id of 15 digits", value: `${TRACE}-${SPAN.slice(1)}-1`, refusal: "length" },
    { why: "a span id of 17 digits", value: `${TRACE}-0${SPAN}-1`, refusal: "length" },
    { why: "a parent id of 15 digits", value: `${TRACE}-${SPAN}-1-${SPAN.slice(1)}`, refusal: "length" },
    { why: "an upper-case trace id", value: `${TRACE.toUpperCase()}-${SPAN}-1`, refusal: "hex" },
    { why: "an upper-case span id", value: `${TRACE}-${SPAN.toUpperCase()}-1`, refusal: "hex" },
    { why: "a parent id that is none", value: `${TRACE}-${SPAN}-1-${"x".repeat(16)}`, refusal: "hex" },
    { why: "trace id zero", value: `${"0".repeat(32)}-${SPAN}-1`, refusal: "zero" },
    { why: "span id zero", value: `${TRACE}-${"0".repeat(16)}-1`, refusal: "zero" },
    { why: "another state", value: `${TRACE}-${SPAN}-2`, refusal: "flags" },
    { why: "an empty state", value: `${TRACE}-${SPAN}-`, refusal: "flags" },
    { why: "a state of the other shape", value: `${TRACE}-${SPAN}-true`, refusal: "flags" },
    { why: "a parent id in the state's place", value: `${TRACE}-${SPAN}-${SPAN}`, refusal: "flags" },
  ])("refuses $why", ({ value, refusal }) => {
    expect(parseB3(value)).toBe(refusal);
  });

  it("reads back what it writes", () => {
    fc.assert(
      fc.property(plainContexts, (context) => {
        expect(parseB3(formatB3(context))).toEqual(context);
      }),
    );
  });

  it("never throws, and reads only what reads the same once it is written", () => {
    fc.assert(
      fc.property(nearly(`${VALID}-${SPAN}`), (value) => {
        const outcome = parseB3(value);
        if (outcome === undefined || typeof outcome === "string") return;
        // What is written is a decision: neither debug nor left to whoever comes next.
        const { wish: _, ...decided } = outcome;
        expect(parseB3(formatB3(outcome))).toEqual(decided);
      }),
    );
  });
});

describe("parseB3Multi", () => {
  it.each([
    { sampled: "1", isSampled: true },
    { sampled: "true", isSampled: true },
    { sampled: "0", isSampled: false },
    { sampled: "false", isSampled: false },
    { sampled: "d", isSampled: false, more: { wish: "debug" } },
    { sampled: undefined, isSampled: false, more: { wish: "none" } },
  ])("reads the state $sampled", ({ sampled, isSampled, more }) => {
    expect(parseB3Multi({ traceId: SHORT_TRACE, spanId: SPAN, sampled })).toEqual({
      traceId: PADDED_TRACE,
      spanId: SPAN,
      isSampled,
      isRandom: false,
      traceState: "",
      ...more,
    });
  });

  it.each([undefined, "0", "1", "true"])(
    "finds no context, and no fault, in the state %s alone",
    (sampled) => {
      expect(parseB3Multi({ traceId: undefined, spanId: undefined, sampled })).toBeUndefined();
    },
  );

  it.each([
    { why: "no span id", traceId: TRACE, spanId: undefined, sampled: "1", refusal: "fields" },
    { why: "no trace id", traceId: undefined, spanId: SPAN, sampled: "1", refusal: "fields" },
    { why: "an empty trace id", traceId: "", spanId: SPAN, sampled: "1", refusal: "length" },
    { why: "a trace id that is none", traceId: "x".repeat(32), spanId: SPAN, sampled: "1", refusal: "hex" },
    { why: "span id zero", traceId: TRACE, spanId: "0".repeat(16), sampled: "1", refusal: "zero" },
    { why: "another state", traceId: TRACE, spanId: SPAN, sampled: "yes", refusal: "flags" },
    { why: "another state, alone", traceId: undefined, spanId: undefined, sampled: "yes", refusal: "flags" },
  ])("refuses $why", ({ traceId, spanId, sampled, refusal }) => {
    expect(parseB3Multi({ traceId, spanId, sampled })).toBe(refusal);
  });

  it("reads back what it writes", () => {
    fc.assert(
      fc.property(plainContexts, (context) => {
        expect(parseB3Multi(formatB3Multi(context))).toEqual(context);
      }),
    );
  });
});
