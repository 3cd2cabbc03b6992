/**
 * Encoded spans as plain data, which structured cloning keeps as it is, so that another process can have them
 * (https://developer.mozilla.org/en-US/docs/Web/API/Web_Workers_API/Structured_clone_algorithm).
 *
 * Their bytes are copied, not read. What many share, their origin, goes over once.
 */

import { EncodedSpan } from "./encoded-span.ts";
import { addOrigins, numberOf, type PlainOrigin, toPlainOrigins } from "./plain-origin.ts";
import type { SpanOrigin } from "./record.ts";

export interface EncodedBatch {
  /** Those that the other side doesn't know yet, in the order of their numbers. */
  readonly origins: readonly PlainOrigin[];
  /** In the order of their bytes; `bytes` is how many are its own. */
  readonly spans: readonly { readonly origin: number; readonly traceId: string; readonly bytes: number }[];
  readonly bytes: Uint8Array;
}

/** @param known origins that the other side has been told of, in order; new ones are added */
export function toEncodedBatch(spans: readonly EncodedSpan[], known: SpanOrigin[]): EncodedBatch {
  const before = known.length;
  const plain = spans.map(({ origin, traceId, start, end }) => {
    return { origin: numberOf(origin, known), traceId, bytes: end - start };
  });
  const bytes = Buffer.concat(spans.map(({ page, start, end }) => page.subarray(start, end)));
  return { origins: toPlainOrigins(known, before), spans: plain, bytes };
}

/** @param known the other side's list; readers group by the identity of an origin, so each is built once */
export function fromEncodedBatch(
  { origins, spans, bytes }: EncodedBatch,
  known: SpanOrigin[],
): EncodedSpan[] {
  addOrigins(origins, known);
  const page = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let start = 0;
  return spans.flatMap(({ origin: index, traceId, bytes: length }) => {
    const origin = known[index];
    const end = start + length;
    const span = origin === undefined ? [] : [new EncodedSpan(origin, traceId, page, start, end)];
    start = end;
    return span;
  });
}
