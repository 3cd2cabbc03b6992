/**
 * The dashboard, the rules and the alerts of deploy/ before a real Prometheus that scrapes real sidecars: every query finds data, an
 * exemplar leads to its trace, and promtool has nothing to say that fixed names don't force.
 *
 * Method: all kinds of traffic twice, each followed by a scrape, so that each rate is above zero; then each query once. An alert's
 * is its expression without the thresholds (promql.ts). A query without a number is listed with its panel, all of them at once.
 */

import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { allPanels, readDashboard, readRules, readSpanQueries, RULE_FILES } from "../deploy/observability.ts";
import { withoutThresholds } from "../deploy/promql.ts";
import type { SpawnedSidecar } from "../support/sidecar.ts";
import { findJaeger } from "./jaeger-binary.ts";
import { startJaeger } from "./jaeger.ts";
import { startObserved } from "./observed-traffic.ts";
import { type Prometheus, runPromtool, startPrometheus } from "./prometheus.ts";

/** Building Jaeger, where there is none, is a matter of minutes; it happens once. */
const BUILD_TIMEOUT_MS = 40 * 60_000;

/** Names of the Synse list, which are given: none of them is the sidecar's to choose. */
const FORCED = [
  ..."grpc_request http_request websocket_request"
    .split(" ")
    .map((name) => `fedtrace_${name}_latency_sec metric names should not contain abbreviated units`),
  'fedtrace_websocket_session_count non-histogram and non-summary metrics should not have "_count" suffix',
];

let jaegerProgram: string;
beforeAll(async () => {
  jaegerProgram = await findJaeger();
}, BUILD_TIMEOUT_MS);

/** What Grafana puts in: everything, and a window that is wider than the test is long. */
const VARIABLES: Readonly<Record<string, string>> = {
  $__rate_interval: "5m",
  $job: "fedtrace",
  $instance: ".*",
  $peer: ".*",
  // As a span has it, with its port.
  $__tags: 'peer="friend.test:8448"',
};

function substituted(query: string): string {
  const whole = query.replaceAll("$$", "$").replaceAll(/\$\w+/g, (name) => VARIABLES[name] ?? name);
  expect(whole, "a variable that nobody puts in").not.toMatch(/\$(?!1)/); // $1 is label_replace's own.
  return whole;
}

/** Each with a name to find it by. */
function allQueries(): readonly (readonly [string, string])[] {
  const panels = allPanels(readDashboard()).flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }) => [`panel ${title}, ${refId}`, substituted(expr)] as const),
  );
  const rules = RULE_FILES.flatMap(readRules).map(
    ({ alert, record, expr }) =>
      [`${alert === undefined ? "record" : "alert"} ${alert ?? record}`, withoutThresholds(expr)] as const,
  );
  const spans = readSpanQueries().map(({ name, query }) => [`link ${name}`, substituted(query)] as const);
  const records = RULE_FILES.flatMap(readRules).flatMap(({ record }) =>
    record === undefined ? [] : [[`recorded ${record}`, record] as const],
  );
  const variables = readDashboard().templating.list.flatMap(({ name, definition = "" }) => {
    const [, selector, label] = /^label_values\((.*), (\w+)\)$/.exec(definition) ?? [];
    return selector === undefined
      ? []
      : [[`variable ${name}`, substituted(`count by (${label}) (${selector})`)] as const];
  });
  return [...panels, ...rules, ...spans, ...records, ...variables];
}

async function withoutData(prometheus: Prometheus): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const [name, query] of allQueries()) {
    const samples = await prometheus.query(query);
    if (!samples.some(({ value }) => Number.isFinite(value))) faults.push(`${name}: ${query}`);
  }
  return faults;
}

/** Of promtool, about the text of a sidecar. */
async function complaintsAbout({ port }: SpawnedSidecar): Promise<readonly string[]> {
  const page = await (await fetch(`http://127.0.0.1:${port.admin}/metrics`)).text();
  const { output } = await runPromtool(["check", "metrics"], page);
  return output
    .split("\n")
    .filter((line) => line !== "")
    .toSorted();
}

it("has data for every panel, rule, alert and link, and a trace for an exemplar", async () => {
  const jaeger = await startJaeger(jaegerProgram);
  onTestFinished(() => jaeger.stop());
  const observed = await startObserved(jaeger.otlpUrl);
  const targets = observed.all.map(({ port }) => `127.0.0.1:${port.admin}`);
  const prometheus = await startPrometheus({ targets, ruleFiles: RULE_FILES });
  onTestFinished(() => prometheus.stop());

  for (let round = 0; round < 2; round++) {
    await observed.drive();
    await prometheus.untilScraped();
  }
  expect.soft(await withoutData(prometheus)).toEqual([]);
  expect.soft(await complaintsAbout(observed.one)).toEqual(FORCED);

  for (const family of [
    "http_server_request_duration_seconds",
    "http_client_request_duration_seconds",
    "fedtrace_peer_request_duration_seconds",
  ]) {
    const series = await prometheus.exemplars(
      `${family}_bucket{instance="127.0.0.1:${observed.one.port.admin}"}`,
    );
    const [exemplar] = series.flatMap(({ exemplars }) => exemplars).toReversed();
    expect(exemplar?.labels, family).toEqual({
      trace_id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      span_id: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    });
    const { trace_id: traceId = "", span_id: spanId = "" } = exemplar?.labels ?? {};
    const { spans } = await jaeger.traceOf(traceId, 1);
    expect(spans.map(({ spanID }) => spanID)).toContain(spanId);
  }
});

describe("promtool", () => {
  it.each([
    [["check", "config", "deploy/prometheus/prometheus.yml"]],
    [["check", "rules", ...RULE_FILES]],
    [["test", "rules", "deploy/prometheus/rules.test.yml", "deploy/prometheus/alerts.test.yml"]],
  ])("%s", async (words) => {
    const { status, output } = await runPromtool(words);
    expect(status, output).toBe(0);
  });
});
