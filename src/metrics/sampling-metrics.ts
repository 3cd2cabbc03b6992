/** What is decided about traces, and what becomes of the strategies, passes and held spans that have a say in it. */

import type { CounterCell, Registry } from "./registry.ts";

interface DecisionMetrics {
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
