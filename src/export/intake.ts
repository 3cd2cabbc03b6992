/**
 * Where the proxy's spans come in: each is encoded once, for all that keep bytes (OTLP's queues, the built-in store), and made
 * into a record once, for all others, if there are any.
 *
 * Not within the request: the event loop hands over what has come from all sockets, one request after the other, and only
 * then are their spans made, all in one go. So no answer waits for its span, and the code that makes them is still in the
 * processor's caches from the one before (bench/RESULTS.md).
 *
 * With no sink at all spans go nowhere and nothing is counted as dropped: an operator who configured no exporter lost nothing.
 */

import type { EncodedSpan } from "../span/encoded-span.ts";
import type { SpanOrigin, SpanRecord, SpanSink } from "../span/record.ts";
import { draftToRecord, type SpanDraft, type SpanIntake } from "../span/span-draft.ts";
import { createSpanEncoder } from "../span/span-encoder.ts";

export interface Sinks {
  readonly records: readonly SpanSink[];
  readonly encoded: readonly SpanSink<EncodedSpan>[];
  /** Where spans of requests go that were not sampled; undefined: nowhere, and none are made. */
  readonly unsampled?: ((span: EncodedSpan, facts: UnsampledFacts) => void) | undefined;
}

/** As store/tail-buffer.ts has them. */
interface UnsampledFacts {
  readonly isError: boolean;
  readonly durationMs: number;
  readonly isKnown: boolean;
}

export interface Intake extends SpanIntake {
  /** One that was not sampled at first goes where all go. */
  keep(record: SpanRecord): void;
  /** Hands over what waits for the end of this turn. */
  flush(): void;
}

/** Spans made in one go, some 0.3 ms: requests of the next turn wait for it. */
const TURN_SPANS_MAX = 128;

/** @param sinks each keeps the promise of SpanSink, so one can't keep a span from the next */
export function createIntake(origin: SpanOrigin, { records, encoded, unsampled }: Sinks): Intake {
  const encoder = createSpanEncoder(origin);
  let waiting: SpanDraft[] = [];

  function hand(draft: SpanDraft): void {
    if (!draft.context.isSampled) {
      const { error, startUnixMs, endUnixMs, isKnown } = draft;
      unsampled?.(encoder.encode(draft), {
        isError: error !== undefined,
        durationMs: endUnixMs - startUnixMs,
        isKnown,
      });
      return;
    }
    if (encoded.length > 0) {
      const span = encoder.encode(draft);
      for (const sink of encoded) sink.onEnd(span);
    }
    if (records.length > 0) {
      const record = draftToRecord(origin, draft);
      for (const sink of records) sink.onEnd(record);
    }
  }

  function flush(): void {
    const drafts = waiting;
    waiting = [];
    for (const draft of drafts) hand(draft);
  }

  return {
    takesUnsampled: unsampled !== undefined,
    keep(record) {
      if (encoded.length > 0) {
        const span = encoder.encodeRecord(record);
        for (const sink of encoded) sink.onEnd(span);
      }
      for (const sink of records) sink.onEnd(record);
    },
    take(draft) {
      const count = waiting.push(draft);
      if (count === 1) setImmediate(flush);
      else if (count >= TURN_SPANS_MAX) flush();
    },
    flush,
  };
}
