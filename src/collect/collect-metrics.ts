/** What the collector counts of itself. No name of a server is a label: they are chosen by strangers, and anybody may scrape this. */

import type { Registry } from "../metrics/registry.ts";
import type { Kind } from "./report.ts";

export interface CollectMetrics {
  received(kind: Kind, outcome: "stored" | "known"): void;
  /** @param reason a word of report.ts, clean-document.ts or receive.ts */
  refused(reason: string): void;
  /** @param seconds of one transaction */
  wrote(reports: number, seconds: number): void;
  writeFailed(): void;
  removed(rows: number): void;
}

/** A commit is a flush to disk: a millisecond on a good one, a second on one in trouble. */
const WRITE_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

/** @param read asked at each scrape */
export function createCollectMetrics(
  registry: Registry,
  read: { readonly waiting: () => number; readonly sources: () => number },
): CollectMetrics {
  const { metric } = registry.module("collect");
  const reports = metric(
    "counter",
    "reports",
    "",
    "Reports that were acknowledged: stored, or known already.",
    ["kind", "outcome"],
  );
  const refusals = metric("counter", "reports_refused", "", "Reports that were not taken, and why.", [
    "reason",
  ]);
  const writes = metric("histogram", "write_duration", "seconds", "Transactions that stored reports.", [], {
    buckets: WRITE_BUCKETS,
  }).withLabels();
  const written = metric("counter", "reports_written", "", "Reports in these transactions.").withLabels();
  const failures = metric(
    "counter",
    "write_failures",
    "",
    "Reports that were not stored since the storage failed.",
  ).withLabels();
  const removals = metric(
    "counter",
    "rows_removed",
    "",
    "Reports, and days of servers, that were forgotten for their age.",
  ).withLabels();
  metric("gauge", "reports_waiting", "", "Reports that wait to be stored.").read(read.waiting);
  metric("gauge", "sources", "", "Addresses and names whose rate is watched.").read(read.sources);
  return {
    received: (kind, outcome) => reports.withLabels(kind, outcome).add(1),
    refused: (reason) => refusals.withLabels(reason).add(1),
    wrote(count, seconds) {
      written.add(count);
      writes.sample(seconds);
    },
    writeFailed: () => failures.add(1),
    removed: (rows) => removals.add(rows),
  };
}
