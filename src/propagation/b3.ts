/**
 * B3, the headers of Zipkin: one `b3`, or `x-b3-traceid`, `x-b3-spanid` and `x-b3-sampled`.
 *
 * Format: https://github.com/openzipkin/b3-propagation
 * Debug (`d`) never counts (contract, rule 5): a context with it is one that is not sampled, and is told as `debug`.
 * Not here: `x-b3-parentspanid`, which says nothing that the span id does not, and `x-b3-flags`.
 */

import { detach } from "../core/text.ts";
import type { Refusal, TraceContext } from "./context.ts";
import { refuseId } from "./header-text.ts";

/** `{32}-{16}-{1}-{16}` */
const VALUE_LENGTH_MAX = 68;

const TRACE_ID_DIGITS = 32;
const SHORT_TRACE_ID_DIGITS = 16;
const SPAN_ID_DIGITS = 16;

/** The values of the lines of the multiple-header form; undefined where there is no such line. */
interface B3Lines {
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  readonly sampled: string | undefined;
}

/**
 * Reads `{trace-id}-{span-id}-{sampling-state}-{parent-span-id}`, the last two of them optional.
 *
 * @param value as received, without the white space around it
 * @returns the context; undefined for a sampling state alone (`0`, `1`, `d`), which is valid and carries no
 * context; or why there is none. Never throws: the value is the peer's.
 */
export function parseB3(value: string): TraceContext | Refusal | undefined {
  if (value === "0" || value === "1" || value === "d") return undefined;
  if (value.length > VALUE_LENGTH_MAX) return "length";
  const [traceId, spanId, state, parentId, ...rest] = value.split("-");
  if (traceId === undefined || spanId === undefined || rest.length > 0) return "fields";
  if (parentId !== undefined) {
    if (parentId.length !== SPAN_ID_DIGITS) return "length";
    if (refuseId(parentId) === "hex") return "hex";
  }
  if (state === "true" || state === "false") return "flags"; // Only the multiple-header form ever had these.
  return contextFrom(traceId, spanId, state);
}

/**
 * Reads the multiple-header form.
 *
 * @returns the context; undefined where no line, or the sampling state alone, was sent; or why there is none.
 * Never throws: the values are the peer's.
 */
export function parseB3Multi(lines: B3Lines): TraceContext | Refusal | undefined {
  const { traceId, spanId, sampled } = lines;
  if (traceId === undefined && spanId === undefined) {
    return sampled === undefined || readSamplingState(sampled) !== undefined ? undefined : "flags";
  }
  if (traceId === undefined || spanId === undefined) return "fields";
  return contextFrom(traceId, spanId, sampled);
}

/** Writes `{trace-id}-{span-id}-{0|1}`. */
export function formatB3(context: TraceContext): string {
  return context.traceId + "-" + context.spanId + (context.isSampled ? "-1" : "-0");
}

/** Writes the values of the multiple-header form. */
export function formatB3Multi(context: TraceContext): Readonly<Record<keyof B3Lines, string>> {
  return { traceId: context.traceId, spanId: context.spanId, sampled: context.isSampled ? "1" : "0" };
}

function contextFrom(
  traceDigits: string,
  spanDigits: string,
  state: string | undefined,
): TraceContext | Refusal {
  if (traceDigits.length !== TRACE_ID_DIGITS && traceDigits.length !== SHORT_TRACE_ID_DIGITS) return "length";
  if (spanDigits.length !== SPAN_ID_DIGITS) return "length";
  const refusal = refuseId(traceDigits) ?? refuseId(spanDigits);
  if (refusal !== undefined) return refusal;
  // No state is "defer": the receiver decides, and so it is nobody's wish.
  const isSampled = state === undefined ? false : readSamplingState(state);
  if (isSampled === undefined) return "flags";
  return {
    traceId: detach(traceDigits).padStart(TRACE_ID_DIGITS, "0"),
    spanId: detach(spanDigits),
    isSampled,
    isRandom: false,
    traceState: "",
    ...(state === undefined ? DEFERRED : state === "d" ? DEBUG : undefined),
  };
}

const DEFERRED = { wish: "none" } as const;
const DEBUG = { wish: "debug" } as const;

/** `true` and `false` were sent by tracers older than the format, which lets a reader take them. */
function readSamplingState(state: string): boolean | undefined {
  if (state === "1" || state === "true") return true;
  return state === "0" || state === "d" || state === "false" ? false : undefined;
}
