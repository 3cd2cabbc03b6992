/**
 * One span as OTLP protobuf: the message `Span` of trace.proto.
 *
 * Source: https://github.com/open-telemetry/opentelemetry-proto (v1): trace/v1/trace.proto, common/v1/common.proto. Field
 * numbers below are theirs. Numbers that are zero and statuses that are unset are left out, as proto3 does; else the bytes
 * are those of OpenTelemetry's own serializer (compared in test/export/otlp-encode.test.ts). Takes any ReadableSpan, not only
 * ours. Not here: the request around spans (export/otlp-encode.ts), the fast way for the proxy's own (span-encoder.ts),
 * attributes that are bytes or maps, which the API's type doesn't have: such a value is written as empty.
 */

import type { AttributeValue, Attributes, HrTime, Link, SpanContext, SpanStatus } from "@opentelemetry/api";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace";
import { isInt64 } from "../core/int64.ts";
import {
  ProtobufWriter,
  tagOf,
  WIRE_FIXED32,
  WIRE_FIXED64,
  WIRE_LENGTH,
  WIRE_VARINT,
} from "../core/protobuf-writer.ts";

/** The API's INTERNAL is 0; the protocol keeps 0 for "unspecified". */
export const KIND_OFFSET = 1;

/** Low 8 bits: the W3C trace flags; then whether it is known that the parent is remote, and whether it is. */
const FLAGS_W3C = 0xff;
const FLAG_HAS_IS_REMOTE = 0x100;
const FLAG_IS_REMOTE = 0x200;

/** Tags of `Span`. */
export const SPAN = {
  TRACE_ID: tagOf(1, WIRE_LENGTH),
  SPAN_ID: tagOf(2, WIRE_LENGTH),
  TRACE_STATE: tagOf(3, WIRE_LENGTH),
  PARENT_SPAN_ID: tagOf(4, WIRE_LENGTH),
  NAME: tagOf(5, WIRE_LENGTH),
  KIND: tagOf(6, WIRE_VARINT),
  START: tagOf(7, WIRE_FIXED64),
  END: tagOf(8, WIRE_FIXED64),
  ATTRIBUTES: tagOf(9, WIRE_LENGTH),
  DROPPED_ATTRIBUTES: tagOf(10, WIRE_VARINT),
  EVENTS: tagOf(11, WIRE_LENGTH),
  DROPPED_EVENTS: tagOf(12, WIRE_VARINT),
  LINKS: tagOf(13, WIRE_LENGTH),
  DROPPED_LINKS: tagOf(14, WIRE_VARINT),
  STATUS: tagOf(15, WIRE_LENGTH),
  FLAGS: tagOf(16, WIRE_FIXED32),
} as const;
export const EVENT = {
  TIME: tagOf(1, WIRE_FIXED64),
  NAME: tagOf(2, WIRE_LENGTH),
  ATTRIBUTES: tagOf(3, WIRE_LENGTH),
  DROPPED_ATTRIBUTES: tagOf(4, WIRE_VARINT),
} as const;
export const LINK = {
  TRACE_ID: tagOf(1, WIRE_LENGTH),
  SPAN_ID: tagOf(2, WIRE_LENGTH),
  TRACE_STATE: tagOf(3, WIRE_LENGTH),
  ATTRIBUTES: tagOf(4, WIRE_LENGTH),
  DROPPED_ATTRIBUTES: tagOf(5, WIRE_VARINT),
  FLAGS: tagOf(6, WIRE_FIXED32),
} as const;
export const STATUS = { MESSAGE: tagOf(2, WIRE_LENGTH), CODE: tagOf(3, WIRE_VARINT) } as const;
export const KEY_VALUE = { KEY: tagOf(1, WIRE_LENGTH), VALUE: tagOf(2, WIRE_LENGTH) } as const;
/** Of `AnyValue`. */
export const ANY = {
  STRING: tagOf(1, WIRE_LENGTH),
  BOOL: tagOf(2, WIRE_VARINT),
  INT: tagOf(3, WIRE_VARINT),
  DOUBLE: tagOf(4, WIRE_FIXED64),
  ARRAY: tagOf(5, WIRE_LENGTH),
} as const;
const ARRAY_VALUES = tagOf(1, WIRE_LENGTH);

/** Proto3 leaves a zero out: an unset status is no status. */
const STATUS_CODE_UNSET = 0;
/** A guess at the length of what is nested: it only decides how many length bytes are kept free. */
const SMALL_BYTES = 100;
/** Tag and length before a value of less than 128 bytes. */
const OVERHEAD_BYTES = 2;

/** Keys that are kept encoded. Ours are some 30; the endless keys of a foreign span must not fill the memory. */
const KEYS_MAX = 256;

const UINT32 = 2 ** 32;
const NANOSECONDS_PER_MS = 1e6;

/** Where spans are written, with the keys that were met before. */
export interface SpanOutput {
  readonly writer: ProtobufWriter;
  /** Key → tag, length and UTF-8 of KeyValue.key. */
  readonly keys: Map<string, Uint8Array>;
}

export function createSpanOutput(): SpanOutput {
  return { writer: new ProtobufWriter(), keys: new Map() };
}

/** https://github.com/open-telemetry/opentelemetry-proto, trace.proto, `enum SpanFlags`. */
export function spanFlags(traceFlags: number, isRemote: boolean | undefined): number {
  return (traceFlags & FLAGS_W3C) | FLAG_HAS_IS_REMOTE | (isRemote === true ? FLAG_IS_REMOTE : 0);
}

/** The content of a `Span`, fields in ascending order. */
export function writeSpan(output: SpanOutput, span: ReadableSpan): void {
  const { writer } = output;
  const context = span.spanContext();
  const parent = span.parentSpanContext;
  writer.hex(SPAN.TRACE_ID, context.traceId);
  writer.hex(SPAN.SPAN_ID, context.spanId);
  writeTraceState(writer, SPAN.TRACE_STATE, context);
  if (parent?.spanId) writer.hex(SPAN.PARENT_SPAN_ID, parent.spanId);
  writer.text(SPAN.NAME, span.name);
  writer.varint(SPAN.KIND);
  writer.varint(span.kind + KIND_OFFSET);
  writeTime(writer, SPAN.START, span.startTime);
  writeTime(writer, SPAN.END, span.endTime);
  writeAttributes(output, SPAN.ATTRIBUTES, span.attributes);
  writeCount(writer, SPAN.DROPPED_ATTRIBUTES, span.droppedAttributesCount);
  for (const event of span.events) writeEvent(output, event);
  writeCount(writer, SPAN.DROPPED_EVENTS, span.droppedEventsCount);
  for (const link of span.links) writeLink(output, link);
  writeCount(writer, SPAN.DROPPED_LINKS, span.droppedLinksCount);
  writeStatus(writer, span.status);
  writer.varint(SPAN.FLAGS);
  writer.fixed32(spanFlags(context.traceFlags, parent?.isRemote));
}

function writeEvent(output: SpanOutput, event: TimedEvent): void {
  const { writer } = output;
  const start = writer.open(SPAN.EVENTS, SMALL_BYTES);
  writeTime(writer, EVENT.TIME, event.time);
  writer.text(EVENT.NAME, event.name);
  if (event.attributes !== undefined) writeAttributes(output, EVENT.ATTRIBUTES, event.attributes);
  writeCount(writer, EVENT.DROPPED_ATTRIBUTES, event.droppedAttributesCount ?? 0);
  writer.close(start, SMALL_BYTES);
}

function writeLink(output: SpanOutput, { context, attributes, droppedAttributesCount }: Link): void {
  const { writer } = output;
  const start = writer.open(SPAN.LINKS, SMALL_BYTES);
  writer.hex(LINK.TRACE_ID, context.traceId);
  writer.hex(LINK.SPAN_ID, context.spanId);
  writeTraceState(writer, LINK.TRACE_STATE, context);
  if (attributes !== undefined) writeAttributes(output, LINK.ATTRIBUTES, attributes);
  writeCount(writer, LINK.DROPPED_ATTRIBUTES, droppedAttributesCount ?? 0);
  writer.varint(LINK.FLAGS);
  writer.fixed32(spanFlags(context.traceFlags, context.isRemote));
  writer.close(start, SMALL_BYTES);
}

function writeTraceState(writer: ProtobufWriter, tag: number, { traceState }: SpanContext): void {
  const text = traceState?.serialize();
  if (text) writer.text(tag, text);
}

function writeStatus(writer: ProtobufWriter, { code, message }: SpanStatus): void {
  if (code === STATUS_CODE_UNSET && !message) return;
  const start = writer.open(SPAN.STATUS, SMALL_BYTES);
  if (message) writer.text(STATUS.MESSAGE, message);
  writeCount(writer, STATUS.CODE, code);
  writer.close(start, SMALL_BYTES);
}

function writeCount(writer: ProtobufWriter, tag: number, count: number): void {
  if (count === 0) return;
  writer.varint(tag);
  writer.varint(count);
}

function writeTime(writer: ProtobufWriter, tag: number, [seconds, nanoseconds]: HrTime): void {
  writeNanoseconds(writer, tag, seconds, nanoseconds);
}

/**
 * Seconds × 10⁹ + nanoseconds as 64 bits without BigInt. 10⁹ is 5⁹ × 2⁹, and seconds × 5⁹ is below 2⁵³ until the
 * year 2116: exact in a double.
 *
 * @param nanoseconds 0 to 10⁹, its end included: what was rounded up
 */
function writeNanoseconds(writer: ProtobufWriter, tag: number, seconds: number, nanoseconds: number): void {
  const product = seconds * 5 ** 9;
  const high = Math.floor(product / 2 ** 23);
  const low = (product - high * 2 ** 23) * 2 ** 9 + nanoseconds;
  writer.varint(tag);
  if (low < UINT32) writer.fixed64(high, low);
  else writer.fixed64(high + 1, low - UINT32);
}

/** The same from Unix milliseconds. */
export function writeUnixMs(writer: ProtobufWriter, tag: number, unixMs: number): void {
  const seconds = Math.floor(unixMs / 1000);
  const nanoseconds = Math.round((unixMs - seconds * 1000) * NANOSECONDS_PER_MS);
  writeNanoseconds(writer, tag, seconds, nanoseconds);
}

/** @param tag of the message that has them */
export function writeAttributes(output: SpanOutput, tag: number, attributes: Attributes): void {
  const { writer } = output;
  for (const key of Object.keys(attributes)) {
    const value = attributes[key];
    if (value === undefined) continue;
    const keyBytes = keyBytesOf(output, key);
    const valueBytes = (typeof value === "string" ? value.length : 0) + OVERHEAD_BYTES;
    const expected = keyBytes.length + OVERHEAD_BYTES + valueBytes;
    const start = writer.open(tag, expected);
    writer.raw(keyBytes);
    const valueStart = writer.open(KEY_VALUE.VALUE, valueBytes);
    writeValue(writer, value);
    writer.close(valueStart, valueBytes);
    writer.close(start, expected);
  }
}

/** The content of an AnyValue; nothing for null, which the API allows inside arrays. */
function writeValue(writer: ProtobufWriter, value: AttributeValue | null | undefined): void {
  if (typeof value === "string") {
    writer.text(ANY.STRING, value);
  } else if (typeof value === "boolean") {
    writer.varint(ANY.BOOL);
    writer.varint(value ? 1 : 0);
  } else if (typeof value === "number") {
    const isInteger = isInt64(value);
    writer.varint(isInteger ? ANY.INT : ANY.DOUBLE);
    if (isInteger) writer.int64(value);
    else writer.double(value);
  } else if (Array.isArray(value)) {
    const start = writer.open(ANY.ARRAY, SMALL_BYTES);
    for (const item of value) {
      const itemStart = writer.open(ARRAY_VALUES, SMALL_BYTES);
      writeValue(writer, item);
      writer.close(itemStart, SMALL_BYTES);
    }
    writer.close(start, SMALL_BYTES);
  }
}

function keyBytesOf({ keys }: SpanOutput, key: string): Uint8Array {
  const known = keys.get(key);
  if (known !== undefined) return known;
  const bytes = encodeKey(key);
  if (keys.size < KEYS_MAX) keys.set(key, bytes);
  return bytes;
}

/** KeyValue.key with its tag and length. */
export function encodeKey(key: string): Uint8Array {
  const writer = new ProtobufWriter();
  writer.text(KEY_VALUE.KEY, key);
  return new Uint8Array(writer.finish());
}
