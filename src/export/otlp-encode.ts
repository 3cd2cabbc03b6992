/**
 * Spans as OTLP protobuf: one ExportTraceServiceRequest for a batch.
 *
 * Source: https://github.com/open-telemetry/opentelemetry-proto (v1): collector/trace/v1/trace_service.proto,
 * trace/v1/trace.proto, common/v1/common.proto. Field numbers below are theirs. Numbers that are zero and statuses that
 * are unset are left out, as proto3 does; else the bytes are those of OpenTelemetry's own serializer (compared in
 * test/export/otlp-encode.test.ts). Takes any ReadableSpan, not only ours. Not here: attributes that are bytes or maps, which
 * the API's type doesn't have: such a value is written as empty.
 */

import type { AttributeValue, Attributes, HrTime, Link, SpanContext, SpanStatus } from "@opentelemetry/api";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace";
import { isInt64 } from "../core/int64.ts";
import {
  groupSpans,
  KIND_OFFSET,
  type Resource,
  type Scope,
  type ScopeGroups,
  spanFlags,
} from "./otlp-model.ts";
import {
  ProtobufWriter,
  tagOf,
  WIRE_FIXED32,
  WIRE_FIXED64,
  WIRE_LENGTH,
  WIRE_VARINT,
} from "./protobuf-writer.ts";

const REQUEST_RESOURCE_SPANS = tagOf(1, WIRE_LENGTH);
const RESOURCE_SPANS_RESOURCE = tagOf(1, WIRE_LENGTH);
const RESOURCE_SPANS_SCOPE_SPANS = tagOf(2, WIRE_LENGTH);
const RESOURCE_SPANS_SCHEMA_URL = tagOf(3, WIRE_LENGTH);
const RESOURCE_ATTRIBUTES = tagOf(1, WIRE_LENGTH);
const SCOPE_SPANS_SCOPE = tagOf(1, WIRE_LENGTH);
const SCOPE_SPANS_SPANS = tagOf(2, WIRE_LENGTH);
const SCOPE_SPANS_SCHEMA_URL = tagOf(3, WIRE_LENGTH);
const SCOPE_NAME = tagOf(1, WIRE_LENGTH);
const SCOPE_VERSION = tagOf(2, WIRE_LENGTH);
const SPAN_TRACE_ID = tagOf(1, WIRE_LENGTH);
const SPAN_SPAN_ID = tagOf(2, WIRE_LENGTH);
const SPAN_TRACE_STATE = tagOf(3, WIRE_LENGTH);
const SPAN_PARENT_SPAN_ID = tagOf(4, WIRE_LENGTH);
const SPAN_NAME = tagOf(5, WIRE_LENGTH);
const SPAN_KIND = tagOf(6, WIRE_VARINT);
const SPAN_START = tagOf(7, WIRE_FIXED64);
const SPAN_END = tagOf(8, WIRE_FIXED64);
const SPAN_ATTRIBUTES = tagOf(9, WIRE_LENGTH);
const SPAN_DROPPED_ATTRIBUTES = tagOf(10, WIRE_VARINT);
const SPAN_EVENTS = tagOf(11, WIRE_LENGTH);
const SPAN_DROPPED_EVENTS = tagOf(12, WIRE_VARINT);
const SPAN_LINKS = tagOf(13, WIRE_LENGTH);
const SPAN_DROPPED_LINKS = tagOf(14, WIRE_VARINT);
const SPAN_STATUS = tagOf(15, WIRE_LENGTH);
const SPAN_FLAGS = tagOf(16, WIRE_FIXED32);
const EVENT_TIME = tagOf(1, WIRE_FIXED64);
const EVENT_NAME = tagOf(2, WIRE_LENGTH);
const EVENT_ATTRIBUTES = tagOf(3, WIRE_LENGTH);
const EVENT_DROPPED_ATTRIBUTES = tagOf(4, WIRE_VARINT);
const LINK_TRACE_ID = tagOf(1, WIRE_LENGTH);
const LINK_SPAN_ID = tagOf(2, WIRE_LENGTH);
const LINK_TRACE_STATE = tagOf(3, WIRE_LENGTH);
const LINK_ATTRIBUTES = tagOf(4, WIRE_LENGTH);
const LINK_DROPPED_ATTRIBUTES = tagOf(5, WIRE_VARINT);
const LINK_FLAGS = tagOf(6, WIRE_FIXED32);
const STATUS_MESSAGE = tagOf(2, WIRE_LENGTH);
const STATUS_CODE = tagOf(3, WIRE_VARINT);
/** Proto3 leaves a zero out: an unset status is no status. */
const STATUS_CODE_UNSET = 0;
const KEY_VALUE_KEY = tagOf(1, WIRE_LENGTH);
const KEY_VALUE_VALUE = tagOf(2, WIRE_LENGTH);
const ANY_STRING = tagOf(1, WIRE_LENGTH);
const ANY_BOOL = tagOf(2, WIRE_VARINT);
const ANY_INT = tagOf(3, WIRE_VARINT);
const ANY_DOUBLE = tagOf(4, WIRE_FIXED64);
const ANY_ARRAY = tagOf(5, WIRE_LENGTH);
const ARRAY_VALUES = tagOf(1, WIRE_LENGTH);

/** Guesses at lengths: each only decides how many length bytes are kept free. */
const SPAN_BYTES = 900;
const SMALL_BYTES = 100;
/** Tag and length before a value of less than 128 bytes. */
const OVERHEAD_BYTES = 2;

/** Keys that are kept encoded. Ours are some 30; the endless keys of a foreign span must not fill the memory. */
const KEYS_MAX = 256;

const UINT32 = 2 ** 32;

interface Output {
  readonly writer: ProtobufWriter;
  /** Key → tag, length and UTF-8 of KeyValue.key. */
  readonly keys: Map<string, Uint8Array>;
}

/**
 * An encoder with a buffer and a key table of its own.
 * @returns from spans to the request's bytes, which are the caller's to keep. Synchronous: some 2 ms for 512 spans.
 */
export function createOtlpEncoder(): (spans: readonly ReadableSpan[]) => Buffer {
  const output: Output = { writer: new ProtobufWriter(), keys: new Map() };
  return (spans) => {
    output.writer.reset();
    for (const [resource, scopes] of groupSpans(spans)) writeResourceSpans(output, resource, scopes);
    return output.writer.finish();
  };
}

function writeResourceSpans(output: Output, resource: Resource, scopes: ScopeGroups): void {
  const { writer } = output;
  let spanCount = 0;
  for (const spans of scopes.values()) spanCount += spans.length;
  const expected = spanCount * SPAN_BYTES;
  const start = writer.open(REQUEST_RESOURCE_SPANS, expected);
  const resourceStart = writer.open(RESOURCE_SPANS_RESOURCE, SMALL_BYTES);
  writeAttributes(output, RESOURCE_ATTRIBUTES, resource.attributes);
  writer.close(resourceStart, SMALL_BYTES);
  for (const [scope, spans] of scopes) writeScopeSpans(output, scope, spans);
  if (resource.schemaUrl) writer.text(RESOURCE_SPANS_SCHEMA_URL, resource.schemaUrl);
  writer.close(start, expected);
}

function writeScopeSpans(output: Output, scope: Scope, spans: readonly ReadableSpan[]): void {
  const { writer } = output;
  const expected = spans.length * SPAN_BYTES;
  const start = writer.open(RESOURCE_SPANS_SCOPE_SPANS, expected);
  const scopeStart = writer.open(SCOPE_SPANS_SCOPE, SMALL_BYTES);
  writer.text(SCOPE_NAME, scope.name);
  if (scope.version) writer.text(SCOPE_VERSION, scope.version);
  writer.close(scopeStart, SMALL_BYTES);
  for (const span of spans) writeSpan(output, span);
  if (scope.schemaUrl) writer.text(SCOPE_SPANS_SCHEMA_URL, scope.schemaUrl);
  writer.close(start, expected);
}

function writeSpan(output: Output, span: ReadableSpan): void {
  const { writer } = output;
  const context = span.spanContext();
  const parent = span.parentSpanContext;
  const start = writer.open(SCOPE_SPANS_SPANS, SPAN_BYTES);
  writer.hex(SPAN_TRACE_ID, context.traceId);
  writer.hex(SPAN_SPAN_ID, context.spanId);
  writeTraceState(writer, SPAN_TRACE_STATE, context);
  if (parent?.spanId) writer.hex(SPAN_PARENT_SPAN_ID, parent.spanId);
  writer.text(SPAN_NAME, span.name);
  writer.varint(SPAN_KIND);
  writer.varint(span.kind + KIND_OFFSET);
  writeTime(writer, SPAN_START, span.startTime);
  writeTime(writer, SPAN_END, span.endTime);
  writeAttributes(output, SPAN_ATTRIBUTES, span.attributes);
  writeCount(writer, SPAN_DROPPED_ATTRIBUTES, span.droppedAttributesCount);
  for (const event of span.events) writeEvent(output, event);
  writeCount(writer, SPAN_DROPPED_EVENTS, span.droppedEventsCount);
  for (const link of span.links) writeLink(output, link);
  writeCount(writer, SPAN_DROPPED_LINKS, span.droppedLinksCount);
  writeStatus(writer, span.status);
  writer.varint(SPAN_FLAGS);
  writer.fixed32(spanFlags(context.traceFlags, parent?.isRemote));
  writer.close(start, SPAN_BYTES);
}

function writeEvent(output: Output, event: TimedEvent): void {
  const { writer } = output;
  const start = writer.open(SPAN_EVENTS, SMALL_BYTES);
  writeTime(writer, EVENT_TIME, event.time);
  writer.text(EVENT_NAME, event.name);
  if (event.attributes !== undefined) writeAttributes(output, EVENT_ATTRIBUTES, event.attributes);
  writeCount(writer, EVENT_DROPPED_ATTRIBUTES, event.droppedAttributesCount ?? 0);
  writer.close(start, SMALL_BYTES);
}

function writeLink(output: Output, { context, attributes, droppedAttributesCount }: Link): void {
  const { writer } = output;
  const start = writer.open(SPAN_LINKS, SMALL_BYTES);
  writer.hex(LINK_TRACE_ID, context.traceId);
  writer.hex(LINK_SPAN_ID, context.spanId);
  writeTraceState(writer, LINK_TRACE_STATE, context);
  if (attributes !== undefined) writeAttributes(output, LINK_ATTRIBUTES, attributes);
  writeCount(writer, LINK_DROPPED_ATTRIBUTES, droppedAttributesCount ?? 0);
  writer.varint(LINK_FLAGS);
  writer.fixed32(spanFlags(context.traceFlags, context.isRemote));
  writer.close(start, SMALL_BYTES);
}

function writeTraceState(writer: ProtobufWriter, tag: number, { traceState }: SpanContext): void {
  const text = traceState?.serialize();
  if (text) writer.text(tag, text);
}

function writeStatus(writer: ProtobufWriter, { code, message }: SpanStatus): void {
  if (code === STATUS_CODE_UNSET && !message) return;
  const start = writer.open(SPAN_STATUS, SMALL_BYTES);
  if (message) writer.text(STATUS_MESSAGE, message);
  writeCount(writer, STATUS_CODE, code);
  writer.close(start, SMALL_BYTES);
}

function writeCount(writer: ProtobufWriter, tag: number, count: number): void {
  if (count === 0) return;
  writer.varint(tag);
  writer.varint(count);
}

/**
 * Seconds × 10⁹ + nanoseconds as 64 bits without BigInt. 10⁹ is 5⁹ × 2⁹, and seconds × 5⁹ is below 2⁵³ until the
 * year 2116: exact in a double.
 */
function writeTime(writer: ProtobufWriter, tag: number, [seconds, nanoseconds]: HrTime): void {
  const product = seconds * 5 ** 9;
  const high = Math.floor(product / 2 ** 23);
  const low = (product - high * 2 ** 23) * 2 ** 9 + nanoseconds;
  writer.varint(tag);
  if (low < UINT32) writer.fixed64(high, low);
  else writer.fixed64(high + 1, low - UINT32);
}

function writeAttributes(output: Output, tag: number, attributes: Attributes): void {
  const { writer } = output;
  for (const key of Object.keys(attributes)) {
    const value = attributes[key];
    if (value === undefined) continue;
    const keyBytes = keyBytesOf(output, key);
    const valueBytes = (typeof value === "string" ? value.length : 0) + OVERHEAD_BYTES;
    const expected = keyBytes.length + OVERHEAD_BYTES + valueBytes;
    const start = writer.open(tag, expected);
    writer.raw(keyBytes);
    const valueStart = writer.open(KEY_VALUE_VALUE, valueBytes);
    writeValue(writer, value);
    writer.close(valueStart, valueBytes);
    writer.close(start, expected);
  }
}

/** The content of an AnyValue; nothing for null, which the API allows inside arrays. */
function writeValue(writer: ProtobufWriter, value: AttributeValue | null | undefined): void {
  if (typeof value === "string") {
    writer.text(ANY_STRING, value);
  } else if (typeof value === "boolean") {
    writer.varint(ANY_BOOL);
    writer.varint(value ? 1 : 0);
  } else if (typeof value === "number") {
    const isInteger = isInt64(value);
    writer.varint(isInteger ? ANY_INT : ANY_DOUBLE);
    if (isInteger) writer.int64(value);
    else writer.double(value);
  } else if (Array.isArray(value)) {
    const start = writer.open(ANY_ARRAY, SMALL_BYTES);
    for (const item of value) {
      const itemStart = writer.open(ARRAY_VALUES, SMALL_BYTES);
      writeValue(writer, item);
      writer.close(itemStart, SMALL_BYTES);
    }
    writer.close(start, SMALL_BYTES);
  }
}

function keyBytesOf({ keys }: Output, key: string): Uint8Array {
  const known = keys.get(key);
  if (known !== undefined) return known;
  const writer = new ProtobufWriter();
  writer.text(KEY_VALUE_KEY, key);
  const bytes = new Uint8Array(writer.finish());
  if (keys.size < KEYS_MAX) keys.set(key, bytes);
  return bytes;
}
