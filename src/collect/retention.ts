/**
 * Forgets what was received too long ago: once at the start and then every hour, in slices between which everything else runs.
 * How long is counted from the receipt: a report may be of long ago when it comes.
 */

import type { Clock } from "../core/clock.ts";
import type { ReportStore } from "./report-store.ts";

export interface Retention {
  /** Resolves once nothing too old is left. Rejects where the storage failed: the next hour comes. */
  run(): Promise<void>;
  stop(): void;
}

export interface RetentionOptions {
  readonly store: Pick<ReportStore, "removeReceivedBefore">;
  readonly clock: Clock;
  readonly keptSeconds: number;
  readonly onRemoved: (rows: number) => void;
  readonly onFailed: (reason: unknown) => void;
}

const EVERY_MS = 3_600_000;
/** Some milliseconds of SQLite. */
const SLICE_ROWS = 500;

export function startRetention(options: RetentionOptions): Retention {
  const { store, clock, keptSeconds, onRemoved, onFailed } = options;
  let isStopped = false;

  async function run(): Promise<void> {
    const before = Math.floor(clock.unixMs() / 1000) - keptSeconds;
    while (!isStopped) {
      const removed = await store.removeReceivedBefore(before, SLICE_ROWS);
      if (removed === 0) return;
      onRemoved(removed);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  const timer = setInterval(() => void run().catch(onFailed), EVERY_MS);
  timer.unref();
  void run().catch(onFailed);
  return {
    run,
    stop() {
      isStopped = true;
      clearInterval(timer);
    },
  };
}
