/**
 * Encoded spans as plain data, which structured cloning keeps as it is, so that another process can have them
 * (https://developer.mozilla.org/en-US/docs/Web/API/Web_Workers_API/Structured_clone_algorithm).
 *
 * Their bytes are copied, not read. What many share, their origin, goes over once.
 */

import type { Attributes } from "@opentelemetry/api";
import type { InstrumentationScope } from "@opentelemetry/core";
import { EncodedSpan } from "./encoded-span.ts";
import type { SpanOrigin } from "./record.ts";
import { createResource } from "./resource.ts";

/** An origin without its methods. */
interface PlainOrigin {
  readonly attributes: Attributes;
  readonly schemaUrl: string | undefined;
  readonly scope: InstrumentationScope;
}

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
    const index = known.indexOf(origin);
    return { origin: index === -1 ? known.push(origin) - 1 : index, traceId, bytes: end - start };
  });
  const origins = known.slice(before).map(({ resource, scope }) => {
    return { attributes: resource.attributes, schemaUrl: resource.schemaUrl, scope };
  });
  const bytes = Buffer.concat(spans.map(({ page, start, end }) => page.subarray(start, end)));
  return { origins, spans: plain, bytes };
}

/** @param known the other side's list; readers group by the identity of an origin, so each is built once */
export function fromEncodedBatch(
  { origins, spans, bytes }: EncodedBatch,
  known: SpanOrigin[],
): EncodedSpan[] {
  for (const { attributes, schemaUrl, scope } of origins) {
    known.push({ resource: createResource(attributes, schemaUrl), scope });
  }
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
