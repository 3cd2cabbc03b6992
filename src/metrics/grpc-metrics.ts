/** gRPC calls in the list of Synse's names. Service and method come from the path, so each is bounded; a plugin is an upstream. */

import type { LabelBounds } from "./label-bounds.ts";
import type { Registry } from "./registry.ts";
import { SeriesTable } from "./series-table.ts";
import type { GrpcCounts } from "./traffic-counts.ts";

const LATENCY_BUCKETS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

export function createGrpcMetrics(registry: Registry, bounds: LabelBounds): GrpcCounts {
  const { metric } = registry.module("grpc");
  const labels = ["type", "service", "method", "plugin"];
  const unbounded = { seriesMax: Infinity };
  const sent = metric(
    "counter",
    "message_sent",
    "",
    "Messages of gRPC calls to an upstream.",
    labels,
    unbounded,
  );
  const received = metric("counter", "message_received", "", "Messages from it.", labels, unbounded);
  const latency = metric(
    "histogram",
    "request_latency",
    "sec",
    "Time from a call's head to the end of its answer.",
    labels,
    {
      buckets: LATENCY_BUCKETS,
      ...unbounded,
    },
  );
  const services = bounds.busiest("service");
  const methods = bounds.busiest("method");
  const plugins = bounds.busiest("plugin");
  const table = new SeriesTable({
    families: { sent, received, latency },
    bounds: { service: services, method: methods, plugin: plugins },
    folds: [{ labels: ["service", "method", "plugin"], share: 0.6 }],
    bytesMax: bounds.room("grpc"),
    overflow: bounds.overflow,
  });
  return {
    called(call) {
      const series = table.find([
        call.type,
        services.note(call.service),
        methods.note(call.method),
        plugins.note(call.plugin),
      ]);
      series.sent.add(call.sent);
      series.received.add(call.received);
      series.latency.sample(call.seconds);
    },
  };
}
