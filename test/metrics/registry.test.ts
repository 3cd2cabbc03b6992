/** The registry's text, its bound, and that docs/metrics.md names every family and no other. */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { createExportMetrics, createStoreMetrics } from "../../src/metrics/export-metrics.ts";
import { createDiscoveryMetrics, createInterceptMetrics } from "../../src/metrics/outbound-metrics.ts";
import {
  createListenerMetrics,
  createProxyMetrics,
  createUpstreamMetrics,
} from "../../src/metrics/proxy-metrics.ts";
import { createProofMetrics } from "../../src/metrics/proof-metrics.ts";
import {
  createPassMetrics,
  createPressureMetrics,
  createStrategyMetrics,
  createTailMetrics,
} from "../../src/metrics/sampling-metrics.ts";
import { createRegistry } from "../../src/metrics/registry.ts";
import { createWorkerMetrics } from "../../src/metrics/worker-metrics.ts";

it("writes the text format, with what would break a line escaped", () => {
  const registry = createRegistry();
  const family = registry.counter("a_total", 'Back\\slash\nand "quotes".', ["one", "two"]);
  family.with("x", 'y"\\\n').add(2);
  family.with("x", 'y"\\\n').add(0.5);
  registry.gauge("b", "A gauge.", () => 7);
  expect(registry.format()).toBe(
    '# HELP a_total Back\\\\slash\\nand "quotes".\n# TYPE a_total counter\na_total{one="x",two="y\\"\\\\\\n"} 2.5\n' +
      "# HELP b A gauge.\n# TYPE b gauge\nb 7\n",
  );
});

it.each([
  { why: "the last series inside the bound", series: 200, hasOther: false },
  { why: "one more is counted as other", series: 201, hasOther: true },
])("$why", ({ series, hasOther }) => {
  const registry = createRegistry();
  const family = registry.counter("a_total", "Help.", ["label"]);
  for (let index = 0; index < series; index++) family.with(`value${index}`).add(1);
  expect(registry.format().includes('a_total{label="other"} 1')).toBe(hasOther);
});

it("writes what somebody else counts", () => {
  const registry = createRegistry();
  const counts = { hits: 3, misses: 2, refreshes: 1, refused: 0, inFlight: 4, size: 5 };
  createDiscoveryMetrics(registry, () => ({ hosts: counts, servers: { ...counts, hits: 9 } }));
  expect(registry.format().split("\n")).toEqual(
    expect.arrayContaining([
      "# TYPE fedtrace_discovery_lookups_total counter",
      'fedtrace_discovery_lookups_total{kind="hosts",outcome="hit"} 3',
      'fedtrace_discovery_lookups_total{kind="servers",outcome="hit"} 9',
      'fedtrace_discovery_lookups_total{kind="hosts",outcome="miss"} 2',
      'fedtrace_discovery_lookups_total{kind="hosts",outcome="refresh"} 1',
      'fedtrace_discovery_lookups_total{kind="hosts",outcome="refused"} 0',
      "fedtrace_discovery_entries 10",
      "fedtrace_discovery_in_flight 8",
    ]),
  );
});

it("documents every family, and no other", () => {
  const registry = createRegistry();
  createProxyMetrics(registry);
  const none = (): number => 0;
  createListenerMetrics(registry, none);
  createUpstreamMetrics(registry, { connections: none, queue: none, addresses: none, healthy: none });
  createExportMetrics(registry);
  createStoreMetrics(registry, { spans: () => 0, bytes: () => 0 });
  createWorkerMetrics(registry, () => 0);
  createDiscoveryMetrics(registry, () => ({}));
  createInterceptMetrics(registry, {
    tunnels: none,
    leafs: () => ({ issued: 0, hits: 0, joined: 0, refused: 0, size: 0 }),
  });
  createPressureMetrics(registry, none);
  createStrategyMetrics(registry);
  createTailMetrics(registry, { spans: none, bytes: none });
  createPassMetrics(registry);
  const noKeys = () => ({ held: 0, size: 0 });
  createProofMetrics(registry, { keys: { server: noKeys, actor: noKeys }, heldBytes: none });
  const families = [...registry.format().matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
  const documented = [...readFileSync("docs/metrics.md", "utf8").matchAll(/^\| `(\w+)`/gm)].map(
    ([, name]) => name,
  );
  expect(new Set(documented)).toEqual(new Set(families));
});
