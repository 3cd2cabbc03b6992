/** SpanRecord as OpenTelemetry's ReadableSpan: by type, by value, and as OpenTelemetry's own exporters read it. */

import { SpanKind, SpanStatusCode, TraceFlags } from "@opentelemetry/api";
import { ConsoleSpanExporter, InMemorySpanExporter, type ReadableSpan } from "@opentelemetry/sdk-trace";
import { describe, expect, it, vi } from "vitest";
import { SPAN_KIND_CLIENT, SPAN_KIND_SERVER, SpanRecord } from "../../src/span/record.ts";
import { CONTEXT, exampleFields, exampleSpan, ORIGIN } from "../export/spans.ts";

describe("SpanRecord", () => {
  it("is a ReadableSpan by its type, and a SERVER or CLIENT span by its number", () => {
    const span = new SpanRecord(ORIGIN, exampleFields()) satisfies ReadableSpan;
    expect(span.ended).toBe(true);
    expect([SPAN_KIND_SERVER, SPAN_KIND_CLIENT]).toEqual([SpanKind.SERVER, SpanKind.CLIENT]);
  });

  it.each([
    { why: "neither", isSampled: false, isRandom: false, flags: TraceFlags.NONE },
    { why: "sampled", isSampled: true, isRandom: false, flags: TraceFlags.SAMPLED },
    { why: "random", isSampled: false, isRandom: true, flags: 2 },
    { why: "both", isSampled: true, isRandom: true, flags: 3 },
  ])("gives the W3C flags of a context that is $why", ({ isSampled, isRandom, flags }) => {
    const span = exampleSpan({ context: { ...CONTEXT, isSampled, isRandom } });
    expect(span.spanContext()).toEqual({
      traceId: CONTEXT.traceId,
      spanId: CONTEXT.spanId,
      traceFlags: flags,
      isRemote: false,
    });
  });

  it("has a remote parent, or none", () => {
    const parent = { ...CONTEXT, spanId: "00f067aa0ba902b7", traceState: "a=1" };
    const { parentSpanContext } = exampleSpan({ parent });
    expect(parentSpanContext).toMatchObject({ spanId: parent.spanId, isRemote: true });
    expect(parentSpanContext?.traceState?.serialize()).toBe("a=1");
    expect(exampleSpan({ parent: undefined }).parentSpanContext).toBeUndefined();
  });

  it.each([
    {
      why: "whole seconds",
      startUnixMs: 2000,
      endUnixMs: 3000,
      start: [2, 0],
      end: [3, 0],
      duration: [1, 0],
    },
    {
      why: "a borrow from the seconds",
      startUnixMs: 1_999.75,
      endUnixMs: 2_000.25,
      start: [1, 999_750_000],
      end: [2, 250_000],
      duration: [0, 500_000],
    },
    {
      why: "nanoseconds that round up to a second",
      startUnixMs: 999.9999999,
      endUnixMs: 1000,
      start: [1, 0],
      end: [1, 0],
      duration: [0, 0],
    },
    {
      why: "an end before the start",
      startUnixMs: 5000,
      endUnixMs: 4000,
      start: [5, 0],
      end: [5, 0],
      duration: [0, 0],
    },
  ])("gives times with $why", ({ startUnixMs, endUnixMs, start, end, duration }) => {
    const span = exampleSpan({ startUnixMs, endUnixMs });
    expect([span.startTime, span.endTime, span.duration]).toEqual([start, end, duration]);
  });

  it.each([
    { why: "no error: unset", error: undefined, status: { code: SpanStatusCode.UNSET } },
    { why: "a status: no message", error: "502", status: { code: SpanStatusCode.ERROR } },
    {
      why: "an own code: the code",
      error: "UPSTREAM_TIMEOUT",
      status: { code: SpanStatusCode.ERROR, message: "UPSTREAM_TIMEOUT" },
    },
  ])("gives the status of $why", ({ error, status }) => {
    expect(exampleSpan({ error }).status).toEqual(status);
  });

  it("gives links that aren't remote, and events", () => {
    const attributes = { "fedtrace.attempt": 1 };
    const span = exampleSpan({
      links: [{ context: CONTEXT, attributes }],
      events: [{ name: "head received", unixMs: 1500, attributes }],
    });
    expect(span.links).toMatchObject([{ context: { spanId: CONTEXT.spanId, isRemote: false }, attributes }]);
    expect(span.events).toEqual([{ name: "head received", time: [1, 500_000_000], attributes }]);
  });

  it("is taken by OpenTelemetry's in-memory exporter", () => {
    const exporter = new InMemorySpanExporter();
    const span = exampleSpan();
    exporter.export([span], () => undefined);
    expect(exporter.getFinishedSpans()).toEqual([span]);
  });

  it("is read by OpenTelemetry's console exporter", () => {
    const written = vi.spyOn(console, "dir").mockImplementation(() => undefined);
    new ConsoleSpanExporter().export([exampleSpan()], () => undefined);
    expect(written.mock.calls[0]?.[0]).toMatchObject({
      name: "PUT /_matrix/federation/v1/send/{txnId}",
      traceId: CONTEXT.traceId,
      id: CONTEXT.spanId,
      duration: expect.closeTo(15_572, 0),
      resource: { attributes: { "service.name": "hs1.example fedtrace" } },
    });
    written.mockRestore();
  });
});
