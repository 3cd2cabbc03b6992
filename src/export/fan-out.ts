/**
 * One sink in front of several: each configured exporter's queue, the built-in store.
 *
 * With none, spans go nowhere and nothing is counted as dropped: an operator who configured no exporter lost nothing.
 */

import type { SpanSink } from "../span/record.ts";

/** @param sinks each keeps the promise of SpanSink, so one can't keep a span from the next */
export function createFanOut(sinks: readonly SpanSink[]): SpanSink {
  const [only, ...others] = sinks;
  if (only !== undefined && others.length === 0) return only;
  return {
    onEnd(span) {
      for (const sink of sinks) sink.onEnd(span);
    },
  };
}
