/**
 * The composition root: from a Config to every object, and back.
 *
 * Start, in order: exporters, admin (so that a probe sees "starting"), upstream pools, inbound, outbound, ready.
 * Stop is that list backwards: not ready, listeners drain, pools close, exporters flush, admin goes last.
 * Only this file sees the whole Config; everything else is given what it needs. A reload builds the parts of
 * `live` keys anew and replaces them as a whole; open exchanges keep what they began with.
 */

import type { Socket } from "node:net";
import type { AdminServer } from "./admin/server.ts";
import { createQueryRoutes } from "./admin/query-routes.ts";
import { startAdminListener } from "./app-admin.ts";
import { drain } from "./app-drain.ts";
import { type Exporters, startExporters } from "./app-export.ts";
import { mergeFaults } from "./app-faults.ts";
import { createProofs, type FetchServerKeys, type Proofs } from "./app-proof.ts";
import { createMetricsRegistry, createTraffic, startOwnMetrics } from "./app-metrics.ts";
import { createWayOut, type WayOut } from "./app-outbound.ts";
import { createOutgoingTls } from "./app-roots.ts";
import { createSampling, type Sampling } from "./app-sampling.ts";
import { startSide, tlsFilesOf } from "./app-side.ts";
import { createUpstreams, type Upstreams } from "./app-upstreams.ts";
import { createUsageCounting, createUsageReports, type UsageCounting } from "./app-usage.ts";
import type { Config } from "./config/merge.ts";
import { findRestartKeys } from "./config/reload.ts";
import type { Clock } from "./core/clock.ts";
import { createThrottledLog, type Log } from "./core/log.ts";
import type { Random } from "./core/random.ts";
import { VERSION } from "./core/version.ts";
import { type Deadlines, startDeadlines } from "./http1/deadlines.ts";
import type { Dns } from "./discovery/dns.ts";
import { createStoreMetrics } from "./metrics/export-metrics.ts";
import {
  createListenerMetrics,
  createProxyMetrics,
  type Direction,
  type ProxyMetrics,
} from "./metrics/proxy-metrics.ts";
import type { Registry } from "./metrics/registry.ts";
import type { TrafficMetrics } from "./metrics/traffic-metrics.ts";
import { createPeerBook, type PeerBook } from "./peer/peer-book.ts";
import { createForeignTraces, foreignSpansMax, type ForeignTraces } from "./proxy/foreign-traces.ts";
import { createOutboundIdKey } from "./proxy/outbound-ids.ts";
import { type Attempt, createResends, type Resends } from "./proxy/resends.ts";
import type { SpanSink } from "./span/record.ts";
import type { UsagePart } from "./usage/usage-part.ts";
import { createResource } from "./span/resource.ts";
import { createRecentStore, type RecentStore } from "./store/recent-store.ts";
import { createLive, type Live } from "./app-live.ts";

/** What a sidecar is given of the world. */
export interface SidecarTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** All addresses of the own server's name; rejects where there are none. */
  readonly resolve: (name: string) => Promise<readonly string[]>;
  /** For outbound targets, in the place of the resolver that the config names. */
  readonly dns?: Dns;
  /** Key documents of Matrix servers, in the place of those that they publish: for the demo, whose servers have no TLS. */
  readonly fetchServerKeys?: FetchServerKeys;
  /** One more place for spans, beside `export` and the built-in store. */
  readonly spans?: SpanSink;
  /** The admin listener's trace page: the directory that the build made. */
  readonly pageDirectory: string;
  /**
   * This process is one of several (app-workers.ts): the primary listens, hands over connections, answers on the admin listener,
   * and renews the keys of session tickets.
   */
  readonly worker?: {
    /** How many there are. */
    readonly workers: number;
    readonly ticketKeys: Uint8Array;
    readonly outboundIdKey: Uint8Array;
    /** For the other workers' `learnAttempt`. */
    readonly onAttempt: (transaction: string, attempt: Attempt | undefined) => void;
    /** For the other workers' `notePassUsed`. */
    readonly onPassUsed: (passId: string, expiresUnixMs: number) => void;
  };
  /** Told of each listener once it accepts. */
  readonly onListening?: (name: "inbound" | "outbound" | "admin", address: string) => void;
}

export interface Sidecar {
  readonly registry: Registry;
  readonly peers: PeerBook;
  /** The built-in store; undefined where there is no admin listener to look at it by. */
  readonly store: RecentStore | undefined;
  /** @returns keys whose change needs a restart, and then nothing was changed; none: the config is taken over */
  reload(config: Config): Promise<readonly string[]>;
  /** Asks a Matrix server for its keys unless they are known. Never rejects. @returns whether they are */
  learnKeys(serverName: string): Promise<boolean>;
  /** As a renewal would be seen, but now; a strategy file is read again too. Never rejects: what can't be used is logged. */
  rereadCertificates(): Promise<void>;
  /** Of a worker: a connection that the primary has accepted, and that nothing was read from. */
  adopt(direction: Direction, socket: Socket): void;
  /** Of a worker: 48 random bytes. */
  setTicketKeys(ticketKeys: Uint8Array): void;
  /** Of a worker: what another one told of a transaction. */
  learnAttempt(transaction: string, attempt: Attempt | undefined): void;
  /** Of a worker: a debug pass was used with another one. */
  notePassUsed(passId: string, expiresUnixMs: number): void;
  /** Of a worker: what was counted for usage reports since the last time; undefined where they are off. */
  takeUsage(): UsagePart | undefined;
  /** Drains, flushes and resolves; never rejects. */
  stop(): Promise<void>;
}

/** How long exporters may flush after the drain. */
const FLUSH_MS = 5000;

/** What stays as long as the process. */
export interface Fixed {
  readonly tools: SidecarTools;
  readonly throttledLog: Log;
  readonly registry: Registry;
  readonly metrics: ProxyMetrics;
  /** Undefined where metrics are off. */
  readonly traffic: TrafficMetrics | undefined;
  readonly usage: UsageCounting;
  readonly peers: PeerBook;
  readonly sampling: Sampling;
  readonly deadlines: Deadlines;
  readonly upstreams: Upstreams;
  readonly exporters: Exporters;
  readonly store: RecentStore | undefined;
  readonly wayOut: WayOut | undefined;
  readonly resends: Resends;
  readonly proofs: Proofs;
  readonly foreignTraces: ForeignTraces;
  /** Kept over reloads, so that ids stay what they were. */
  readonly outboundIdKey: Uint8Array;
  /** `host:port` of the outbound listener, once it is there. */
  outboundAddress: string | undefined;
}

/**
 * @throws FedtraceError LISTEN_FAILED that names every address which can't be taken, CONFIG_INVALID that names every
 *   exporter which can't be made; nothing is left running
 */
export async function startSidecar(config: Config, tools: SidecarTools): Promise<Sidecar> {
  let live: Live;
  const fixed = createFixed(config, tools, () => live);
  try {
    live = await createLive(config, fixed);
  } catch (error) {
    fixed.deadlines.stop();
    fixed.sampling.stop();
    await fixed.exporters.stop(0);
    throw error;
  }
  fixed.upstreams.use(config);
  const state = { isReady: false };
  const stopOwnMetrics = startOwnMetrics(config, fixed.registry, tools.clock);

  const sides = (["inbound", "outbound"] as const).filter((direction) => config[direction] !== undefined);
  // All are tried before any fault is told, so an operator sees every taken address at once.
  const [exportStart, adminStart, ...sideStarts] = await Promise.allSettled([
    fixed.exporters.ready,
    startAdminFor(() => live, fixed, state),
    ...sides.map((direction) => startSide(direction, () => live, fixed)),
  ]);
  const admin = adminStart.status === "fulfilled" ? adminStart.value : undefined;
  const running = sideStarts.flatMap((side) => (side.status === "fulfilled" ? [side.value] : []));

  createListenerMetrics(fixed.registry, () =>
    running.reduce((sum, { listener }) => sum + listener.connections, 0),
  );

  // Several processes report as one: their primary does (app-workers.ts).
  const reports =
    tools.worker === undefined
      ? createUsageReports(fixed, () => Promise.resolve([fixed.usage.take() ?? []].flat()))
      : undefined;

  async function rereadCertificates(): Promise<void> {
    fixed.sampling.look();
    for (const [index, { tls }] of running.entries()) {
      const direction = sides[index];
      await tls?.reread(direction && tlsFilesOf(live.config, direction));
    }
  }

  async function stop(drainMs: number): Promise<void> {
    state.isReady = false;
    for (const { tls, interceptor } of running) {
      tls?.stop();
      interceptor?.drain();
    }
    await drain(
      running.map(({ listener, interceptor }) => ({
        drain: () => listener.drain(),
        destroy() {
          interceptor?.cut();
          listener.destroy();
        },
      })),
      drainMs,
    );
    fixed.upstreams.close();
    fixed.deadlines.stop();
    fixed.sampling.stop();
    stopOwnMetrics();
    await Promise.all([fixed.exporters.stop(FLUSH_MS), reports?.stop()]);
    fixed.usage.stop();
    await admin?.stop();
  }

  const faults = [exportStart, adminStart, ...sideStarts].flatMap((start) =>
    start.status === "rejected" ? [start.reason as unknown] : [],
  );
  if (faults.length > 0) {
    await stop(0);
    throw mergeFaults(faults);
  }
  state.isReady = true;
  reports?.use(config);
  // Better now than within the first request.
  setImmediate(() => {
    live.policy.whitelist.warmUp();
    live.policy.whitelist.decide(config.serverName);
    fixed.wayOut?.warmUp();
  });
  return {
    store: fixed.store,
    registry: fixed.registry,
    peers: fixed.peers,
    async reload(next) {
      const keys = findRestartKeys(live.config, next);
      if (keys.length > 0) return keys;
      live = await createLive(next, fixed);
      fixed.upstreams.use(next);
      reports?.use(next);
      await rereadCertificates();
      return keys;
    },
    learnKeys: (serverName) => fixed.proofs.learn(serverName),
    rereadCertificates,
    adopt(direction, socket) {
      const side = running[sides.indexOf(direction)];
      if (side === undefined) socket.destroy();
      else side.listener.adopt(socket);
    },
    setTicketKeys(ticketKeys) {
      for (const { listener } of running) listener.setTicketKeys(ticketKeys);
    },
    notePassUsed: (passId, expiresUnixMs) => fixed.sampling.notePassUsed(passId, expiresUnixMs),
    learnAttempt: (transaction, attempt) => fixed.resends.learn(transaction, attempt),
    takeUsage: () => fixed.usage.take(),
    stop: () => stop(live.config.limits.drainMs),
  };
}

function createFixed(config: Config, tools: SidecarTools, live: () => Live): Fixed {
  const workers = tools.worker?.workers ?? 1;
  const registry = createMetricsRegistry(config, tools.clock);
  const resource = createResource({
    "service.name": config.resource.serviceName,
    "service.version": VERSION,
    ...config.resource.attributes,
  });
  const store = config.admin === undefined ? undefined : createStore(config, registry);
  const throttledLog = createThrottledLog(tools.log, tools.clock);
  const deadlines = startDeadlines(tools.clock, deadlineResolutionMs(config));
  const metrics = createProxyMetrics(registry);
  const outboundTls = createOutgoingTls({
    systemRootsFile: config.systemRootsFile,
    caFile: config.outbound?.caFile,
    pins: config.outbound?.pins ?? {},
  });
  const exporters = startExporters(config.isSdkDisabled ? [] : config.exports, {
    ...tools,
    registry,
    origin: { resource, scope: { name: "fedtrace", version: VERSION } },
    store: config.store.spansMax === 0 ? undefined : store,
    observer: tools.spans,
    tail: config.isSdkDisabled ? undefined : config.sampling.tail,
    workers,
  });
  const fixed: Fixed = {
    tools,
    throttledLog,
    registry,
    metrics,
    traffic: createTraffic(config, registry),
    usage: createUsageCounting(),
    peers: createPeerBook(),
    sampling: createSampling({
      ...tools,
      registry,
      exporters,
      workers,
      onPassUsed: tools.worker?.onPassUsed,
    }),
    deadlines,
    upstreams: createUpstreams({ live, resolve: tools.resolve, deadlines, registry, log: throttledLog }),
    exporters,
    store,
    wayOut:
      config.outbound &&
      createWayOut(config.outbound, {
        ...tools,
        tls: outboundTls,
        dns: tools.dns,
        metrics,
        registry,
        ownAddress: () => fixed.outboundAddress,
      }),
    proofs: createProofs(config, {
      ...tools,
      log: throttledLog,
      registry,
      outboundTls,
      dns: tools.dns,
      fetchServerKeys: tools.fetchServerKeys,
    }),
    resends: createResends(() => tools.clock.monotonicMs(), tools.worker?.onAttempt),
    foreignTraces: createForeignTraces(() => tools.clock.monotonicMs(), {
      spansMax: foreignSpansMax(workers),
      onForgotten: () => metrics.foreignTraceForgotten(),
    }),
    outboundIdKey: tools.worker?.outboundIdKey ?? createOutboundIdKey(),
    outboundAddress: undefined,
  };
  return fixed;
}

function createStore({ store }: Config, registry: Registry): RecentStore {
  const metrics = createStoreMetrics(registry, { spans: () => kept.spans(), bytes: () => kept.bytes() });
  const kept = createRecentStore(metrics, store);
  return kept;
}

/** A tenth of the shortest limit, so that short ones, as tests set them, are kept too. */
function deadlineResolutionMs({ limits }: Config): number {
  const shortest = Math.min(
    limits.headTimeoutMs,
    limits.bodyTimeoutMs,
    limits.idleMs,
    limits.connectTimeoutMs,
  );
  return Math.min(100, Math.max(5, Math.floor(Math.min(shortest, limits.responseTimeoutMs) / 10)));
}

async function startAdminFor(
  live: () => Live,
  { tools, registry, peers, store }: Fixed,
  state: { readonly isReady: boolean },
): Promise<AdminServer | undefined> {
  if (store === undefined || tools.worker !== undefined) return undefined;
  return startAdminListener(state, {
    ...tools,
    config: () => live().config,
    whitelist: () => live().policy.whitelist,
    metrics: () => registry.collect(),
    peers: () => peers,
    traceRoutes: (turns) => createQueryRoutes(store, { clock: tools.clock, turns }),
  });
}
