/** docs/metrics.md from the registry: every family that a sidecar may have, made as a sidecar makes them. */

import { createCollectMetrics } from "../src/collect/collect-metrics.ts";
import { createSystemClock } from "../src/core/clock.ts";
import { createExportMetrics, createStoreMetrics } from "../src/metrics/export-metrics.ts";
import { createGrpcMetrics } from "../src/metrics/grpc-metrics.ts";
import { createHttpMetrics } from "../src/metrics/http-metrics.ts";
import { createLabelBounds } from "../src/metrics/label-bounds.ts";
import { createDiscoveryMetrics, createInterceptMetrics } from "../src/metrics/outbound-metrics.ts";
import { createPeerMetrics } from "../src/metrics/peer-metrics.ts";
import { startProcessMetrics } from "../src/metrics/process-metrics.ts";
import { createProofMetrics } from "../src/metrics/proof-metrics.ts";
import {
  createListenerMetrics,
  createProxyMetrics,
  createUpstreamMetrics,
} from "../src/metrics/proxy-metrics.ts";
import { createRegistry, type Registry } from "../src/metrics/registry.ts";
import {
  createPassMetrics,
  createPressureMetrics,
  createStrategyMetrics,
  createTailMetrics,
} from "../src/metrics/sampling-metrics.ts";
import type { FamilySnapshot } from "../src/metrics/snapshot.ts";
import { createUpstreamStates } from "../src/metrics/upstream-states.ts";
import { createWebSocketMetrics } from "../src/metrics/websocket-metrics.ts";
import { createUsageMetrics } from "../src/metrics/usage-metrics.ts";
import { createWorkerMetrics } from "../src/metrics/worker-metrics.ts";

const INTRODUCTION = `# Metrics

<!-- Made from src/metrics by \`npm run docs\`; edit that. -->

\`GET /metrics\` of the admin listener, unless \`metrics.enabled\` is \`false\`. A scraper that asks for it (\`Accept:
application/openmetrics-text; version=1.0.0\`, as Prometheus does) gets OpenMetrics 1.0.0, with units, times of creation and
exemplars; everybody else gets Prometheus' text format 0.0.4. Both are sent with gzip where that is accepted.

- **Names.** A counter's samples end in \`_total\`, an info's in \`_info\`; a histogram has \`_bucket\`, \`_count\` and \`_sum\`. \`_created\`
  is in OpenMetrics alone. The \`http_*_duration_seconds\` are [OpenTelemetry's](https://opentelemetry.io/docs/specs/semconv/http/http-metrics/),
  \`process_*\` and \`nodejs_*\` are what Prometheus' libraries call them.
- **Exemplars.** Buckets of the requests' \`*_duration_seconds\` name the last recorded trace that fell into them (four of a series): \`trace_id\`, \`span_id\`. Prometheus
  keeps them with \`--enable-feature=exemplar-storage\`; [docs/guides/grafana.md](guides/grafana.md) has the click from a slow bucket to its trace.
- **Bounds.** Labels that others choose (*bounded* below) show the busiest \`metrics.top\` values (20), all others are \`other\`; the text
  of a scrape stays within \`metrics.size\` (1 MiB), about: the busiest combinations have room, the rest are \`other\`, a status last. What was counted so is in
  \`fedtrace_metrics_overflow_total\`. A value that others overtake ends, and is counted as
  \`other\` from then on: rates are right, sums of totals can fall.
- **With \`workers\`** values are sums over all of them, but where *most*, *least* or *latest* is said; each worker shows its own busiest
  values, and what ended workers counted is kept for the hundred largest series of a family: where that changes, a series can fall.
`;

const NONE = (): number => 0;
/** In the order of the page. */
const SECTIONS: readonly (readonly [title: string, make: (registry: Registry) => void])[] = [
  [
    "Requests",
    (registry) => {
      createHttpMetrics(registry, { bounds: boundsOf(registry), hasIp: true });
    },
  ],
  ["WebSocket", (registry) => void createWebSocketMetrics(registry, { sourcesMax: 1, hasSource: true })],
  ["gRPC", (registry) => void createGrpcMetrics(registry, boundsOf(registry))],
  ["Whitelisted peers", (registry) => void createPeerMetrics(registry, boundsOf(registry))],
  [
    "The own server and other upstreams",
    (registry) => {
      createUpstreamStates(registry, () => []);
      createUpstreamMetrics(registry, { connections: NONE, queue: NONE, addresses: NONE, healthy: NONE });
    },
  ],
  [
    "The border and the listeners",
    (registry) => {
      createProxyMetrics(registry);
      createListenerMetrics(registry, NONE);
    },
  ],
  [
    "Proof",
    (registry) => {
      const noKeys = () => ({ held: 0, size: 0 });
      createProofMetrics(registry, { keys: { server: noKeys, actor: noKeys }, heldBytes: NONE });
    },
  ],
  [
    "The way out",
    (registry) => {
      createDiscoveryMetrics(registry, () => ({}));
      const noLeafs = () => ({ issued: 0, hits: 0, joined: 0, refused: 0, size: 0 });
      createInterceptMetrics(registry, { tunnels: NONE, leafs: noLeafs });
    },
  ],
  [
    "Sampling",
    (registry) => {
      createPressureMetrics(registry, NONE);
      createStrategyMetrics(registry);
      createPassMetrics(registry);
      createTailMetrics(registry, { spans: NONE, bytes: NONE });
    },
  ],
  [
    "Export and the built-in store",
    (registry) => {
      createExportMetrics(registry);
      createStoreMetrics(registry, { spans: NONE, bytes: NONE });
    },
  ],
  ["Usage reports", (registry) => void createUsageMetrics(registry)],
  ["Workers", (registry) => void createWorkerMetrics(registry, NONE)],
  [
    "The program",
    (registry) => {
      registry.metric("info", "build", "", "This program and what runs it.", ["version", "node"]);
      startProcessMetrics(registry.unprefixed, { process, clock: createSystemClock() })();
    },
  ],
  [
    "`fedtrace collect`, at its own `/metrics`",
    (registry) => void createCollectMetrics(registry, { waiting: NONE, sources: NONE }),
  ],
];

/** Labels whose values others choose (their `Busiest` bounds them). */
const BOUNDED: ReadonlySet<string> = new Set([
  "endpoint",
  "ip",
  "server_address",
  "source",
  "peer",
  "service",
  "method",
  "plugin",
]);

function boundsOf(registry: Registry) {
  return createLabelBounds(registry, { top: 1, bytesMax: 1 << 20 });
}

export function metricsPage(): string {
  // In one registry, so that a name which two sections use is found here.
  const registry = createRegistry({ prefix: "fedtrace", clock: createSystemClock() });
  let told = 0;
  const sections = SECTIONS.map(([title, make]) => {
    make(registry);
    const families = registry.collect();
    const rows = families.slice(told).map(row);
    told = families.length;
    return `\n## ${title}\n\n| metric | type | labels | what it says |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
  });
  return INTRODUCTION + sections.join("");
}

function row({ name, type, labels, help, merge, buckets, quantiles }: FamilySnapshot): string {
  const suffix = { counter: "_total", info: "_info" }[type as string] ?? "";
  const isGrpc = name.startsWith("fedtrace_grpc");
  const told = labels.map((label) => (isBounded(label, isGrpc) ? `${label} *(bounded)*` : label)).join(", ");
  const more = [
    buckets.length > 0 ? `Buckets: ${buckets.join(", ")}.` : "",
    quantiles.length > 0 ? `Quantiles: ${quantiles.join(", ")}.` : "",
    merge === "sum" ? "" : `Of several workers the ${merge}.`,
  ].filter((sentence) => sentence !== "");
  const text = [help, ...more].join(" ").replaceAll("|", "\\|").replaceAll("*", "\\*");
  return `| \`${name}${suffix}\` | ${type} | ${told} | ${text} |`;
}

/** `method` is a gRPC call's own word, and of HTTP one of a list; a plugin is bounded where targets are. */
function isBounded(label: string, isGrpc: boolean): boolean {
  return BOUNDED.has(label) && (isGrpc || (label !== "method" && label !== "plugin"));
}
