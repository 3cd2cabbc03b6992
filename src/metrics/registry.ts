/**
 * Counters and gauges of this process, and their text for Prometheus.
 *
 * Format: Prometheus text exposition 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
 * Not here: histograms, exemplars and OpenMetrics; nothing needs them yet.
 */

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
  /** @param read is asked at each scrape; must not throw */
  gauge(name: string, help: string, read: () => number): void;
  /** All families, in the order they were made. */
  format(): string;
}

/** Series of one family. Labels here come from tables of this program, so only a fault of ours reaches it. */
const SERIES_MAX = 200;
const OTHER = "other";

export function createRegistry(): Registry {
  const families: (() => string)[] = [];
  return {
    counter(name, help, labels = []) {
      const series = new Map<string, { readonly text: string; total: number }>();
      families.push(() => {
        const lines = [...series.values()].map(({ text, total }) => `${name}${text} ${total}\n`);
        return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} counter\n${lines.join("")}`;
      });
      return {
        with(...values) {
          const isFull = series.size >= SERIES_MAX && !series.has(values.join("\n"));
          const kept = isFull ? labels.map(() => OTHER) : values;
          const key = kept.join("\n");
          const known = series.get(key);
          const cell = known ?? { text: formatLabels(labels, kept), total: 0 };
          if (known === undefined) series.set(key, cell);
          return {
            add(amount) {
              cell.total += amount;
            },
          };
        },
      };
    },
    gauge(name, help, read) {
      families.push(
        () => `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} gauge\n${name} ${String(read())}\n`,
      );
    },
    format: () => families.map((formatFamily) => formatFamily()).join(""),
  };
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
