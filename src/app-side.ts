/** One direction of the sidecar as it runs: its listener, its certificates, and for the way out who looks into tunnels. A part of the composition root (app.ts). */

import type { Fixed } from "./app.ts";
import type { Live } from "./app-live.ts";
import { createTunnelInterceptor } from "./app-outbound.ts";
import { createListenerTls, type RunningTls } from "./app-tls.ts";
import type { Listen } from "./config/addresses.ts";
import type { Config } from "./config/merge.ts";
import type { TlsFiles } from "./config/tls-files.ts";
import { FedtraceError } from "./core/errors.ts";
import { type Listener, type ListenerRefusal, startListener } from "./http1/listener.ts";
import { peerKeyOf } from "./http1/listener-peers.ts";
import type { ServerConnection } from "./http1/server-connection.ts";
import type { Direction } from "./metrics/proxy-metrics.ts";
import { type ExchangeContext, openExchange } from "./proxy/exchange.ts";
import type { Interceptor, InterceptOptions } from "./proxy/intercept.ts";
import { refuseConnection } from "./proxy/refuse-connection.ts";

export interface RunningSide {
  readonly listener: Listener;
  readonly tls: RunningTls | undefined;
  readonly interceptor: Interceptor | undefined;
}

/** @throws FedtraceError LISTEN_FAILED when its address can't be taken, CONFIG_INVALID when a file of it can't be used */
export async function startSide(direction: Direction, live: () => Live, fixed: Fixed): Promise<RunningSide> {
  const { tools, metrics, deadlines } = fixed;
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
      pool: fixed.upstreams.pools[direction],
      random: tools.random,
      clock: tools.clock,
      metrics,
      traffic: fixed.traffic,
      usage: now.usage,
      peers: fixed.peers,
      resends: fixed.resends,
      foreignTraces: fixed.foreignTraces,
      spans: fixed.exporters.intake,
      prover: direction === "inbound" ? now.prover : undefined,
      held: fixed.proofs.held,
      proofs: fixed.proofs.notes,
      log: fixed.throttledLog,
      isDraining: () => listener?.isDraining ?? false,
      tunnelIdleMs: now.config.limits.idleMs,
      intercept: interceptor,
    };
    known = { live: now, context: made };
    return made;
  }

  function onRefused(reason: ListenerRefusal, connection: ServerConnection): void {
    metrics.requestRefused(direction, reason);
    refuseConnection(reason, connection);
  }

  const isProxy = (address: string): boolean => live().trustedProxies?.isTrusted(address) ?? false;

  const { config } = live();
  const files = tlsFilesOf(config, direction);
  const tls =
    files && createListenerTls(files, `${direction}.tls`, { ...tools, ticketKeys: tools.worker?.ticketKeys });
  const interceptor =
    direction === "outbound" ? await startInterceptor(live, { context, onRefused }, fixed) : undefined;
  listener = await startListener({
    address: tools.worker === undefined ? addressOf(config, direction) : undefined,
    tls: tls?.initial,
    get limits() {
      return live().limits;
    },
    get fields() {
      return live().fields;
    },
    deadlines,
    // The outbound listener's one client is the own server; a proxy has the connections of all its clients.
    peerKeyOf:
      direction === "inbound" ? (address) => (isProxy(address) ? undefined : peerKeyOf(address)) : undefined,
    isProxy: direction === "inbound" && config.inbound?.proxyProtocol === true ? isProxy : undefined,
    counts: {
      connectionEvicted: () => metrics.connectionEvicted(direction),
      connectionDropped: (reason) => metrics.connectionDropped(direction, reason),
      handshakeFailed: (reason) => metrics.handshakeFailed(reason),
      proxyHeaderRefused(reason, proxy) {
        metrics.proxyHeaderRefused(reason);
        // A connection that ends before anything was said is most often a health check.
        if (reason !== "gone")
          fixed.throttledLog.info("connection without a good PROXY header", { reason, proxy });
      },
    },
    onRequest: (head, connection) => openExchange(context(), head, connection),
    onRefused,
  });
  if (direction === "outbound") fixed.outboundAddress = listener.address;
  if (tools.worker === undefined) tools.onListening?.(direction, listener.address);
  return { listener, tls: tls?.start(listener), interceptor };
}

export function tlsFilesOf({ inbound, outbound }: Config, direction: Direction): TlsFiles | undefined {
  return direction === "inbound" ? inbound?.tls : outbound?.tls;
}

async function startInterceptor(
  live: () => Live,
  { context, onRefused }: { readonly context: () => ExchangeContext } & Pick<InterceptOptions, "onRefused">,
  { tools, deadlines, metrics, throttledLog, registry }: Fixed,
): Promise<Interceptor | undefined> {
  const { outbound } = live().config;
  if (outbound === undefined) return undefined;
  return createTunnelInterceptor(
    outbound,
    { registry, clock: tools.clock, log: tools.log },
    {
      live() {
        const { limits, fields, locate } = live();
        if (locate === undefined) throw new FedtraceError("INTERNAL", "there is no way out after a reload");
        return { limits, fields, locate };
      },
      deadlines,
      onRequest: (head, connection, side) => openExchange({ ...context(), side }, head, connection),
      onRefused,
      onFailed(reason, detail) {
        metrics.interceptFailed(reason);
        throttledLog.info("tunnel not opened", { reason, detail });
      },
    },
  );
}

function addressOf(config: Config, direction: Direction): Listen {
  const listen = config[direction]?.listen;
  if (listen === undefined) throw new FedtraceError("INTERNAL", `${direction} has no listen address`);
  return listen;
}
