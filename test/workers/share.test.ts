/** What each of several workers may take, so that all together take what the config says. */

import { expect, it } from "vitest";
import { shareOf } from "../../src/app-share.ts";
import { type Config, mergeConfig } from "../../src/config/merge.ts";
import { readOtelEnvironment } from "../../src/config/otel-environment.ts";
import { checkSchema } from "../../src/config/schema.ts";

function configOf(
  document: Readonly<Record<string, unknown>>,
  environment: Record<string, string> = {},
): Config {
  const checked = checkSchema({
    server_name: "own.test",
    inbound: { listen: "127.0.0.1:0", upstream: "http://127.0.0.1:1" },
    ...document,
  });
  if ("findings" in checked) throw new Error(JSON.stringify(checked.findings));
  return mergeConfig(checked.file, readOtelEnvironment(environment));
}

it.each<{
  why: string;
  document: Record<string, unknown>;
  read: (config: Config) => unknown;
  share: unknown;
}>([
  {
    why: "connections",
    document: { limits: { connections: 10 } },
    read: (c) => c.limits.connections,
    share: 4,
  },
  {
    why: "of one peer",
    document: { limits: { connections_per_peer: 3 } },
    read: (c) => c.limits.connectionsPerPeer,
    share: 1,
  },
  {
    why: "to the upstream: one at least",
    document: { limits: { upstream_connections: 1 } },
    read: (c) => c.limits.upstreamConnections,
    share: 1,
  },
  {
    why: "requests that wait: none is none",
    document: { limits: { upstream_queue: 0 } },
    read: (c) => c.limits.upstreamQueue,
    share: 0,
  },
  { why: "spans kept", document: { store: { spans: 100 } }, read: (c) => c.store.spansMax, share: 34 },
  {
    why: "spans kept: none is none",
    document: { store: { spans: 0 } },
    read: (c) => c.store.spansMax,
    share: 0,
  },
  {
    why: "their memory",
    document: { store: { size: "48MiB" } },
    read: (c) => c.store.bytesMax,
    share: 16 * 1024 ** 2,
  },
  {
    why: "a sampler as it is: what it allows is divided where it is counted",
    document: { sampling: { type: "ratelimiting", param: 1 } },
    read: (c) => c.sampling.param,
    share: 1,
  },
  {
    why: "forced traces",
    document: { whitelist: [{ regex: "a\\.test", sampling: "trust", forced_per_second: 6 }] },
    read: (c) => c.whitelist[0]?.forcedPerSecond,
    share: 2,
  },
  {
    why: "times are not divided",
    document: { limits: { idle: "30s" } },
    read: (c) => c.limits.idleMs,
    share: 30_000,
  },
])("a third: $why", ({ document, read, share }) => {
  expect(read(shareOf(configOf(document), 2, 3))).toEqual(share);
});

it.each([
  {
    why: "an instance's id names one process",
    attributes: "service.instance.id=a",
    shown: { "service.instance.id": "a-2" },
  },
  { why: "none is made up", attributes: "a=b", shown: { a: "b" } },
])("the resource: $why", ({ attributes, shown }) => {
  const config = configOf({}, { OTEL_RESOURCE_ATTRIBUTES: attributes });
  expect(shareOf(config, 2, 3).resource.attributes).toEqual(shown);
});

it("leaves the config of all as it was", () => {
  const config = configOf({ limits: { connections: 10 } });
  shareOf(config, 1, 2);
  expect(config.limits.connections).toBe(10);
});
