/**
 * The dashboard, the rules and the alerts against docs/metrics.md: every name and label that is asked for is one that there is, and
 * nothing is there that nobody uses. Whether each query finds data is seen by a real Prometheus (test/real/prometheus.test.ts).
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  allPanels,
  type Panel,
  readDashboard,
  readRules,
  readSpanQueries,
  RULE_FILES,
} from "./observability.ts";
import { labelNames, metricNames, withoutThresholds } from "./promql.ts";

const dashboard = readDashboard();
const panels = allPanels(dashboard);
const graphs = panels.filter(({ type }) => type !== "row");
const rules = RULE_FILES.flatMap(readRules);
const records = new Map(rules.flatMap(({ record, expr }) => (record === undefined ? [] : [[record, expr]])));

/** Metric → its labels. */
const documented = new Map(
  [...readFileSync("docs/metrics.md", "utf8").matchAll(/^\| `(\w+)`\s*\|[^|]*\|([^|]*)\|/gm)].map(
    ([, name = "", labels = ""]) =>
      [name, labels.split(",").map((label) => label.replace("_(bounded)_", "").trim())] as const,
  ),
);
/** What Prometheus adds by itself. */
const OWN_METRICS = new Set(["up", "ALERTS"]);
const OWN_LABELS = new Set(["job", "instance", "le", "quantile", "alertname", "alertstate"]);

/** Of a metric or of one of a histogram's series; undefined: there is none. */
function labelsOf(name: string): readonly string[] | undefined {
  if (OWN_METRICS.has(name)) return [];
  const record = records.get(name);
  if (record !== undefined) return labelNames(record);
  return documented.get(name) ?? documented.get(name.replace(/_(?:bucket|count|sum)$/, ""));
}

const asked = [
  ...graphs.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }) => [`${title} ${refId}`, expr] as const),
  ),
  ...rules.map(({ alert, record, expr }) => [alert ?? record ?? "", expr] as const),
  ...readSpanQueries().map(({ name, query }) => [name, query] as const),
  ...dashboard.templating.list.flatMap(({ name, definition }) =>
    definition === undefined
      ? []
      : [[`$${name}`, definition.replace(/^label_values\((.*), \w+\)$/, "$1")] as const],
  ),
];

describe.each(asked)("%s", (_name, expression) => {
  it("asks for metrics and labels that there are", () => {
    const names = metricNames(expression);
    expect(names).not.toEqual([]);
    expect(names.filter((name) => labelsOf(name) === undefined)).toEqual([]);
    const known = new Set(names.flatMap((name) => labelsOf(name) ?? []));
    expect(
      labelNames(expression.replaceAll("$$__tags", "")).filter(
        (label) => !known.has(label) && !OWN_LABELS.has(label),
      ),
    ).toEqual([]);
  });
});

describe("the dashboard", () => {
  it("is one that Grafana 11 reads, under a uid that links can name", () => {
    expect([dashboard.uid, dashboard.schemaVersion]).toEqual(["fedtrace", 39]);
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual([
      "datasource",
      "job",
      "instance",
      "peer",
    ]);
    expect(dashboard.panels.filter(({ type }) => type === "row").map(({ title }) => title)).toEqual(
      "Overview Peers Border Traffic Upstream Pipeline Node".split(" "),
    );
  });

  it("shows sidecars alone where all jobs are chosen: Prometheus has other targets, and each has up and process_*", () => {
    const [, job] = dashboard.templating.list;
    expect(job).toMatchObject({ name: "job", definition: "label_values(fedtrace_build_info, job)" });
    expect(job?.allValue).toBeUndefined();
    for (const [name, expression] of asked) {
      const foreign = metricNames(expression).filter((metric) =>
        /^(?:up|process_|nodejs_|http_)/.test(metric),
      );
      if (foreign.length > 0) expect(expression, name).toMatch(/job(?:=~"\$job"|="fedtrace")/);
    }
  });

  it("has panels with ids of their own", () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(graphs.map(({ title }) => title)).size).toBe(graphs.length);
  });

  it.each(graphs.map((panel) => [panel.title, panel] as const))(
    "%s says what it means, and asks its data source",
    (_title, panel) => {
      const { description = "", datasource, targets = [] } = panel;
      expect(description).toMatch(/^[A-Z$].{20,}\.$/);
      expect(targets).not.toEqual([]);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
      for (const asks of [datasource, ...targets.map((target) => target.datasource)]) {
        expect(asks).toEqual({ type: "prometheus", uid: "${datasource}" });
      }
      // A rate over fewer scrapes than two has no value, and only Grafana knows how far apart they are.
      for (const { expr } of targets) expect(expr).not.toMatch(/\brate\([^[]*\[(?!\$__rate_interval\])/);
    },
  );

  it.each([["the open rows", dashboard.panels], ...closedRows()] as const)(
    "%s: no panel lies over another",
    (_title, laid) => {
      for (const [index, one] of laid.entries()) {
        expect(one.gridPos.x + one.gridPos.w).toBeLessThanOrEqual(24);
        expect(
          laid
            .slice(index + 1)
            .filter((other) => overlap(one, other))
            .map(({ title }) => title),
        ).toEqual([]);
      }
    },
  );

  it("asks for exemplars wherever it shows durations of requests that have some", () => {
    const durations = graphs.filter(
      ({ type, targets = [] }) =>
        type !== "table" && targets.some(({ expr }) => /_request_duration_seconds_bucket/.test(expr)),
    );
    expect(durations.length).toBeGreaterThan(4);
    for (const { targets = [] } of durations)
      expect(targets.every(({ exemplar }) => exemplar === true)).toBe(true);
  });
});

function closedRows(): readonly (readonly [string, readonly Panel[]])[] {
  return dashboard.panels.flatMap(({ title, collapsed, panels: inner = [] }) =>
    collapsed === true ? [[title, inner] as const] : [],
  );
}

function overlap({ gridPos: one }: Panel, { gridPos: other }: Panel): boolean {
  return (
    one.x < other.x + other.w &&
    other.x < one.x + one.w &&
    one.y < other.y + other.h &&
    other.y < one.y + one.h
  );
}

describe("rules", () => {
  it("have names of their own, and every record is used", () => {
    const names = rules.map(({ alert, record }) => alert ?? record);
    expect(new Set(names).size).toBe(names.length);
    const used = new Set(asked.flatMap(([, expression]) => metricNames(expression)));
    expect([...records.keys()].filter((record) => !used.has(record))).toEqual([]);
  });

  const alerts = rules.filter(({ alert }) => alert !== undefined);
  it.each(alerts.map((rule) => [rule.alert ?? "", rule] as const))(
    "%s says how bad it is, what it means and what to do",
    (name, rule) => {
      expect(name).toMatch(/^Fedtrace[A-Z]/);
      expect(["critical", "warning", "info"]).toContain(rule.labels?.["severity"]);
      expect(Object.keys(rule.annotations ?? {})).toEqual(["summary", "description", "runbook"]);
      for (const text of Object.values(rule.annotations ?? {})) expect(text.length).toBeGreaterThan(20);
      // One without a wait fires for a single bad scrape, unless it looks back by itself.
      if (rule.for === undefined) expect(rule.expr).toMatch(/\b(?:changes|increase)\(/);
    },
  );

  it.each([...alerts.map(({ alert }) => alert ?? ""), ...records.keys()])("%s has a unit test", (name) => {
    const tests = ["rules", "alerts"]
      .map((file) => readFileSync(`deploy/prometheus/${file}.test.yml`, "utf8"))
      .join("\n");
    const [file, isThere, isNot] = name.startsWith("Fedtrace")
      ? ["alerts", `ALERTS{alertname="${name}",alertstate="firing"}`, /exp_samples: \[\]/]
      : ["rules", name, /./];
    expect(tests, file).toContain(isThere);
    const own = tests.split(/\n {2}- name: /).find((test) => test.includes(isThere)) ?? "";
    expect(own).toMatch(/exp_samples:\n\s+- /);
    expect(own).toMatch(isNot);
  });
});

it.each([
  [
    'sum by (job, peer) (rate(a_total{b="c d",e=~"f|"}[5m])) > 0.1',
    ["a_total"],
    ["job", "peer", "b", "e"],
    "no threshold is left",
  ],
  [
    'a:b:c > 3600 and on (job) max_over_time(a:b:c{x!="y"}[1d] offset 6h) < 9',
    ["a:b:c"],
    ["job", "x"],
    "nor an offset",
  ],
  ["topk(10, a / b) or vector(0)", ["a", "b"], [], "functions are no metrics"],
] as const)("reads %s", (expression, metrics, labels, _why) => {
  expect(metricNames(expression)).toEqual(metrics);
  expect(labelNames(expression)).toEqual(labels);
  expect(withoutThresholds(expression)).not.toMatch(/[<>]|offset/);
});
