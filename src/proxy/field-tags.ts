/**
 * The one table of header names that a proxied message is scanned for: those of HTTP itself (http1/fields.ts),
 * those that say who is calling, and every trace header (propagation/trace-fields.ts).
 */

import { createFieldTable, FIRST_FREE_TAG, type FieldTable, HTTP_FIELDS } from "../http1/fields.ts";
import { CONTEXT_FIELDS } from "../propagation/extract.ts";
import { type TraceFieldKind, traceFields } from "../propagation/trace-fields.ts";

/** From `TRACE` on, a tag names a trace header of some kind; all of them are cut from requests. */
export const TAG = {
  AUTHORIZATION: FIRST_FREE_TAG,
  PROXY_AUTHORIZATION: FIRST_FREE_TAG + 1,
  SIGNATURE: FIRST_FREE_TAG + 2,
  SIGNATURE_INPUT: FIRST_FREE_TAG + 3,
  USER_AGENT: FIRST_FREE_TAG + 4,
  /** X-Forwarded-For, -Proto, -Host and Forwarded: inbound they are ours to say. */
  FORWARDED: FIRST_FREE_TAG + 5,
  TRACE: FIRST_FREE_TAG + 8,
  BAGGAGE: FIRST_FREE_TAG + 8,
  FORCING: FIRST_FREE_TAG + 9,
  /** Names a trace in an answer. */
  RESPONSE: FIRST_FREE_TAG + 10,
  SERVER_TIMING: FIRST_FREE_TAG + 11,
  /** Names or continues a trace, but is never read. */
  CONTEXT: FIRST_FREE_TAG + 12,
  /** A peer's leave to have its requests recorded (passes/debug-pass.ts); on the way out it goes on to whitelisted peers. */
  DEBUG_PASS: FIRST_FREE_TAG + 13,
  /** From here on: `CONTEXT_FIELDS` by their index; these are read. */
  CONTEXT_READ: FIRST_FREE_TAG + 16,
} as const;

const KIND_TAG: Readonly<Record<TraceFieldKind, number>> = {
  baggage: TAG.BAGGAGE,
  forcing: TAG.FORCING,
  response: TAG.RESPONSE,
  "server-timing": TAG.SERVER_TIMING,
  context: TAG.CONTEXT,
};

/** The header that a debug pass comes in. */
export const DEBUG_PASS_FIELD = "fedtrace-debug-pass";

/** @param removeNames `propagation.remove`: the operator's own names, treated like context headers */
export function createProxyFields(removeNames: readonly string[]): FieldTable {
  const trace = traceFields(removeNames);
  return createFieldTable(
    [
      ...trace.exact.map(({ name, kind }) => [name, KIND_TAG[kind]] as const),
      ...CONTEXT_FIELDS.map((name, index) => [name, TAG.CONTEXT_READ + index] as const),
      [DEBUG_PASS_FIELD, TAG.DEBUG_PASS],
      ...HTTP_FIELDS,
      ["authorization", TAG.AUTHORIZATION],
      ["proxy-authorization", TAG.PROXY_AUTHORIZATION],
      ["signature", TAG.SIGNATURE],
      ["signature-input", TAG.SIGNATURE_INPUT],
      ["user-agent", TAG.USER_AGENT],
      ["forwarded", TAG.FORWARDED],
      ["x-forwarded-for", TAG.FORWARDED],
      ["x-forwarded-proto", TAG.FORWARDED],
      ["x-forwarded-host", TAG.FORWARDED],
    ],
    trace.prefixes.map(({ name, kind }) => [name, KIND_TAG[kind]] as const),
  );
}
