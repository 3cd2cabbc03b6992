/**
 * Spans that wait to be asked for, bounded in spans, bytes and pages; the oldest go first, whatever trace they are of.
 *
 * ```
 *   oldest ◄──► … ◄──► … ◄──► newest       all that are held, in the order they ended
 *     │ first of its trace    ▲
 *     └───── nextOfTrace ─────┘            those of one trace, in the same order
 * ```
 * So one goes, and a whole trace is taken out, without looking at any other: a microsecond for each request that nobody
 * sampled is all that this may cost. Not here: which traces are asked for, and when (tail-buffer.ts).
 */

import { type EndedSpan, PAGE_BYTES } from "../span/encoded-span.ts";
import { createHeldPages } from "./held-pages.ts";
import { estimateSpanBytes, TRACE_BYTES } from "./span-bytes.ts";

/** A trace may hold a quarter, or a peer that repeats one id would push out all others. */
const TRACE_SHARE = 4;

/** As recent-store.ts has it: spans that come one after the other fill their pages, but for the first and the last. */
const PARTIAL_PAGES = 2;

/** Its place in both lists. */
const PLACE_BYTES = 90;

export interface HeldSpansOptions {
  readonly spansMax: number;
  /** Bytes, as they are estimated (span-bytes.ts); the pages that encoded spans stand in may take as much. */
  readonly bytesMax: number;
}

/** `expired`: nobody asked in time. `evicted`: made room for others. `rate`: its trace was asked for, beyond the rate. */
export type HeldDropReason = "expired" | "evicted" | "rate";

export interface HeldSpans {
  spans(): number;
  /** As estimated. */
  bytes(): number;
  /**
   * The newest from now on. Makes room; what is too large by itself is not held.
   *
   * @param isRefused its trace was asked for beyond the rate: all of its spans that go from now on go for that reason
   */
  keep(span: EndedSpan, nowMs: number, isRefused: boolean): void;
  /** Spans of a trace in the order they ended; they are held no longer. */
  takeTrace(traceId: string): readonly EndedSpan[];
  /** Forgets what came at this time or before. */
  expire(untilMs: number): void;
}

interface Held {
  readonly span: EndedSpan;
  readonly bytes: number;
  readonly keptAtMs: number;
  readonly trace: HeldTrace;
  older: Held | undefined;
  newer: Held | undefined;
  nextOfTrace: Held | undefined;
}

interface HeldTrace {
  /** Undefined only before the first and after the last. */
  first: Held | undefined;
  last: Held | undefined;
  spans: number;
  bytes: number;
  isRefused: boolean;
}

/** @param dropped is told of each span that went without being taken */
export function createHeldSpans(
  { spansMax, bytesMax }: HeldSpansOptions,
  dropped: (why: HeldDropReason, spans: number) => void,
): HeldSpans {
  const traceSpansMax = Math.max(1, Math.floor(spansMax / TRACE_SHARE));
  const traceBytesMax = bytesMax / TRACE_SHARE;
  const pageBytesMax = bytesMax + PARTIAL_PAGES * PAGE_BYTES;
  const traces = new Map<string, HeldTrace>();
  const pages = createHeldPages();
  let oldest: Held | undefined;
  let newest: Held | undefined;
  let spanCount = 0;
  let byteCount = 0;

  function hasRoom(span: EndedSpan, bytes: number): boolean {
    if (spanCount >= spansMax || byteCount + TRACE_BYTES + bytes > bytesMax) return false;
    return pages.bytes + pages.growthBy(span) <= pageBytesMax;
  }

  /** Out of the list of all. It leads nowhere then: one that is garbage, but old, would keep younger ones from being collected. */
  function unlink(held: Held): void {
    const { older, newer } = held;
    if (older === undefined) oldest = newer;
    else older.newer = newer;
    if (newer === undefined) newest = older;
    else newer.older = older;
    held.older = undefined;
    held.newer = undefined;
    spanCount -= 1;
    byteCount -= held.bytes;
    pages.letGo(held.span);
  }

  /** @param held the first of its trace, as the oldest of all is too */
  function drop(held: Held, why: HeldDropReason): void {
    const { trace, span } = held;
    unlink(held);
    trace.first = held.nextOfTrace;
    held.nextOfTrace = undefined;
    trace.spans -= 1;
    trace.bytes -= held.bytes;
    if (trace.first === undefined) forgetTrace(span.traceId);
    dropped(trace.isRefused ? "rate" : why, 1);
  }

  function forgetTrace(traceId: string): void {
    traces.delete(traceId);
    byteCount -= TRACE_BYTES;
  }

  function makeRoom(span: EndedSpan, bytes: number): void {
    const trace = traces.get(span.traceId);
    while (
      trace?.first !== undefined &&
      (trace.spans >= traceSpansMax || trace.bytes + bytes > traceBytesMax)
    ) {
      drop(trace.first, "evicted");
    }
    while (oldest !== undefined && !hasRoom(span, bytes)) drop(oldest, "evicted");
  }

  function traceOf(traceId: string): HeldTrace {
    const known = traces.get(traceId);
    if (known !== undefined) return known;
    const trace = { first: undefined, last: undefined, spans: 0, bytes: TRACE_BYTES, isRefused: false };
    traces.set(traceId, trace);
    byteCount += TRACE_BYTES;
    return trace;
  }

  function append(span: EndedSpan, bytes: number, keptAtMs: number): HeldTrace {
    const trace = traceOf(span.traceId);
    const held: Held = {
      span,
      bytes,
      keptAtMs,
      trace,
      older: newest,
      newer: undefined,
      nextOfTrace: undefined,
    };
    if (newest === undefined) oldest = held;
    else newest.newer = held;
    newest = held;
    if (trace.last === undefined) trace.first = held;
    else trace.last.nextOfTrace = held;
    trace.last = held;
    trace.spans += 1;
    trace.bytes += bytes;
    spanCount += 1;
    byteCount += bytes;
    pages.keep(span);
    return trace;
  }

  return {
    keep(span, nowMs, isRefused) {
      const bytes = PLACE_BYTES + estimateSpanBytes(span);
      const why = isRefused ? "rate" : "evicted";
      if (TRACE_BYTES + bytes > traceBytesMax) return dropped(why, 1);
      makeRoom(span, bytes);
      if (!hasRoom(span, bytes)) return dropped(why, 1); // None are allowed at all.
      const trace = append(span, bytes, nowMs);
      trace.isRefused ||= isRefused;
    },
    takeTrace(traceId) {
      const trace = traces.get(traceId);
      if (trace === undefined) return [];
      const spans: EndedSpan[] = [];
      for (let held = trace.first; held !== undefined; held = held.nextOfTrace) {
        unlink(held);
        spans.push(held.span);
      }
      forgetTrace(traceId);
      return spans;
    },
    expire(untilMs) {
      while (oldest !== undefined && oldest.keptAtMs <= untilMs) drop(oldest, "expired");
    },
    spans: () => spanCount,
    bytes: () => byteCount,
  };
}
