/**
 * The metric families of one sidecar, after the model of Prosody's statistics manager
 * (https://prosody.im/doc/developers/core/statsmanager): whoever counts asks for a family and holds on to its series; whoever looks
 * collects. Nothing is global: a process may have several.
 *
 * ```
 *   metric(type, name, unit, …) ──► family ── withLabels(…) ──► series: add, sample, set
 *                                     │
 *   collect() ── reads what is read ──┴──► plain values (snapshot.ts) ──► text (text.ts), code, "updated"
 * ```
 * Not here: how values from outside are kept few (busiest.ts, series-table.ts).
 */

import type { Clock } from "../core/clock.ts";
import { type AnyChild, type Children, createChild, type Series } from "./children.ts";
import {
  defineFamily,
  differenceOf,
  type FamilyDefinition,
  fullName,
  type MetricExtra,
  type MetricType,
  OTHER,
  sampleNames,
} from "./definition.ts";
import { type FamilySnapshot, seriesKey, type SeriesSnapshot } from "./snapshot.ts";

/** A series that is read: the values of its labels, in the order of the family's names, and its own. */
export interface Reading {
  readonly values: readonly string[];
  /** Of a summary the row that it has (children.ts). */
  readonly value: number | readonly number[];
}

export interface Family<T extends MetricType = MetricType> {
  readonly definition: FamilyDefinition;
  /**
   * The series of these label values, in the order of the family's labels; it is made where there is none. Past the
   * family's bound every new combination is the one whose values all read `other`.
   */
  withLabels(...values: readonly string[]): Children[T];
  /**
   * In the place of series of its own: they are what this says at each collection. Must not throw.
   * @param read the last one given is asked
   */
  read(read: () => number | readonly Reading[]): void;
  /** Ends a series; who holds it must ask again. */
  remove(values: readonly string[]): void;
}

/** Where families are asked for. */
export interface Metrics {
  /**
   * @param name without the prefix, the module, the unit and the type's suffix
   * @param unit "" or what the name then ends in: seconds, bytes
   * @returns the family of this name, new or known
   * @throws Error where that name is another family's (other type, unit, labels …), or the definition can't be
   */
  readonly metric: <T extends MetricType>(
    type: T,
    name: string,
    unit: string,
    description: string,
    labels?: readonly string[],
    extra?: MetricExtra,
  ) => Family<T>;
}

export interface Registry extends Metrics {
  /** The same registry under `prefix_module_`; "" leaves the module out. */
  module(name: string): Metrics;
  /** The same under names that stand for themselves, as the conventions' do. */
  readonly unprefixed: Metrics;
  /** All families, in the order they were made, as they stand now; while corked, as they stood then. */
  collect(): readonly FamilySnapshot[];
  /** One of them, by its full name without the type's suffix. */
  find(name: string): FamilySnapshot | undefined;
  /** Collections show what is now, until as many `uncork` as `cork` were called: many values change, and are one view. */
  cork(): void;
  uncork(): void;
  /** Calls back after each collection with what it brought. @returns ends that */
  on(event: "updated", listener: (families: readonly FamilySnapshot[]) => void): () => void;
}

/** @param options `prefix` of all names but the unprefixed; "" for none */
export function createRegistry({
  prefix,
  clock,
}: {
  readonly prefix: string;
  readonly clock: Clock;
}): Registry {
  const families = new Map<string, KeptFamily>();
  /** Each sample's name is one family's. */
  const takenBy = new Map<string, string>();
  const listeners = new Set<(families: readonly FamilySnapshot[]) => void>();
  let corks = 0;
  let held: readonly FamilySnapshot[] | undefined;

  function metricIn(before: readonly string[]): Metrics["metric"] {
    return (type, name, unit, description, labels = [], extra = {}) => {
      const identity = { type, name: fullName([...before, name, unit]), unit, help: description, labels };
      return familyOf(defineFamily(identity, extra)) as unknown as Family<typeof type>;
    };
  }

  function familyOf(definition: FamilyDefinition): KeptFamily {
    const { name } = definition;
    const known = families.get(name);
    if (known !== undefined) {
      const difference = differenceOf(known.definition, definition);
      if (difference !== undefined)
        throw new Error(`metric ${name} is there already, with another ${difference}`);
      return known;
    }
    for (const sample of sampleNames(definition)) {
      const other = takenBy.get(sample);
      if (other !== undefined)
        throw new Error(`metric ${name} would have samples of the name ${sample}, as ${other} has`);
    }
    for (const sample of sampleNames(definition)) takenBy.set(sample, name);
    const family = createFamily(definition, { clock, onOverflow });
    families.set(name, family);
    return family;
  }

  const snapshot = (): readonly FamilySnapshot[] => [...families.values()].map((family) => family.snapshot());
  const metric = metricIn([prefix]);
  let overflow: Family<"counter"> | undefined;

  /** The counter's own labels are names of this program, and few. */
  function onOverflow(labels: readonly string[]): void {
    overflow ??= createOverflow({ metric });
    for (const label of labels) overflow.withLabels(label).add(1);
  }

  return {
    metric,
    module: (name) => ({ metric: metricIn([prefix, name]) }),
    unprefixed: { metric: metricIn([]) },
    collect() {
      const collected = held ?? snapshot();
      for (const listener of listeners) listener(collected);
      return collected;
    },
    find: (name) =>
      held === undefined ? families.get(name)?.snapshot() : held.find((family) => family.name === name),
    cork() {
      if (corks++ === 0) held = snapshot();
    },
    uncork() {
      if (corks === 0) throw new Error("uncork without a cork");
      if (--corks === 0) held = undefined;
    },
    on(_event, listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** What was counted as `other` since there is no place for more values, by the label whose value it was. */
export function createOverflow({ metric }: Metrics): Family<"counter"> {
  return metric(
    "counter",
    "metrics_overflow",
    "",
    "Label values counted as other, because busier ones have all the places (metrics.top, metrics.size).",
    ["label"],
  );
}

interface KeptFamily extends Family {
  snapshot(): FamilySnapshot;
}

function createFamily(
  definition: FamilyDefinition,
  { clock, onOverflow }: { readonly clock: Clock; readonly onOverflow: (labels: readonly string[]) => void },
): KeptFamily {
  const { labels } = definition;
  const kept = new Map<string, { readonly values: readonly string[]; readonly series: Series }>();
  const others = labels.map(() => OTHER);
  const madeUnixMs = clock.unixMs();
  let reader: (() => number | readonly Reading[]) | undefined;

  function seriesOf(values: readonly string[]): Series {
    const key = seriesKey(values);
    const known = kept.get(key);
    if (known !== undefined) return known.series;
    if (values.length !== labels.length) {
      throw new Error(
        `metric ${definition.name} has the labels ${labels.join(", ")}, and was given ${values.length} values`,
      );
    }
    if (kept.size >= definition.seriesMax && values !== others && labels.length > 0) {
      onOverflow(labels);
      return seriesOf(others);
    }
    const series = createChild(definition, clock);
    kept.set(key, { values, series });
    return series;
  }

  function readAll(read: () => number | readonly Reading[]): readonly SeriesSnapshot[] {
    const found = read();
    const readings = typeof found === "number" ? [{ values: [], value: found }] : found;
    return readings.map(({ values, value }) => ({
      values,
      numbers: typeof value === "number" ? [value] : value,
      createdUnixMs: madeUnixMs,
    }));
  }

  return {
    definition,
    withLabels: (...values) => seriesOf(values) as AnyChild,
    read(read) {
      reader = read;
    },
    remove: (values) => void kept.delete(seriesKey(values)),
    snapshot: () => ({
      ...definition,
      series:
        reader === undefined
          ? [...kept.values()].map(({ values, series }) => ({
              values,
              numbers: series.numbers(),
              createdUnixMs: series.createdUnixMs,
              exemplars: series.exemplars(),
            }))
          : readAll(reader),
    }),
  };
}
