/**
 * The built-in store: the spans of recent traces, in memory, bounded; what the trace page and Jaeger's query API show
 * when nothing else is installed.
 *
 * ```
 *   oldest ◄──► … ◄──► newest       traces in the order in which the first span of each ended
 *     └ goes first, whole               └ its spans in the order they ended
 * ```
 * Spans are kept as they come, most of them as the bytes that are exported anyway: a request must not pay for what
 * nobody may ever look at. A trace that went may come again with its later spans: that is a new entry.
 * Not here: searching (search.ts), metric names and defaults (given in), anything on disk.
 */

import { type EndedSpan, PAGE_BYTES } from "../span/encoded-span.ts";
import type { SpanSink } from "../span/record.ts";
import { createHeldPages } from "./held-pages.ts";
import { estimateSpanBytes, TRACE_BYTES } from "./span-bytes.ts";

/**
 * A trace may hold a quarter of the store, and never more spans than can be looked through at once without
 * keeping a request waiting: a peer that is followed may repeat one trace id for ever.
 */
const TRACE_SHARE = 4;
const TRACE_SPANS_MAX = 5000;

/** Beyond `bytesMax`: spans that come one after the other fill their pages, but for the first and the last. */
const PARTIAL_PAGES = 2;

export interface RecentStoreOptions {
  /** Spans; 0 keeps none. */
  readonly spansMax: number;
  /** Bytes, as they are estimated (span-bytes.ts); the pages that encoded spans stand in may take as much (held-pages.ts). */
  readonly bytesMax: number;
}

export interface StoreCounters {
  /** Spans that went with their traces, to make room. */
  evicted(spans: number): void;
  /** Spans that were not kept because their trace has its share of the store. */
  dropped(spans: number): void;
}

/** One that goes is empty from then on and leads nowhere: who still holds it, holds nothing back. */
export interface StoredTrace {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** In the order they ended; grows while the trace is kept. At most 5,000. */
  readonly spans: readonly EndedSpan[];
  /** Undefined at the oldest. */
  readonly older: StoredTrace | undefined;
}

export interface RecentStore extends SpanSink<EndedSpan> {
  /** Spans that are kept now. */
  spans(): number;
  /** What they take, in bytes, as estimated. */
  bytes(): number;
  /** @param traceId 32 lower-case hex digits */
  find(traceId: string): StoredTrace | undefined;
  /** Where a walk over all traces begins. What comes and goes meanwhile neither breaks it nor repeats a trace. */
  newest(): StoredTrace | undefined;
}

interface Entry extends StoredTrace {
  spans: EndedSpan[];
  bytes: number;
  older: Entry | undefined;
  newer: Entry | undefined;
}

export function createRecentStore(counters: StoreCounters, options: RecentStoreOptions): RecentStore {
  const { spansMax, bytesMax } = options;
  const traceSpansMax = Math.min(TRACE_SPANS_MAX, Math.max(1, Math.floor(spansMax / TRACE_SHARE)));
  const traceBytesMax = bytesMax / TRACE_SHARE;
  const pageBytesMax = bytesMax + PARTIAL_PAGES * PAGE_BYTES;
  const entries = new Map<string, Entry>();
  const pages = createHeldPages();
  let oldest: Entry | undefined;
  let newest: Entry | undefined;
  let spanCount = 0;
  let byteCount = 0;

  function evict(entry: Entry): void {
    const spans = entry.spans.length;
    spanCount -= spans;
    byteCount -= entry.bytes;
    entries.delete(entry.traceId);
    oldest = entry.newer;
    if (oldest === undefined) newest = undefined;
    else oldest.older = undefined;
    for (const span of entry.spans) pages.letGo(span);
    entry.spans = [];
    entry.newer = undefined;
    counters.evicted(spans);
  }

  function hasRoom(span: EndedSpan, bytes: number): boolean {
    if (spanCount >= spansMax || byteCount + TRACE_BYTES + bytes > bytesMax) return false;
    return pages.bytes + pages.growthBy(span) <= pageBytesMax;
  }

  function startTrace(traceId: string, span: EndedSpan, spanBytes: number): void {
    const bytes = TRACE_BYTES + spanBytes;
    // Not an empty list: the first push would reserve room for 17, and most traces of one sidecar have one or two.
    const entry: Entry = { traceId, spans: [span], bytes, older: newest, newer: undefined };
    if (newest === undefined) oldest = entry;
    else newest.newer = entry;
    newest = entry;
    entries.set(traceId, entry);
    byteCount += bytes;
  }

  return {
    onEnd(span) {
      if (spansMax === 0) return;
      const { traceId } = span;
      const bytes = estimateSpanBytes(span);
      const known = entries.get(traceId);
      const isTraceFull =
        (known?.spans.length ?? 0) >= traceSpansMax || (known?.bytes ?? TRACE_BYTES) + bytes > traceBytesMax;
      if (isTraceFull) return counters.dropped(1);

      while (oldest !== undefined && !hasRoom(span, bytes)) evict(oldest);
      const entry = entries.get(traceId); // Not `known`: it may have been the oldest.
      if (entry === undefined) startTrace(traceId, span, bytes);
      else {
        entry.spans.push(span);
        entry.bytes += bytes;
        byteCount += bytes;
      }
      pages.keep(span);
      spanCount += 1;
    },
    spans: () => spanCount,
    bytes: () => byteCount,
    find: (traceId) => entries.get(traceId),
    newest: () => newest,
  };
}
