/**
 * One batch on its way to an exporter: sent, tried again where that can help, and counted once, whatever happens.
 *
 * What may be tried again is the exporter's word (outcome.ts), how often and when is backoff.ts. Not here: which spans make a
 * batch and when it is due (batch-queue.ts).
 */

import type { ExportResult } from "@opentelemetry/core";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import { ATTEMPTS_MAX, retryWaitMs } from "./backoff.ts";
import { createHealthLog } from "./health-log.ts";
import { type ExportOutcome, readOutcome } from "./outcome.ts";

/** An exporter that never answers would hold the queue for good; its own time limit is expected to be shorter. */
const EXPORT_TIMEOUT_MS = 60_000;

/** Why spans were lost; the `reason` label of the drop counter. */
type DropReason = "queue_full" | "rejected" | "retries_exhausted" | "shutdown";

/** Where one exporter's numbers go. Called often; must not throw. */
interface ExportCounters {
  exported(spans: number): void;
  dropped(reason: DropReason, spans: number): void;
  /** Spans that wait now, without the batch in flight. */
  queueLength(spans: number): void;
}

export interface DeliveryTools {
  readonly counters: ExportCounters;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
}

/** OpenTelemetry's `SpanExporter`, as far as it is used here; ours may take spans that are encoded already. */
export interface BatchExporter<Span> {
  export(batch: Span[], resultCallback: (result: ExportResult) => void): void;
  shutdown(): Promise<void>;
}

export interface Delivery<Span> {
  /** Never rejects. Ends with every span of the batch counted, unless it was abandoned. One at a time. */
  deliver(batch: Span[]): Promise<void>;
  /** Ends the wait before the next try, if there is one: the back end may be back. */
  hurry(): void;
  /** Gives up for good; from here on nothing is counted, since the caller does. */
  abandon(): void;
}

/** @param name the exporter's, for the log */
export function createDelivery<Span>(
  exporter: BatchExporter<Span>,
  tools: DeliveryTools,
  name: string,
): Delivery<Span> {
  const { counters, clock, log, random } = tools;
  const health = createHealthLog(name, log, clock);
  let isAbandoned = false;
  let endPause: (() => void) | undefined;

  function countExported(spans: number, rejectedSpans: number): void {
    const rejected = Math.min(spans, rejectedSpans);
    counters.exported(spans - rejected);
    if (rejected === 0) return health.succeeded();
    counters.dropped("rejected", rejected);
    health.failed(`${rejected} of ${spans} spans rejected`);
  }

  function pause(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs).unref();
      endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  return {
    async deliver(batch) {
      for (let attempt = 1; ; attempt++) {
        const outcome = await exportOnce(exporter, batch);
        if (isAbandoned) return;
        if (outcome.isExported) return countExported(batch.length, outcome.rejectedSpans);
        health.failed(outcome.reason);
        if (!outcome.isRetryable) return counters.dropped("rejected", batch.length);
        if (attempt >= ATTEMPTS_MAX) return counters.dropped("retries_exhausted", batch.length);
        await pause(retryWaitMs(attempt, outcome.retryAfterMs, random));
        if (isAbandoned) return;
      }
    },
    hurry: () => endPause?.(),
    abandon() {
      isAbandoned = true;
      endPause?.();
    },
  };
}

function exportOnce<Span>(exporter: BatchExporter<Span>, batch: Span[]): Promise<ExportOutcome> {
  return new Promise((resolve) => {
    const fail = (reason: string, isRetryable: boolean): void =>
      resolve({ isExported: false, reason, isRetryable, retryAfterMs: undefined });
    const timer = setTimeout(() => fail(`no result within ${EXPORT_TIMEOUT_MS} ms`, true), EXPORT_TIMEOUT_MS);
    timer.unref();
    try {
      exporter.export(batch, (result) => {
        clearTimeout(timer);
        resolve(readOutcome(result));
      });
    } catch (error) {
      clearTimeout(timer);
      fail(String(error), false); // A foreign exporter's bug; the same batch would throw again.
    }
  });
}
