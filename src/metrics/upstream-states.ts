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

/** Addresses that are gone and still have counts: a scrape or two must have seen their last ones. */
const GONE_MAX = 64;
/** Twice that, since so many there may be (proxy/upstream-names.ts): below what a family keeps apart, whoever looks. */
const COUNTED_MAX = 128;

/** @param read asked at each collection: those that there are now */
export function createUpstreamStates(
  registry: Registry,
  read: () => readonly { readonly upstream: string; readonly isOut: boolean }[],
): UpstreamStates {
  const plugin = registry.module("plugin");
  const labels = ["plugin"];
  const active = new Set<string>();
  /** Those that have counts, the one that had its first one longest ago first. */
  const counted = new Set<string>();
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
      review(upstreams);
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

  /** A server that moves has ever new addresses; what the oldest of those that are gone have counted ends, so that new ones have a place. */
  function review(upstreams: readonly string[]): void {
    for (const upstream of active) if (!upstreams.includes(upstream)) change(upstream, false); // It is none any more.
    for (const upstream of upstreams) seriesOf(upstream);
    const gone = [...counted].filter((upstream) => !upstreams.includes(upstream));
    for (const upstream of gone.slice(0, Math.max(0, gone.length - GONE_MAX))) {
      counted.delete(upstream);
      for (const family of [connects, disconnects]) family.remove([upstream]);
    }
  }

  function change(upstream: string, isActive: boolean): void {
    if (active.has(upstream) === isActive) return;
    if (isActive) active.add(upstream);
    else active.delete(upstream);
    const series = seriesOf(upstream);
    (isActive ? series.connects : series.disconnects).add(1);
  }

  /** Both, from 0 on: of a series that begins with its first change `increase` does not see that one. */
  function seriesOf(upstream: string) {
    counted.add(upstream);
    return { connects: connects.withLabels(upstream), disconnects: disconnects.withLabels(upstream) };
  }

  return {
    reached(upstream, isActive) {
      change(upstream, isActive);
      if (counted.size > COUNTED_MAX) review(read().map((known) => known.upstream));
    },
  };
}
