/**
 * A kept span as Jaeger's query API writes it.
 *
 * Shape: https://github.com/jaegertracing/jaeger/blob/v1.76.0/internal/uimodel/model.go. How a span becomes it: the
 * Collector's translation to Jaeger (pkg/translator/jaeger/traces_to_jaegerproto.go), then what the query service does
 * to it (cmd/query/app/querysvc/adjusters.go). Left out of both is what no span of this program has: spans that
 * share an id, numeric IP addresses, attributes of an SDK, links to no trace.
 */

import type { HrTime } from "@opentelemetry/api";
import type { SpanFields, SpanOrigin, SpanRecord } from "../span/record.ts";
import { isInt64 } from "../core/int64.ts";
import { scopeTags, serviceName, stateTags, tagText } from "../store/span-tags.ts";

/** In the order in which Jaeger sorts tags of one key. */
const TAG_TYPES = ["string", "bool", "int64", "float64"] as const;

/** An attribute of a link; its value `child_of` makes it a second parent. */
const REF_TYPE = "opentracing.ref_type";

const MICROSECONDS_PER_SECOND = 1e6;

interface JaegerTag {
  readonly key: string;
  readonly type: (typeof TAG_TYPES)[number];
  readonly value: string | number | boolean;
}

interface JaegerReference {
  readonly refType: "CHILD_OF" | "FOLLOWS_FROM";
  readonly traceID: string;
  readonly spanID: string;
}

export interface JaegerProcess {
  readonly serviceName: string;
  readonly tags: readonly JaegerTag[];
}

export interface JaegerSpan {
  readonly traceID: string;
  readonly spanID: string;
  readonly operationName: string;
  readonly references: readonly JaegerReference[];
  /** Microseconds since 1970. */
  readonly startTime: number;
  /** Microseconds. */
  readonly duration: number;
  readonly tags: readonly JaegerTag[];
  readonly logs: readonly { readonly timestamp: number; readonly fields: readonly JaegerTag[] }[];
  /** Key into the trace's `processes`. */
  readonly processID: string;
  readonly warnings: readonly string[] | null;
}

/** What of a span its trace decides. */
export interface SpanSurroundings {
  readonly processID: string;
  readonly warnings: readonly string[] | undefined;
  /** As it is stored: nothing sorted. */
  readonly isRaw: boolean;
}

/** Keys are in Jaeger's order. */
export function toJaegerSpan(span: SpanRecord, { processID, warnings, isRaw }: SpanSurroundings): JaegerSpan {
  const { context, attributes } = span.fields;
  const tags = [
    ...scopeTags(span.origin).map(([key, value]) => toTag(key, value)),
    ...toTags(attributes),
    ...stateTags(span).map(([key, value]) => toTag(key, value)),
  ];
  const references = referencesOf(span);
  return {
    traceID: jaegerTraceId(context.traceId),
    spanID: context.spanId,
    operationName: span.name,
    references: isRaw ? references : withParentFirst(references, jaegerTraceId(context.traceId)),
    startTime: toMicroseconds(span.startTime),
    duration: toMicroseconds(span.duration),
    tags: isRaw ? tags : tags.toSorted(compareTags),
    logs: span.events.map((event) => ({
      timestamp: toMicroseconds(event.time),
      fields: fieldsOf(event.name, event.attributes ?? {}, isRaw),
    })),
    processID,
    warnings: warnings ?? null,
  };
}

export function toJaegerProcess(origin: SpanOrigin, isRaw: boolean): JaegerProcess {
  const tags = toTags(origin.resource.attributes).filter(({ key }) => key !== "service.name");
  return { serviceName: serviceName(origin), tags: isRaw ? tags : tags.toSorted(compareTags) };
}

/** Jaeger writes ids of 64 bits, as its own clients make them, with 16 digits. */
export function jaegerTraceId(traceId: string): string {
  return traceId.startsWith("0000000000000000") ? traceId.slice(16) : traceId;
}

/** Of the span that Jaeger takes for the parent: the first CHILD_OF, else the first link within the trace. */
export function parentSpanId(span: SpanRecord): string | undefined {
  const { context, parent, links } = span.fields;
  if (links.length === 0) return parent?.spanId; // Nearly all spans, and this is asked for each of a trace.
  const traceId = jaegerTraceId(context.traceId);
  const own = referencesOf(span).filter(({ traceID }) => traceID === traceId);
  return (own.find(({ refType }) => refType === "CHILD_OF") ?? own[0])?.spanID;
}

/** The parent, then the links; a link to the parent does not stand beside it but decides its type. */
function referencesOf({ fields }: SpanRecord): JaegerReference[] {
  const { parent, context } = fields;
  const references: JaegerReference[] = [];
  if (parent !== undefined) references.push(toReference("CHILD_OF", parent));
  for (const link of fields.links) {
    const refType = link.attributes[REF_TYPE] === "child_of" ? "CHILD_OF" : "FOLLOWS_FROM";
    const reference = toReference(refType, link.context);
    const isParent = link.context.traceId === context.traceId && link.context.spanId === parent?.spanId;
    if (isParent) references[0] = reference;
    else references.push(reference);
  }
  return references;
}

function toReference(
  refType: JaegerReference["refType"],
  { traceId, spanId }: SpanFields["context"],
): JaegerReference {
  return { refType, traceID: jaegerTraceId(traceId), spanID: spanId };
}

/** Jaeger's page takes the first reference for the parent; what stood there takes the parent's place. */
function withParentFirst(
  references: readonly JaegerReference[],
  traceId: string,
): readonly JaegerReference[] {
  const isOwn = ({ traceID }: JaegerReference): boolean => traceID === traceId;
  const childOf = references.findIndex((reference) => isOwn(reference) && reference.refType === "CHILD_OF");
  const at = childOf === -1 ? references.findIndex(isOwn) : childOf;
  return at <= 0 ? references : swap(references, 0, at);
}

/** The event's name is a field of it, unless an attribute says it; and it stands first. */
function fieldsOf(
  name: string,
  attributes: Readonly<Record<string, unknown>>,
  isRaw: boolean,
): readonly JaegerTag[] {
  const fields = toTags(attributes);
  if (name !== "" && !fields.some(({ key }) => key === "event")) fields.unshift(toTag("event", name));
  if (isRaw) return fields;
  const sorted = fields.toSorted(compareTags);
  const at = sorted.findIndex(({ key, type }) => key === "event" && type === "string");
  return at <= 0 ? sorted : [...sorted.splice(at, 1), ...sorted];
}

function toTags(attributes: Readonly<Record<string, unknown>>): JaegerTag[] {
  const tags: JaegerTag[] = [];
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) tags.push(toTag(key, value));
  }
  return tags;
}

/** Integers that a double can't tell apart are written as text, and so are numbers that JSON has no form for. */
function toTag(key: string, value: unknown): JaegerTag {
  if (typeof value === "boolean") return { key, type: "bool", value };
  if (typeof value !== "number") return { key, type: "string", value: tagText(value) };
  if (isInt64(value))
    return { key, type: "int64", value: Number.isSafeInteger(value) ? value : tagText(value) };
  return { key, type: "float64", value: Number.isFinite(value) ? value : tagText(value) };
}

function compareTags(one: JaegerTag, two: JaegerTag): number {
  if (one.key !== two.key) return one.key < two.key ? -1 : 1;
  if (one.type !== two.type) return TAG_TYPES.indexOf(one.type) - TAG_TYPES.indexOf(two.type);
  if (one.value === two.value) return 0;
  return one.value < two.value ? -1 : 1;
}

function swap<T>(list: readonly T[], one: number, two: number): readonly T[] {
  const swapped = [...list];
  swapped.splice(one, 1, ...list.slice(two, two + 1));
  swapped.splice(two, 1, ...list.slice(one, one + 1));
  return swapped;
}

function toMicroseconds([seconds, nanoseconds]: HrTime): number {
  return seconds * MICROSECONDS_PER_SECOND + Math.floor(nanoseconds / 1000);
}
