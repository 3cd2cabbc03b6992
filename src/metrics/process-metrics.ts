/**
 * This process: its memory, its processor time, its open files, Node's heap, event loop and garbage collector.
 *
 * Names as Prometheus recommends them for processes (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics) and as
 * prom-client has them for Node, so that dashboards for either work. What Linux tells in /proc is left out where there is none. Of
 * several processes memory and time are sums; each has a limit of files of its own, so of files and of the event loop's delay the worst
 * is told.
 */

import { readdirSync, readFileSync } from "node:fs";
import { constants, monitorEventLoopDelay, performance, PerformanceObserver } from "node:perf_hooks";
import type { Clock } from "../core/clock.ts";
import type { Metrics, Reading } from "./registry.ts";

/** What Node says of the process. */
type ProcessLike = Pick<NodeJS.Process, "cpuUsage" | "memoryUsage" | "uptime">;

/** @returns ends what it watches */
export function startProcessMetrics(
  { metric }: Metrics,
  { process, clock }: { readonly process: ProcessLike; readonly clock: Clock },
): () => void {
  createResources({ metric }, process, clock);
  createMemory({ metric }, process);
  const stopDelay = startEventLoop({ metric }, clock);
  const stopCollector = startCollector({ metric });
  return () => {
    stopDelay();
    stopCollector();
  };
}

function createResources({ metric }: Metrics, process: ProcessLike, clock: Clock): void {
  const cpu = metric(
    "counter",
    "process_cpu",
    "seconds",
    "Processor time, in the program and in the system for it.",
  );
  const user = metric("counter", "process_cpu_user", "seconds", "Processor time in the program.");
  const system = metric("counter", "process_cpu_system", "seconds", "Processor time in the system for it.");
  cpu.read(() => {
    const usage = process.cpuUsage();
    return (usage.user + usage.system) / 1e6;
  });
  user.read(() => process.cpuUsage().user / 1e6);
  system.read(() => process.cpuUsage().system / 1e6);
  const startSeconds = clock.unixMs() / 1000 - process.uptime();
  metric("gauge", "process_start_time", "seconds", "When it was started, in Unix time.", [], {
    merge: "least",
  }).read(() => startSeconds);
  metric("gauge", "process_open_fds", "", "File descriptors that are open.", [], { merge: "most" }).read(
    countOpenFiles,
  );
  metric("gauge", "process_max_fds", "", "File descriptors that may be.", [], { merge: "least" }).read(
    readFilesMax,
  );
}

function createMemory({ metric }: Metrics, process: ProcessLike): void {
  const gauge = (name: string, help: string, read: () => number | readonly Reading[]): void =>
    metric("gauge", name, "bytes", help).read(read);
  gauge("process_resident_memory", "Resident memory.", () => process.memoryUsage().rss);
  gauge("process_virtual_memory", "Virtual memory.", readVirtualBytes);
  gauge("nodejs_heap_size_total", "V8's heap, as reserved.", () => process.memoryUsage().heapTotal);
  gauge("nodejs_heap_size_used", "V8's heap, as used.", () => process.memoryUsage().heapUsed);
  gauge(
    "nodejs_external_memory",
    "Memory of objects outside of V8's heap.",
    () => process.memoryUsage().external,
  );
}

/** The watch's own period, which each of its samples includes. Longer, and a short stall is missed; shorter, and an idle process wakes. */
const RESOLUTION_MS = 20;
/** How long the quantiles look back at least: two scrapers, or a primary that asks, shall not take each other's. */
const WINDOW_MS = 10_000;
const QUANTILES = [0.5, 0.9, 0.99, 1];

function lateSeconds(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS) / 1000;
}

/** What a watch has seen in the window that it is in. */
interface Watched {
  readonly samples: number;
  /** Means nothing where there is no sample. */
  readonly meanNs: number;
  /** Whether the next window begins behind it. */
  readonly isOver: boolean;
}

/**
 * All samples and how late they were together, over all windows. A timer that comes early makes the mean fall below what its samples
 * had come to; a sum that falls would be a restart to a scraper, and all of it be counted again.
 */
export function createDelayTotal(): {
  readonly with: (watched: Watched) => { readonly count: number; readonly sum: number };
} {
  let before = { count: 0, sum: 0 };
  let told = 0;
  return {
    with({ samples, meanNs, isOver }) {
      const late = samples === 0 ? 0 : lateSeconds(meanNs) * samples;
      told = Math.max(told, before.sum + late);
      const total = { count: before.count + samples, sum: told };
      if (isOver) before = total;
      return total;
    },
  };
}

function startEventLoop({ metric }: Metrics, clock: Clock): () => void {
  const watch = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const help = "How late timers of the event loop were; quantiles of the last ten seconds or more.";
  const total = createDelayTotal();
  /** Of the last window that is over; until one is, of the first. */
  let last: readonly number[] = [];
  let hasTurned = false;
  let turnedMs = clock.monotonicMs();
  metric("summary", "nodejs_eventloop_delay", "seconds", help, [], { quantiles: QUANTILES }).read(() => {
    const isOver = clock.monotonicMs() - turnedMs >= WINDOW_MS;
    const { count, sum } = total.with({ samples: watch.count, meanNs: watch.mean, isOver });
    if (watch.count > 0 && (isOver || !hasTurned))
      last = QUANTILES.map((quantile) => lateSeconds(watch.percentile(Math.min(100, quantile * 100))));
    const value = [count, sum, ...(last.length > 0 ? last : QUANTILES.map(() => 0))];
    if (isOver) {
      watch.reset();
      hasTurned = true;
      turnedMs = clock.monotonicMs();
    }
    return [{ values: [], value }];
  });
  watchUtilization({ metric }, clock);
  watch.enable();
  return () => void watch.disable();
}

function watchUtilization({ metric }: Metrics, clock: Clock): void {
  const { eventLoopUtilization } = performance;
  const mark = () => ({ used: eventLoopUtilization(), atMs: clock.monotonicMs() });
  let since = mark();
  /** Where the next window begins: since then no look is so long ago. */
  let next = since;
  metric(
    "gauge",
    "nodejs_eventloop_utilization",
    "ratio",
    "How much of its time the event loop was busy, in the last ten seconds or more.",
    [],
    {
      merge: "most",
    },
  ).read(() => {
    const now = mark();
    if (now.atMs - next.atMs >= WINDOW_MS) [since, next] = [next, now];
    return eventLoopUtilization(now.used, since.used).utilization;
  });
}

const COLLECTIONS: ReadonlyMap<number, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MINOR, "minor"],
  [constants.NODE_PERFORMANCE_GC_MAJOR, "major"],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, "weakcb"],
]);
const COLLECTION_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5];

function startCollector({ metric }: Metrics): () => void {
  const help = "Pauses of the garbage collector, by its kind.";
  const family = metric("histogram", "nodejs_gc_duration", "seconds", help, ["kind"], {
    buckets: COLLECTION_BUCKETS,
  });
  for (const kind of COLLECTIONS.values()) family.withLabels(kind);
  const observer = new PerformanceObserver((list) => {
    for (const { detail, duration } of list.getEntries()) {
      const { kind } = detail as { readonly kind: number };
      family.withLabels(COLLECTIONS.get(kind) ?? "other").sample(duration / 1000);
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  return () => observer.disconnect();
}

/** @returns none where /proc is not */
function countOpenFiles(): readonly Reading[] {
  return fromProc(() => readdirSync("/proc/self/fd").length - 1); // The look itself has one open.
}

function readFilesMax(): readonly Reading[] {
  return fromProc(() =>
    Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]),
  );
}

function readVirtualBytes(): readonly Reading[] {
  return fromProc(
    () => Number(/^VmSize:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024,
  );
}

function fromProc(read: () => number): readonly Reading[] {
  try {
    const value = read();
    return Number.isFinite(value) ? [{ values: [], value }] : [];
  } catch {
    return [];
  }
}
