/** What a run came to: lines for a terminal, or one object. Texts are the program's own; nothing of an answer is printed. */

import { type Latency, STATUS_CLASSES, type TallyResult } from "./tally.ts";

export interface RunFacts {
  readonly seed: number;
  /** As asked for. */
  readonly ratePerSecond: number;
  readonly inFlightMax: number;
  /** How long requests were sent. */
  readonly sentForMs: number;
}

const HEADINGS = ["", "method", "route", "sent", ...STATUS_CLASSES, "failed", "p50", "p90", "p99", "max ms"];
/** Words stand to the left, numbers to the right. */
const WORD_COLUMNS = 3;

/** A table of routes, the sum last, and what a table can't say. */
export function formatReport(result: TallyResult, facts: RunFacts): readonly string[] {
  const rows = result.routes.map(({ direction, method, route, sent, byClass, failed, latencyMs }) => [
    direction,
    method,
    route,
    String(sent),
    ...STATUS_CLASSES.map((name) => countOf(byClass[name])),
    countOf(failed),
    ...latencyCells(latencyMs),
  ]);
  const sum = [
    "",
    "",
    "all",
    String(result.sent),
    ...STATUS_CLASSES.map((name) => countOf(result.byClass[name])),
    countOf(result.sent - result.answered),
    ...latencyCells(result.latencyMs),
  ];
  const failures = Object.entries(result.failures).map(([word, times]) => `${word} ${times}`);
  return [
    ...inColumns([HEADINGS, ...rows, sum]),
    "",
    `rate reached: ${reachedPerSecond(result, facts).toFixed(1)} of ${facts.ratePerSecond} a second, for ${(facts.sentForMs / 1000).toFixed(1)} s`,
    `failures: ${failures.length === 0 ? "none" : failures.join(", ")}`,
    `not sent: ${result.notSent}${result.notSent === 0 ? "" : `, since ${facts.inFlightMax} were in flight`}`,
    `seed: ${facts.seed}`,
  ];
}

/** The same as JSON, on one line. Latencies are milliseconds, null where nothing was answered. */
export function formatJson(result: TallyResult, facts: RunFacts): string {
  return JSON.stringify({
    seed: facts.seed,
    ratePerSecond: facts.ratePerSecond,
    reachedPerSecond: rounded(reachedPerSecond(result, facts)),
    sentForMs: rounded(facts.sentForMs),
    inFlightMax: facts.inFlightMax,
    ...result,
    latencyMs: jsonLatency(result.latencyMs),
    routes: result.routes.map((route) => ({ ...route, latencyMs: jsonLatency(route.latencyMs) })),
  });
}

function reachedPerSecond({ sent }: TallyResult, { sentForMs }: RunFacts): number {
  return sentForMs > 0 ? (sent * 1000) / sentForMs : 0;
}

function jsonLatency(latency: Latency | undefined): Latency | null {
  if (latency === undefined) return null;
  const { p50, p90, p99, max } = latency;
  return { p50: rounded(p50), p90: rounded(p90), p99: rounded(p99), max: rounded(max) };
}

function latencyCells(latency: Latency | undefined): readonly string[] {
  if (latency === undefined) return ["-", "-", "-", "-"];
  return [latency.p50, latency.p90, latency.p99, latency.max].map((ms) => ms.toFixed(1));
}

function countOf(count: number): string {
  return count === 0 ? "-" : String(count);
}

/** To microseconds: clocks say no more. */
function rounded(number: number): number {
  return Math.round(number * 1000) / 1000;
}

function inColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column < WORD_COLUMNS ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
}
