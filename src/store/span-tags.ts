/**
 * What Jaeger shows of a span as tags though it is no attribute, and how the value of a tag reads as text.
 *
 * Names and values: the Collector's translation to Jaeger
 * (https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/jaeger/). Here, not in admin/, because a search
 * must find what is shown.
 */

import { isInt64 } from "../core/int64.ts";
import { SPAN_KIND_SERVER, type SpanOrigin, type SpanRecord } from "../span/record.ts";

type Tag = readonly [key: string, value: string | boolean];

/** Jaeger's own names for resources that have none. */
const SERVICE_MISSING = "missing-service-name";
const SERVICE_EMPTY = "empty-service-name";
const SERVICE_WRONG_TYPE = "service-name-wrong-type";

/** https://opentelemetry.io/docs/specs/otel/trace/api/#set-status */
const STATUS_ERROR = 2;

export function serviceName({ resource }: SpanOrigin): string {
  const name = resource.attributes["service.name"];
  if (name === undefined) return SERVICE_MISSING;
  if (typeof name !== "string") return SERVICE_WRONG_TYPE;
  return name === "" ? SERVICE_EMPTY : name;
}

export function spanKind({ kind }: Pick<SpanRecord, "kind">): "server" | "client" {
  return kind === SPAN_KIND_SERVER ? "server" : "client";
}

/** Which Jaeger puts before the attributes. */
export function scopeTags({ scope }: SpanOrigin): readonly Tag[] {
  const tags: Tag[] = [];
  if (scope.name !== "") tags.push(["otel.scope.name", scope.name]);
  if (scope.version !== undefined && scope.version !== "") tags.push(["otel.scope.version", scope.version]);
  return tags;
}

/** Which it puts after them. */
export function stateTags(span: SpanRecord): readonly Tag[] {
  const { code, message } = span.status;
  const { traceState } = span.fields.context;
  const tags: Tag[] = [["span.kind", spanKind(span)]];
  if (code === STATUS_ERROR) tags.push(["otel.status_code", "ERROR"], ["error", true]);
  if (message !== undefined && message !== "") tags.push(["otel.status_description", message]);
  if (traceState !== "") tags.push(["w3c.tracestate", traceState]);
  return tags;
}

/** Integers with all their digits; other numbers as JavaScript writes them, which is as Go's JSON does; lists as JSON. */
export function tagText(value: unknown): string {
  if (typeof value === "number" && isInt64(value)) return BigInt(value).toString();
  return Array.isArray(value) ? JSON.stringify(value) : String(value);
}
