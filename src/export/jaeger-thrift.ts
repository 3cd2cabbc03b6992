/**
 * Spans as Jaeger's own model, in Thrift: a Batch, alone (HTTP) or as the argument of the agent's emitBatch (UDP).
 *
 * Sources: jaeger.thrift and agent.thrift of https://github.com/jaegertracing/jaeger-idl (field ids below are theirs), and
 * OpenTelemetry's mapping, https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/jaeger/. Where the mapping leaves a
 * choice, Jaeger then shows what it shows for the same span over OTLP (test/real/jaeger-legacy.test.ts lists what differs).
 * Not here: schema URLs, attributes of links and of scopes, trace states of links, for which the model has no place.
 */

import type { AttributeValue, Attributes, HrTime, Link } from "@opentelemetry/api";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace";
import { isInt64 } from "../core/int64.ts";
import { groupSpans, type Resource, type ScopeGroups } from "./otlp-model.ts";
import type { ThriftWriter } from "./thrift-writer.ts";

/** `emitBatch` is the agent's call; a collector takes the bare struct. */
export type BatchFrame = "emitBatch" | "batch";

export interface EncodedBatches {
  /** Each a whole message, within the bound, with the spans of one resource. */
  readonly messages: readonly Buffer[];
  /** Spans that are in none of them, since one alone is over the bound. */
  readonly oversized: number;
}

const ARGUMENTS_BATCH = 1;
const BATCH_PROCESS = 1;
const BATCH_SPANS = 2;
const PROCESS_SERVICE_NAME = 1;
const PROCESS_TAGS = 2;
const SPAN_TRACE_ID_LOW = 1;
const SPAN_TRACE_ID_HIGH = 2;
const SPAN_SPAN_ID = 3;
const SPAN_PARENT_SPAN_ID = 4;
const SPAN_OPERATION_NAME = 5;
const SPAN_REFERENCES = 6;
const SPAN_FLAGS = 7;
const SPAN_START_TIME = 8;
const SPAN_DURATION = 9;
const SPAN_TAGS = 10;
const SPAN_LOGS = 11;
const REFERENCE_TYPE = 1;
const REFERENCE_TRACE_ID_LOW = 2;
const REFERENCE_TRACE_ID_HIGH = 3;
const REFERENCE_SPAN_ID = 4;
const FOLLOWS_FROM = 1;
const LOG_TIMESTAMP = 1;
const LOG_FIELDS = 2;
const TAG_KEY = 1;
const TAG_TYPE = 2;
const TAG_STRING = 3;
const TAG_DOUBLE = 4;
const TAG_BOOL = 5;
const TAG_LONG = 6;
const TYPE_STRING = 0;
const TYPE_DOUBLE = 1;
const TYPE_BOOL = 2;
const TYPE_LONG = 3;

/** W3C's sampled and Jaeger's are the same bit. Jaeger's next one, debug, is never ours to set. */
const FLAG_SAMPLED = 1;

const SERVICE_NAME = "service.name";
/** What a resource without a name is called: https://opentelemetry.io/docs/specs/semconv/resource/#service */
const SERVICE_NAME_DEFAULT = "unknown_service";

/** By OpenTelemetry's number of the kind; INTERNAL, the first, is no tag. */
const KIND_NAMES = [undefined, "server", "client", "producer", "consumer"] as const;

const STATUS_OK = 1;
const STATUS_ERROR = 2;

const UINT32 = 2 ** 32;

/** Undefined and null are no tag. */
type Tag = readonly [key: string, value: AttributeValue | null | undefined];

/** Spans that stand one behind the other in the writer, from a byte to a byte, and that become one message. */
interface SpanGroup {
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

/**
 * @param createWriter of the protocol that is wanted; called here only
 * @param bytesMax of one message
 * @returns from spans to messages, which are the caller's to keep. Synchronous: some 3 ms for 512 spans.
 */
export function createJaegerEncoder(
  createWriter: () => ThriftWriter,
  frame: BatchFrame,
  bytesMax: number,
): (spans: readonly ReadableSpan[]) => EncodedBatches {
  const [spanWriter, messageWriter] = [createWriter(), createWriter()];
  return (spans) => {
    const messages: Buffer[] = [];
    let oversized = 0;
    for (const [resource, scopes] of groupSpans(spans)) {
      const ends = encodeSpans(spanWriter, scopes);
      messageWriter.reset();
      writeBatch(messageWriter, frame, resource, { count: ends.length, bytes: Buffer.alloc(0) });
      // Exact for so many spans, no less for fewer.
      const overhead = messageWriter.bytes.length;
      const groups = packSpans(ends, bytesMax - overhead);
      oversized += groups.reduce((rest, { count }) => rest - count, ends.length);
      for (const { start, end, count } of groups) {
        messageWriter.reset();
        writeBatch(messageWriter, frame, resource, { count, bytes: spanWriter.bytes.view(start, end) });
        messages.push(messageWriter.bytes.copy());
      }
    }
    return { messages, oversized };
  };
}

/** @returns where each ends in the writer; the first begins at 0 */
function encodeSpans(writer: ThriftWriter, scopes: ScopeGroups): number[] {
  const ends: number[] = [];
  writer.reset();
  for (const spans of scopes.values()) {
    for (const span of spans) {
      writeSpan(writer, span);
      ends.push(writer.bytes.length);
    }
  }
  return ends;
}

/** Fills one message after the other, in order; a span that fits into none is passed over, and ends the one before it. */
function packSpans(ends: readonly number[], bytesMax: number): SpanGroup[] {
  const groups: SpanGroup[] = [];
  let start = 0;
  let end = 0;
  let count = 0;
  const close = (): void => {
    if (count > 0) groups.push({ start, end, count });
    start = end;
    count = 0;
  };
  for (const next of ends) {
    if (next - start > bytesMax) close();
    end = next;
    if (next - start > bytesMax) start = next;
    else count++;
  }
  close();
  return groups;
}

function writeBatch(
  writer: ThriftWriter,
  frame: BatchFrame,
  resource: Resource,
  spans: { readonly count: number; readonly bytes: Buffer },
): void {
  if (frame === "emitBatch") {
    writer.onewayCall("emitBatch");
    writer.beginStruct();
    writer.structField(ARGUMENTS_BATCH);
  } else {
    writer.beginStruct();
  }
  writeProcess(writer, resource.attributes);
  writer.structsField(BATCH_SPANS, spans.count);
  writer.bytes.raw(spans.bytes);
  writer.endStruct();
  if (frame === "emitBatch") writer.endStruct();
}

function writeProcess(writer: ThriftWriter, attributes: Attributes): void {
  const name = attributes[SERVICE_NAME];
  const tags = Object.entries(attributes).filter(([key]) => key !== SERVICE_NAME);
  writer.structField(BATCH_PROCESS);
  writer.textField(
    PROCESS_SERVICE_NAME,
    typeof name === "string" && name !== "" ? name : SERVICE_NAME_DEFAULT,
  );
  writeTags(writer, PROCESS_TAGS, tags);
  writer.endStruct();
}

function writeSpan(writer: ThriftWriter, span: ReadableSpan): void {
  const { traceId, spanId, traceFlags } = span.spanContext();
  const parentId = span.parentSpanContext?.spanId;
  writer.beginStruct();
  writeTraceId(writer, SPAN_TRACE_ID_LOW, SPAN_TRACE_ID_HIGH, traceId);
  writeHexId(writer, SPAN_SPAN_ID, spanId);
  // Jaeger makes the CHILD_OF reference of it, and puts it first.
  writeHexId(writer, SPAN_PARENT_SPAN_ID, parentId ?? "0");
  writer.textField(SPAN_OPERATION_NAME, span.name);
  // Jaeger has one reference for a span: a link to the own parent would turn the CHILD_OF into FOLLOWS_FROM.
  writeReferences(
    writer,
    span.links.filter(({ context }) => context.spanId !== parentId || context.traceId !== traceId),
  );
  writer.i32Field(SPAN_FLAGS, traceFlags & FLAG_SAMPLED);
  writeMicroseconds(writer, SPAN_START_TIME, span.startTime);
  writeMicroseconds(writer, SPAN_DURATION, span.duration);
  writeTags(writer, SPAN_TAGS, tagsOf(span));
  writeLogs(writer, span.events);
  writer.endStruct();
}

/** In the order in which Jaeger shows them for a span that came over OTLP. */
function tagsOf(span: ReadableSpan): Tag[] {
  const { instrumentationScope: scope, status } = span;
  const isError = status.code === STATUS_ERROR;
  return [
    ["otel.scope.name", scope.name || undefined],
    ["otel.scope.version", scope.version || undefined],
    ...Object.entries(span.attributes),
    ["span.kind", KIND_NAMES[span.kind]],
    ["otel.status_code", isError ? "ERROR" : status.code === STATUS_OK ? "OK" : undefined],
    ["error", isError || undefined],
    ["otel.status_description", status.message || undefined],
    ["w3c.tracestate", span.spanContext().traceState?.serialize() || undefined],
    // https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/#dropped-attributes-count and the two after it.
    ["otel.dropped_attributes_count", span.droppedAttributesCount || undefined],
    ["otel.dropped_events_count", span.droppedEventsCount || undefined],
    ["otel.dropped_links_count", span.droppedLinksCount || undefined],
  ];
}

function writeReferences(writer: ThriftWriter, links: readonly Link[]): void {
  if (links.length === 0) return;
  writer.structsField(SPAN_REFERENCES, links.length);
  for (const { context } of links) {
    writer.beginStruct();
    writer.i32Field(REFERENCE_TYPE, FOLLOWS_FROM);
    writeTraceId(writer, REFERENCE_TRACE_ID_LOW, REFERENCE_TRACE_ID_HIGH, context.traceId);
    writeHexId(writer, REFERENCE_SPAN_ID, context.spanId);
    writer.endStruct();
  }
}

function writeLogs(writer: ThriftWriter, events: readonly TimedEvent[]): void {
  if (events.length === 0) return;
  writer.structsField(SPAN_LOGS, events.length);
  for (const { name, time, attributes = {}, droppedAttributesCount } of events) {
    writer.beginStruct();
    writeMicroseconds(writer, LOG_TIMESTAMP, time);
    writeTags(writer, LOG_FIELDS, [
      // An attribute of this name is what counts, then: the mapping says so.
      ["event", "event" in attributes ? undefined : name || undefined],
      ...Object.entries(attributes),
      ["otel.dropped_attributes_count", droppedAttributesCount || undefined],
    ]);
    writer.endStruct();
  }
}

function writeTags(writer: ThriftWriter, id: number, tags: readonly Tag[]): void {
  let count = 0;
  for (const [, value] of tags) if (value !== undefined && value !== null) count++;
  writer.structsField(id, count);
  for (const [key, value] of tags) {
    if (value === undefined || value === null) continue;
    writer.beginStruct();
    writer.textField(TAG_KEY, key);
    writeTagValue(writer, value);
    writer.endStruct();
  }
}

function writeTagValue(writer: ThriftWriter, value: AttributeValue): void {
  if (typeof value === "boolean") {
    writer.i32Field(TAG_TYPE, TYPE_BOOL);
    writer.boolField(TAG_BOOL, value);
  } else if (typeof value === "number" && isInt64(value)) {
    writer.i32Field(TAG_TYPE, TYPE_LONG);
    writeInt64(writer, TAG_LONG, value);
  } else if (typeof value === "number") {
    writer.i32Field(TAG_TYPE, TYPE_DOUBLE);
    writer.doubleField(TAG_DOUBLE, value);
  } else {
    writer.i32Field(TAG_TYPE, TYPE_STRING);
    writer.textField(TAG_STRING, typeof value === "string" ? value : JSON.stringify(value));
  }
}

/** Cut to whole microseconds, as Jaeger cuts what comes over OTLP; 0 for less than nothing, which Jaeger can't hold. */
function writeMicroseconds(writer: ThriftWriter, id: number, [seconds, nanoseconds]: HrTime): void {
  writeInt64(writer, id, Math.max(0, seconds * 1e6 + Math.floor(nanoseconds / 1000)));
}

/** @param value a whole number from -2⁶³ to 2⁶³ - 1 */
function writeInt64(writer: ThriftWriter, id: number, value: number): void {
  const high = Math.floor(value / UINT32);
  writer.i64Field(id, high, value - high * UINT32);
}

function writeTraceId(writer: ThriftWriter, lowId: number, highId: number, traceId: string): void {
  writeHexId(writer, lowId, traceId.slice(16));
  writeHexId(writer, highId, traceId.slice(0, 16));
}

/** @param hex 16 digits, or fewer for a smaller number */
function writeHexId(writer: ThriftWriter, id: number, hex: string): void {
  const lowAt = Math.max(0, hex.length - 8);
  writer.i64Field(id, Number.parseInt(hex.slice(0, lowAt) || "0", 16), Number.parseInt(hex.slice(lowAt), 16));
}
