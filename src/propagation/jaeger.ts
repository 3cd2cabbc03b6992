/**
 * `uber-trace-id`, the header of the Jaeger clients.
 *
 * Format: https://www.jaegertracing.io/docs/1.52/client-libraries/#propagation-format
 * Not here: `uberctx-*` and `jaeger-baggage`, which never enter a context, and `jaeger-debug-id`, which like the debug
 * flag never counts (contract, rule 5); and no percent-decoding but that of the colon: decodeURIComponent
 * throws on `%ZZ`, and the published propagator died of it (CVE-2026-59892).
 */

import { detach } from "../core/text.ts";
import type { Refusal, TraceContext } from "./context.ts";
import { isLowerHex, refuseId } from "./header-text.ts";

/** 32 + 16 + 16 + 2 hex digits and three colons, each as `%3A`. */
const VALUE_LENGTH_MAX = 75;

const TRACE_ID_DIGITS = 32;
const SPAN_ID_DIGITS = 16;
const FLAG_DIGITS_MAX = 2;
const FLAG_SAMPLED = 0x01;
const FLAG_DEBUG = 0x02;

/**
 * Reads `{trace-id}:{span-id}:{parent-id}:{flags}`.
 *
 * Ids come in either case and without their leading zeros: they are padded, as the format asks. The parent id
 * must be one, as Jaeger's Go client asks, and is then not used: the format calls it deprecated.
 *
 * @param value as received, without the white space around it; colons may be percent-encoded
 * @returns the context, or why there is none. Never throws: the value is the peer's.
 */
export function parseUberTraceId(value: string): TraceContext | Refusal {
  if (value.length > VALUE_LENGTH_MAX) return "length";
  const text = detach(value.includes("%") ? value.replaceAll(/%3a/gi, ":") : value).toLowerCase();
  const traceEnd = text.indexOf(":");
  const spanEnd = text.indexOf(":", traceEnd + 1);
  const parentEnd = text.indexOf(":", spanEnd + 1);
  if (traceEnd < 1 || spanEnd <= traceEnd + 1 || parentEnd <= spanEnd + 1) return "fields";
  if (text.includes(":", parentEnd + 1)) return "fields";

  const traceId = text.slice(0, traceEnd).padStart(TRACE_ID_DIGITS, "0");
  const spanId = text.slice(traceEnd + 1, spanEnd).padStart(SPAN_ID_DIGITS, "0");
  const parentId = text.slice(spanEnd + 1, parentEnd);
  if (traceId.length > TRACE_ID_DIGITS || spanId.length > SPAN_ID_DIGITS) return "length";
  if (parentId.length > SPAN_ID_DIGITS) return "length";
  const refusal = refuseId(traceId) ?? refuseId(spanId);
  if (refusal !== undefined) return refusal;
  if (!isLowerHex(parentId)) return "hex";

  const flags = text.slice(parentEnd + 1);
  if (flags.length < 1 || flags.length > FLAG_DIGITS_MAX || !isLowerHex(flags)) return "flags";
  const bits = Number.parseInt(flags, 16);
  return {
    traceId,
    spanId,
    isSampled: (bits & FLAG_SAMPLED) !== 0,
    isRandom: false,
    traceState: "",
    ...((bits & FLAG_DEBUG) === 0 ? undefined : DEBUG),
  };
}

const DEBUG = { wish: "debug" } as const;

/** Writes full ids, a parent id of 0 and the sampled flag alone. */
export function formatUberTraceId(context: TraceContext): string {
  return context.traceId + ":" + context.spanId + (context.isSampled ? ":0:1" : ":0:0");
}
