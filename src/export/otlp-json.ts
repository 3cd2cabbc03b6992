/**
 * Spans as OTLP JSON: one ExportTraceServiceRequest on one line.
 *
 * Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding (ids in hex, enums as numbers) over proto3's JSON
 * mapping (https://protobuf.dev/programming-guides/json/: 64-bit numbers as strings, NaN and infinities as
 * words). Fields that are zero, empty or unset are left out. Not here: files (file.ts).
 */

import type { AttributeValue, Attributes, HrTime, Link, SpanStatus } from "@opentelemetry/api";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace";
import { isInt64 } from "../core/int64.ts";
import { withoutLoneSurrogates } from "../core/text.ts";
import { KIND_OFFSET, spanFlags } from "../span/otlp-span.ts";
import { groupSpans } from "./otlp-model.ts";

type Json = string | number | boolean | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * @returns one line without its line end. Never throws for a finished span. A lone surrogate becomes U+FFFD:
 *   JSON could carry it escaped, but protobuf's readers refuse the whole line then.
 */
export function encodeOtlpJson(spans: readonly ReadableSpan[]): string {
  const resourceSpans = [...groupSpans(spans)].map(([resource, scopes]) => ({
    resource: { attributes: toKeyValues(resource.attributes) },
    scopeSpans: [...scopes].map(([scope, members]) => ({
      scope: { name: scope.name, version: optionalText(scope.version) },
      spans: members.map(toSpan),
      schemaUrl: optionalText(scope.schemaUrl),
    })),
    schemaUrl: optionalText(resource.schemaUrl),
  }));
  return withoutLoneSurrogates(JSON.stringify({ resourceSpans } satisfies Json));
}

function toSpan(span: ReadableSpan): Json {
  const context = span.spanContext();
  const parent = span.parentSpanContext;
  return {
    traceId: context.traceId,
    spanId: context.spanId,
    traceState: optionalText(context.traceState?.serialize()),
    parentSpanId: parent?.spanId,
    flags: spanFlags(context.traceFlags, parent?.isRemote),
    name: span.name,
    kind: span.kind + KIND_OFFSET,
    startTimeUnixNano: toNanoseconds(span.startTime),
    endTimeUnixNano: toNanoseconds(span.endTime),
    attributes: toKeyValues(span.attributes),
    droppedAttributesCount: toCount(span.droppedAttributesCount),
    events: span.events.length === 0 ? undefined : span.events.map(toEvent),
    droppedEventsCount: toCount(span.droppedEventsCount),
    links: span.links.length === 0 ? undefined : span.links.map(toLink),
    droppedLinksCount: toCount(span.droppedLinksCount),
    status: toStatus(span.status),
  };
}

function toEvent(event: TimedEvent): Json {
  return {
    timeUnixNano: toNanoseconds(event.time),
    name: event.name,
    attributes: toKeyValues(event.attributes ?? {}),
    droppedAttributesCount: toCount(event.droppedAttributesCount),
  };
}

function toLink({ context, attributes, droppedAttributesCount }: Link): Json {
  return {
    traceId: context.traceId,
    spanId: context.spanId,
    traceState: optionalText(context.traceState?.serialize()),
    attributes: toKeyValues(attributes ?? {}),
    droppedAttributesCount: toCount(droppedAttributesCount),
    flags: spanFlags(context.traceFlags, context.isRemote),
  };
}

function toStatus({ code, message }: SpanStatus): Json {
  return { message: optionalText(message), code: toCount(code) };
}

function toCount(count: number | undefined): number | undefined {
  return count === 0 ? undefined : count;
}

/** Both numbers as they are, the second at nine digits: no arithmetic, so nothing is rounded. */
function toNanoseconds([seconds, nanoseconds]: HrTime): string {
  return seconds === 0 ? String(nanoseconds) : `${seconds}${String(nanoseconds).padStart(9, "0")}`;
}

function toKeyValues(attributes: Attributes): Json | undefined {
  const pairs: Json[] = [];
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) pairs.push({ key, value: toAnyValue(value) });
  }
  return pairs.length === 0 ? undefined : pairs;
}

/** An empty object for null, which the API allows inside arrays. */
function toAnyValue(value: AttributeValue | null | undefined): Json {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") {
    // Past 2⁵³ String() rounds its digits, at the edge to a number that isn't an int64 any more.
    if (Number.isSafeInteger(value)) return { intValue: String(value) };
    if (isInt64(value)) return { intValue: BigInt(value).toString() };
    return { doubleValue: Number.isFinite(value) ? value : String(value) };
  }
  return Array.isArray(value) ? { arrayValue: { values: value.map(toAnyValue) } } : {};
}

function optionalText(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}
