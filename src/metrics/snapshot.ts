/**
 * The families of a registry as plain values: what one process tells another, how those of several become one, and their
 * text for Prometheus.
 *
 * Format: Prometheus text exposition 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
 * Not here: counting (registry.ts).
 */

/** Lengths and sizes are shares of one sum; what every process sees for itself, as the addresses of a name, is not. */
export type MergeRule = "sum" | "least" | "most";

export interface FamilySnapshot {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  /** What the values of several processes are together. */
  readonly merge: MergeRule;
  readonly labels: readonly string[];
  /** Values in the order of the family's labels. */
  readonly series: readonly { readonly values: readonly string[]; readonly value: number }[];
}

/** The families of all, each once, in the order in which they first appear; its series are merged by its rule. */
export function mergeSnapshots(snapshots: Iterable<readonly FamilySnapshot[]>): readonly FamilySnapshot[] {
  const families = new Map<string, { readonly family: FamilySnapshot; readonly merged: Merged }>();
  for (const snapshot of snapshots) {
    for (const family of snapshot) {
      const known = families.get(family.name) ?? { family, merged: new Map() };
      families.set(family.name, known);
      mergeSeries(known.merged, family);
    }
  }
  return [...families.values()].map(({ family, merged }) => ({ ...family, series: [...merged.values()] }));
}

/** What stays of a process that ended: its counts, or totals would go backwards; not what it held. */
export function onlyCounters(snapshot: readonly FamilySnapshot[]): readonly FamilySnapshot[] {
  return snapshot.filter(({ type }) => type === "counter");
}

export function formatSnapshot(snapshot: readonly FamilySnapshot[]): string {
  return snapshot.map(formatFamily).join("");
}

/** By the values of the labels, one a line: no label's value has a line break in this program, and one that had would only share a sum. */
type Merged = Map<string, { readonly values: readonly string[]; value: number }>;

const MERGE: Readonly<Record<MergeRule, (one: number, two: number) => number>> = {
  sum: (one, two) => one + two,
  least: Math.min,
  most: Math.max,
};

function mergeSeries(merged: Merged, { series, merge }: FamilySnapshot): void {
  for (const { values, value } of series) {
    const key = values.join("\n");
    const known = merged.get(key);
    if (known === undefined) merged.set(key, { values, value });
    else known.value = MERGE[merge](known.value, value);
  }
}

function formatFamily({ name, help, type, labels, series }: FamilySnapshot): string {
  const lines = series.map(({ values, value }) => `${name}${formatLabels(labels, values)} ${value}\n`);
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function formatLabels(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return "";
  const pairs = names.map((name, index) => `${name}="${escapeValue(values[index] ?? "")}"`);
  return `{${pairs.join(",")}}`;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
