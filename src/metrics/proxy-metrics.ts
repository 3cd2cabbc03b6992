/** What the proxy counts, and what its upstream connections do. The series that every request touches are looked up once, here. */

import type { ErrorCode } from "../core/errors.ts";
import type { CounterChild } from "./children.ts";
import type { Registry } from "./registry.ts";
import { createDecisionMetrics, type DecisionMetrics } from "./sampling-metrics.ts";

export type Direction = "inbound" | "outbound";

export interface ProxyMetrics {
  readonly started: Readonly<Record<Direction, CounterChild>>;
  readonly sampled: Readonly<Record<Direction, CounterChild>>;
  readonly removed: Readonly<Record<Direction, CounterChild>>;
  /** Trace contexts seen in bodies. */
  readonly bodyContexts: Readonly<Record<Direction, CounterChild>>;
  readonly whitelisted: Readonly<Record<Direction, CounterChild>>;
  readonly stranger: Readonly<Record<Direction, CounterChild>>;
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
  const both = (name: string, help: string): Record<Direction, CounterChild> => {
    const family = registry.metric("counter", name, "", help, ["direction"]);
    return { inbound: family.withLabels("inbound"), outbound: family.withLabels("outbound") };
  };
  const verdicts = registry.metric(
    "counter",
    "peers",
    "",
    "Requests from (inbound) and to (outbound) peers, by the whitelist's verdict: whitelisted, stranger.",
    ["direction", "verdict"],
  );
  const contexts = registry.metric(
    "counter",
    "context_refused",
    "",
    "Trace contexts of whitelisted senders that were malformed or over a bound.",
    ["format", "reason"],
  );
  const forgotten = registry
    .metric(
      "counter",
      "foreign_traces_forgotten",
      "",
      "Peers' traces of several spans that are no longer counted because too many others came: a flood of trace ids.",
    )
    .withLabels();
  const errors = registry.metric(
    "counter",
    "errors",
    "",
    "Exchanges that failed; docs/errors.md has the codes.",
    ["direction", "code"],
  );
  const refusals = registry.metric(
    "counter",
    "requests_refused",
    "",
    "Requests refused before anything of them was forwarded, by reason.",
    ["direction", "reason"],
  );
  const targets = registry.metric(
    "counter",
    "targets_refused",
    "",
    "Outbound requests whose target was refused (address, port, loop) or could not be found (no-address, dns, timeout, busy).",
    ["reason"],
  );
  const intercepts = registry.metric(
    "counter",
    "intercept_failures",
    "",
    "Tunnels that should be looked into and could not be: hello (the client went away), leaf (no certificate for the name), handshake, timeout.",
    ["reason"],
  );
  const evictions = both("connections_evicted", "Idle connections closed to make room for new ones.");
  const drops = registry.metric(
    "counter",
    "connections_dropped",
    "",
    "Connections closed before anything was read of them and without an answer: handshakes (too many under way), refusals (too many 503 under way), peer-connections (TLS: the client has its share).",
    ["direction", "reason"],
  );
  const handshakes = registry.metric(
    "counter",
    "tls_handshake_failures",
    "",
    "TLS handshakes of listeners that failed: alpn, cipher, distrusted, gone, not-tls, plain-http, timeout, version, other.",
    ["reason"],
  );
  const proxyHeaders = registry.metric(
    "counter",
    "proxy_headers_refused",
    "",
    "Connections of inbound.trusted_proxies closed for want of a good PROXY protocol header: absent, syntax, length, version, command, family, tlv, checksum, gone (closed before it was whole, as health checks do), timeout, busy (too many awaited).",
    ["reason"],
  );
  const forwarded = registry.metric(
    "counter",
    "forwarded_refused",
    "",
    "Requests of trusted proxies whose Forwarded and X-Forwarded-* lines were not believed: syntax, bound (too long, too many hops), disagree (one kind says another client than the other), nominated (Connection names one of them).",
    ["reason"],
  );
  return {
    started: both("spans_started", "Spans begun: one for each request that was forwarded."),
    sampled: both("spans_sampled", "Spans recorded for export."),
    removed: both("headers_removed", "Trace and baggage headers taken out of messages."),
    bodyContexts: both(
      "body_contexts",
      "Trace contexts seen in the bodies of Matrix transactions, which are signed and pass unchanged.",
    ),
    whitelisted: {
      inbound: verdicts.withLabels("inbound", "whitelisted"),
      outbound: verdicts.withLabels("outbound", "whitelisted"),
    },
    stranger: {
      inbound: verdicts.withLabels("inbound", "stranger"),
      outbound: verdicts.withLabels("outbound", "stranger"),
    },
    sampling: createDecisionMetrics(registry),
    contextRefused: (format, reason) => contexts.withLabels(format, reason).add(1),
    foreignTraceForgotten: () => forgotten.add(1),
    failed: (direction, code) => errors.withLabels(direction, code).add(1),
    interceptFailed: (reason) => intercepts.withLabels(reason).add(1),
    targetRefused: (reason) => targets.withLabels(reason).add(1),
    requestRefused: (direction, reason) => refusals.withLabels(direction, reason).add(1),
    connectionEvicted: (direction) => evictions[direction].add(1),
    connectionDropped: (direction, reason) => drops.withLabels(direction, reason).add(1),
    handshakeFailed: (reason) => handshakes.withLabels(reason).add(1),
    proxyHeaderRefused: (reason) => proxyHeaders.withLabels(reason).add(1),
    forwardedRefused: (reason) => forwarded.withLabels(reason).add(1),
  };
}

/** @param read open client connections of all listeners, as `limits.connections` counts them */
export function createListenerMetrics(registry: Registry, read: () => number): void {
  registry
    .metric(
      "gauge",
      "connections",
      "",
      "Client connections of both listeners, idle ones too; each has limits.connections.",
    )
    .read(read);
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
  registry
    .metric("gauge", "upstream_connections", "", "Connections to upstreams and targets, idle ones too.")
    .read(read.connections);
  registry
    .metric("gauge", "upstream_queue", "", "Requests that wait for a connection to their upstream or target.")
    .read(read.queue);
  registry
    .metric("gauge", "upstream_addresses", "", "Addresses of the own server.", [], { merge: "most" })
    .read(read.addresses);
  registry
    .metric(
      "gauge",
      "upstream_healthy",
      "",
      "Addresses of the own server that are not left alone because they can't be reached or gave no answers.",
      [],
      { merge: "least" },
    )
    .read(read.healthy);
  const connects = registry.metric("counter", "upstream_connects", "", "Connections that were begun.", [
    "direction",
  ]);
  const failures = registry.metric(
    "counter",
    "upstream_connect_failures",
    "",
    "Connections that could not be opened; docs/errors.md has the codes.",
    ["direction", "code"],
  );
  const retries = registry.metric(
    "counter",
    "upstream_retries",
    "",
    "Requests that went on to another connection: their address could not be reached (connect), or an idle connection was closed (stale).",
    ["direction", "reason"],
  );
  const refused = registry.metric(
    "counter",
    "upstream_queue_refused",
    "",
    "Requests that got no connection: as many waited as may (full), or they had waited too long (timeout).",
    ["direction", "reason"],
  );
  const lookUps = registry
    .metric("counter", "upstream_lookups_failed", "", "Look-ups of the own server's name that failed.")
    .withLabels();
  const side = (direction: Direction): UpstreamMetrics => {
    const ownConnects = connects.withLabels(direction);
    return {
      onConnect: () => ownConnects.add(1),
      onConnectFailure: (code) => failures.withLabels(direction, code).add(1),
      onRetry: (why) => retries.withLabels(direction, why).add(1),
      onQueueRefused: (why) => refused.withLabels(direction, why).add(1),
    };
  };
  return {
    sides: { inbound: side("inbound"), outbound: side("outbound") },
    onLookUpFailed: () => lookUps.add(1),
  };
}
