/** What is decided about traces, and what becomes of the strategies, passes and held spans that have a say in it. */

import type { CounterChild } from "./children.ts";
import type { Registry } from "./registry.ts";

export interface DecisionMetrics {
  /** @param by a word of sampling/decision.ts */
  decided(by: string, isSampled: boolean): void;
  /** @param reason a word of sampling/decision.ts */
  withheld(reason: string): void;
}

export function createDecisionMetrics(registry: Registry): DecisionMetrics {
  const decisions = registry.metric(
    "counter",
    "sampling_decisions",
    "",
    "Requests whose sampling was decided, by who decided: the local sampler, a trusted peer's wish (forced), the own server's (own), or a debug pass.",
    ["decided", "sampled"],
  );
  const withheld = registry.metric(
    "counter",
    "sampling_withheld",
    "",
    "Requests that would have been sampled but for a bound: exporters fall behind (pressure), sampling.max_per_second, or a peer that chooses its trace ids has had its share (share).",
    ["reason"],
  );
  // Every request comes here: its series is found without making a key of it.
  const known = new Map<string, readonly [no: CounterChild, yes: CounterChild]>();
  return {
    decided(by, isSampled) {
      let cells = known.get(by);
      if (cells === undefined) {
        cells = [decisions.withLabels(by, "false"), decisions.withLabels(by, "true")];
        known.set(by, cells);
      }
      cells[isSampled ? 1 : 0].add(1);
    },
    withheld: (reason) => withheld.withLabels(reason).add(1),
  };
}

/** @param step asked at each scrape (sampling/pressure.ts) */
export function createPressureMetrics(registry: Registry, step: () => number): void {
  registry
    .metric(
      "gauge",
      "sampling_pressure",
      "",
      "How often the sampling rate is halved because exporters fall behind: 0 to 6.",
      [],
      { merge: "most" },
    )
    .read(step);
}

/** @returns counts one poll of a remote strategy or one look at a strategy file */
export function createStrategyMetrics(registry: Registry): (outcome: string) => void {
  const polls = registry.metric(
    "counter",
    "sampling_strategy_polls",
    "",
    "Times that a sampling strategy was asked for, by what came of it: changed, unchanged or failed.",
    ["outcome"],
  );
  return (outcome) => polls.withLabels(outcome).add(1);
}

interface TailMetrics {
  kept(reason: string, spans: number): void;
  dropped(reason: string, spans: number): void;
}

/** @param read asked at each scrape (store/tail-buffer.ts) */
export function createTailMetrics(
  registry: Registry,
  read: { readonly spans: () => number; readonly bytes: () => number },
): TailMetrics {
  registry.metric("gauge", "tail_spans", "", "Spans of unsampled requests that are held.").read(read.spans);
  registry.metric("gauge", "tail", "bytes", "Memory that the held spans take, about.").read(read.bytes);
  const kept = registry.metric(
    "counter",
    "tail_kept_spans",
    "",
    "Spans of unsampled requests that were recorded all the same: error, slow, asked (by a debug pass).",
    ["reason"],
  );
  const dropped = registry.metric(
    "counter",
    "tail_dropped_spans",
    "",
    "Spans of unsampled requests that went: their time was over (expired), there was no room (evicted), or their trace was one too many in its second (rate).",
    ["reason"],
  );
  return {
    kept: (reason, spans) => kept.withLabels(reason).add(spans),
    dropped: (reason, spans) => dropped.withLabels(reason).add(spans),
  };
}

/** @returns counts one pass that was presented, by what came of it (passes/debug-pass.ts) */
export function createPassMetrics(registry: Registry): (outcome: string) => void {
  const passes = registry.metric(
    "counter",
    "debug_passes",
    "",
    "Debug passes that whitelisted peers presented: used, or why not (malformed, signature, audience, peer, expired, spent, full).",
    ["outcome"],
  );
  return (outcome) => passes.withLabels(outcome).add(1);
}
