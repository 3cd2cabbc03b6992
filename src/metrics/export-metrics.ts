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

/** The shape that store/recent-store.ts counts into. */
export interface StoreMetrics {
  evicted(spans: number): void;
  dropped(spans: number): void;
}

/** @param read asked at each scrape */
export function createStoreMetrics(
  registry: Registry,
  read: { readonly spans: () => number; readonly bytes: () => number },
): StoreMetrics {
  registry.gauge("fedtrace_store_spans", "Spans that the built-in store keeps.", read.spans);
  registry.gauge("fedtrace_store_bytes", "Memory that the built-in store's spans take, about.", read.bytes);
  const evicted = registry.counter(
    "fedtrace_store_evicted_spans_total",
    "Spans that left the built-in store with their traces, to make room.",
  );
  const dropped = registry.counter(
    "fedtrace_store_dropped_spans_total",
    "Spans that the built-in store did not take, because their trace has its share of it.",
  );
  return { evicted: (spans) => evicted.with().add(spans), dropped: (spans) => dropped.with().add(spans) };
}
