/** What a queue or an exporter told others, written down. */

import type { ExportResult } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { logFrom } from "../../src/core/log.ts";
import type { DeliveryTools } from "../../src/export/delivery.ts";
import { type ExportOutcome, readOutcome } from "../../src/export/outcome.ts";
import { fakeClock } from "../support/clock.ts";

export interface Recorder {
  readonly tools: DeliveryTools;
  readonly clock: ReturnType<typeof fakeClock>;
  /** Spans by what became of them: `exported`, or the reason of the drop. */
  readonly counts: Record<string, number>;
  /** Each length of the queue, as reported. */
  readonly lengths: number[];
  /** `level message`, with the reason where there is one. */
  readonly lines: string[];
}

/** @param fraction what chance gives: 1 is a full wait */
export function createRecorder(fraction = 1): Recorder {
  const counts: Record<string, number> = {};
  const lengths: number[] = [];
  const lines: string[] = [];
  const clock = fakeClock();
  const count = (key: string, spans: number): void => {
    counts[key] = (counts[key] ?? 0) + spans;
  };
  const tools: DeliveryTools = {
    counters: {
      exported: (spans) => count("exported", spans),
      dropped: count,
      queueLength: (spans) => void lengths.push(spans),
    },
    log: logFrom((level, message, { reason }) => {
      lines.push([level, message, ...(reason === undefined ? [] : [`(${String(reason)})`])].join(" "));
    }),
    clock,
    random: { fraction: () => fraction },
  };
  return { tools, clock, counts, lengths, lines };
}

/** An exporter whose results a test gives, in order or by hand. */
export function createManualExporter(): SpanExporter & {
  readonly batches: number[];
  readonly results: ((result: ExportResult) => void)[];
} {
  const batches: number[] = [];
  const results: ((result: ExportResult) => void)[] = [];
  return {
    batches,
    results,
    export(spans, resultCallback) {
      batches.push(spans.length);
      results.push(resultCallback);
    },
    shutdown: () => Promise.resolve(),
  };
}

/** An exporter that gives one result after the other, the last one for good. */
export function createScriptedExporter(
  script: readonly ExportResult[],
): SpanExporter & { readonly batches: number[] } {
  const batches: number[] = [];
  return {
    batches,
    export(spans, resultCallback) {
      batches.push(spans.length);
      resultCallback(script[Math.min(batches.length, script.length) - 1] ?? { code: 0 });
    },
    shutdown: () => Promise.resolve(),
  };
}

export function exportOnce(exporter: SpanExporter, spans: ReadableSpan[]): Promise<ExportOutcome> {
  return new Promise((resolve) => exporter.export(spans, (result) => resolve(readOutcome(result))));
}
