/** From `sampling.tail` to the buffer that holds unsampled requests' spans, and what becomes of those that are kept. A part of the composition root (app.ts). */

import type { Config } from "./config/merge.ts";
import type { Clock } from "./core/clock.ts";
import { createTailMetrics } from "./metrics/sampling-metrics.ts";
import type { Registry } from "./metrics/registry.ts";
import { createBuckets } from "./sampling/buckets.ts";
import { createCeiling } from "./sampling/ceiling.ts";
import { keptRecord } from "./span/kept-span.ts";
import type { SpanRecord } from "./span/record.ts";
import { createTailBuffer, type TailBuffer } from "./store/tail-buffer.ts";

interface TailTools {
  readonly clock: Clock;
  readonly registry: Registry;
  /** Processes that share it. */
  readonly workers: number;
}

/** @param onKept is given each span that is kept, as one that is sampled */
export function createTail(
  tail: NonNullable<Config["sampling"]["tail"]>,
  { clock, registry, workers }: TailTools,
  onKept: (record: SpanRecord) => void,
): TailBuffer {
  const ceiling = createCeiling(tail.maxPerSecond, createBuckets({ share: 1 / workers }));
  const buffer: TailBuffer = createTailBuffer(
    {
      ...tail,
      spansMax: Math.ceil(tail.spansMax / workers),
      bytesMax: Math.ceil(tail.bytesMax / workers),
    },
    {
      clock,
      counters: createTailMetrics(registry, { spans: () => buffer.spans(), bytes: () => buffer.bytes() }),
      onKept: (span, reason) => onKept(keptRecord(span, `tail_${reason}`)),
      takeToken: (nowMs, isKnown) => ceiling.take(isKnown, nowMs),
    },
  );
  return buffer;
}
