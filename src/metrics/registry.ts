/**
 * Counters and gauges of this process.
 *
 * Not here: their text, and how those of several processes become one (snapshot.ts). Nor histograms, exemplars and
 * OpenMetrics: nothing needs them yet.
 */

import { type FamilySnapshot, formatSnapshot, type MergeRule } from "./snapshot.ts";

/** One series. Adding is an addition, so it may stand on the path of a request. */
export interface CounterCell {
  add(amount: number): void;
}

interface CounterFamily {
  /**
   * The series of these label values, in the order of the family's label names. Past the family's bound every
   * new combination is the one series whose values all read `other`.
   */
  with(...values: readonly string[]): CounterCell;
}

export interface Registry {
  /** @param name ends in `_total`, as both text formats want a counter's series */
  counter(name: string, help: string, labels?: readonly string[]): CounterFamily;
  /** @param read is asked at each scrape; must not throw @param merge what those of several workers are; a sum unless said */
  gauge(name: string, help: string, read: () => number, merge?: MergeRule): void;
  /**
   * A counter whose series somebody else keeps. @param name ends in `_total`
   * @param read is asked at each scrape, for every series with its label values; must not throw
   */
  reading(name: string, help: string, labels: readonly string[], read: () => readonly Reading[]): void;
  /** All families, in the order they were made, as they stand now. */
  snapshot(): readonly FamilySnapshot[];
  /** The same as Prometheus' text. */
  format(): string;
}

/** A series that is read: the values of its labels, in the order of the family's names, and its own. */
type Reading = FamilySnapshot["series"][number];

/** Series of one family. Labels here come from tables of this program, so only a fault of ours reaches it. */
const SERIES_MAX = 200;
const OTHER = "other";

export function createRegistry(): Registry {
  const families: (() => FamilySnapshot)[] = [];
  const snapshot = (): readonly FamilySnapshot[] => families.map((snapshotFamily) => snapshotFamily());
  return {
    counter(name, help, labels = []) {
      const series = new Map<string, { readonly values: readonly string[]; value: number }>();
      families.push(() => ({
        name,
        help,
        type: "counter",
        merge: "sum",
        labels,
        series: [...series.values()].map(({ values, value }) => ({ values, value })),
      }));
      return {
        with(...values) {
          const isFull = series.size >= SERIES_MAX && !series.has(values.join("\n"));
          const kept = isFull ? labels.map(() => OTHER) : values;
          const key = kept.join("\n");
          const known = series.get(key);
          const cell = known ?? { values: kept, value: 0 };
          if (known === undefined) series.set(key, cell);
          return {
            add(amount) {
              cell.value += amount;
            },
          };
        },
      };
    },
    gauge(name, help, read, merge = "sum") {
      families.push(() => ({
        name,
        help,
        type: "gauge",
        merge,
        labels: [],
        series: [{ values: [], value: read() }],
      }));
    },
    reading(name, help, labels, read) {
      families.push(() => ({ name, help, type: "counter", merge: "sum", labels, series: read() }));
    },
    snapshot,
    format: () => formatSnapshot(snapshot()),
  };
}
