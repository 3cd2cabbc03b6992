/**
 * What one of several workers may take: its share of every budget that the config gives to the sidecar as a whole.
 *
 * Connections are spread evenly, so an N-th each is what all of them may take together; bounds that count things are rounded up, so
 * that nobody has none. A rate is divided as it is: its bucket holds a token at least (sampling/token-bucket.ts), so N workers may
 * begin with N traces where one would with one. Not here: rates of samplers, which a strategy may change (app-sampling.ts).
 */

import type { Config } from "./config/merge.ts";

/** @param number of the worker, 1 to `count` */
export function shareOf(config: Config, number: number, count: number): Config {
  const { inbound, limits, store, metrics, whitelist, resource } = config;
  const share = (whole: number): number => Math.ceil(whole / count);
  return {
    ...config,
    inbound: inbound && {
      ...inbound,
      keys: { ...inbound.keys, fetchesPerSecond: inbound.keys.fetchesPerSecond / count },
    },
    limits: {
      ...limits,
      connections: share(limits.connections),
      connectionsPerPeer: share(limits.connectionsPerPeer),
      upstreamConnections: share(limits.upstreamConnections),
      upstreamQueue: share(limits.upstreamQueue),
    },
    store: { spansMax: share(store.spansMax), bytesMax: share(store.bytesMax) },
    metrics: { ...metrics, bytesMax: share(metrics.bytesMax) },
    whitelist: whitelist.map((entry) => ({ ...entry, forcedPerSecond: entry.forcedPerSecond / count })),
    resource: { ...resource, attributes: instanceAttributes(resource.attributes, number) },
  };
}

/** An instance's id names one process (https://opentelemetry.io/docs/specs/semconv/registry/attributes/service/). */
function instanceAttributes(
  attributes: Config["resource"]["attributes"],
  number: number,
): Config["resource"]["attributes"] {
  const id = attributes[INSTANCE_ID];
  return id === undefined ? attributes : { ...attributes, [INSTANCE_ID]: `${id}-${number}` };
}

const INSTANCE_ID = "service.instance.id";
