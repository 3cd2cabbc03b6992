/** What is decided about traces, and what becomes of the strategies, passes and held spans that have a say in it. */

import type { CounterCell, Registry } from "./registry.ts";

export interface DecisionMetrics {
  /** @param by a word of sampling/decision.ts */
  decided(by: string, isSampled: boolean): void;
  /** @param reason a word of sampling/decision.ts */
  withheld(reason: string): void;
}

export function createDecisionMetrics(registry: Registry): DecisionMetrics {
  const decisions = registry.counter(
    "fedtrace_sampling_decisions_total",
    "Requests whose sampling was decided, by who decided: the local sampler, a trusted peer's wish (forced), the own server's (own), or a debug pass.",
    ["decided", "sampled"],
  );
  const withheld = registry.counter(
    "fedtrace_sampling_withheld_total",
    "Requests that would have been sampled but for a bound: exporters fall behind (pressure), sampling.max_per_second, or a peer that chooses its trace ids has had its share (share).",
    ["reason"],
  );
  // Every request comes here: its series is found without making a key of it.
  const known = new Map<string, readonly [no: CounterCell, yes: CounterCell]>();
  return {
    decided(by, isSampled) {
      let cells = known.get(by);
      if (cells === undefined) {
        cells = [decisions.with(by, "false"), decisions.with(by, "true")];
        known.set(by, cells);
      }
      cells[isSampled ? 1 : 0].add(1);
    },
    withheld: (reason) => withheld.with(reason).add(1),
  };
}

/** @param step asked at each scrape (sampling/pressure.ts) */
export function createPressureMetrics(registry: Registry, step: () => number): void {
  registry.gauge(
    "fedtrace_sampling_pressure",
    "How often the sampling rate is halved because exporters fall behind: at 0 it is what is configured.",
    step,
    "most",
  );
}

/** @returns counts one poll of a remote strategy or one look at a strategy file */
export function createStrategyMetrics(registry: Registry): (outcome: string) => void {
  const polls = registry.counter(
    "fedtrace_sampling_strategy_polls_total",
    "Times that a sampling strategy was asked for, by what came of it: changed, unchanged or failed.",
    ["outcome"],
  );
  return (outcome) => polls.with(outcome).add(1);
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
  registry.gauge("fedtrace_tail_spans", "Spans of unsampled requests that are held.", read.spans);
  registry.gauge("fedtrace_tail_bytes", "Memory that they take, about.", read.bytes);
  const kept = registry.counter(
    "fedtrace_tail_kept_spans_total",
    "Spans of unsampled requests that were recorded all the same, by why their trace was.",
    ["reason"],
  );
  const dropped = registry.counter(
    "fedtrace_tail_dropped_spans_total",
    "Spans of unsampled requests that went: their time was over (expired), there was no room (evicted), or their trace was one too many in its second (rate).",
    ["reason"],
  );
  return {
    kept: (reason, spans) => kept.with(reason).add(spans),
    dropped: (reason, spans) => dropped.with(reason).add(spans),
  };
}

/** @returns counts one pass that was presented, by what came of it (passes/debug-pass.ts) */
export function createPassMetrics(registry: Registry): (outcome: string) => void {
  const passes = registry.counter(
    "fedtrace_debug_passes_total",
    "Debug passes that whitelisted peers presented, by what came of it.",
    ["outcome"],
  );
  return (outcome) => passes.with(outcome).add(1);
}
