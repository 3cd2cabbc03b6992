/** The metrics as the config wants them. A part of the composition root (app.ts). */

import type { Config } from "./config/merge.ts";
import type { Clock } from "./core/clock.ts";
import { VERSION } from "./core/version.ts";
import { createNoRegistry } from "./metrics/no-registry.ts";
import { startProcessMetrics } from "./metrics/process-metrics.ts";
import { createRegistry, type Registry } from "./metrics/registry.ts";
import { createTrafficMetrics, type TrafficMetrics } from "./metrics/traffic-metrics.ts";

export function createMetricsRegistry({ metrics }: Config, clock: Clock): Registry {
  return metrics.isEnabled ? createRegistry({ prefix: "fedtrace", clock }) : createNoRegistry();
}

/** @returns ends what watches this process */
export function startOwnMetrics({ metrics }: Config, registry: Registry, clock: Clock): () => void {
  if (!metrics.isEnabled) return () => undefined;
  registry
    .metric("info", "build", "", "This program and what runs it.", ["version", "node"])
    .withLabels(VERSION, process.version)
    .set();
  return startProcessMetrics(registry.unprefixed, { process, clock });
}

export function createTraffic({ metrics }: Config, registry: Registry): TrafficMetrics | undefined {
  return metrics.isEnabled ? createTrafficMetrics(registry, metrics) : undefined;
}
