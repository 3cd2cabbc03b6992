/**
 * What both sources of strategies share, Jaeger's address and a file: what they are given, what they give back, and how a strategy is
 * taken: bounded, told, and one line in the log for each change, each kind of failure, and its end.
 */

import type { Clock } from "../core/clock.ts";
import type { Log, LogFacts } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type { OperationRule, Strategy } from "../sampling/strategy.ts";
import { boundStrategy, describeChanges, describeStrategy, type StrategyLimits } from "./bounds.ts";

/** What came of one look. "unchanged": the source has what counts already; "failed": the last strategy stays. */
export type PollOutcome = "changed" | "unchanged" | "failed";

export interface StrategyTools {
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction" | "spanId">;
  readonly log: Log;
  /** Called with each strategy that is to count from now on, bounded already; the first time perhaps before the start has returned. */
  readonly onStrategy: (strategy: Strategy) => void;
  readonly counters: { polled(outcome: PollOutcome): void };
}

export interface StrategySource {
  readonly ready: Promise<void>;
  /** Of a file: reads it now, whether or not its change was seen. */
  look(): void;
  /** Nothing is called or logged from then on. */
  stop(): void;
}

/** The strategy that counts. */
export interface CurrentStrategy {
  /** @returns whether it is another than the one that counts, and is told so */
  take(strategy: Strategy): boolean;
  /** The same, with a line of its own in the log. */
  takeAs(message: string, facts: LogFacts, strategy: Strategy): boolean;
  /** A look that gave nothing: a line where it is the first, or has another reason than the last one. */
  failed(reason: string): void;
  /** A look that was well: a line where the last one was not. */
  succeeded(): void;
}

/** @param source where strategies come from, as it is named in the log */
export function createCurrentStrategy(
  source: string,
  limits: StrategyLimits,
  { log, onStrategy }: Pick<StrategyTools, "log" | "onStrategy">,
): CurrentStrategy {
  let current: { readonly key: string; readonly strategy: Strategy } | undefined;
  let failure: string | undefined;

  function takeAs(message: string, facts: LogFacts, given: Strategy): boolean {
    const key = keyOf(given);
    if (key === current?.key) return false;
    const { strategy, bounded } = boundStrategy(given, limits);
    const to = describeStrategy(strategy);
    const changes = current === undefined ? [] : describeChanges(current.strategy, strategy);
    log.info(message, {
      source,
      from: current && describeStrategy(current.strategy),
      to,
      ...(changes.length === 0 ? {} : { changes }),
      ...facts,
      ...(bounded.length === 0 ? {} : { bounded }),
    });
    current = { key, strategy };
    onStrategy(strategy);
    return true;
  }

  return {
    take: (strategy) => takeAs("sampling strategy changed", {}, strategy),
    takeAs,
    failed(reason) {
      if (reason === failure) return;
      failure = reason;
      log.warn("sampling strategy can't be had", {
        source,
        reason,
        stays: current && describeStrategy(current.strategy),
      });
    },
    succeeded() {
      if (failure === undefined) return;
      failure = undefined;
      log.info("sampling strategy can be had again", { source });
    },
  };
}

/** The same for strategies that mean the same: adaptive Jaegers send operations in another order each time (a Go map's). */
function keyOf({ sampler, operations, lowerBound }: Strategy): string {
  const byName = (one: OperationRule, other: OperationRule): number =>
    one.operation < other.operation ? -1 : 1;
  return JSON.stringify([sampler, lowerBound, operations.toSorted(byName)]);
}
