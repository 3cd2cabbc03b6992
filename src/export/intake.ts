/**
 * Where the proxy's spans come in: each is encoded once, for all that keep bytes (OTLP's queues, the built-in store), and made
 * into a record once, for all others, if there are any.
 *
 * With no sink at all spans go nowhere and nothing is counted as dropped: an operator who configured no exporter lost nothing.
 */

import type { EncodedSpan } from "../span/encoded-span.ts";
import type { SpanOrigin, SpanSink } from "../span/record.ts";
import { draftToRecord, type SpanIntake } from "../span/span-draft.ts";
import { createSpanEncoder } from "../span/span-encoder.ts";

export interface Sinks {
  readonly records: readonly SpanSink[];
  readonly encoded: readonly SpanSink<EncodedSpan>[];
}

/** @param sinks each keeps the promise of SpanSink, so one can't keep a span from the next */
export function createIntake(origin: SpanOrigin, { records, encoded }: Sinks): SpanIntake {
  const encoder = createSpanEncoder(origin);
  return {
    take(draft) {
      if (encoded.length > 0) {
        const span = encoder.encode(draft);
        for (const sink of encoded) sink.onEnd(span);
      }
      if (records.length > 0) {
        const record = draftToRecord(origin, draft);
        for (const sink of records) sink.onEnd(record);
      }
    },
  };
}
