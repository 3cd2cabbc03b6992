/**
 * What Jaeger remarks about the spans of a trace: a parent that is not there, and times that don't fit into the parent's.
 *
 * Source: https://github.com/jaegertracing/jaeger/blob/v1.76.0/cmd/query/app/querysvc/internal/adjuster/clockskew.go, as
 * it is unless configured: it calculates by how much a span's clock would be off, says so, and moves nothing.
 */

import type { HrTime } from "@opentelemetry/api";
import type { SpanRecord } from "../span/record.ts";
import type { StoredTrace } from "../store/recent-store.ts";
import type { Turns } from "../store/turns.ts";
import { parentSpanId } from "./jaeger-json.ts";
import { formatDuration } from "./query-go-values.ts";

const NANOSECONDS_PER_SECOND = 1e9;
const NO_PARENT = -1;

/** @returns the sentences about a span, which stands at that place of its trace; undefined: none */
export type WarningsOf = (span: SpanRecord, index: number) => readonly string[] | undefined;

/**
 * For who has taken a turn. What it keeps is numbers: a slow reader must not hold spans that the store let go. Means nothing
 * where the trace goes meanwhile.
 *
 * @param count of the trace's spans, from its first on: those that come later are not looked at
 */
export async function createWarnings(trace: StoredTrace, count: number, turns: Turns): Promise<WarningsOf> {
  const parents = await findParents(trace, count, turns);
  const skewsNs = await findSkews(trace, parents, turns);
  return (span, index) => {
    const parentId = parentSpanId(span);
    if (parentId !== undefined && parents[index] === NO_PARENT) {
      return [`invalid parent span IDs=${parentId}; skipping clock skew adjustment`];
    }
    const skewNs = skewsNs[index] ?? 0;
    if (skewNs === 0 || Number.isNaN(skewNs)) return undefined;
    return [`clock skew adjustment disabled; not applying calculated delta of ${formatDuration(skewNs)}`];
  };
}

/** @returns where each span's parent stands, in 16 bits: a trace has 5,000 spans at most */
async function findParents(trace: StoredTrace, count: number, turns: Turns): Promise<Int16Array> {
  const placeOf = new Map<string, number>();
  for (let index = 0; index < count; index++) {
    if (turns.isOver()) await turns.take();
    const span = trace.spans[index];
    if (span !== undefined) placeOf.set(span.toRecord().fields.context.spanId, index);
  }
  const parents = new Int16Array(count);
  for (let index = 0; index < count; index++) {
    if (turns.isOver()) await turns.take();
    const span = trace.spans[index];
    parents[index] = placeOf.get((span && parentSpanId(span.toRecord())) ?? "") ?? NO_PARENT;
  }
  return parents;
}

/**
 * From each span up to what is known, or a root, and down again: a span is off by as much as its parent where they share
 * a host.
 *
 * @returns nanoseconds; NaN for those that no root leads to, as spans that are each other's parents: they get no remark
 */
async function findSkews(trace: StoredTrace, parents: Int16Array, turns: Turns): Promise<Float64Array> {
  const skewsNs = new Float64Array(parents.length).fill(Number.NaN);
  const isSeen = new Uint8Array(parents.length);
  for (let index = 0; index < parents.length; index++) {
    const path: number[] = [];
    let parent = index;
    // Who comes by here again on the way up goes in a circle.
    while (parent !== NO_PARENT && isSeen[parent] === 0) {
      if (turns.isOver()) await turns.take();
      isSeen[parent] = 1;
      path.push(parent);
      parent = parents[parent] ?? NO_PARENT;
    }
    for (const next of path.toReversed()) {
      if (turns.isOver()) await turns.take();
      skewsNs[next] = parent === NO_PARENT ? 0 : skewFrom(trace.spans, parent, next, skewsNs[parent]);
      parent = next;
    }
  }
  return skewsNs;
}

function skewFrom(
  spans: StoredTrace["spans"],
  parentAt: number,
  spanAt: number,
  parentSkewNs = Number.NaN,
): number {
  const [parent, span] = [spans[parentAt]?.toRecord(), spans[spanAt]?.toRecord()];
  if (Number.isNaN(parentSkewNs) || parent === undefined || span === undefined) return Number.NaN;
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
