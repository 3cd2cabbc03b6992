/** What the primary counts of its workers. */

import type { Registry } from "./registry.ts";

export interface WorkerMetrics {
  restarted(): void;
  connectionDropped(): void;
}

/** @param ready asked at each scrape */
export function createWorkerMetrics(registry: Registry, ready: () => number): WorkerMetrics {
  registry.metric("gauge", "workers_ready", "", "Workers that take connections.").read(ready);
  const restarts = registry
    .metric("counter", "worker_restarts", "", "Workers that ended unasked and were started again.")
    .withLabels();
  const dropped = registry
    .metric(
      "counter",
      "worker_connections_dropped",
      "",
      "Connections closed unread because too many waited for a worker.",
    )
    .withLabels();
  return { restarted: () => restarts.add(1), connectionDropped: () => dropped.add(1) };
}
