/**
 * From a context to the header lines that carry it. The only writer of context headers.
 *
 * Written by concatenation, for it runs once or twice in every request (bench/propagation.bench.ts).
 * Not here: removing what was there before (trace-fields.ts), and who is given a context (proxy/).
 */

import { formatB3, formatB3Multi } from "./b3.ts";
import type { Format, TraceContext } from "./context.ts";
import { formatUberTraceId } from "./jaeger.ts";
import { formatTraceparent } from "./w3c.ts";

/**
 * Writes the context in every listed format, names in lower case.
 *
 * @param formats as configured; one that is listed twice is written twice
 * @returns the lines, each with its `\r\n`; "" for no format. `tracestate` only with w3c, and only when it has
 * a member.
 */
export function formatContextLines(formats: readonly Format[], context: TraceContext): string {
  let lines = "";
  for (const format of formats) lines += formatLines(format, context);
  return lines;
}

function formatLines(format: Format, context: TraceContext): string {
  switch (format) {
    case "w3c": {
      const parent = "traceparent: " + formatTraceparent(context) + "\r\n";
      return context.traceState === "" ? parent : parent + "tracestate: " + context.traceState + "\r\n";
    }
    case "jaeger":
      return "uber-trace-id: " + formatUberTraceId(context) + "\r\n";
    case "b3":
      return "b3: " + formatB3(context) + "\r\n";
    case "b3multi": {
      const { traceId, spanId, sampled } = formatB3Multi(context);
      return `x-b3-traceid: ${traceId}\r\nx-b3-spanid: ${spanId}\r\nx-b3-sampled: ${sampled}\r\n`;
    }
  }
}
