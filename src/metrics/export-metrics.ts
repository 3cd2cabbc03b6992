/** What becomes of recorded spans, by exporter. */

import type { Registry } from "./registry.ts";

/** The shape that export/batch-queue.ts counts into. */
export interface ExporterMetrics {
  exported(spans: number): void;
  dropped(reason: string, spans: number): void;
  queueLength(spans: number): void;
}

/** @returns one set of counters for each exporter's name */
export function createExportMetrics(registry: Registry): (exporter: string) => ExporterMetrics {
  const exported = registry.counter("fedtrace_spans_exported_total", "Spans a back end has taken.", [
    "exporter",
  ]);
  const dropped = registry.counter(
    "fedtrace_spans_dropped_total",
    "Recorded spans that were lost, by reason.",
    ["exporter", "reason"],
  );
  const waiting = new Map<string, number>();
  registry.gauge(
    "fedtrace_queue_length",
    "Recorded spans that wait for export, all exporters together.",
    () => [...waiting.values()].reduce((sum, spans) => sum + spans, 0),
  );
  return (exporter) => {
    const ownExported = exported.with(exporter);
    return {
      exported: (spans) => ownExported.add(spans),
      dropped: (reason, spans) => dropped.with(exporter, reason).add(spans),
      queueLength: (spans) => void waiting.set(exporter, spans),
    };
  };
}
