/**
 * What one process has counted since it was last asked: the unit that workers hand to the primary, and that a sidecar of one process
 * hands to itself. It is plain numbers and names, and is forgotten by whoever hands it over.
 *
 * Names of peers are in it, because only the book (usage-book.ts) has the secret they are hashed with: they go from one process to
 * another of this machine, and never into a file or a report.
 */

import type { DailyCounts } from "./day-counts.ts";
import type { SavedSketch } from "./sketch.ts";

export interface UsagePart {
  readonly counts: DailyCounts;
  /** Peers that were met, each once. */
  readonly peers: readonly string[];
  /** Bodies of requests and answers. */
  readonly bytes: number;
  /** That were recorded. */
  readonly spans: number;
  /** Milliseconds of each request; undefined where there was none. */
  readonly latency: SavedSketch | undefined;
  readonly process: {
    /** Resident memory, kB. */
    readonly memoryKb: number;
    /** Processor time since the last part, milliseconds. */
    readonly cpuMs: number;
    /** How late the event loop was on average since then: how long what could run had to wait. Milliseconds. */
    readonly runQueueMs: number;
  };
}
