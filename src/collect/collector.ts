/**
 * The collector put together: storage, the queue before it, rates, routes, the listener; and stopped in the other order.
 *
 * ```
 *   sender ─► server ─► receive: door, rate, body, report, rate ─► queue ─► store: one commit for all who wait
 *   reader ─► server ─► access ─► summary (kept for a while) or export (a page at a time) ─► store
 * ```
 */

import { createPageRoutes } from "../admin/page-files.ts";
import type { Clock } from "../core/clock.ts";
import { createThrottledLog, type Log } from "../core/log.ts";
import type { Registry } from "../metrics/registry.ts";
import { createCheckReader } from "./access.ts";
import { createFindClient } from "./client.ts";
import { type CollectMetrics, createCollectMetrics } from "./collect-metrics.ts";
import { createReadRoutes } from "./read-routes.ts";
import { createReceive } from "./receive.ts";
import type { ReportStore } from "./report-store.ts";
import { startRetention } from "./retention.ts";
import { type ServerLimits, startCollectServer } from "./server.ts";
import { createSummaryReader } from "./summary.ts";
import { createTokenBuckets, type Rate, type TokenBuckets } from "./token-buckets.ts";
import { createWriteQueue, type WriteQueue } from "./write-queue.ts";

export interface CollectorOptions {
  readonly host: string;
  readonly port: number;
  readonly paths: readonly string[];
  /** Undefined: reading is for this machine alone. */
  readonly token: string | undefined;
  /** Ranges beside loopback. */
  readonly trustedProxies: readonly string[];
  readonly keptSeconds: number;
  readonly addressRate: Rate;
  readonly instanceRate: Rate;
  readonly pageDirectory: string;
  /** For tests; else LIMITS. */
  readonly limits?: Partial<CollectorLimits>;
}

export interface CollectorTools {
  /** Closed with the collector. */
  readonly store: ReportStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}

export interface CollectorLimits extends ServerLimits {
  readonly bodyBytesMax: number;
  readonly bodyMs: number;
  /** Reports that wait for the storage. */
  readonly waitingMax: number;
  readonly batchMax: number;
  /** Of each kind. */
  readonly sourcesMax: number;
}

/**
 * A report has some kilobytes, so what waits is 20 MB and at most 128; connections cost some 10 KB each, and a report holds one for
 * milliseconds. A source is some 200 bytes.
 */
const LIMITS: CollectorLimits = {
  bodyBytesMax: 64 * 1024,
  bodyMs: 10_000,
  waitingMax: 2000,
  batchMax: 500,
  sourcesMax: 20_000,
  connectionsMax: 2000,
  streamsMax: 4,
  stalledMs: 30_000,
  headMs: 10_000,
  idleMs: 75_000,
  drainMs: 5000,
};

/** A probe a second, or a thousand: the storage is asked once. */
const READY_KEPT_MS = 1000;
/** A disk may be full, or a database take no writes, and be read as ever. For longer only a report that fails again says so. */
const WRITE_FAILURE_COUNTS_MS = 10_000;

export interface Collector {
  readonly address: string;
  /** Resolves when all that was acknowledged or is under way is stored, and the storage is closed. */
  stop(): Promise<void>;
}

/** @throws FedtraceError LISTEN_FAILED; the store is then still open */
export async function startCollector(options: CollectorOptions, tools: CollectorTools): Promise<Collector> {
  const { store, clock, registry } = tools;
  const limits = { ...LIMITS, ...options.limits };
  const log = createThrottledLog(tools.log, clock);
  const bucketsOf = (rate: Rate): TokenBuckets =>
    createTokenBuckets(rate, { clock, sourcesMax: limits.sourcesMax });
  const addresses = bucketsOf(options.addressRate);
  const instances = bucketsOf(options.instanceRate);
  const metrics: CollectMetrics = createCollectMetrics(registry, {
    waiting: () => queue.length,
    sources: () => addresses.size + instances.size,
  });
  const queue = createWriteQueue({
    store,
    waitingMax: limits.waitingMax,
    batchMax: limits.batchMax,
    onBatch: (reports, seconds) => metrics.wrote(reports, seconds),
    monotonicMs: () => clock.monotonicMs(),
  });
  const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
  const summary = createSummaryReader(store, clock);
  const isReady = createReadiness(store, queue, clock, (error) =>
    log.warn("storage is away", { reason: reason(error) }),
  );
  const server = await startCollectServer({
    ...options,
    limits,
    log,
    receive: createReceive({
      clock,
      log,
      metrics,
      queue,
      addresses,
      instances,
      body: { bytesMax: limits.bodyBytesMax, withinMs: limits.bodyMs },
    }),
    findClient: createFindClient(options.trustedProxies),
    checkReader: createCheckReader(options.token),
    routes: [
      ...createReadRoutes({ store, summary, registry, log, isReady }),
      ...createPageRoutes(options.pageDirectory),
    ],
  });
  const retention = startRetention({
    store,
    clock,
    keptSeconds: options.keptSeconds,
    onRemoved: (rows) => metrics.removed(rows),
    onFailed: (error) => log.error("retention failed", { reason: reason(error) }),
  });
  return {
    address: server.address,
    async stop() {
      retention.stop();
      await server.stop();
      await queue.drain();
      await store.close();
    },
  };
}

function createReadiness(
  store: ReportStore,
  queue: Pick<WriteQueue, "failedAtMs">,
  clock: Clock,
  onAway: (reason: unknown) => void,
): () => Promise<boolean> {
  let kept: { readonly untilMs: number; readonly isReady: Promise<boolean> } | undefined;
  return () => {
    const failedAtMs = queue.failedAtMs ?? -Infinity;
    if (clock.monotonicMs() - failedAtMs < WRITE_FAILURE_COUNTS_MS) return Promise.resolve(false);
    if (kept !== undefined && clock.monotonicMs() < kept.untilMs) return kept.isReady;
    const isReady = store.check().then(
      () => true,
      (error: unknown) => {
        onAway(error);
        return false;
      },
    );
    kept = { untilMs: clock.monotonicMs() + READY_KEPT_MS, isReady };
    return isReady;
  };
}
