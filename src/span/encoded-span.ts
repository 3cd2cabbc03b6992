/**
 * A span as bytes: what queues and the built-in store hold from the end of a request on.
 *
 * ```
 *   page (64 KiB, outside the garbage collector's heap)
 *   ├─ 0x12 length span ─┼─ 0x12 length span ─┼─ …        field 2 of OTLP's ScopeSpans, once for each span
 *                        start                end
 * ```
 * Records of some thirty objects each, kept for seconds or minutes, were what the garbage collector copied over and over:
 * half of what tracing cost a request (bench/RESULTS.md). Bytes are copied by nobody until they are sent, and a span's are
 * already what an OTLP exporter sends. Who looks at one reads a record out of it again (span-decode.ts).
 */

import { varintBytes } from "../core/protobuf-writer.ts";
import { decodeSpan, readOutline, type SpanOutline } from "./span-decode.ts";
import { type SpanOrigin, SpanRecord } from "./record.ts";

/** Some 90 spans: few enough pages to be no work, small enough that one is given back soon after its spans are. */
export const PAGE_BYTES = 64 * 1024;

/** `ScopeSpans.spans`, length-delimited. */
const SCOPE_SPANS_SPANS = 0x12;

/** What a sink may be given of an ended span, encoded or not. */
export interface EndedSpan {
  readonly origin: SpanOrigin;
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** Name and times, for less than a whole record costs. */
  outline(): SpanOutline;
  /** All of it. An encoded span makes a new one each time. */
  toRecord(): SpanRecord;
}

/** A class because one is made for each sampled request: one shape, some fifty bytes. */
export class EncodedSpan implements EndedSpan {
  readonly origin: SpanOrigin;
  readonly traceId: string;
  readonly page: Buffer;
  /** Where its tag and length stand in the page. */
  readonly start: number;
  readonly end: number;

  constructor(origin: SpanOrigin, traceId: string, page: Buffer, start: number, end: number) {
    this.origin = origin;
    this.traceId = traceId;
    this.page = page;
    this.start = start;
    this.end = end;
  }

  // As OpenTelemetry's spans have them: exporters group by both.
  get resource(): SpanOrigin["resource"] {
    return this.origin.resource;
  }

  get instrumentationScope(): SpanOrigin["scope"] {
    return this.origin.scope;
  }

  outline(): SpanOutline {
    return readOutline(this.page, this.#contentStart(), this.end);
  }

  toRecord(): SpanRecord {
    return new SpanRecord(this.origin, decodeSpan(this.page, this.#contentStart(), this.end));
  }

  /** Behind the tag and the length, whose last byte is the first below 128. */
  #contentStart(): number {
    let at = this.start + 1;
    while ((this.page[at] ?? 0) > 0x7f) at++;
    return at + 1;
  }
}

/** What a span is copied into a page from. */
interface SpanBytes {
  readonly length: number;
  copyTo(target: Buffer, at: number): void;
}

export interface SpanPages {
  /** Takes a span's bytes into the page that is being filled, or the first of a new one. */
  keep(origin: SpanOrigin, traceId: string, span: SpanBytes): EncodedSpan;
}

/** A page lives as long as one of its spans is held by somebody. */
export function createSpanPages(): SpanPages {
  let page = Buffer.alloc(0);
  let used = 0;
  return {
    keep(origin, traceId, span) {
      const { length } = span;
      const start = page.length - used < 1 + varintBytes(length) + length ? startPage(length) : used;
      let at = start;
      page[at++] = SCOPE_SPANS_SPANS;
      let rest = length;
      for (; rest > 0x7f; rest >>>= 7) page[at++] = (rest & 0x7f) | 0x80;
      page[at++] = rest;
      span.copyTo(page, at);
      used = at + length;
      return new EncodedSpan(origin, traceId, page, start, used);
    },
  };

  /** A span that is larger than a page has one of its own. */
  function startPage(spanBytes: number): number {
    page = Buffer.allocUnsafeSlow(Math.max(PAGE_BYTES, 1 + varintBytes(spanBytes) + spanBytes));
    return 0;
  }
}
