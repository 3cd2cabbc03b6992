/**
 * A Config in a file's own words, defaults and environment filled in, secrets hidden: the answer of `/api/fedtrace/config`.
 *
 * What comes out means the same if it is put into a file, but for the secrets (test/config/describe.test.ts reads it back).
 */

import { formatHostPort as hostPort } from "../core/host.ts";
import { formatUpstream, type Listen } from "./addresses.ts";
import type { Config } from "./merge.ts";
import { formatDuration, formatSize } from "./quantities.ts";

/**
 * Stands in the place of every value that may be a secret. Visible ASCII, so that it could stand in a file, but too short for a key
 * that signs: who copies it into one is told.
 */
export const HIDDEN = "(hidden)";

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };
export type ConfigDescription = Readonly<Record<string, Json | undefined>>;

/** Keys that are not set are undefined, which JSON leaves out. */
export function describeConfig(config: Config): ConfigDescription {
  const { propagation, sampling, admin, store, metrics, usageReport, resource } = config;
  return {
    server_name: config.serverName,
    inbound: describeInbound(config.inbound),
    outbound: describeOutbound(config.outbound),
    // Those of the file stand in the file.
    whitelist: config.whitelist.filter(({ source }) => source === undefined).map(describeEntry),
    whitelist_file: config.whitelistFile,
    propagation: {
      formats: propagation.formats,
      remove: propagation.remove,
      outbound_ids: propagation.outboundIds,
    },
    sampling: describeSampling(sampling),
    export: config.exports.map(describeExport),
    admin: admin && { listen: hostPort(admin.listen), hosts: admin.hosts },
    store: { spans: store.spansMax, size: formatSize(store.bytesMax) },
    metrics: {
      enabled: metrics.isEnabled,
      ip: metrics.hasIp,
      top: metrics.top,
      size: formatSize(metrics.bytesMax),
    },
    usage_report: {
      enabled: usageReport.isEnabled,
      endpoint: usageReport.endpoint && withoutQuery(usageReport.endpoint),
      interval: formatDuration(usageReport.intervalMs),
      server_context: usageReport.serverContext,
      anonymous: usageReport.isAnonymous,
      ca_file: usageReport.caFile,
      state_file: usageReport.stateFile,
    },
    limits: describeLimits(config.limits),
    workers: config.workers,
    routes: config.routes.map(({ method, template }) => ({ method, template })),
    log: { level: config.log.level },
    // Not keys of a file: they come from the environment alone.
    ...(config.isSdkDisabled ? { otel_sdk_disabled: true } : {}),
    resource: { "service.name": resource.serviceName, ...resource.attributes },
  };
}

function describeSampling(sampling: Config["sampling"]): Json {
  const { remote, tail } = sampling;
  return {
    type: sampling.type,
    param: sampling.param,
    operations: sampling.operations.map(({ operation, sampler }) => ({ operation, ...sampler })),
    peers: sampling.peers.map(({ kind, text, sampler }) => ({ [kind]: text, ...sampler })),
    lower_bound: sampling.lowerBound,
    max_per_second: sampling.maxPerSecond,
    remote: remote && {
      url: remote.url && withoutQuery(remote.url),
      file: remote.file,
      poll_interval: formatDuration(remote.pollIntervalMs),
      max_probability: remote.maxProbability,
      max_per_second: remote.maxPerSecond,
      cache_file: remote.cacheFile,
    },
    tail: tail && {
      errors: tail.errors,
      slower_than: tail.slowerThanMs === undefined ? undefined : formatDuration(tail.slowerThanMs),
      hold: formatDuration(tail.holdMs),
      spans: tail.spansMax,
      size: formatSize(tail.bytesMax),
      max_per_second: tail.maxPerSecond,
    },
    debug_pass_secret: sampling.debugPassSecret && HIDDEN,
  };
}

function describeEntry(entry: Config["whitelist"][number]): Json {
  return {
    [entry.kind]: entry.text,
    sampling: entry.sampling,
    forced_per_second: entry.forcedPerSecond,
    authenticate: entry.authenticate,
  };
}

function describeInbound(inbound: Config["inbound"]): Json | undefined {
  if (inbound === undefined) return undefined;
  const { tls } = inbound;
  return {
    listen: formatListen(inbound.listen),
    upstream: describeUpstreams(inbound.upstream),
    tls: tls && {
      certificate: tls.certificateFile,
      private_key: tls.privateKeyFile,
      client_ca: tls.clientCaFile,
      certificates: tls.certificates.map(({ certificateFile, privateKeyFile }) => ({
        certificate: certificateFile,
        private_key: privateKeyFile,
      })),
    },
    identify: inbound.identify,
    authenticate: inbound.authenticate,
    authenticate_body_limit: formatSize(inbound.authenticateBodyMax),
    keys: describeKeys(inbound.keys),
    networks: inbound.networks,
    trusted_proxies: inbound.trustedProxies,
    proxy_protocol: inbound.proxyProtocol,
  };
}

/** Those of a notary are public. */
function describeKeys({
  notary,
  fetchesPerSecond,
  caFile,
  allowNetworks,
  resolver,
}: NonNullable<Config["inbound"]>["keys"]): Json {
  return {
    notary: notary && { server_name: notary.serverName, verify_keys: notary.verifyKeys },
    fetches_per_second: fetchesPerSecond,
    ca_file: caFile,
    allow_networks: allowNetworks,
    resolver: resolver && hostPort(resolver),
  };
}

function describeOutbound(outbound: Config["outbound"]): Json | undefined {
  if (outbound === undefined) return undefined;
  const { intercept, resolver } = outbound;
  return {
    listen: formatListen(outbound.listen),
    tls: outbound.tls && {
      certificate: outbound.tls.certificateFile,
      private_key: outbound.tls.privateKeyFile,
    },
    shared_secret: outbound.sharedSecret && HIDDEN,
    ca_file: outbound.caFile,
    pins: outbound.pins,
    intercept: intercept && {
      ca_certificate: intercept.caCertificateFile,
      ca_private_key: intercept.caPrivateKeyFile,
      hosts: intercept.hosts,
    },
    allow_networks: outbound.allowNetworks,
    allow_ports: outbound.allowPorts,
    resolver: resolver && hostPort(resolver),
  };
}

function describeExport(item: Config["exports"][number]): Json {
  switch (item.kind) {
    case "otlp":
      return {
        otlp: {
          url: withoutQuery(item.url),
          protocol: item.protocol,
          headers: Object.fromEntries(Object.keys(item.headers).map((name) => [name, HIDDEN])),
          timeout: formatDuration(item.timeoutMs),
          compression: item.compression,
          certificate: item.certificateFile,
        },
      };
    case "jaeger":
      return {
        jaeger: {
          agent: item.agent && hostPort(item.agent),
          protocol: item.agent && item.protocol,
          collector: item.collector && withoutQuery(item.collector),
        },
      };
    case "module":
      return { module: { name: item.path, exporter: item.exporter, options: withHidden(item.options) } };
    case "file":
      return { file: { path: item.path } };
  }
}

function describeLimits(limits: Config["limits"]): Json {
  return {
    head: formatSize(limits.headBytes),
    headers: limits.headers,
    head_timeout: formatDuration(limits.headTimeoutMs),
    body_timeout: formatDuration(limits.bodyTimeoutMs),
    idle: formatDuration(limits.idleMs),
    connect_timeout: formatDuration(limits.connectTimeoutMs),
    response_timeout: formatDuration(limits.responseTimeoutMs),
    connections: limits.connections,
    connections_per_peer: limits.connectionsPerPeer,
    upstream_connections: limits.upstreamConnections,
    upstream_queue: limits.upstreamQueue,
    drain: formatDuration(limits.drainMs),
  };
}

function formatListen(listen: Listen): string {
  return "path" in listen ? `unix:${listen.path}` : hostPort(listen);
}

/** One stands alone, as most files write it. */
function describeUpstreams(upstreams: NonNullable<Config["inbound"]>["upstream"]): Json {
  const written = upstreams.map(formatUpstream);
  const [first, ...more] = written;
  return first !== undefined && more.length === 0 ? first : written;
}

/** Only the exporter knows which of its options are secrets. */
function withHidden(options: Readonly<Record<string, unknown>>): Json {
  return Object.fromEntries(Object.keys(options).map((name) => [name, HIDDEN]));
}

/** A query may carry a key; the rest tells where spans go. A user is in none (addresses.ts, parseHttpUrl). */
function withoutQuery(url: string): string {
  const at = url.indexOf("?");
  return at === -1 ? url : `${url.slice(0, at)}?${HIDDEN}`;
}
