/**
 * From the context headers of a request to the one context that becomes the parent.
 *
 * Rule: docs contract, section 3, rule 3. The first valid context in the order of the formats wins; what is
 * malformed counts as absent and is reported, for all formats, so that the counters do not depend on the order.
 * Not here: who may send a context (proxy/), and finding and removing the headers (http1/, trace-fields.ts).
 */

import { parseB3, parseB3Multi } from "./b3.ts";
import type { Format, Refusal, TraceContext } from "./context.ts";
import { parseUberTraceId } from "./jaeger.ts";
import { parseTraceparent, parseTracestate } from "./w3c.ts";

/** The headers, in lower case, whose values are read. All other trace headers are only removed. */
export const CONTEXT_FIELDS = [
  "traceparent",
  "tracestate",
  "uber-trace-id",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-sampled",
] as const;

export type ContextField = (typeof CONTEXT_FIELDS)[number];

/** For each header the values of its lines, in order, without the white space around them. A Map is one. */
export interface ContextLines {
  /** Headers that have a line. */
  readonly size: number;
  get(field: ContextField): readonly string[] | undefined;
}

interface ContextRefusal {
  readonly format: Format;
  readonly reason: Refusal;
}

export interface Extraction {
  readonly context: TraceContext | undefined;
  /** The format that the context came in; undefined where there is none. */
  readonly format: Format | undefined;
  /** What was sent and was malformed, of the listed formats; empty where all was absent or valid. */
  readonly refusals: readonly ContextRefusal[];
}

/** A context, why there is none, or nothing was sent. */
type Outcome = TraceContext | Refusal | undefined;

const NO_REFUSALS: Extraction["refusals"] = [];
const NO_LINES: readonly string[] = [];
const NOTHING: Extraction = { context: undefined, format: undefined, refusals: [] };

/**
 * Picks the parent out of what a request carries. Never throws.
 *
 * `b3` and `b3multi` each read both shapes, the single header first. `tracestate` is read only where the
 * `traceparent` beside it became the parent; when it is refused, that context stays.
 *
 * @param formats in order of preference
 */
export function extractContext(formats: readonly Format[], values: ContextLines): Extraction {
  if (values.size === 0) return NOTHING;
  let refusals = NO_REFUSALS;
  let context: TraceContext | undefined;
  let winner: Format | undefined;
  let isB3Read = false;

  for (const format of formats) {
    const isB3 = format === "b3" || format === "b3multi";
    if (isB3 && isB3Read) continue; // Both are listed: the same lines must not be refused twice.
    isB3Read ||= isB3;
    // Each shape of the format; the preferred one first. No list of them: this is run for every request.
    for (let shape = 0; shape < (isB3 ? 2 : 1); shape++) {
      const outcome = shape === 0 ? readFirstShape(format, values) : readMultiLines(values);
      if (typeof outcome === "string") {
        refusals = [...refusals, { format, reason: outcome }];
      } else if (outcome !== undefined && context === undefined) {
        context = outcome;
        winner = format;
      }
    }
  }

  const stateLines = values.get("tracestate");
  if (context !== undefined && winner === "w3c" && stateLines !== undefined) {
    const state = parseTracestate(stateLines);
    if (typeof state === "string") refusals = [...refusals, { format: winner, reason: state }];
    else context = { ...context, traceState: state.traceState };
  }
  return { context, format: winner, refusals };
}

function readFirstShape(format: Format, values: ContextLines): Outcome {
  switch (format) {
    case "w3c":
      return parseOnlyLine(values.get("traceparent"), parseTraceparent);
    case "jaeger":
      return parseOnlyLine(values.get("uber-trace-id"), parseUberTraceId);
    case "b3":
    case "b3multi":
      return parseOnlyLine(values.get("b3"), parseB3);
  }
}

/** Which of several lines counts differs from reader to reader: none does. */
function parseOnlyLine(lines: readonly string[] | undefined, parse: (value: string) => Outcome): Outcome {
  const value = lines?.[0];
  if (lines === undefined || value === undefined) return undefined;
  return lines.length > 1 ? "repeated" : parse(value);
}

function readMultiLines(values: ContextLines): Outcome {
  const traceIds = values.get("x-b3-traceid") ?? NO_LINES;
  const spanIds = values.get("x-b3-spanid") ?? NO_LINES;
  const sampled = values.get("x-b3-sampled") ?? NO_LINES;
  if (traceIds.length > 1 || spanIds.length > 1 || sampled.length > 1) return "repeated";
  return parseB3Multi({ traceId: traceIds[0], spanId: spanIds[0], sampled: sampled[0] });
}
