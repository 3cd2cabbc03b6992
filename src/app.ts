/**
 * The composition root: from a Config to every object, and back.
 *
 * Start, in order: exporters, admin (so that a probe sees "starting"), upstream pools, inbound, outbound, ready.
 * Stop is that list backwards: not ready, listeners drain, pools close, exporters flush, admin goes last.
 * Only this file sees the whole Config; everything else is given what it needs. A reload builds the parts of
 * `live` keys anew and replaces them as a whole; open exchanges keep what they began with.
 */

import { readFileSync } from "node:fs";
import { type AdminServer, startAdmin } from "./admin/server.ts";
import { type AdminState, createAdminRoutes } from "./app-admin.ts";
import { type Exporters, startExporters } from "./app-export.ts";
import type { Config } from "./config/merge.ts";
import { findRestartKeys } from "./config/reload.ts";
import type { Clock } from "./core/clock.ts";
import { FedtraceError } from "./core/errors.ts";
import { createThrottledLog, type Log } from "./core/log.ts";
import type { Random } from "./core/random.ts";
import { VERSION } from "./core/version.ts";
import { type Deadlines, startDeadlines } from "./http1/deadlines.ts";
import type { FieldTable } from "./http1/fields.ts";
import { type Listener, type ListenerLimits, type ListenerTls, startListener } from "./http1/listener.ts";
import { createUpstreamPool, type UpstreamPool } from "./http1/upstream-pool.ts";
import { createStoreMetrics } from "./metrics/export-metrics.ts";
import { createProxyMetrics, type Direction, type ProxyMetrics } from "./metrics/proxy-metrics.ts";
import { createRegistry, type Registry } from "./metrics/registry.ts";
import { createIdentify } from "./peer/identify.ts";
import { createNetworks } from "./peer/networks.ts";
import { createPeerBook, type PeerBook } from "./peer/peer-book.ts";
import { createWhitelist } from "./peer/whitelist.ts";
import { createAllowedTargets } from "./proxy/allowed-targets.ts";
import type { BorderPolicy } from "./proxy/border.ts";
import { type ExchangeContext, openExchange } from "./proxy/exchange.ts";
import { createProxyFields } from "./proxy/field-tags.ts";
import { createInbound } from "./proxy/inbound.ts";
import { createOutbound } from "./proxy/outbound.ts";
import { refuseConnection } from "./proxy/refuse-connection.ts";
import type { Side } from "./proxy/side.ts";
import { createForcedBudget, type ForcedBudget } from "./sampling/forced.ts";
import { createSampler } from "./sampling/samplers.ts";
import { ACTIVITYPUB_ROUTES } from "./span/activitypub-routes.ts";
import { MATRIX_ROUTES } from "./span/matrix-routes.ts";
import type { SpanSink } from "./span/record.ts";
import { createResource } from "./span/resource.ts";
import { createRouter, type MatchRoute } from "./span/routes.ts";
import { createRecentStore, type RecentStore } from "./store/recent-store.ts";

/** What a sidecar is given of the world. */
export interface SidecarTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** All addresses of a name, for outbound targets; rejects where there are none. */
  readonly resolve: (name: string) => Promise<readonly string[]>;
  /** One more place for spans, beside `export` and the built-in store. */
  readonly spans?: SpanSink;
  /** The admin listener's trace page: the directory that the build made. */
  readonly pageDirectory: string;
  /** Told of each listener once it accepts. */
  readonly onListening?: (name: "inbound" | "outbound" | "admin", address: string) => void;
}

export interface Sidecar {
  /** The built-in store; undefined where there is no admin listener to look at it by. */
  readonly store: RecentStore | undefined;
  /** @returns keys whose change needs a restart, and then nothing was changed; none: the config is taken over */
  reload(config: Config): Promise<readonly string[]>;
  /** Drains, flushes and resolves; never rejects. */
  stop(): Promise<void>;
}

/** How long exporters may flush after the drain. */
const FLUSH_MS = 5000;

/** What a reload replaces, all of it at once. */
interface Live {
  readonly config: Config;
  readonly limits: ListenerLimits;
  readonly policy: BorderPolicy;
  readonly fields: FieldTable;
  readonly matchRoute: MatchRoute;
  readonly sides: Readonly<Partial<Record<Direction, Side>>>;
}

/** What stays as long as the process. */
interface Fixed {
  readonly tools: SidecarTools;
  readonly throttledLog: Log;
  readonly registry: Registry;
  readonly metrics: ProxyMetrics;
  readonly peers: PeerBook;
  readonly forced: ForcedBudget;
  readonly deadlines: Deadlines;
  readonly exporters: Exporters;
  readonly store: RecentStore | undefined;
}

/**
 * @throws FedtraceError LISTEN_FAILED that names every address which can't be taken, CONFIG_INVALID that names every
 *   exporter which can't be made; nothing is left running
 */
export async function startSidecar(config: Config, tools: SidecarTools): Promise<Sidecar> {
  const fixed = createFixed(config, tools);
  let live = await createLive(config, fixed);
  const state: AdminState = { isReady: false };

  const sides = (["inbound", "outbound"] as const).filter((direction) => config[direction] !== undefined);
  // All are tried before any fault is told, so an operator sees every taken address at once.
  const [exportStart, adminStart, ...sideStarts] = await Promise.allSettled([
    fixed.exporters.ready,
    fixed.store === undefined ? undefined : startAdminFor(() => live, fixed, fixed.store, state),
    ...sides.map((direction) => startSide(direction, () => live, fixed)),
  ]);
  const admin = adminStart.status === "fulfilled" ? adminStart.value : undefined;
  const running = sideStarts.flatMap((side) => (side.status === "fulfilled" ? [side.value] : []));

  async function stop(drainMs: number): Promise<void> {
    state.isReady = false;
    await drain(
      running.map(({ listener }) => listener),
      drainMs,
    );
    for (const { pool } of running) pool.close();
    fixed.deadlines.stop();
    await fixed.exporters.stop(FLUSH_MS);
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
  // The first verdict compiles the whitelist; better now than within the first request.
  setImmediate(() => live.policy.whitelist.decide(config.serverName));
  return {
    store: fixed.store,
    async reload(next) {
      const keys = findRestartKeys(live.config, next);
      if (keys.length === 0) live = await createLive(next, fixed);
      return keys;
    },
    stop: () => stop(live.config.limits.drainMs),
  };
}

function createFixed(config: Config, tools: SidecarTools): Fixed {
  const registry = createRegistry();
  const resource = createResource({
    "service.name": config.resource.serviceName,
    "service.version": VERSION,
    ...config.resource.attributes,
  });
  const store = config.admin === undefined ? undefined : createStore(config, registry);
  return {
    tools,
    throttledLog: createThrottledLog(tools.log, tools.clock),
    registry,
    metrics: createProxyMetrics(registry),
    peers: createPeerBook(),
    forced: createForcedBudget(tools.clock),
    deadlines: startDeadlines(tools.clock, deadlineResolutionMs(config)),
    exporters: startExporters(config.isSdkDisabled ? [] : config.exports, {
      ...tools,
      registry,
      origin: { resource, scope: { name: "fedtrace", version: VERSION } },
      store: config.store.spansMax === 0 ? undefined : store,
      observer: tools.spans,
    }),
    store,
  };
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

async function createLive(config: Config, fixed: Fixed): Promise<Live> {
  const { clock } = fixed.tools;
  const sampling = config.isSdkDisabled ? ({ type: "const", param: 0 } as const) : samplerOptions(config);
  return {
    config,
    limits: { ...config.limits, headLines: config.limits.headers },
    policy: {
      whitelist: await createWhitelist(config.whitelist),
      authenticate: config.inbound?.authenticate ?? "claimed",
      formats: config.propagation.formats,
      sampling: { sampler: createSampler(sampling, clock), forced: fixed.forced },
    },
    fields: createProxyFields(config.propagation.remove),
    matchRoute: createRouter([
      ...config.routes.map(({ method, template }) => ({ method, template })),
      ...MATRIX_ROUTES,
      ...ACTIVITYPUB_ROUTES,
    ]),
    sides: await createSides(config, fixed),
  };
}

function samplerOptions({ sampling }: Config): {
  type: "const" | "probabilistic" | "ratelimiting";
  param: number;
} {
  // The config refuses `remote` before it comes here (config/not-yet.ts).
  return { type: sampling.type === "remote" ? "const" : sampling.type, param: sampling.param };
}

async function createSides({ inbound, outbound }: Config, { tools }: Fixed): Promise<Live["sides"]> {
  return {
    ...(inbound && {
      inbound: createInbound({
        upstream:
          inbound.upstream.kind === "unix"
            ? { key: inbound.upstream.path, path: inbound.upstream.path }
            : {
                key: `${inbound.upstream.host} ${inbound.upstream.port}`,
                host: inbound.upstream.host,
                port: inbound.upstream.port,
              },
        isTls: inbound.tls !== undefined,
        hasClientCa: inbound.tls?.clientCaFile !== undefined,
        identify: createIdentify({
          order: inbound.identify,
          networks: createNetworks(inbound.networks),
        }),
      }),
    }),
    ...(outbound && {
      outbound: await createOutbound({
        sharedSecret: outbound.sharedSecret,
        allowed: createAllowedTargets(outbound.allowNetworks),
        resolve: tools.resolve,
        clock: tools.clock,
      }),
    }),
  };
}

interface RunningSide {
  readonly listener: Listener;
  readonly pool: UpstreamPool;
}

async function startSide(direction: Direction, live: () => Live, fixed: Fixed): Promise<RunningSide> {
  const { tools, metrics, deadlines } = fixed;
  const pool = createUpstreamPool({
    get limits() {
      return live().limits;
    },
    get fields() {
      return live().fields;
    },
    deadlines,
  });
  let known: { readonly live: Live; readonly context: ExchangeContext } | undefined;
  let listener: Listener | undefined;

  function context(): ExchangeContext {
    const now = live();
    if (known?.live === now) return known.context;
    const side = now.sides[direction];
    if (side === undefined) throw new FedtraceError("INTERNAL", `${direction} has no side after a reload`);
    const made: ExchangeContext = {
      side,
      policy: now.policy,
      matchRoute: now.matchRoute,
      fields: now.fields,
      pool,
      random: tools.random,
      clock: tools.clock,
      metrics,
      peers: fixed.peers,
      spans: fixed.exporters.intake,
      log: fixed.throttledLog,
      isDraining: () => listener?.isDraining ?? false,
      tunnelIdleMs: now.config.limits.idleMs,
    };
    known = { live: now, context: made };
    return made;
  }

  const { config } = live();
  listener = await startListener({
    address: addressOf(config, direction),
    tls: direction === "inbound" ? readTls(config.inbound?.tls) : undefined,
    get limits() {
      return live().limits;
    },
    get fields() {
      return live().fields;
    },
    deadlines,
    onRequest: (head, connection) => openExchange(context(), head, connection),
    onRefused(reason, connection) {
      metrics.requestRefused(direction, reason);
      refuseConnection(reason, connection);
    },
  });
  tools.onListening?.(direction, listener.address);
  return { listener, pool };
}

function addressOf(config: Config, direction: Direction): { readonly host: string; readonly port: number } {
  const listen = config[direction]?.listen;
  if (listen === undefined) throw new FedtraceError("INTERNAL", `${direction} has no listen address`);
  return listen;
}

function readTls(tls: NonNullable<Config["inbound"]>["tls"]): ListenerTls | undefined {
  if (tls === undefined) return undefined;
  return {
    cert: readFileSync(tls.certificateFile),
    key: readFileSync(tls.privateKeyFile),
    ca: tls.clientCaFile === undefined ? undefined : readFileSync(tls.clientCaFile),
  };
}

async function startAdminFor(
  live: () => Live,
  { tools, registry, peers }: Fixed,
  store: RecentStore,
  state: AdminState,
): Promise<AdminServer> {
  const { config } = live();
  const { host, port } = config.admin?.listen ?? { host: "127.0.0.1", port: 0 };
  const admin = await startAdmin({
    host,
    port,
    hosts: () => live().config.admin?.hosts ?? [],
    log: tools.log,
    routes: createAdminRoutes(state, {
      registry,
      store,
      clock: tools.clock,
      peers,
      config: () => live().config,
      rules: () => {
        const { whitelist, formats, authenticate } = live().policy;
        return { whitelist, formats, authenticate, entries: live().config.whitelist.length };
      },
      pageDirectory: tools.pageDirectory,
    }),
  });
  tools.onListening?.("admin", admin.address);
  return admin;
}

/** Lets open exchanges end until `drainMs` have passed; then cuts what is left. */
async function drain(listeners: readonly Listener[], drainMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<true>((resolve) => {
    timer = setTimeout(() => resolve(true), drainMs);
  });
  const drained = Promise.all(listeners.map((listener) => listener.drain()));
  if ((await Promise.race([drained, isLate])) === true) for (const listener of listeners) listener.destroy();
  clearTimeout(timer);
  await drained;
}

function mergeFaults(faults: readonly unknown[]): FedtraceError {
  const messages = faults.map((fault) => (fault instanceof Error ? fault.message : String(fault)));
  const [first] = faults;
  const code = first instanceof FedtraceError ? first.code : "LISTEN_FAILED";
  return new FedtraceError(code, messages.join("\n"), { faults: faults.length }, first);
}
