/** Counts what became of each request, by direction and route. Bounded by the routes of the mix and the run's bound of requests. */

import type { Direction } from "./captured-mix.ts";
import type { PlannedRequest } from "./request-plan.ts";

/** First digits of statuses. */
export const STATUS_CLASSES = ["2xx", "3xx", "4xx", "5xx", "other"] as const;
type StatusClass = (typeof STATUS_CLASSES)[number];

/**
 * Why there was no whole answer. `refused`: nobody listens; `reset`: the connection ended; `timeout`: it took too long;
 * `unreachable`: no way there, or no such name; `malformed`: not HTTP; `stopped`: the run was; `other`.
 */
export type Failure = "refused" | "reset" | "timeout" | "unreachable" | "malformed" | "stopped" | "other";

/** A status, or why there is none. */
export type Outcome = number | Failure;

/** From when a request was due to the last byte of its answer; undefined: none was answered. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

interface RouteResult {
  readonly direction: Direction;
  readonly method: string;
  readonly route: string;
  readonly sent: number;
  readonly byClass: Readonly<Record<StatusClass, number>>;
  readonly failed: number;
  readonly latencyMs: Latency | undefined;
}

export interface TallyResult {
  readonly sent: number;
  /** Due while as many were in flight as may be. */
  readonly notSent: number;
  readonly answered: number;
  readonly byClass: Readonly<Record<StatusClass, number>>;
  /** Those that there were. */
  readonly failures: Readonly<Partial<Record<Failure, number>>>;
  readonly latencyMs: Latency | undefined;
  /** The busiest first. */
  readonly routes: readonly RouteResult[];
}

export interface Tally {
  onNotSent(): void;
  onEnd(request: PlannedRequest, outcome: Outcome, latencyMs: number): void;
  result(): TallyResult;
}

interface Row extends Pick<PlannedRequest, "direction" | "method" | "route"> {
  readonly byClass: Record<StatusClass, number>;
  failed: number;
  readonly latenciesMs: number[];
}

export function createTally(): Tally {
  const rows = new Map<string, Row>();
  const failures = new Map<Failure, number>();
  let notSent = 0;

  function rowOf({ direction, method, route }: PlannedRequest): Row {
    const key = `${direction} ${method} ${route}`;
    const known = rows.get(key);
    if (known !== undefined) return known;
    const row = { direction, method, route, byClass: noneOfEach(), failed: 0, latenciesMs: [] };
    rows.set(key, row);
    return row;
  }

  return {
    onNotSent() {
      notSent++;
    },
    onEnd(request, outcome, latencyMs) {
      const row = rowOf(request);
      if (typeof outcome === "number") {
        row.byClass[classOf(outcome)]++;
        row.latenciesMs.push(latencyMs);
      } else {
        row.failed++;
        failures.set(outcome, (failures.get(outcome) ?? 0) + 1);
      }
    },
    result() {
      const all = [...rows.values()];
      const routes = all.map(resultOf).sort((left, right) => right.sent - left.sent);
      const byClass = noneOfEach();
      for (const row of all) for (const name of STATUS_CLASSES) byClass[name] += row.byClass[name];
      const latencies = all.flatMap(({ latenciesMs }) => latenciesMs);
      return {
        sent: routes.reduce((sum, { sent }) => sum + sent, 0),
        notSent,
        answered: latencies.length,
        byClass,
        failures: Object.fromEntries(failures),
        latencyMs: latencyOf(latencies),
        routes,
      };
    },
  };
}

function resultOf({ direction, method, route, byClass, failed, latenciesMs }: Row): RouteResult {
  const sent = latenciesMs.length + failed;
  return { direction, method, route, sent, byClass, failed, latencyMs: latencyOf(latenciesMs) };
}

function noneOfEach(): Record<StatusClass, number> {
  return { "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0, other: 0 };
}

function classOf(status: number): StatusClass {
  const name = `${Math.floor(status / 100)}xx`;
  return STATUS_CLASSES.find((known) => known === name) ?? "other";
}

function latencyOf(latenciesMs: readonly number[]): Latency | undefined {
  const sorted = Float64Array.from(latenciesMs).sort();
  const max = sorted.at(-1);
  if (max === undefined) return undefined;
  /** The least that so large a share is not above. */
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? max;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max };
}
