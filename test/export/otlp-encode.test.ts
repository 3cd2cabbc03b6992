/**
 * createOtlpEncoder against OpenTelemetry's own serializer (@opentelemetry/otlp-transformer).
 * Method: the same spans through both; both results in proto3's canonical form (canonical-protobuf.ts) must be
 * the same bytes, and ours must be canonical as it comes. Spans are made by properties, so every text length, number and
 * nesting around the writer's bounds comes up; the rows below are what a property hits too seldom.
 */

import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOtlpEncoder } from "../../src/export/otlp-encode.ts";
import { canonicalRequest } from "./canonical-protobuf.ts";
import { anySpan, exampleSpan } from "./spans.ts";
import { runs } from "../support/runs.ts";

function theirs(spans: ReadableSpan[]): Buffer {
  const bytes = ProtobufTraceSerializer.serializeRequest(spans);
  if (bytes === undefined) throw new Error("no bytes");
  return canonicalRequest(bytes);
}

describe("createOtlpEncoder", () => {
  it("gives OpenTelemetry's bytes for an ordinary span", () => {
    const spans = [exampleSpan()];
    expect(createOtlpEncoder()(spans)).toEqual(theirs(spans));
  });

  it("gives OpenTelemetry's bytes for any spans, one encoder for all", () => {
    const encode = createOtlpEncoder();
    fc.assert(
      fc.property(fc.array(anySpan, { maxLength: 5 }), (spans) => {
        const ours = encode(spans);
        expect(ours.equals(theirs(spans))).toBe(true);
        expect(ours.equals(canonicalRequest(ours))).toBe(true);
      }),
      { numRuns: runs(500) },
    );
  });

  it.each([
    { why: "no spans", spans: [] },
    {
      why: "a batch that outgrows the first buffer",
      spans: Array.from({ length: 512 }, () => exampleSpan()),
    },
    {
      why: "texts at the bounds of one, two and three length bytes",
      spans: [0x7f, 0x80, 0x3fff, 0x4000, 0x1f_ffff, 0x20_0000].map((length) =>
        exampleSpan({ name: "n".repeat(length) }),
      ),
    },
    { why: "a text beyond two length bytes", spans: [exampleSpan({ name: "n".repeat(20_000) })] },
    { why: "a text beyond three length bytes", spans: [exampleSpan({ name: "é".repeat(1_200_000) })] },
    { why: "ASCII length in one byte, UTF-8's in two", spans: [exampleSpan({ name: "é".repeat(100) })] },
    { why: "a span of less than 128 bytes", spans: [exampleSpan({ name: "", attributes: {} })] },
    {
      why: "more keys than are kept",
      spans: Array.from({ length: 300 }, (_, index) =>
        exampleSpan({ attributes: { [`key${index}`]: index } }),
      ),
    },
    {
      why: "lone surrogates at either side of a text",
      spans: [exampleSpan({ attributes: { a: "\ud800x", b: "x\udc00", c: "\udc00\ud800", "\ud800": 1 } })],
    },
  ])("gives OpenTelemetry's bytes for $why", ({ spans }) => {
    const ours = createOtlpEncoder()(spans);
    expect(ours.equals(theirs(spans))).toBe(true);
  });

  it.each([
    { why: "arrays of each type", value: [["a", "b"], [1, 2.5], [true, false], []] },
    { why: "null inside an array", value: [["a", null]] },
  ])("takes a foreign span's $why", ({ value }) => {
    const attributes = Object.fromEntries(value.map((item, index) => [`key${index}`, item]));
    const foreign = Object.create(exampleSpan(), { attributes: { value: attributes } }) as ReadableSpan;
    expect(createOtlpEncoder()([foreign])).toEqual(theirs([foreign]));
  });

  it("takes a foreign span's dropped counts", () => {
    const counts = { droppedAttributesCount: 3, droppedEventsCount: 200, droppedLinksCount: 1 };
    const foreign = Object.create(
      exampleSpan(),
      Object.fromEntries(Object.entries(counts).map(([key, value]) => [key, { value }])),
    ) as ReadableSpan;
    expect(createOtlpEncoder()([foreign])).toEqual(theirs([foreign]));
  });

  it("leaves an attribute of undefined out", () => {
    const encode = createOtlpEncoder();
    const without = encode([exampleSpan({ attributes: { a: 1 } })]);
    expect(encode([exampleSpan({ attributes: { a: 1, b: undefined } })])).toEqual(without);
  });

  it("hands out bytes that the next batch doesn't touch", () => {
    const encode = createOtlpEncoder();
    const first = encode([exampleSpan()]);
    const kept = Buffer.from(first);
    encode([exampleSpan({ name: "another" })]);
    expect(first).toEqual(kept);
  });
});
