/**
 * The series of a family: one object each, which whoever counts holds on to. Adding is an addition, sampling a short walk along the
 * buckets, so both may stand on the path of a request. Classes, since hundreds of them are touched by each second's requests.
 *
 * Each tells its value as a row of numbers, whose meaning goes by the type:
 *
 * ```
 *   counter, gauge, info, unknown   [value]
 *   histogram                       [samples in each bucket (not cumulative), the last one above all bounds, sum]
 *   summary                         [count, sum, value at each quantile]
 *   stateset                        [1 or 0 for each state]
 * ```
 */

import type { Clock } from "../core/clock.ts";
import type { FamilyDefinition, MergeRule, MetricType } from "./definition.ts";

/** A trace that had such a value; only of traces that are recorded. */
export interface ExemplarIds {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16. */
  readonly spanId: string;
}

export interface Exemplar extends ExemplarIds {
  readonly value: number;
  readonly unixMs: number;
}

export interface CounterChild {
  /** @param amount what is not positive adds nothing: a counter never goes back */
  add(amount: number, exemplar?: ExemplarIds): void;
  readonly value: number;
}

interface GaugeChild {
  add(amount: number): void;
  set(value: number): void;
  readonly value: number;
}

interface SamplerChild {
  sample(value: number, exemplar?: ExemplarIds): void;
  /** Times a piece of work. @returns ends it: samples how many seconds it took, and says so */
  measure(): (exemplar?: ExemplarIds) => number;
  readonly count: number;
  readonly sum: number;
}

interface InfoChild {
  /** It holds. */
  set(): void;
}

interface StateSetChild {
  /** @param state one of the family's */
  set(state: string, isOn: boolean): void;
}

export interface Children {
  readonly counter: CounterChild;
  readonly gauge: GaugeChild;
  readonly unknown: GaugeChild;
  readonly histogram: SamplerChild;
  readonly summary: SamplerChild;
  readonly info: InfoChild;
  readonly stateset: StateSetChild;
}

/** Of one histogram's series: the buckets that had one last. A scrape has a hundred bytes for each. */
export const EXEMPLARS_MAX = 4;

/** What the registry needs of each. */
export interface Series {
  readonly createdUnixMs: number;
  numbers(): readonly number[];
  exemplars(): readonly (Exemplar | undefined)[] | undefined;
}

export type AnyChild = Series & Children[MetricType];

export function createChild(definition: FamilyDefinition, clock: Clock): Series {
  switch (definition.type) {
    case "histogram":
      return new HistogramSeries(definition.buckets, clock);
    case "summary":
      return new SummarySeries(definition.quantiles, clock);
    case "stateset":
      return new StateSetSeries(definition, clock);
    case "info":
      return new InfoSeries(clock);
    case "counter":
      return new CounterSeries(clock);
    default:
      return new GaugeSeries(clock);
  }
}

/** Adds a row of numbers to another one of the same family. A quantile of two is between both: the larger is told. */
export function mergeNumbers(
  { type, merge }: Pick<FamilyDefinition, "type" | "merge">,
  into: number[],
  numbers: readonly number[],
): void {
  for (let at = 0; at < into.length; at++) {
    const one = into[at] ?? 0;
    const two = numbers[at] ?? one;
    const rule = ruleOf(type, merge, at);
    // A worker that ended has no quantiles any more.
    if (rule === "sum") into[at] = one + two;
    else if (Number.isNaN(one)) into[at] = two;
    else if (!Number.isNaN(two)) into[at] = rule === "least" ? Math.min(one, two) : Math.max(one, two);
  }
}

function ruleOf(type: MetricType, merge: MergeRule, at: number): MergeRule {
  if (type === "counter" || type === "histogram") return "sum";
  if (type === "summary") return at < 2 ? "sum" : "most";
  // On in one is on: a state is no number that could be 2.
  return type === "info" || (type === "stateset" && merge === "sum") ? "most" : merge;
}

class CounterSeries implements Series, CounterChild {
  readonly #clock: Clock;
  readonly createdUnixMs: number;
  value = 0;
  #exemplar: Exemplar | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.createdUnixMs = clock.unixMs();
  }

  add(amount: number, exemplar?: ExemplarIds): void {
    if (!(amount > 0)) return;
    this.value += amount;
    if (exemplar === undefined) return;
    const { traceId, spanId } = exemplar;
    this.#exemplar = { traceId, spanId, value: amount, unixMs: this.#clock.unixMs() };
  }

  numbers(): readonly number[] {
    return [this.value];
  }

  exemplars(): readonly (Exemplar | undefined)[] | undefined {
    return this.#exemplar && [this.#exemplar];
  }
}

class GaugeSeries implements Series, GaugeChild {
  readonly createdUnixMs: number;
  value = 0;

  constructor(clock: Clock) {
    this.createdUnixMs = clock.unixMs();
  }

  add(amount: number): void {
    this.value += amount;
  }

  set(value: number): void {
    this.value = value;
  }

  numbers(): readonly number[] {
    return [this.value];
  }

  exemplars(): undefined {
    return undefined;
  }
}

class InfoSeries implements Series, InfoChild {
  readonly createdUnixMs: number;

  constructor(clock: Clock) {
    this.createdUnixMs = clock.unixMs();
  }

  set(): void {}

  numbers(): readonly number[] {
    return [1];
  }

  exemplars(): undefined {
    return undefined;
  }
}

class StateSetSeries implements Series, StateSetChild {
  readonly #definition: FamilyDefinition;
  readonly #numbers: number[];
  readonly createdUnixMs: number;

  constructor(definition: FamilyDefinition, clock: Clock) {
    this.#definition = definition;
    this.#numbers = definition.states.map(() => 0);
    this.createdUnixMs = clock.unixMs();
  }

  set(state: string, isOn: boolean): void {
    const { name, states } = this.#definition;
    const at = states.indexOf(state);
    if (at === -1) throw new Error(`metric ${name}: ${state} is none of its states (${states.join(", ")})`);
    this.#numbers[at] = isOn ? 1 : 0;
  }

  numbers(): readonly number[] {
    return [...this.#numbers];
  }

  exemplars(): undefined {
    return undefined;
  }
}

class HistogramSeries implements Series, SamplerChild {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  readonly #clock: Clock;
  readonly createdUnixMs: number;
  sum = 0;
  #exemplars: (Exemplar | undefined)[] | undefined;
  #exemplarCount = 0;

  constructor(bounds: readonly number[], clock: Clock) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
    this.#clock = clock;
    this.createdUnixMs = clock.unixMs();
  }

  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  sample(value: number, exemplar?: ExemplarIds): void {
    const bounds = this.#bounds;
    let at = 0;
    // A bound is part of its bucket; what is not a number is above all of them.
    while (at < bounds.length && !(value <= (bounds[at] ?? 0))) at++;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.sum += value;
    if (exemplar === undefined) return;
    const { traceId, spanId } = exemplar;
    this.#exemplars ??= this.#counts.map(() => undefined);
    if (this.#exemplars[at] === undefined && ++this.#exemplarCount > EXEMPLARS_MAX) this.#dropOldest();
    this.#exemplars[at] = { traceId, spanId, value, unixMs: this.#clock.unixMs() };
  }

  #dropOldest(): void {
    const exemplars = this.#exemplars ?? [];
    let oldest = -1;
    for (let at = 0; at < exemplars.length; at++) {
      const unixMs = exemplars[at]?.unixMs ?? Infinity;
      if (unixMs < (exemplars[oldest]?.unixMs ?? Infinity)) oldest = at;
    }
    exemplars[oldest] = undefined;
    this.#exemplarCount--;
  }

  measure(): (exemplar?: ExemplarIds) => number {
    return measureWith(this, this.#clock);
  }

  numbers(): readonly number[] {
    return [...this.#counts, this.sum];
  }

  exemplars(): readonly (Exemplar | undefined)[] | undefined {
    return this.#exemplars?.slice();
  }
}

/** Samples that a summary's quantiles are of: the last ones. */
const WINDOW = 512;

class SummarySeries implements Series, SamplerChild {
  readonly #quantiles: readonly number[];
  readonly #clock: Clock;
  /** The oldest is overwritten. */
  readonly #window: number[] = [];
  #next = 0;
  readonly createdUnixMs: number;
  count = 0;
  sum = 0;

  constructor(quantiles: readonly number[], clock: Clock) {
    this.#quantiles = quantiles;
    this.#clock = clock;
    this.createdUnixMs = clock.unixMs();
  }

  sample(value: number): void {
    if (this.#quantiles.length > 0) this.#window[this.#next++ % WINDOW] = value;
    this.count++;
    this.sum += value;
  }

  measure(): (exemplar?: ExemplarIds) => number {
    return measureWith(this, this.#clock);
  }

  numbers(): readonly number[] {
    const sorted = this.#window.toSorted((one, two) => one - two);
    const valueAt = (quantile: number): number =>
      sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? Number.NaN;
    return [this.count, this.sum, ...this.#quantiles.map(valueAt)];
  }

  exemplars(): undefined {
    return undefined;
  }
}

function measureWith(series: SamplerChild, clock: Clock): (exemplar?: ExemplarIds) => number {
  const startMs = clock.monotonicMs();
  return (exemplar) => {
    const seconds = (clock.monotonicMs() - startMs) / 1000;
    series.sample(seconds, exemplar);
    return seconds;
  };
}
