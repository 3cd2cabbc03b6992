/**
 * How many spans an OTLP back end refused of a batch that it accepted.
 *
 * ExportTraceServiceResponse { partial_success = 1 { rejected_spans = 1 (int64), error_message = 2 } }:
 * https://opentelemetry.io/docs/specs/otlp/#partial-success-1. The message is the back end's text and not read.
 */

import { findField } from "./protobuf-reader.ts";

const PARTIAL_SUCCESS = 1;
const REJECTED_SPANS = 1;

/** @returns 0 also for bytes that aren't such a message. Never throws: they are the back end's. */
export function parseRejectedSpans(body: Uint8Array): number {
  const partial = findField(body, PARTIAL_SUCCESS)?.content;
  return partial === undefined ? 0 : (findField(partial, REJECTED_SPANS)?.varint ?? 0);
}
