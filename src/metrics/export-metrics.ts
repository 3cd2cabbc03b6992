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
  const exported = registry.metric("counter", "spans_exported", "", "Spans a back end has taken.", [
    "exporter",
  ]);
  const dropped = registry.metric(
    "counter",
    "spans_dropped",
    "",
    "Recorded spans that were lost: queue_full, rejected, retries_exhausted, shutdown.",
    ["exporter", "reason"],
  );
  const waiting = new Map<string, number>();
  registry
    .metric("gauge", "queue_length", "", "Recorded spans that wait for export, all exporters together.")
    .read(() => [...waiting.values()].reduce((sum, spans) => sum + spans, 0));
  return (exporter) => {
    const ownExported = exported.withLabels(exporter);
    return {
      exported: (spans) => ownExported.add(spans),
      dropped: (reason, spans) => dropped.withLabels(exporter, reason).add(spans),
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
  registry.metric("gauge", "store_spans", "", "Spans that the built-in store keeps.").read(read.spans);
  registry
    .metric("gauge", "store", "bytes", "Memory that the built-in store's spans take, about.")
    .read(read.bytes);
  const evicted = registry.metric(
    "counter",
    "store_evicted_spans",
    "",
    "Spans that left the built-in store with their traces, to make room.",
  );
  const dropped = registry.metric(
    "counter",
    "store_dropped_spans",
    "",
    "Spans that the built-in store did not take, because their trace has its share of it.",
  );
  return {
    evicted: (spans) => evicted.withLabels().add(spans),
    dropped: (spans) => dropped.withLabels().add(spans),
  };
}
