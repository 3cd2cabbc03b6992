/**
 * What the two OTLP encodings (otlp-encode.ts, otlp-json.ts) share: how a batch is nested.
 * Model: https://github.com/open-telemetry/opentelemetry-proto, opentelemetry/proto/trace/v1/trace.proto
 */

import type { ReadableSpan } from "@opentelemetry/sdk-trace";

export type Resource = ReadableSpan["resource"];
export type Scope = ReadableSpan["instrumentationScope"];
export type ScopeGroups<S = ReadableSpan> = ReadonlyMap<Scope, readonly S[]>;

/** What a span is grouped by. */
type Grouped = Pick<ReadableSpan, "resource" | "instrumentationScope">;

/**
 * Spans by the identity of their resource and scope, as OpenTelemetry's own exporters group them. Keeps the order
 * of spans within a scope, and of scopes and resources by their first span.
 */
export function groupSpans<S extends Grouped>(spans: readonly S[]): ReadonlyMap<Resource, ScopeGroups<S>> {
  const groups = new Map<Resource, Map<Scope, S[]>>();
  for (const span of spans) {
    let scopes = groups.get(span.resource);
    if (scopes === undefined) groups.set(span.resource, (scopes = new Map()));
    const members = scopes.get(span.instrumentationScope);
    if (members === undefined) scopes.set(span.instrumentationScope, [span]);
    else members.push(span);
  }
  return groups;
}
