/**
 * The metrics of all workers as one.
 *
 * A total never goes back: the counts of a worker that ended stay, as they were when it was last asked (a few seconds before), and
 * one that doesn't answer counts as it last did.
 */

import { boundCounts, type FamilySnapshot, mergeSnapshots, onlyCounts } from "../metrics/snapshot.ts";
import type { Worker } from "./crew.ts";

/** Below a scraper's own limit (Prometheus' default is 10 s), and long for a process that serves. */
const TIMEOUT_MS = 1000;
/** Of a family, of all workers that ended: some more than the busiest values of one. */
const ENDED_SERIES_MAX = 100;

export interface MergedMetrics {
  /** Asks this one, so that less is lost if it ends. */
  poll(worker: Worker): Promise<void>;
  /** It ended. */
  gone(worker: Worker): void;
  /** Of all, those that ended included. */
  snapshot(): Promise<readonly FamilySnapshot[]>;
}

/** @param own of the primary itself */
export function createMergedMetrics(
  workers: () => readonly Worker[],
  own: () => readonly FamilySnapshot[],
): MergedMetrics {
  const lastOf = new Map<Worker, readonly FamilySnapshot[]>();
  let ended: readonly FamilySnapshot[] = [];
  let asking: Promise<unknown> | undefined;

  async function poll(worker: Worker): Promise<void> {
    await worker.ask("metrics", undefined, {
      timeoutMs: TIMEOUT_MS,
      onPart: (snapshot) => void lastOf.set(worker, snapshot),
    });
  }

  return {
    poll,
    gone(worker) {
      ended = boundCounts(mergeSnapshots([ended, onlyCounts(lastOf.get(worker) ?? [])]), ENDED_SERIES_MAX);
      lastOf.delete(worker);
    },
    async snapshot() {
      // Scrapers that ask at the same time share one answer.
      asking ??= Promise.all(workers().map(poll)).finally(() => {
        asking = undefined;
      });
      await asking;
      return mergeSnapshots([...lastOf.values(), ended, own()]);
    },
  };
}
