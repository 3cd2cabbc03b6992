/**
 * What a metric family is: its type, its full name, its labels, and which of them may not be.
 *
 * Source: OpenMetrics 1.0 (https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md), sections "Overall
 * Structure" and "Metric Types". The model is that of Prosody's statistics manager: a family is asked for by type, name, unit,
 * description and labels, and whoever asks for the same one gets the same one.
 * What is wrong here is a fault of this program, so it throws.
 */

/** Stands for all values of a label that have no series of their own. */
export const OTHER = "other";

export type MetricType = "counter" | "gauge" | "histogram" | "summary" | "info" | "stateset" | "unknown";

/**
 * What the values of several processes are together: shares of one sum, or what each of them sees for itself. `latest`: when something
 * was last, which stays true of a process that ended.
 */
export type MergeRule = "sum" | "least" | "most" | "latest";

/** What only some types have. */
export interface MetricExtra {
  /** Histogram: upper bounds, ascending, without +Inf. */
  readonly buckets?: readonly number[];
  /** Summary: 0 to 1, ascending; of the last samples (children.ts). None: sum and count alone. */
  readonly quantiles?: readonly number[];
  /** Stateset: all of its states. */
  readonly states?: readonly string[];
  /** Gauge and unknown, `sum` unless said; stateset, whose states are on or off, `most`. */
  readonly merge?: MergeRule;
  /** Series of it; past them every new combination of values is the one whose values all read `other`. */
  readonly seriesMax?: number;
}

/** Where labels come from outside they are bounded before (series-table.ts); others come from tables of this program. */
const SERIES_MAX = 200;

export interface FamilyDefinition extends Required<MetricExtra> {
  readonly type: MetricType;
  /** Prefix, module, name and unit, without a type's suffix. */
  readonly name: string;
  /** "": none. The name ends in it. */
  readonly unit: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** The suffixes of a type's samples, which no other family may be called: "" is the name itself. */
const SUFFIXES: Readonly<Record<MetricType, readonly string[]>> = {
  counter: ["_total", "_created"],
  gauge: [""],
  histogram: ["_bucket", "_count", "_sum", "_created"],
  summary: ["", "_count", "_sum", "_created"],
  info: ["_info"],
  stateset: [""],
  unknown: [""],
};

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;

/** `prefix_module_name_unit`; empty parts are left out. */
export function fullName(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("_");
}

/** @throws Error that says what is wrong with it */
export function defineFamily(
  identity: Pick<FamilyDefinition, "type" | "name" | "unit" | "help" | "labels">,
  extra: MetricExtra,
): FamilyDefinition {
  const { type, name, labels } = identity;
  const { buckets = [], quantiles = [], states = [], merge = "sum", seriesMax = SERIES_MAX } = extra;
  const definition = { ...identity, buckets, quantiles, states, merge, seriesMax };
  const fault = (
    [
      [!NAME.test(name), "a name is letters, digits, _ and :, and does not begin with a digit"],
      [type === "counter" && name.endsWith("_total"), "a counter's suffix _total is added to its name"],
      [type === "info" && name.endsWith("_info"), "the suffix _info is added to its name"],
      [(type === "info" || type === "stateset") && identity.unit !== "", "an info or a stateset has no unit"],
      [new Set(labels).size < labels.length, "each label is named once"],
      [
        !labels.every((label) => LABEL.test(label)),
        "a label is letters, digits and _, and does not begin with __",
      ],
      [
        labels.some((label) => reservedLabels(definition).includes(label)),
        "a label has the name of one of the format's own",
      ],
      [type === "histogram" && !isAscending(buckets), "a histogram has buckets, ascending and finite"],
      [type !== "histogram" && buckets.length > 0, "only a histogram has buckets"],
      [
        !isAscending([-1, ...quantiles]) || quantiles.some((q) => q < 0 || q > 1),
        "quantiles are 0 to 1, ascending",
      ],
      [type !== "summary" && quantiles.length > 0, "only a summary has quantiles"],
      [(type === "stateset") !== states.length > 0, "a stateset has states, and nothing else has"],
      [new Set(states).size < states.length, "each state is named once"],
    ] as const
  ).find(([isWrong]) => isWrong);
  if (fault !== undefined) throw new Error(`metric ${name}: ${fault[1]}`);
  return definition;
}

/** The names of all its samples. */
export function sampleNames({ type, name }: Pick<FamilyDefinition, "type" | "name">): readonly string[] {
  return SUFFIXES[type].map((suffix) => name + suffix);
}

/** @returns what tells the two apart, in a word; undefined where they are the same family */
export function differenceOf(one: FamilyDefinition, two: FamilyDefinition): string | undefined {
  const parts = ["type", "unit", "labels", "buckets", "quantiles", "states", "merge"] as const;
  return parts.find((part) => JSON.stringify(one[part]) !== JSON.stringify(two[part]));
}

/** Lines of a series in OpenMetrics' text: what a series costs a scrape. */
export function linesPerSeries({ type, buckets, quantiles, states }: FamilyDefinition): number {
  const lines: Record<MetricType, number> = {
    counter: 2,
    gauge: 1,
    histogram: buckets.length + 4,
    summary: quantiles.length + 3,
    info: 1,
    stateset: states.length,
    unknown: 1,
  };
  return lines[type];
}

function reservedLabels({ type, name }: Pick<FamilyDefinition, "type" | "name">): readonly string[] {
  if (type === "histogram") return ["le"];
  if (type === "summary") return ["quantile"];
  return type === "stateset" ? [name] : [];
}

function isAscending(values: readonly number[]): boolean {
  return (
    values.length > 0 &&
    values.every((value, at) => Number.isFinite(value) && value > (values[at - 1] ?? -Infinity))
  );
}
