/**
 * What Jaeger remarks about the spans of a trace: a parent that is not there, and times that don't fit into the parent's.
 *
 * Source: https://github.com/jaegertracing/jaeger/blob/v1.76.0/cmd/query/app/querysvc/internal/adjuster/clockskew.go, as
 * it is unless configured: it calculates by how much a span's clock would be off, says so, and moves nothing.
 */

import type { HrTime } from "@opentelemetry/api";
import type { SpanRecord } from "../span/record.ts";
import { parentSpanId } from "./jaeger-json.ts";
import { formatDuration } from "./query-go-values.ts";

const NANOSECONDS_PER_SECOND = 1e9;

/** @returns the sentences about a span; undefined: none */
export type WarningsOf = (span: SpanRecord) => readonly string[] | undefined;

/** Each span is looked at when it is asked for: all of a large trace at once would keep a request waiting. */
export function createWarnings(spans: readonly SpanRecord[]): WarningsOf {
  const byId = new Map<string, SpanRecord>();
  for (const span of spans) byId.set(span.fields.context.spanId, span);
  /** By span; undefined for those that no root leads to, as spans that are each other's parents: they get no remark. */
  const skews = new Map<SpanRecord, number | undefined>();

  function parentOf(span: SpanRecord): SpanRecord | undefined {
    return byId.get(parentSpanId(span) ?? "");
  }

  /** Up to what is known, or a root, and down again: a span is off by as much as its parent where they share a host. */
  function skewOf(span: SpanRecord): number | undefined {
    const path: SpanRecord[] = [];
    let parent: SpanRecord | undefined = span;
    while (parent !== undefined && !skews.has(parent)) {
      skews.set(parent, undefined); // Who comes by here again on the way up goes in a circle.
      path.push(parent);
      parent = parentOf(parent);
    }
    for (const next of path.toReversed()) {
      skews.set(next, parent === undefined ? 0 : skewFrom(parent, next, skews.get(parent)));
      parent = next;
    }
    return skews.get(span);
  }

  return (span) => {
    const parentId = parentSpanId(span);
    if (parentId !== undefined && !byId.has(parentId)) {
      return [`invalid parent span IDs=${parentId}; skipping clock skew adjustment`];
    }
    const skewNs = skewOf(span) ?? 0;
    if (skewNs === 0) return undefined;
    return [`clock skew adjustment disabled; not applying calculated delta of ${formatDuration(skewNs)}`];
  };
}

function skewFrom(
  parent: SpanRecord,
  span: SpanRecord,
  parentSkewNs: number | undefined,
): number | undefined {
  if (parentSkewNs === undefined) return undefined;
  const host = hostOf(span);
  return host !== "" && host === hostOf(parent) ? parentSkewNs : skewBetween(span, parent);
}

function hostOf({ resource }: SpanRecord): string {
  const ip = resource.attributes["ip"];
  return typeof ip === "string" ? ip : "";
}

/** By how many nanoseconds the child had to move to lie within its parent; 0 where it does, or can't. */
function skewBetween(child: SpanRecord, parent: SpanRecord): number {
  const offsetNs = nanosecondsBetween(parent.startTime, child.startTime);
  const childNs = nanosecondsBetween(child.startTime, child.endTime);
  const parentNs = nanosecondsBetween(parent.startTime, parent.endTime);
  if (childNs > parentNs) return offsetNs < 0 ? -offsetNs : 0;
  if (offsetNs >= 0 && offsetNs + childNs <= parentNs) return 0;
  return Math.floor((parentNs - childNs) / 2) - offsetNs;
}

/** Exact for spans that start within a hundred days of each other. */
function nanosecondsBetween(from: HrTime, to: HrTime): number {
  return (to[0] - from[0]) * NANOSECONDS_PER_SECOND + to[1] - from[1];
}
