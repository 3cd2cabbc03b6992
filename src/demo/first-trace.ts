/** The first trace of the demo, span by span, for the terminal; and how many spans there were in all. */

import type { SpanRecord, SpanSink } from "../span/record.ts";

/** Of the trace that is printed: send, receive, ask for the key, be asked. */
const SPANS_OF_A_TRACE = 4;

export interface FirstTrace extends SpanSink {
  /** Resolves when all spans of the first trace have ended. */
  readonly isWhole: Promise<void>;
  spans(): readonly SpanRecord[];
  total(): number;
}

/** Keeps the spans of the first trace, counts the others. */
export function createFirstTrace(): FirstTrace {
  const spans: SpanRecord[] = [];
  let total = 0;
  let finish: () => void = () => undefined;
  const isWhole = new Promise<void>((resolve) => {
    finish = resolve;
  });
  return {
    isWhole,
    spans: () => spans,
    total: () => total,
    onEnd(span) {
      total++;
      const [first] = spans;
      if (first !== undefined && first.fields.context.traceId !== span.fields.context.traceId) return;
      if (spans.length < SPANS_OF_A_TRACE) spans.push(span);
      if (spans.length === SPANS_OF_A_TRACE) finish();
    },
  };
}
