/**
 * The own server's addresses as the list of Synse's names has them, where an upstream is a "plugin".
 *
 * ```
 *   plugin_active_state   1 from its first connection, or the answer that brings it back, until it can't be reached or gives no answers
 *   plugin_connect_count, plugin_disconnect_count   how often that changed, either way
 *   plugin_disabled       1 while it is left alone (http1/upstream-health.ts)
 * ```
 */

import type { Registry } from "./registry.ts";

export interface UpstreamStates {
  /** A connection was opened, or it is out, or in again. */
  reached(upstream: string, isActive: boolean): void;
}

/** @param read asked at each collection: those that there are now */
export function createUpstreamStates(
  registry: Registry,
  read: () => readonly { readonly upstream: string; readonly isOut: boolean }[],
): UpstreamStates {
  const plugin = registry.module("plugin");
  const labels = ["plugin"];
  const active = new Set<string>();
  plugin
    .metric(
      "gauge",
      "active_state",
      "",
      "Whether an address of the own server is in use: 1, else 0.",
      labels,
      {
        merge: "most",
      },
    )
    .read(() => {
      const upstreams = read().map(({ upstream }) => upstream);
      for (const upstream of active) if (!upstreams.includes(upstream)) reached(upstream, false); // It is none any more.
      return upstreams.map((upstream) => ({ values: [upstream], value: active.has(upstream) ? 1 : 0 }));
    });
  plugin
    .metric(
      "gauge",
      "disabled",
      "",
      "Whether it is left alone because it can't be reached or gave no answers.",
      labels,
      {
        merge: "most",
      },
    )
    .read(() => read().map(({ upstream, isOut }) => ({ values: [upstream], value: isOut ? 1 : 0 })));
  const connects = plugin.metric(
    "counter",
    "connect_count",
    "",
    "Times that an address came into use.",
    labels,
  );
  const disconnects = plugin.metric(
    "counter",
    "disconnect_count",
    "",
    "Times that it went out of use.",
    labels,
  );

  function reached(upstream: string, isActive: boolean): void {
    if (active.has(upstream) === isActive) return;
    if (isActive) active.add(upstream);
    else active.delete(upstream);
    (isActive ? connects : disconnects).withLabels(upstream).add(1);
  }

  return { reached };
}
