/** What each request and session is counted in, beside the sidecar's own counters (proxy-metrics.ts). */

import { createHttpMetrics, type HttpMetrics } from "./http-metrics.ts";
import { createLabelBounds, type MetricsBounds } from "./label-bounds.ts";
import { createGrpcMetrics } from "./grpc-metrics.ts";
import { createPeerMetrics, type PeerMetrics } from "./peer-metrics.ts";
import type { Registry } from "./registry.ts";
import type { GrpcCounts, WebSocketCounts } from "./traffic-counts.ts";
import { createWebSocketMetrics } from "./websocket-metrics.ts";

export interface TrafficMetrics {
  readonly http: HttpMetrics;
  readonly peers: PeerMetrics;
  readonly webSocket: WebSocketCounts;
  readonly grpc: GrpcCounts;
}

/** @param options `hasIp`: whether clients' addresses are told */
export function createTrafficMetrics(
  registry: Registry,
  options: MetricsBounds & { readonly hasIp: boolean },
): TrafficMetrics {
  const bounds = createLabelBounds(registry, options);
  return {
    http: createHttpMetrics(registry, { bounds, hasIp: options.hasIp }),
    peers: createPeerMetrics(registry, bounds),
    webSocket: createWebSocketMetrics(registry, { sourcesMax: options.top, hasSource: options.hasIp }),
    grpc: createGrpcMetrics(registry, bounds),
  };
}
