/**
 * What the two OTLP encodings (otlp-encode.ts, otlp-json.ts) share: how a batch is nested, and the flags of a span.
 * Model: https://github.com/open-telemetry/opentelemetry-proto, opentelemetry/proto/trace/v1/trace.proto
 */

import type { ReadableSpan } from "@opentelemetry/sdk-trace";

/** The API's INTERNAL is 0; the protocol keeps 0 for "unspecified". */
export const KIND_OFFSET = 1;

/** Low 8 bits: the W3C trace flags; then whether it is known that the parent is remote, and whether it is. */
const FLAGS_W3C = 0xff;
const FLAG_HAS_IS_REMOTE = 0x100;
const FLAG_IS_REMOTE = 0x200;

export type Resource = ReadableSpan["resource"];
export type Scope = ReadableSpan["instrumentationScope"];
export type ScopeGroups = ReadonlyMap<Scope, readonly ReadableSpan[]>;

/**
 * Spans by the identity of their resource and scope, as OpenTelemetry's own exporters group them. Keeps the order
 * of spans within a scope, and of scopes and resources by their first span.
 */
export function groupSpans(spans: readonly ReadableSpan[]): ReadonlyMap<Resource, ScopeGroups> {
  const groups = new Map<Resource, Map<Scope, ReadableSpan[]>>();
  for (const span of spans) {
    let scopes = groups.get(span.resource);
    if (scopes === undefined) groups.set(span.resource, (scopes = new Map()));
    const members = scopes.get(span.instrumentationScope);
    if (members === undefined) scopes.set(span.instrumentationScope, [span]);
    else members.push(span);
  }
  return groups;
}

/** https://github.com/open-telemetry/opentelemetry-proto, trace.proto, `enum SpanFlags`. */
export function spanFlags(traceFlags: number, isRemote: boolean | undefined): number {
  return (traceFlags & FLAGS_W3C) | FLAG_HAS_IS_REMOTE | (isRemote === true ? FLAG_IS_REMOTE : 0);
}
