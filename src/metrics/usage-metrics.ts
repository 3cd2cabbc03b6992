/** What becomes of usage reports, where they are on. */

import type { Registry } from "./registry.ts";

export interface UsageMetrics {
  /** @param outcome `delivered`, `given_up`, or `retried`: it failed and is tried again */
  reported(outcome: "delivered" | "retried" | "given_up"): void;
  peersOverflowed(times: number): void;
}

export function createUsageMetrics(registry: Registry): UsageMetrics {
  const help = "Tries to deliver a usage report: delivered, retried (failed, and tried again), given_up.";
  const reports = registry.metric("counter", "usage_reports", "", help, ["outcome"]);
  const room = "Times that an active peer was not counted for usage reports, since 30,000 are known.";
  const overflow = registry.metric("counter", "usage_peers_overflow", "", room).withLabels();
  return {
    peersOverflowed: (times) => overflow.add(times),
    reported: (outcome) => reports.withLabels(outcome).add(1),
  };
}
