/**
 * createJaegerEncoder: what others read back from its bytes (jaeger-decode.ts) is what the mapping says.
 * Method: the expectation is made a second time here, with BigInt and without the encoder's parts. Random spans first, then one row
 * for each rule of the mapping and each bound.
 */

import type { HrTime } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BatchFrame, createJaegerEncoder } from "../../src/export/jaeger-thrift.ts";
import { ThriftBinaryWriter } from "../../src/export/thrift-binary.ts";
import { ThriftCompactWriter } from "../../src/export/thrift-compact.ts";
import { SpanRecord } from "../../src/span/record.ts";
import { createResource } from "../../src/span/resource.ts";
import {
  decodeBinaryBatch,
  decodeBinaryCall,
  decodeCall,
  type DecodedBatch,
  type DecodedSpan,
  type DecodedTag,
} from "./jaeger-decode.ts";
import { anySpan, CONTEXT, exampleSpan, ORIGIN } from "./spans.ts";
import { runs } from "../support/runs.ts";

/** No bound that a test of contents comes near. */
const BYTES_MAX = 2 ** 24;
/** Bytes that a compact list's length could be longer by than it is, and that are kept free. */
const LIST_LENGTH_SLACK = 1;

const FORMS = [
  { form: "binary call, read by thriftrw", writer: "binary", frame: "emitBatch", decode: decodeBinaryCall },
  {
    form: "binary call, read by thrift",
    writer: "binary",
    frame: "emitBatch",
    decode: (bytes: Buffer) => decodeCall("binary", bytes),
  },
  { form: "binary batch, read by thriftrw", writer: "binary", frame: "batch", decode: decodeBinaryBatch },
  {
    form: "compact call, read by thrift",
    writer: "compact",
    frame: "emitBatch",
    decode: (bytes: Buffer) => decodeCall("compact", bytes),
  },
] as const;

function encoderOf(writer: "binary" | "compact", frame: BatchFrame, bytesMax = BYTES_MAX) {
  return createJaegerEncoder(
    () => (writer === "binary" ? new ThriftBinaryWriter() : new ThriftCompactWriter()),
    frame,
    bytesMax,
  );
}

const encodeCalls = encoderOf("compact", "emitBatch");

function decodedSpan(span: ReadableSpan): DecodedSpan {
  const [message = Buffer.alloc(0)] = encodeCalls([span]).messages;
  return decodeCall("compact", message).spans[0] as DecodedSpan;
}

describe("any spans", () => {
  it.each(FORMS)("$form", ({ writer, frame, decode }) => {
    const encode = encoderOf(writer, frame);
    fc.assert(
      fc.property(fc.array(anySpan, { maxLength: 20 }), (spans) => {
        const { messages, oversized } = encode(spans);
        expect(oversized).toBe(0);
        expect(messages.map(decode)).toEqual(expectedBatches(spans));
      }),
      { numRuns: runs(300) },
    );
  });
});

// The mapping, once more.

function expectedBatches(spans: readonly ReadableSpan[]): DecodedBatch[] {
  const resources = [...new Set(spans.map(({ resource }) => resource))];
  return resources.map((resource) => {
    const { "service.name": name, ...others } = resource.attributes;
    const members = spans.filter((span) => span.resource === resource);
    const scopes = [...new Set(members.map(({ instrumentationScope }) => instrumentationScope))];
    return {
      process: {
        serviceName: typeof name === "string" ? name : "unknown_service",
        tags: expectedTags(Object.entries(others)),
      },
      spans: scopes
        .flatMap((scope) => members.filter((span) => span.instrumentationScope === scope))
        .map(expectedSpan),
    };
  });
}

function expectedSpan(span: ReadableSpan): DecodedSpan {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const parentId = span.parentSpanContext?.spanId;
  const { name, version } = span.instrumentationScope;
  const isError = span.status.code === 2;
  return {
    traceIdLow: signed(traceId.slice(16)),
    traceIdHigh: signed(traceId.slice(0, 16)),
    spanId: signed(spanId),
    parentSpanId: signed(parentId ?? "0"),
    operationName: wellFormed(span.name),
    references: span.links
      .filter(({ context }) => !(context.traceId === traceId && context.spanId === parentId))
      .map(({ context }) => ({
        refType: "FOLLOWS_FROM",
        traceIdLow: signed(context.traceId.slice(16)),
        traceIdHigh: signed(context.traceId.slice(0, 16)),
        spanId: signed(context.spanId),
      })),
    flags: traceFlags % 2,
    startTime: microseconds(span.startTime),
    duration: microseconds(span.duration),
    tags: expectedTags([
      ["otel.scope.name", name],
      ["otel.scope.version", version],
      ...Object.entries(span.attributes),
      ["span.kind", ["", "server", "client"][span.kind]],
      ["otel.status_code", isError ? "ERROR" : undefined],
      ["error", isError ? true : undefined],
      ["otel.status_description", span.status.message],
      ["w3c.tracestate", traceState?.serialize()],
    ]),
    logs: span.events.map(({ name: event, time, attributes = {} }) => ({
      timestamp: microseconds(time),
      fields: expectedTags([
        ["event", "event" in attributes || event === "" ? undefined : event],
        ...Object.entries(attributes),
      ]),
    })),
  };
}

function expectedTags(entries: readonly (readonly [key: string, value: unknown])[]): DecodedTag[] {
  return entries
    .filter(([, value]) => value !== undefined)
    .map(([key, value]): DecodedTag => {
      const name = wellFormed(key);
      if (typeof value === "boolean") return { key: name, type: "BOOL", value };
      if (typeof value !== "number") return { key: name, type: "STRING", value: wellFormed(String(value)) };
      const isLong = Number.isInteger(value) && BigInt.asIntN(64, BigInt(value)) === BigInt(value);
      if (isLong) return { key: name, type: "LONG", value: BigInt(value) };
      return { key: name, type: "DOUBLE", value };
    });
}

function signed(hex: string): bigint {
  return BigInt.asIntN(64, BigInt(`0x${hex}`));
}

function microseconds([seconds, nanoseconds]: HrTime): bigint {
  return (BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)) / 1000n;
}

function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

describe("a span's fields", () => {
  /** A ReadableSpan that isn't ours, for what ours never has. */
  const foreign = (changes: Partial<ReadableSpan>): ReadableSpan => {
    const span = exampleSpan();
    return {
      name: span.name,
      kind: span.kind,
      spanContext: () => span.spanContext(),
      startTime: span.startTime,
      endTime: span.endTime,
      duration: span.duration,
      status: span.status,
      attributes: {},
      links: [],
      events: [],
      ended: true,
      resource: span.resource,
      instrumentationScope: { name: "" },
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
      ...changes,
    };
  };
  const tagsOf = (changes: Partial<ReadableSpan>): readonly (readonly [string, unknown])[] =>
    decodedSpan(foreign(changes)).tags.map(({ key, value }) => [key, value]);

  it.each([
    { why: "internal is no tag", kind: 0, tags: [] },
    { why: "server", kind: 1, tags: [["span.kind", "server"]] },
    { why: "client", kind: 2, tags: [["span.kind", "client"]] },
    { why: "producer", kind: 3, tags: [["span.kind", "producer"]] },
    { why: "consumer", kind: 4, tags: [["span.kind", "consumer"]] },
  ])("kind: $why", ({ kind, tags }) => {
    expect(tagsOf({ kind })).toEqual(tags);
  });

  it.each([
    { why: "unset is no tag", status: { code: 0 }, tags: [] },
    { why: "ok", status: { code: 1 }, tags: [["otel.status_code", "OK"]] },
    {
      why: "error",
      status: { code: 2 },
      tags: [
        ["otel.status_code", "ERROR"],
        ["error", true],
      ],
    },
    {
      why: "error with a message",
      status: { code: 2, message: "UPSTREAM_TIMEOUT" },
      tags: [
        ["otel.status_code", "ERROR"],
        ["error", true],
        ["otel.status_description", "UPSTREAM_TIMEOUT"],
      ],
    },
  ])("status: $why", ({ status, tags }) => {
    expect(tagsOf({ kind: 0, status })).toEqual(tags);
  });

  it.each([
    { why: "a list is JSON", value: ["a", 'b"', null], expected: '["a","b\\"",null]' },
    { why: "the empty list is too", value: [], expected: "[]" },
    { why: "numbers in a list", value: [1, 2.5], expected: "[1,2.5]" },
    { why: "a whole number is a long", value: 2 ** 53, expected: 2n ** 53n },
    { why: "the largest long", value: 2 ** 63 - 1024, expected: 2n ** 63n - 1024n },
    { why: "past the largest: a double", value: 2 ** 63, expected: 2 ** 63 },
    { why: "the smallest long", value: -(2 ** 63), expected: -(2n ** 63n) },
    { why: "below it: a double", value: -(2 ** 63) - 2048, expected: -(2 ** 63) - 2048 },
    { why: "-1", value: -1, expected: -1n },
    { why: "a fraction is a double", value: 0.5, expected: 0.5 },
    { why: "no number is a double", value: Number.NaN, expected: Number.NaN },
  ])("attributes: $why", ({ value, expected }) => {
    expect(tagsOf({ kind: 0, attributes: { key: value } })).toEqual([["key", expected]]);
  });

  it("says what was dropped from it", () => {
    expect(
      tagsOf({ kind: 0, droppedAttributesCount: 1, droppedEventsCount: 2, droppedLinksCount: 3 }),
    ).toEqual([
      ["otel.dropped_attributes_count", 1n],
      ["otel.dropped_events_count", 2n],
      ["otel.dropped_links_count", 3n],
    ]);
  });

  it("leaves the name of an event to its attribute `event`, where it has one", () => {
    const event = { name: "retry", time: [1, 999] satisfies HrTime };
    const { logs } = decodedSpan(
      foreign({ events: [event, { ...event, attributes: { event: "own" }, droppedAttributesCount: 4 }] }),
    );
    expect(logs).toEqual([
      { timestamp: 1_000_000n, fields: [{ key: "event", type: "STRING", value: "retry" }] },
      {
        timestamp: 1_000_000n,
        fields: [
          { key: "event", type: "STRING", value: "own" },
          { key: "otel.dropped_attributes_count", type: "LONG", value: 4n },
        ],
      },
    ]);
  });

  it("holds no time before 1970, and none that runs backwards", () => {
    expect(decodedSpan(foreign({ startTime: [-1, 0], duration: [-1, 5] }))).toMatchObject({
      startTime: 0n,
      duration: 0n,
    });
  });

  const parent = { ...CONTEXT, spanId: "00f067aa0ba902b7" };
  const elsewhere = { ...parent, traceId: "0".repeat(31).concat("1") };
  it.each([
    { why: "another span", links: [CONTEXT], kept: [CONTEXT.spanId] },
    { why: "the own parent: the parent's reference says it already", links: [parent], kept: [] },
    { why: "both", links: [parent, CONTEXT], kept: [CONTEXT.spanId] },
    { why: "the same id in another trace is another span", links: [elsewhere], kept: [parent.spanId] },
  ])("links: $why", ({ links, kept }) => {
    const span = exampleSpan({ parent, links: links.map((context) => ({ context, attributes: {} })) });
    const { references, parentSpanId } = decodedSpan(span);
    expect(parentSpanId).toBe(signed(parent.spanId));
    expect(references.map(({ spanId }) => spanId)).toEqual(kept.map(signed));
  });

  it.each([
    { why: "its name", attributes: { "service.name": "a" }, name: "a" },
    { why: "none", attributes: {}, name: "unknown_service" },
    { why: "an empty one", attributes: { "service.name": "" }, name: "unknown_service" },
  ])("service: $why", ({ attributes, name }) => {
    const { messages } = encodeCalls([foreign({ resource: createResource({ ...attributes, other: 1 }) })]);
    expect(decodeCall("compact", messages[0] ?? Buffer.alloc(0)).process).toEqual({
      serviceName: name,
      tags: [{ key: "other", type: "LONG", value: 1n }],
    });
  });
});

describe("the bound of a message", () => {
  const spanOf = (name: string): SpanRecord => exampleSpan({ name, attributes: {} });
  const totalOf = (messages: readonly Buffer[]): number =>
    messages.reduce((sum, { length }) => sum + length, 0);

  it.each(FORMS)("is kept, and filled: $form", ({ writer, frame, decode }) => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(300), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 700, max: 3000 }),
        (lengths, bytesMax) => {
          const spans = lengths.map((length, index) => spanOf(`${index}:${"x".repeat(length)}`));
          const { messages, oversized } = encoderOf(writer, frame, bytesMax)(spans);
          expect(oversized).toBe(0);
          expect(Math.max(...messages.map(({ length }) => length))).toBeLessThanOrEqual(bytesMax);
          expect(
            messages.map(decode).flatMap((batch) => batch.spans.map((span) => span.operationName)),
          ).toEqual(spans.map(({ name }) => name));
          // Two neighbours together are over it: none was closed early.
          for (const [index, message] of messages.slice(1).entries()) {
            expect(totalOf([message, messages[index] ?? message])).toBeGreaterThan(
              bytesMax - LIST_LENGTH_SLACK,
            );
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each(["binary", "compact"] as const)(
    "a %s message may be as long as it, and no byte longer",
    (writer) => {
      const whole = encoderOf(writer, "emitBatch")([spanOf("a")]).messages[0]?.length ?? 0;
      expect(encoderOf(writer, "emitBatch", whole)([spanOf("a")]).messages).toHaveLength(1);
      expect(encoderOf(writer, "emitBatch", whole)([spanOf("ab")])).toEqual({ messages: [], oversized: 1 });
      expect(encoderOf(writer, "emitBatch", whole - 1)([spanOf("a")])).toEqual({
        messages: [],
        oversized: 1,
      });
    },
  );

  it("holds two spans that fill it to the byte, and not one byte more", () => {
    const pair = [spanOf("a"), spanOf("b")];
    const whole = encoderOf("binary", "emitBatch")(pair).messages[0]?.length ?? 0;
    expect(encoderOf("binary", "emitBatch", whole)(pair).messages).toHaveLength(1);
    expect(encoderOf("binary", "emitBatch", whole - 1)(pair).messages).toHaveLength(2);
  });

  it("passes over a span that is too long alone, and keeps its neighbours", () => {
    const { messages, oversized } = encoderOf(
      "compact",
      "emitBatch",
      1000,
    )([spanOf("a"), spanOf("x".repeat(2000)), spanOf("b")]);
    expect(oversized).toBe(1);
    const names = messages.map((message) =>
      decodeCall("compact", message).spans.map((span) => span.operationName),
    );
    expect(names).toEqual([["a"], ["b"]]);
  });

  it("makes no message of no spans", () => {
    expect(encodeCalls([])).toEqual({ messages: [], oversized: 0 });
  });

  it("gives messages that stay as they are when the next batch is encoded", () => {
    const [first] = encodeCalls([spanOf("first")]).messages;
    const before = Buffer.from(first ?? "");
    encodeCalls(Array.from({ length: 500 }, () => exampleSpan()));
    expect(first).toEqual(before);
  });

  it("splits by resource", () => {
    const other = { ...ORIGIN, resource: createResource({ "service.name": "other" }) };
    const { messages } = encodeCalls([spanOf("a"), new SpanRecord(other, spanOf("b").fields), spanOf("c")]);
    expect(messages.map((message) => decodeCall("compact", message).process.serviceName)).toEqual([
      "hs1.example fedtrace",
      "other",
    ]);
  });
});
