/**
 * The families of a registry as text for a scraper: Prometheus 0.0.4, or OpenMetrics 1.0.0.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format and
 * https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md (section "Text format"). What 0.0.4 has no word for
 * is told as what is nearest: an info and a stateset are gauges, exemplars and the time of creation are left out.
 * Bounds are written as OpenMetrics wants them (`1.0`) in both, so that a series is the same one in either.
 * Not here: which of the two a scraper is given (format.ts).
 */

import type { Exemplar } from "./children.ts";
import type { MetricType } from "./definition.ts";
import type { FamilySnapshot, SeriesSnapshot } from "./snapshot.ts";

export type TextFormat = "prometheus" | "openmetrics";

/** Written at a time: some tens of kilobytes, a fraction of a millisecond. */
const SERIES_PER_PIECE = 32;

const TYPE_0_0_4: Readonly<Record<MetricType, string>> = {
  counter: "counter",
  gauge: "gauge",
  histogram: "histogram",
  summary: "summary",
  info: "gauge",
  stateset: "gauge",
  unknown: "untyped",
};

/** In pieces of whole lines, so that whoever writes them can let others go first. */
export function* formatFamilies(
  families: readonly FamilySnapshot[],
  format: TextFormat,
): Generator<string, void, undefined> {
  for (const family of families) {
    let piece = formatHead(family, format);
    for (const [at, series] of family.series.entries()) {
      piece += formatSeries(family, series, format);
      if ((at + 1) % SERIES_PER_PIECE !== 0) continue;
      yield piece;
      piece = "";
    }
    yield piece;
  }
  if (format === "openmetrics") yield "# EOF\n";
}

/** The same at once. */
export function formatText(families: readonly FamilySnapshot[], format: TextFormat): string {
  return [...formatFamilies(families, format)].join("");
}

function formatHead({ name, type, unit, help }: FamilySnapshot, format: TextFormat): string {
  if (format === "openmetrics") {
    const unitLine = unit === "" ? "" : `# UNIT ${name} ${unit}\n`;
    return `# TYPE ${name} ${type}\n${unitLine}# HELP ${name} ${escapeValue(help)}\n`;
  }
  const suffix = type === "counter" ? "_total" : type === "info" ? "_info" : "";
  return `# HELP ${name}${suffix} ${escapeHelp(help)}\n# TYPE ${name}${suffix} ${TYPE_0_0_4[type]}\n`;
}

function formatSeries(family: FamilySnapshot, series: SeriesSnapshot, format: TextFormat): string {
  const { name, type } = family;
  const pairs = labelPairs(family.labels, series.values);
  const labels = inBraces(pairs);
  const [value = 0] = series.numbers;
  switch (type) {
    case "counter":
      return (
        `${name}_total${labels} ${formatNumber(value)}${formatExemplar(series.exemplars?.[0], format)}\n` +
        formatCreated(name, labels, series, format)
      );
    case "histogram":
      return formatHistogram(family, series, { pairs, labels }, format);
    case "summary":
      return formatSummary(family, series, { pairs, labels }, format);
    case "stateset":
      return family.states
        .map((state, at) => `${name}${inBraces(join(pairs, pair(name, state)))} ${series.numbers[at] ?? 0}\n`)
        .join("");
    case "info":
      return `${name}_info${labels} 1\n`;
    default:
      return `${name}${labels} ${formatNumber(value)}\n`;
  }
}

interface Labels {
  readonly pairs: string;
  readonly labels: string;
}

function formatHistogram(
  { name, buckets }: FamilySnapshot,
  series: SeriesSnapshot,
  { pairs, labels }: Labels,
  format: TextFormat,
): string {
  const { numbers, exemplars } = series;
  let text = "";
  let count = 0;
  for (let at = 0; at <= buckets.length; at++) {
    count += numbers[at] ?? 0;
    const bound = formatBound(buckets[at] ?? Infinity);
    text += `${name}_bucket${inBraces(join(pairs, `le="${bound}"`))} ${count}${formatExemplar(exemplars?.[at], format)}\n`;
  }
  const created = formatCreated(name, labels, series, format);
  const sum = numbers[buckets.length + 1] ?? 0;
  // OpenMetrics, section "Histogram": the sum of what may be negative is no counter; it is left out, and the count with it.
  if (format === "openmetrics" && ((buckets[0] ?? 0) < 0 || !isCounterLike(sum))) return text + created;
  return `${text}${name}_count${labels} ${count}\n${name}_sum${labels} ${formatNumber(sum)}\n${created}`;
}

function formatSummary(
  { name, quantiles }: FamilySnapshot,
  series: SeriesSnapshot,
  { pairs, labels }: Labels,
  format: TextFormat,
): string {
  const [count = 0, sum = 0, ...values] = series.numbers;
  const isOpen = format === "openmetrics";
  const lines = quantiles.map((quantile, at) => {
    const value = values[at] ?? Number.NaN;
    const told = isOpen && value < 0 ? Number.NaN : value;
    return `${name}${inBraces(join(pairs, `quantile="${formatBound(quantile)}"`))} ${formatNumber(told)}\n`;
  });
  const sumLine = isOpen && !isCounterLike(sum) ? "" : `${name}_sum${labels} ${formatNumber(sum)}\n`;
  return (
    `${lines.join("")}${name}_count${labels} ${count}\n${sumLine}` +
    formatCreated(name, labels, series, format)
  );
}

/** OpenMetrics, sections "Histogram" and "Summary": a sum is a counter. One that is not, of samples below 0 or not a number, makes a reader refuse all of the text. */
function isCounterLike(sum: number): boolean {
  return sum >= 0;
}

function formatCreated(
  name: string,
  labels: string,
  { createdUnixMs }: SeriesSnapshot,
  format: TextFormat,
): string {
  return format === "openmetrics" ? `${name}_created${labels} ${formatSeconds(createdUnixMs)}\n` : "";
}

function formatExemplar(exemplar: Exemplar | undefined, format: TextFormat): string {
  if (exemplar === undefined || format === "prometheus") return "";
  const { traceId, spanId, value, unixMs } = exemplar;
  return ` # {trace_id="${traceId}",span_id="${spanId}"} ${formatNumber(value)} ${formatSeconds(unixMs)}`;
}

function formatSeconds(unixMs: number): string {
  return (unixMs / 1000).toFixed(3);
}

function formatNumber(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "+Inf" : "-Inf";
}

/** OpenMetrics, section "Considerations: Canonical Numbers": `1.0`, `1e+06`; a bound is a label, and its text is its identity. */
function formatBound(bound: number): string {
  if (!Number.isFinite(bound)) return formatNumber(bound);
  const size = Math.abs(bound);
  if (size >= 1e6 || (size < 1e-4 && size > 0))
    return bound.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

/**
 * A series keeps its values for as long as it lives, and a family its labels: their text is made once. It is a third of a scrape's work
 * otherwise.
 */
const known = new WeakMap<
  readonly string[],
  { readonly labels: readonly string[]; readonly pairs: string }
>();

function labelPairs(labels: readonly string[], values: readonly string[]): string {
  if (labels.length === 0) return "";
  const found = known.get(values);
  if (found?.labels === labels) return found.pairs;
  const pairs = labels.map((label, at) => pair(label, values[at] ?? "")).join(",");
  known.set(values, { labels, pairs });
  return pairs;
}

function pair(label: string, value: string): string {
  return `${label}="${escapeValue(value)}"`;
}

function join(pairs: string, last: string): string {
  return pairs === "" ? last : `${pairs},${last}`;
}

function inBraces(pairs: string): string {
  return pairs === "" ? "" : `{${pairs}}`;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
