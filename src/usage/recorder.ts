/**
 * Counts in each process what reports tell of its requests; only where reports are on.
 *
 * A peer is met where a request from it or to it was answered with a status of 200 to 299. Inbound it is named only where that says
 * that somebody has verified the name (proxy/usage-counts.ts), so names that somebody made up do not count.
 */

import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { detach } from "../core/text.ts";
import type { DailyName } from "./day-counts.ts";
import { Sketch } from "./sketch.ts";
import type { UsagePart } from "./usage-part.ts";

/** Between two parts, which are a minute apart at most; some 3 MB of names. Those beyond come with their next request. */
const PEERS_MAX = 30_000;
/** A reading of the event loop every tenth of a second costs nothing that can be measured. */
const RESOLUTION_MS = 100;

/** A request that is over. */
interface UsedRequest {
  readonly direction: "inbound" | "outbound";
  /** Undefined: it gave no name, or one that a success would not prove. */
  readonly peer: string | undefined;
  readonly status: number | undefined;
  readonly milliseconds: number;
  /** Bodies of request and answer. */
  readonly bytes: number;
  /** It is recorded. */
  readonly isSampled: boolean;
  /** The trace began here, or came from elsewhere: it was not counted before. */
  readonly isFirstOfTrace: boolean;
  /** A Matrix transaction, and what was seen in it. */
  readonly transaction: { readonly pdus: number; readonly edus: number } | undefined;
}

export interface UsageRecorder {
  used(request: UsedRequest): void;
  /** All since the last time. */
  take(): UsagePart;
  stop(): void;
}

/** What is asked of the process (node:process has it). */
export interface OwnProcess {
  memoryUsage: { rss(): number };
  cpuUsage(): { readonly user: number; readonly system: number };
}

export function createUsageRecorder(own: OwnProcess): UsageRecorder {
  const peers = new Set<string>();
  const latency = new Sketch();
  let counts = noCounts();
  let bytes = 0;
  let spans = 0;
  let loop: IntervalHistogram | undefined;
  let cpuBefore = own.cpuUsage();

  /** From the first part on: a process whose reports are off is not watched. */
  function watch(): IntervalHistogram {
    loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    loop.enable();
    return loop;
  }

  function takeProcess(): UsagePart["process"] {
    const cpu = own.cpuUsage();
    const cpuMs = (cpu.user + cpu.system - cpuBefore.user - cpuBefore.system) / 1000;
    cpuBefore = cpu;
    const watched = loop ?? watch();
    // NaN before its first reading. What it reads is the time between two of its timers.
    const meanMs = watched.mean / 1e6 - RESOLUTION_MS;
    watched.reset();
    return {
      memoryKb: Math.round(own.memoryUsage.rss() / 1024),
      cpuMs,
      runQueueMs: Number.isNaN(meanMs) ? 0 : Math.max(0, meanMs),
    };
  }

  return {
    used(request) {
      const { direction, peer, status = 0, transaction } = request; // No rest: a copy would cost more than all of this.
      counts[direction === "inbound" ? "requestsIn" : "requestsOut"]++;
      const isDone = status >= 200 && status < 300;
      if (isDone && transaction !== undefined) {
        counts.transactions++;
        counts.pdus += transaction.pdus;
        counts.edus += transaction.edus;
      }
      if (request.isSampled) {
        spans++;
        if (request.isFirstOfTrace) counts.traces++;
      }
      bytes += request.bytes;
      latency.add(request.milliseconds);
      if (isDone && peer !== undefined && peers.size < PEERS_MAX && !peers.has(peer)) peers.add(detach(peer));
    },
    take() {
      const part = {
        counts,
        peers: [...peers],
        bytes,
        spans,
        latency: latency.save(),
        process: takeProcess(),
      };
      counts = noCounts();
      bytes = spans = 0;
      peers.clear();
      latency.clear();
      return part;
    },
    stop() {
      loop?.disable();
      loop = undefined;
    },
  };
}

function noCounts(): Record<DailyName, number> {
  return { requestsIn: 0, requestsOut: 0, transactions: 0, pdus: 0, edus: 0, traces: 0 };
}
