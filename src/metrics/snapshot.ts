/**
 * The families of a registry as plain values: what code reads, what one process tells another, and how those of several become one.
 *
 * Not here: counting (registry.ts) and text (text.ts).
 */

import { type Exemplar, mergeNumbers } from "./children.ts";
import { type FamilyDefinition, OTHER } from "./definition.ts";

export interface SeriesSnapshot {
  /** In the order of the family's labels. */
  readonly values: readonly string[];
  /** What they mean goes by the family's type (children.ts). */
  readonly numbers: readonly number[];
  readonly createdUnixMs: number;
  /** A histogram's by bucket, a counter's alone; undefined: none. */
  readonly exemplars?: readonly (Exemplar | undefined)[] | undefined;
}

export interface FamilySnapshot extends FamilyDefinition {
  readonly series: readonly SeriesSnapshot[];
}

/** The families of all, each once, in the order in which they first appear; its series are merged by its rule. */
export function mergeSnapshots(snapshots: Iterable<readonly FamilySnapshot[]>): readonly FamilySnapshot[] {
  const families = new Map<string, { readonly family: FamilySnapshot; readonly merged: Merged }>();
  for (const snapshot of snapshots) {
    for (const family of snapshot) {
      const known = families.get(family.name) ?? { family, merged: new Map() };
      families.set(family.name, known);
      for (const series of family.series) mergeSeries(known.merged, family, series);
    }
  }
  return [...families.values()].map(({ family, merged }) => ({ ...family, series: [...merged.values()] }));
}

/** What stays of a process that ended: its counts, or totals would go backwards, and when something was; not what it held. */
export function onlyCounts(snapshot: readonly FamilySnapshot[]): readonly FamilySnapshot[] {
  return snapshot
    .filter(({ type, merge }) => ["counter", "histogram", "summary"].includes(type) || merge === "latest")
    .map((family) => (family.type === "summary" ? withoutQuantiles(family) : family));
}

/** They are of its last seconds, which are over. */
function withoutQuantiles(family: FamilySnapshot): FamilySnapshot {
  const series = family.series.map((one) => ({
    ...one,
    numbers: one.numbers.map((number, at) => (at < 2 ? number : Number.NaN)),
  }));
  return { ...family, series };
}

/**
 * The same sums in fewer series: of families with more than so many the least counted become the one of `other`. A worker that ended had
 * busiest values of its own, and many may end.
 */
export function boundCounts(
  snapshot: readonly FamilySnapshot[],
  seriesMax: number,
): readonly FamilySnapshot[] {
  return snapshot.map((family) => {
    if (family.series.length <= seriesMax) return family;
    const others = family.labels.map(() => OTHER);
    const sorted = family.series.toSorted((one, two) => countOf(family, two) - countOf(family, one));
    const rest = sorted.slice(seriesMax - 1).map((series) => ({ ...series, values: others }));
    const merged: Merged = new Map();
    for (const series of [...sorted.slice(0, seriesMax - 1), ...rest]) mergeSeries(merged, family, series);
    return { ...family, series: [...merged.values()] };
  });
}

/** How much was counted in it: a histogram's row ends in its sum. */
function countOf({ type }: FamilySnapshot, { numbers }: SeriesSnapshot): number {
  if (type !== "histogram") return numbers[0] ?? 0;
  return numbers.slice(0, -1).reduce((sum, count) => sum + count, 0);
}

/** By `seriesKey`. Its rows are its own: they are added to in place, since several workers have thousands. */
type Merged = Map<string, MergedSeries>;

interface MergedSeries extends SeriesSnapshot {
  readonly numbers: number[];
  createdUnixMs: number;
  exemplars: SeriesSnapshot["exemplars"];
}

function mergeSeries(merged: Merged, family: FamilySnapshot, series: SeriesSnapshot): void {
  const { values, numbers, createdUnixMs, exemplars } = series;
  const key = seriesKey(values);
  const known = merged.get(key);
  if (known === undefined) {
    merged.set(key, { values, numbers: numbers.slice(), createdUnixMs, exemplars });
    return;
  }
  mergeNumbers(family, known.numbers, numbers);
  known.createdUnixMs = Math.min(known.createdUnixMs, createdUnixMs);
  known.exemplars = newerExemplars(known.exemplars, exemplars);
}

/** One text for a series' label values. No value of ours holds a NUL, and those that did would share a sum. */
export function seriesKey(values: readonly string[]): string {
  return values.join("\0");
}

function newerExemplars(
  one: SeriesSnapshot["exemplars"],
  two: SeriesSnapshot["exemplars"],
): SeriesSnapshot["exemplars"] {
  if (one === undefined || two === undefined) return one ?? two;
  return one.map((exemplar, at) => {
    const other = two[at];
    return (other?.unixMs ?? 0) > (exemplar?.unixMs ?? 0) ? other : exemplar;
  });
}
