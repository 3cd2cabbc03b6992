/**
 * The bounded queue between the proxy and one exporter: collects finished spans, hands them over in batches,
 * tries again what can be tried again, and drops and counts the rest. A slow or dead back end costs spans, never traffic.
 *
 *   onEnd ──► pending (capacity; full: the new span is dropped) ──► one batch in flight ──► exporter
 *              a batch is due after intervalMs, at once when batchSpans wait        └─ waits and tries again
 *
 * One batch is taken per turn of the event loop, never inside onEnd, so encoding stalls a request for one batch at
 * most. Model: OpenTelemetry's batching processor (https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor),
 * whose drops are silent. Not here: retries (delivery.ts), encoding and transport (the
 * exporter's), metric names (given in).
 */

import type { SpanSink } from "../span/record.ts";
import { type BatchExporter, createDelivery, type DeliveryTools } from "./delivery.ts";
import { withTimeout } from "./with-timeout.ts";

/** Spans: some seconds of a busy server; 7 MB when full (measured). */
const CAPACITY_DEFAULT = 8192;
/** Spans: about 400 kB, and 2 ms of encoding. */
const BATCH_SPANS_DEFAULT = 512;
/** Soon enough to look at a trace by hand. */
const INTERVAL_MS_DEFAULT = 1000;

/** What an exporter may take to close, once all is sent or given up. */
const SHUTDOWN_TIMEOUT_MS = 1000;

export interface BatchQueueOptions {
  /** The exporter's name, for the log. */
  readonly name: string;
  /** Spans that may wait; 8,192 unless set. */
  readonly capacity?: number;
  /** Spans of a batch; 512 unless set. */
  readonly batchSpans?: number | undefined;
  /** How long a span waits for others; 1,000 unless set. */
  readonly intervalMs?: number;
}

export interface BatchQueue<Span> extends SpanSink<Span> {
  /** How much of its room is taken, 0 to 1. */
  fullness(): number;
  /** Since when spans wait of which the back end has taken none, on the monotonic clock; undefined: none wait. */
  waitingSinceMs(): number | undefined;
  /**
   * Takes no more spans, sends what waits, then shuts the exporter down. Resolves when all is sent, or after
   * `timeoutMs` (and a second for the exporter): what is left by then counts as dropped. Never rejects.
   */
  stop(timeoutMs: number): Promise<void>;
}

/**
 * Nothing runs until the first span; timers don't keep the process alive.
 *
 * @param exporter ours, or any of OpenTelemetry's; called again when it gave its result, or gave none for a minute
 */
export function startBatchQueue<Span>(
  exporter: BatchExporter<Span>,
  tools: DeliveryTools,
  options: BatchQueueOptions,
): BatchQueue<Span> {
  const { counters, log } = tools;
  const capacity = options.capacity ?? CAPACITY_DEFAULT;
  const batchSpans = Math.min(options.batchSpans ?? BATCH_SPANS_DEFAULT, capacity);
  const intervalMs = options.intervalMs ?? INTERVAL_MS_DEFAULT;
  let waitingSinceMs: number | undefined;
  const delivery = createDelivery(
    exporter,
    {
      ...tools,
      counters: {
        ...counters,
        exported(spans) {
          waitingSinceMs = tools.clock.monotonicMs();
          counters.exported(spans);
        },
      },
    },
    options.name,
  );
  const pending: Span[] = [];
  let inFlight = 0;
  let due: NodeJS.Timeout | undefined;
  let stopping: Promise<void> | undefined;
  let onDrained: (() => void) | undefined;

  function schedule(delayMs: number): void {
    clearTimeout(due);
    due = setTimeout(() => void exportBatch(), delayMs).unref();
  }

  async function exportBatch(): Promise<void> {
    due = undefined;
    const batch = pending.splice(0, batchSpans);
    inFlight = batch.length;
    counters.queueLength(pending.length);
    if (batch.length > 0) await delivery.deliver(batch);
    inFlight = 0;
    if (pending.length === 0) waitingSinceMs = undefined;
    if (pending.length === 0) onDrained?.();
    else schedule(pending.length >= batchSpans || stopping !== undefined ? 0 : intervalMs);
  }

  async function drain(timeoutMs: number): Promise<void> {
    const drained = new Promise<void>((resolve) => {
      onDrained = resolve;
    });
    if (inFlight === 0) schedule(0);
    else delivery.hurry();
    await withTimeout(drained, timeoutMs);
    const lost = pending.length + inFlight;
    if (lost > 0) {
      delivery.abandon();
      pending.length = 0;
      counters.queueLength(0);
      counters.dropped("shutdown", lost);
      log.warn("spans dropped at stop", { exporter: options.name, spans: lost });
    }
    await withTimeout(shutdown(exporter), SHUTDOWN_TIMEOUT_MS);
  }

  return {
    onEnd(span) {
      if (stopping !== undefined) return counters.dropped("shutdown", 1);
      if (pending.length >= capacity) return counters.dropped("queue_full", 1);
      pending.push(span);
      waitingSinceMs ??= tools.clock.monotonicMs();
      counters.queueLength(pending.length);
      if (inFlight > 0) return; // exportBatch looks at the queue when it is done.
      if (pending.length === batchSpans) schedule(0);
      else if (due === undefined) schedule(intervalMs);
    },
    fullness: () => pending.length / capacity,
    waitingSinceMs: () => waitingSinceMs,
    stop: (timeoutMs) => (stopping ??= drain(timeoutMs)),
  };
}

async function shutdown(exporter: Pick<BatchExporter<unknown>, "shutdown">): Promise<void> {
  try {
    await exporter.shutdown();
  } catch {
    // All spans are counted by now, and the process is about to end: there is nothing left to do about it.
  }
}
