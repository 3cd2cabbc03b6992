/**
 * How far a strategy from elsewhere may go, and how it reads in the log.
 *
 * Whoever sets strategies (Jaeger, a file that many services share) may be wrong or not well-meaning; the operator of this sidecar says
 * what it may cost at most. Not here: where a strategy comes from, and deciding by it.
 */

import type { OperationRule, SamplerSpec, Strategy } from "../sampling/strategy.ts";

export interface StrategyLimits {
  /** Of every probability, 0 to 1. Everything (`const` 1) is the probability 1. */
  readonly maxProbability: number;
  /** Traces a second: of every rate limit, and of what each operation gets at least. */
  readonly maxPerSecond: number;
}

export interface BoundedStrategy {
  /** The very one that was given, where nothing had to be cut. */
  readonly strategy: Strategy;
  /** What was cut, a line for each kind; empty where nothing was. */
  readonly bounded: readonly string[];
}

export function boundStrategy(strategy: Strategy, limits: StrategyLimits): BoundedStrategy {
  const bounded: string[] = [];
  const sampler = boundSampler(strategy.sampler, limits);
  if (sampler !== strategy.sampler) {
    bounded.push(`${describeSampler(strategy.sampler)} cut to ${describeSampler(sampler)}`);
  }
  const operations = strategy.operations.map((rule): OperationRule => {
    const own = boundSampler(rule.sampler, limits);
    return own === rule.sampler ? rule : { ...rule, sampler: own };
  });
  const cut = operations.filter((rule, index) => rule !== strategy.operations[index]);
  for (const to of new Set(cut.map((rule) => describeSampler(rule.sampler)))) {
    const count = cut.filter((rule) => describeSampler(rule.sampler) === to).length;
    bounded.push(`${countOperations(count)} cut to ${to}`);
  }
  const lowerBound = Math.min(strategy.lowerBound, limits.maxPerSecond);
  if (lowerBound !== strategy.lowerBound) {
    bounded.push(`at least ${brief(strategy.lowerBound)}/s each cut to ${brief(lowerBound)}/s`);
  }
  return bounded.length === 0
    ? { strategy, bounded }
    : { strategy: { sampler, operations, lowerBound }, bounded };
}

/** @returns the same object where it may stay */
function boundSampler(sampler: SamplerSpec, { maxProbability, maxPerSecond }: StrategyLimits): SamplerSpec {
  const max = sampler.type === "ratelimiting" ? maxPerSecond : maxProbability;
  if (sampler.param <= max) return sampler;
  return sampler.type === "ratelimiting"
    ? { type: "ratelimiting", param: max }
    : { type: "probabilistic", param: max };
}

/** One line of some hundred characters at most: `probabilistic(0.01), 3 operations, at least 0.1/s each`. */
export function describeStrategy({ sampler, operations, lowerBound }: Strategy): string {
  const parts = [describeSampler(sampler)];
  if (operations.length > 0) parts.push(countOperations(operations.length));
  if (lowerBound > 0) parts.push(`at least ${brief(lowerBound)}/s each`);
  return parts.join(", ");
}

function describeSampler({ type, param }: SamplerSpec): string {
  return `${type}(${brief(param)})`;
}

function countOperations(count: number): string {
  return count === 1 ? "1 operation" : `${count} operations`;
}

/** Adaptive sampling has numbers such as 0.016666666666666666. */
function brief(number: number): string {
  return String(Number(number.toPrecision(6)));
}

/** Names in the log are cut, and so many changes are told of a strategy. */
const NAME_LENGTH_MAX = 80;
const CHANGES_MAX = 5;

/** What changed of single operations, one line each, and how many more did: `GET /x: probabilistic(0.1) → probabilistic(0.2)`. */
export function describeChanges(before: Strategy, after: Strategy): readonly string[] {
  const samplers = ({ operations }: Strategy): ReadonlyMap<string, string> =>
    new Map(operations.map(({ operation, sampler }) => [operation, describeSampler(sampler)]));
  const [old, fresh] = [samplers(before), samplers(after)];
  const changed = [...new Set([...old.keys(), ...fresh.keys()])].filter(
    (name) => old.get(name) !== fresh.get(name),
  );
  const lines = changed
    .slice(0, CHANGES_MAX)
    .map((name) => `${cut(name)}: ${old.get(name) ?? "none"} → ${fresh.get(name) ?? "none"}`);
  const more = changed.length - lines.length;
  return more === 0 ? lines : [...lines, `and ${more} more`];
}

function cut(name: string): string {
  return name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX)}…` : name;
}
