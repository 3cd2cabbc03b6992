/**
 * Which of the kept traces have a span that somebody looks for.
 *
 * A search is a walk over all spans: 20,000 take some milliseconds (bench/store.bench.ts), in turns, so there is no index
 * that every request would pay for. Meaning of the criteria: Jaeger's
 * (https://www.jaegertracing.io/docs/2.13/architecture/apis/): one and the same span must meet all of them.
 */

import type { EndedSpan } from "../span/encoded-span.ts";
import { type SpanRecord, toHrTime } from "../span/record.ts";
import type { SpanOutline } from "../span/span-decode.ts";
import type { RecentStore, StoredTrace } from "./recent-store.ts";
import { scopeTags, serviceName, stateTags, tagText } from "./span-tags.ts";
import type { Turns } from "./turns.ts";
import { walkSpans, walkTraces } from "./walk.ts";

export interface TraceSearch {
  readonly service: string;
  /** The span's name; undefined: any. */
  readonly operation: string | undefined;
  /** Each must be equal, as text, to a tag of the span, of its resource or of one of its events. */
  readonly tags: ReadonlyMap<string, string>;
  /** When the span started: Unix microseconds, both included. */
  readonly startMicros: number;
  readonly endMicros: number;
  /** The span's duration, both included; 0: no bound. */
  readonly minDurationNs: number;
  readonly maxDurationNs: number;
  /** Traces; at least 1. */
  readonly limit: number;
}

const NANOSECONDS_PER_SECOND = 1e9;
const MICROSECONDS_PER_SECOND = 1e6;

/** @returns the newest first: by when the first span of each ended, which is the order of the store */
export async function searchTraces(
  store: RecentStore,
  search: TraceSearch,
  turns: Turns,
): Promise<readonly StoredTrace[]> {
  const found: StoredTrace[] = [];
  await walkTraces(store, turns, async (trace) => {
    await walkSpans(trace, turns, (span) => {
      if (!matches(span, search)) return true;
      found.push(trace);
      return false;
    });
    return found.length < search.limit;
  });
  return found;
}

/** In the order of what it costs. */
function matches(span: EndedSpan, search: TraceSearch): boolean {
  if (serviceName(span.origin) !== search.service) return false;
  const outline = span.outline();
  if (search.operation !== undefined && outline.name !== search.operation) return false;
  if (!matchesTimes(outline, search)) return false;
  return search.tags.size === 0 || hasTags(span.toRecord(), search.tags);
}

/** What is shown besides the attributes is made once for all tags that are looked for. */
function hasTags(span: SpanRecord, tags: TraceSearch["tags"]): boolean {
  const shown = [...stateTags(span), ...scopeTags(span.origin)];
  for (const [key, wanted] of tags) {
    if (!hasTag(span, shown, key, wanted)) return false;
  }
  return true;
}

function matchesTimes({ startUnixMs, endUnixMs }: SpanOutline, search: TraceSearch): boolean {
  const [seconds, nanoseconds] = toHrTime(startUnixMs);
  const micros = seconds * MICROSECONDS_PER_SECOND;
  if (micros + Math.floor(nanoseconds / 1000) < search.startMicros) return false;
  if (micros + Math.ceil(nanoseconds / 1000) > search.endMicros) return false;
  const { minDurationNs, maxDurationNs } = search;
  if (minDurationNs === 0 && maxDurationNs === 0) return true;
  // As a record has them: both ends are rounded before the one is taken from the other.
  const [endSeconds, endNanoseconds] = toHrTime(Math.max(startUnixMs, endUnixMs));
  const durationNs = (endSeconds - seconds) * NANOSECONDS_PER_SECOND + endNanoseconds - nanoseconds;
  return durationNs >= minDurationNs && (maxDurationNs === 0 || durationNs <= maxDurationNs);
}

function hasTag(span: SpanRecord, shown: ReturnType<typeof stateTags>, key: string, wanted: string): boolean {
  if (isOf(span.fields.attributes, key, wanted) || isOf(span.origin.resource.attributes, key, wanted))
    return true;
  if (shown.some(([name, value]) => name === key && String(value) === wanted)) return true;
  // There is no such tag on a span without an error, but somebody asks for those spans.
  if (key === "error" && wanted === "false") return !shown.some(([name]) => name === "error");
  return span.fields.events.some(
    ({ name, attributes }) => isOf(attributes, key, wanted) || (key === "event" && name === wanted),
  );
}

/** Own properties only: a key may read `constructor`. */
function isOf(attributes: Readonly<Record<string, unknown>>, key: string, wanted: string): boolean {
  if (!Object.hasOwn(attributes, key)) return false;
  const value = attributes[key];
  return value !== undefined && tagText(value) === wanted;
}
