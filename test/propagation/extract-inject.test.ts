/**
 * extractContext: which of several contexts becomes the parent, and what is reported (contract, section 3, rule 3).
 * formatContextLines: the exact lines of each format, and that what is written is what is read.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Format } from "../../src/propagation/context.ts";
import { CONTEXT_FIELDS, type ContextField, extractContext } from "../../src/propagation/extract.ts";
import { formatContextLines } from "../../src/propagation/inject.ts";
import { nearly, plainContexts, SPAN, TRACE } from "./arbitraries.ts";

/** A trace id of its own for each format, so that a row shows where the parent came from. */
const W3C = "1".repeat(32);
const JAEGER = "2".repeat(32);
const B3 = "3".repeat(32);
const MULTI = "4".repeat(32);

type Lines = Partial<Record<ContextField, readonly string[]>>;

const ALL: Lines = {
  traceparent: [`00-${W3C}-${SPAN}-01`],
  tracestate: ["a=1", "b=2"],
  "uber-trace-id": [`${JAEGER}:${SPAN}:0:1`],
  b3: [`${B3}-${SPAN}-1`],
  "x-b3-traceid": [MULTI],
  "x-b3-spanid": [SPAN],
  "x-b3-sampled": ["1"],
};

function extract(formats: readonly Format[], lines: Lines) {
  return extractContext(formats, new Map(Object.entries(lines) as [ContextField, readonly string[]][]));
}

describe("extractContext", () => {
  it.each<{
    why: string;
    formats: Format[];
    lines: Lines;
    format?: Format;
    traceId?: string;
    traceState?: string;
  }>([
    {
      why: "w3c first",
      formats: ["w3c", "jaeger", "b3"],
      lines: ALL,
      format: "w3c",
      traceId: W3C,
      traceState: "a=1,b=2",
    },
    { why: "jaeger first", formats: ["jaeger", "w3c"], lines: ALL, format: "jaeger", traceId: JAEGER },
    { why: "b3: the single header first", formats: ["b3", "w3c"], lines: ALL, format: "b3", traceId: B3 },
    {
      why: "b3multi: the single header first too",
      formats: ["b3multi"],
      lines: ALL,
      format: "b3multi",
      traceId: B3,
    },
    {
      why: "b3 without the single header",
      formats: ["b3"],
      lines: { ...ALL, b3: [] },
      format: "b3",
      traceId: MULTI,
    },
    {
      why: "b3 with a state alone",
      formats: ["b3"],
      lines: { ...ALL, b3: ["0"] },
      format: "b3",
      traceId: MULTI,
    },
    { why: "no format", formats: [], lines: ALL },
    {
      why: "a format that is not listed",
      formats: ["jaeger"],
      lines: { traceparent: ALL.traceparent ?? [] },
    },
    {
      why: "a state alone: no context, and no fault",
      formats: ["b3"],
      lines: { b3: ["0"], "x-b3-sampled": ["1"] },
    },
    { why: "tracestate alone", formats: ["w3c"], lines: { tracestate: ["a=1"] } },
    { why: "no header", formats: ["w3c", "jaeger", "b3"], lines: {} },
  ])("takes the parent where it should: $why", ({ formats, lines, format, traceId, traceState }) => {
    const extraction = extract(formats, lines);
    expect(extraction.format).toBe(format);
    expect(extraction.context?.traceId).toBe(traceId);
    if (traceId !== undefined) expect(extraction.context?.traceState).toBe(traceState ?? "");
    expect(extraction.refusals).toEqual([]);
  });

  it("counts a malformed context as absent, and reports it", () => {
    const extraction = extract(["w3c", "jaeger", "b3"], { ...ALL, traceparent: ["00-zz"], b3: ["x"] });
    expect(extraction.context?.traceId).toBe(JAEGER);
    expect(extraction.context?.traceState).toBe("");
    expect(extraction.refusals).toEqual([
      { format: "w3c", reason: "length" },
      { format: "b3", reason: "fields" },
    ]);
  });

  it.each<{ field: ContextField; formats: Format[]; format: Format }>([
    { field: "traceparent", formats: ["w3c"], format: "w3c" },
    { field: "uber-trace-id", formats: ["jaeger"], format: "jaeger" },
    { field: "b3", formats: ["b3"], format: "b3" },
    { field: "x-b3-traceid", formats: ["b3multi"], format: "b3multi" },
    { field: "x-b3-spanid", formats: ["b3"], format: "b3" },
    { field: "x-b3-sampled", formats: ["b3"], format: "b3" },
  ])("refuses $field on two lines, though they are the same", ({ field, formats, format }) => {
    const value = ALL[field]?.[0] ?? "";
    expect(extract(formats, { ...ALL, [field]: [value, value] }).refusals).toEqual([
      { format, reason: "repeated" },
    ]);
  });

  it("keeps the context whose tracestate is dropped, and reports that", () => {
    const extraction = extract(["w3c"], { ...ALL, tracestate: ["a=1", "B=2"] });
    expect(extraction.context).toMatchObject({ traceId: W3C, traceState: "" });
    expect(extraction.refusals).toEqual([{ format: "w3c", reason: "key" }]);
  });

  it("does not read tracestate where traceparent is not the parent", () => {
    expect(extract(["jaeger", "w3c"], { ...ALL, tracestate: ["B=2"] }).refusals).toEqual([]);
    expect(extract(["w3c"], { traceparent: [""], tracestate: ["B=2"] }).refusals).toEqual([
      { format: "w3c", reason: "length" },
    ]);
  });

  it("reports a fault once where both b3 formats are listed", () => {
    expect(extract(["b3", "b3multi"], { b3: ["x"] }).refusals).toEqual([{ format: "b3", reason: "fields" }]);
  });

  it("never throws, whatever the lines", () => {
    const line = fc.oneof(...Object.values(ALL).map((lines) => nearly(lines[0] ?? "")));
    const lines = fc.dictionary(fc.constantFrom(...CONTEXT_FIELDS), fc.array(line, { maxLength: 2 }));
    const formats = fc.shuffledSubarray<Format>(["w3c", "jaeger", "b3", "b3multi"]);
    fc.assert(
      fc.property(formats, lines, (listed, sent) => {
        const { context, format } = extract(listed, sent);
        expect(context === undefined).toBe(format === undefined);
      }),
    );
  });
});

describe("formatContextLines", () => {
  const context = { traceId: TRACE, spanId: SPAN, isSampled: true, isRandom: false, traceState: "" };

  it.each<{ why: string; formats: Format[]; more?: object; lines: string[] }>([
    { why: "w3c", formats: ["w3c"], lines: [`traceparent: 00-${TRACE}-${SPAN}-01`] },
    {
      why: "w3c, random",
      formats: ["w3c"],
      more: { isRandom: true },
      lines: [`traceparent: 00-${TRACE}-${SPAN}-03`],
    },
    {
      why: "w3c with members of tracestate",
      formats: ["w3c"],
      more: { traceState: "a=1,b=2", isSampled: false },
      lines: [`traceparent: 00-${TRACE}-${SPAN}-00`, "tracestate: a=1,b=2"],
    },
    {
      why: "jaeger, which has no tracestate",
      formats: ["jaeger"],
      more: { traceState: "a=1" },
      lines: [`uber-trace-id: ${TRACE}:${SPAN}:0:1`],
    },
    {
      why: "jaeger, not sampled",
      formats: ["jaeger"],
      more: { isSampled: false },
      lines: [`uber-trace-id: ${TRACE}:${SPAN}:0:0`],
    },
    { why: "b3", formats: ["b3"], lines: [`b3: ${TRACE}-${SPAN}-1`] },
    {
      why: "b3, not sampled",
      formats: ["b3"],
      more: { isSampled: false },
      lines: [`b3: ${TRACE}-${SPAN}-0`],
    },
    {
      why: "b3multi",
      formats: ["b3multi"],
      lines: [`x-b3-traceid: ${TRACE}`, `x-b3-spanid: ${SPAN}`, "x-b3-sampled: 1"],
    },
    {
      why: "several, in their order",
      formats: ["b3", "w3c"],
      lines: [`b3: ${TRACE}-${SPAN}-1`, `traceparent: 00-${TRACE}-${SPAN}-01`],
    },
    { why: "none", formats: [], lines: [] },
  ])("writes $why", ({ formats, more, lines }) => {
    const written = formatContextLines(formats, { ...context, ...more });
    expect(written).toBe(lines.map((line) => `${line}\r\n`).join(""));
  });

  it.each<Format>(["w3c", "jaeger", "b3", "b3multi"])("is read back: %s", (format) => {
    fc.assert(
      fc.property(plainContexts, (written) => {
        const lines = formatContextLines([format], written).trimEnd().split("\r\n");
        const sent = Object.fromEntries(
          lines.map((line) => line.split(": ")).map(([name = "", value = ""]) => [name, [value]]),
        );
        expect(extract([format], sent)).toEqual({ context: written, format, refusals: [] });
      }),
    );
  });
});
