/** What the proxy counts, and what its upstream connections do. The series that every request touches are looked up once, here. */

import type { ErrorCode } from "../core/errors.ts";
import type { CounterCell, Registry } from "./registry.ts";
import { createDecisionMetrics, type DecisionMetrics } from "./sampling-metrics.ts";

export type Direction = "inbound" | "outbound";

export interface ProxyMetrics {
  readonly started: Readonly<Record<Direction, CounterCell>>;
  readonly sampled: Readonly<Record<Direction, CounterCell>>;
  readonly removed: Readonly<Record<Direction, CounterCell>>;
  /** Trace contexts seen in bodies. */
  readonly bodyContexts: Readonly<Record<Direction, CounterCell>>;
  readonly whitelisted: Readonly<Record<Direction, CounterCell>>;
  readonly stranger: Readonly<Record<Direction, CounterCell>>;
  readonly sampling: DecisionMetrics;
  contextRefused(format: string, reason: string): void;
  foreignTraceForgotten(): void;
  failed(direction: Direction, code: ErrorCode): void;
  /** @param reason a word of proxy/intercept.ts */
  interceptFailed(reason: string): void;
  /** @param reason a word of proxy/outbound.ts or of discovery/ */
  targetRefused(reason: string): void;
  /** @param reason a word of http1/refusals.ts, or of the listener */
  requestRefused(direction: Direction, reason: string): void;
  connectionEvicted(direction: Direction): void;
  /** @param reason a word of http1/listener-room.ts */
  connectionDropped(direction: Direction, reason: string): void;
  /** @param reason a word of http1/listener-tls.ts */
  handshakeFailed(reason: string): void;
  /** @param reason a word of http1/listener-announced.ts */
  proxyHeaderRefused(reason: string): void;
  /** @param reason a word of proxy/client.ts */
  forwardedRefused(reason: string): void;
}

export function createProxyMetrics(registry: Registry): ProxyMetrics {
  const both = (name: string, help: string): Record<Direction, CounterCell> => {
    const family = registry.counter(name, help, ["direction"]);
    return { inbound: family.with("inbound"), outbound: family.with("outbound") };
  };
  const verdicts = registry.counter(
    "fedtrace_peers_total",
    "Requests from (inbound) and to (outbound) peers, by the whitelist's verdict.",
    ["direction", "verdict"],
  );
  const contexts = registry.counter(
    "fedtrace_context_refused_total",
    "Trace contexts of whitelisted senders that were malformed or over a bound.",
    ["format", "reason"],
  );
  const forgotten = registry
    .counter(
      "fedtrace_foreign_traces_forgotten_total",
      "Peers' traces of several spans that are no longer counted because too many others came.",
    )
    .with();
  const errors = registry.counter("fedtrace_errors_total", "Exchanges that failed, by error code.", [
    "direction",
    "code",
  ]);
  const refusals = registry.counter(
    "fedtrace_requests_refused_total",
    "Requests refused before anything of them was forwarded, by reason.",
    ["direction", "reason"],
  );
  const targets = registry.counter(
    "fedtrace_targets_refused_total",
    "Outbound requests whose target was refused or could not be found, by reason.",
    ["reason"],
  );
  const intercepts = registry.counter(
    "fedtrace_intercept_failures_total",
    "Tunnels that should be looked into and could not be, by reason.",
    ["reason"],
  );
  const evictions = both(
    "fedtrace_connections_evicted_total",
    "Idle connections closed to make room for new ones.",
  );
  const drops = registry.counter(
    "fedtrace_connections_dropped_total",
    "Connections closed before anything was read of them and without an answer, by reason.",
    ["direction", "reason"],
  );
  const handshakes = registry.counter(
    "fedtrace_tls_handshake_failures_total",
    "TLS handshakes of listeners that failed, by reason.",
    ["reason"],
  );
  const proxyHeaders = registry.counter(
    "fedtrace_proxy_headers_refused_total",
    "Connections of trusted proxies closed for want of a good PROXY protocol header, by reason.",
    ["reason"],
  );
  const forwarded = registry.counter(
    "fedtrace_forwarded_refused_total",
    "Requests of trusted proxies whose Forwarded and X-Forwarded-* lines were not believed, by reason.",
    ["reason"],
  );
  return {
    started: both("fedtrace_spans_started_total", "Spans begun: one for each request that was forwarded."),
    sampled: both("fedtrace_spans_sampled_total", "Spans recorded for export."),
    removed: both("fedtrace_headers_removed_total", "Trace and baggage headers taken out of messages."),
    bodyContexts: both(
      "fedtrace_body_contexts_total",
      "Trace contexts seen in the bodies of Matrix transactions, which are signed and pass unchanged.",
    ),
    whitelisted: {
      inbound: verdicts.with("inbound", "whitelisted"),
      outbound: verdicts.with("outbound", "whitelisted"),
    },
    stranger: {
      inbound: verdicts.with("inbound", "stranger"),
      outbound: verdicts.with("outbound", "stranger"),
    },
    sampling: createDecisionMetrics(registry),
    contextRefused: (format, reason) => contexts.with(format, reason).add(1),
    foreignTraceForgotten: () => forgotten.add(1),
    failed: (direction, code) => errors.with(direction, code).add(1),
    interceptFailed: (reason) => intercepts.with(reason).add(1),
    targetRefused: (reason) => targets.with(reason).add(1),
    requestRefused: (direction, reason) => refusals.with(direction, reason).add(1),
    connectionEvicted: (direction) => evictions[direction].add(1),
    connectionDropped: (direction, reason) => drops.with(direction, reason).add(1),
    handshakeFailed: (reason) => handshakes.with(reason).add(1),
    proxyHeaderRefused: (reason) => proxyHeaders.with(reason).add(1),
    forwardedRefused: (reason) => forwarded.with(reason).add(1),
  };
}

/** @param read open client connections of all listeners, as `limits.connections` counts them */
export function createListenerMetrics(registry: Registry, read: () => number): void {
  registry.gauge("fedtrace_connections", "Client connections of both listeners, idle ones too.", read);
}

/** What one side's upstream connections count into; http1/upstream-member.ts calls it. */
interface UpstreamMetrics {
  onConnect(): void;
  onConnectFailure(code: ErrorCode): void;
  onRetry(why: "connect" | "stale"): void;
  onQueueRefused(why: "full" | "timeout"): void;
}

/** Asked at each scrape. */
interface UpstreamReadings {
  /** Connections to upstreams and targets, idle ones too. */
  readonly connections: () => number;
  /** Requests that wait for one. */
  readonly queue: () => number;
  /** Addresses of the own server, and those of them that are not left alone. */
  readonly addresses: () => number;
  readonly healthy: () => number;
}

interface AllUpstreamMetrics {
  readonly sides: Readonly<Record<Direction, UpstreamMetrics>>;
  onLookUpFailed(): void;
}

export function createUpstreamMetrics(registry: Registry, read: UpstreamReadings): AllUpstreamMetrics {
  registry.gauge(
    "fedtrace_upstream_connections",
    "Connections to upstreams and targets, idle ones too.",
    read.connections,
  );
  registry.gauge(
    "fedtrace_upstream_queue",
    "Requests that wait for a connection to their upstream or target.",
    read.queue,
  );
  registry.gauge("fedtrace_upstream_addresses", "Addresses of the own server.", read.addresses, "most");
  registry.gauge(
    "fedtrace_upstream_healthy",
    "Addresses of the own server that are not left alone because they can't be reached or gave no answers.",
    read.healthy,
    "least",
  );
  const connects = registry.counter("fedtrace_upstream_connects_total", "Connections that were begun.", [
    "direction",
  ]);
  const failures = registry.counter(
    "fedtrace_upstream_connect_failures_total",
    "Connections that could not be opened, by error code.",
    ["direction", "code"],
  );
  const retries = registry.counter(
    "fedtrace_upstream_retries_total",
    "Requests that went on to another connection: their address could not be reached (connect), or an idle connection was closed (stale).",
    ["direction", "reason"],
  );
  const refused = registry.counter(
    "fedtrace_upstream_queue_refused_total",
    "Requests that got no connection: as many waited as may (full), or they had waited too long (timeout).",
    ["direction", "reason"],
  );
  const lookUps = registry
    .counter("fedtrace_upstream_lookups_failed_total", "Look-ups of the own server's name that failed.")
    .with();
  const side = (direction: Direction): UpstreamMetrics => {
    const ownConnects = connects.with(direction);
    return {
      onConnect: () => ownConnects.add(1),
      onConnectFailure: (code) => failures.with(direction, code).add(1),
      onRetry: (why) => retries.with(direction, why).add(1),
      onQueueRefused: (why) => refused.with(direction, why).add(1),
    };
  };
  return {
    sides: { inbound: side("inbound"), outbound: side("outbound") },
    onLookUpFailed: () => lookUps.add(1),
  };
}
