/** What the primary counts of its workers. */

import type { Registry } from "./registry.ts";

export interface WorkerMetrics {
  restarted(): void;
  connectionDropped(): void;
}

/** @param ready asked at each scrape */
export function createWorkerMetrics(registry: Registry, ready: () => number): WorkerMetrics {
  registry.gauge("fedtrace_workers_ready", "Workers that take connections.", ready);
  const restarts = registry
    .counter("fedtrace_worker_restarts_total", "Workers that ended unasked and were started again.")
    .with();
  const dropped = registry
    .counter(
      "fedtrace_worker_connections_dropped_total",
      "Connections closed unread because too many waited for a worker.",
    )
    .with();
  return { restarted: () => restarts.add(1), connectionDropped: () => dropped.add(1) };
}
