/**
 * Reports on their way to disk. Those that come while a batch is written are the next one, so a flush to disk is shared by
 * all who wait for it, and a report alone waits for nobody.
 */

import type { Report } from "./report.ts";
import type { ReportStore, Stored } from "./report-store.ts";

export interface WriteQueue {
  /**
   * @returns what became of it, once it is on disk; `busy` at once where as many wait as may
   * Rejects where the storage failed.
   */
  add(report: Report): Promise<Stored | "busy">;
  /** Reports that wait, or are being written. */
  readonly length: number;
  /** By `monotonicMs`: when the latest write failed. Undefined: it did not. */
  readonly failedAtMs: number | undefined;
  /** Resolves once nothing waits any more. */
  drain(): Promise<void>;
}

export interface WriteQueueOptions {
  readonly store: Pick<ReportStore, "write">;
  /** Reports that may wait. */
  readonly waitingMax: number;
  /** Of one transaction. */
  readonly batchMax: number;
  /** Told of each batch. @param seconds that it took */
  readonly onBatch: (reports: number, seconds: number) => void;
  readonly monotonicMs: () => number;
}

interface Waiting {
  readonly report: Report;
  readonly resolve: (outcome: Stored) => void;
  readonly reject: (reason: unknown) => void;
}

export function createWriteQueue(options: WriteQueueOptions): WriteQueue {
  const { store, waitingMax, batchMax, onBatch, monotonicMs } = options;
  let waiting: Waiting[] = [];
  let writing = 0;
  let failedAtMs: number | undefined;
  let run: Promise<void> | undefined;

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      await turn(); // What came with the same look at the sockets goes along.
      const batch = waiting.slice(0, batchMax);
      waiting = waiting.slice(batchMax);
      writing = batch.length;
      const fromMs = monotonicMs();
      try {
        const outcomes = await store.write(batch.map(({ report }) => report));
        failedAtMs = undefined;
        for (const [index, { resolve }] of batch.entries()) resolve(outcomes[index] ?? "known");
        onBatch(batch.length, (monotonicMs() - fromMs) / 1000);
      } catch (error) {
        failedAtMs = monotonicMs();
        for (const { reject } of batch) reject(error);
      }
      writing = 0;
    }
    run = undefined;
  }

  return {
    add(report) {
      if (waiting.length >= waitingMax) return Promise.resolve("busy");
      return new Promise((resolve, reject) => {
        waiting.push({ report, resolve, reject });
        run ??= writeAll();
      });
    },
    get length() {
      return waiting.length + writing;
    },
    get failedAtMs() {
      return failedAtMs;
    },
    async drain() {
      await run;
    },
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
