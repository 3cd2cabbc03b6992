/** A collector in this process on a SQLite file of its own, reports as Synapse and fedtrace send them, and requests to it. */

import { type Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { type CollectorLimits, startCollector } from "../../src/collect/collector.ts";
import { readReport, type Report } from "../../src/collect/report.ts";
import type { ReportStore } from "../../src/collect/report-store.ts";
import { openSqliteStore } from "../../src/collect/sqlite-store.ts";
import type { Rate } from "../../src/collect/token-buckets.ts";
import type { Clock } from "../../src/core/clock.ts";
import { logFrom } from "../../src/core/log.ts";
import { createRegistry } from "../../src/metrics/registry.ts";
import { temporaryDirectory } from "./cli.ts";
import { fakeClock } from "./clock.ts";

/** Of fakeClock's start, in seconds. */
export const NOW = Date.UTC(2026, 0, 1) / 1000;
export const PUSH = "/report-usage-stats/push";

export type Document = Readonly<Record<string, unknown>>;

/** As Synapse 1.163.2 writes it. */
export function synapseDocument(changes: Document = {}): Document {
  return {
    memory_rss: 125_000,
    cpu_average: 1,
    homeserver: "hs1.test",
    server_context: null,
    timestamp: NOW,
    uptime_seconds: 300,
    python_version: "3.11.2",
    total_users: 2,
    total_nonbridged_users: 2,
    daily_user_type_native: 2,
    total_room_count: 1,
    daily_active_users: 2,
    monthly_active_users: 2,
    daily_active_e2ee_rooms: 0,
    daily_e2ee_messages: 0,
    daily_sent_e2ee_messages: 0,
    daily_active_rooms: 1,
    daily_messages: 3,
    daily_sent_messages: 2,
    r30v2_users_all: 0,
    r30v2_users_android: 0,
    cache_factor: 0.5,
    event_cache_size: 10_000,
    database_engine: "sqlite3",
    database_server_version: "3.40.1",
    log_level: "INFO",
    ...changes,
  };
}

const FIGURES = { min: 1, max: 9, mean: 3.5, median: 3, mode: 2 };

/** As a sidecar writes it. */
export function fedtraceDocument(changes: Document = {}): Document {
  return {
    homeserver: "hs1.test",
    server_context: null,
    timestamp: NOW,
    uptime_seconds: 14_400,
    memory_rss: 85_000,
    cpu_average: 3,
    node_version: "20.20.2",
    log_level: "INFO",
    cache_factor: 1,
    event_cache_size: 10_000,
    daily_active_peers: 12,
    monthly_active_peers: 80,
    daily_requests_in: 1000,
    daily_requests_out: 900,
    daily_transactions: 300,
    daily_pdus: 500,
    daily_edus: 200,
    daily_sampled_traces: 30,
    r30_peers_all: 4,
    environment: { os: "linux", arch: "x64", version: "0.1.0", install_id: "i", instance_id: "j" },
    resources: { run_queue: FIGURES, memory: FIGURES, cpu: FIGURES },
    usage: { requests: FIGURES, bytes: FIGURES, spans: FIGURES, latency: FIGURES },
    ...changes,
  };
}

export const SYNAPSE_AGENT = "Synapse/1.163.2";

/** @param receivedUnixSeconds NOW unless told */
export function reportOf(document: Document, receivedUnixSeconds = NOW): Report {
  const body = Buffer.from(JSON.stringify(document));
  // A day's slack is allowed ahead, so that reports may be of a little later than they are received.
  const read = readReport(body, { unixMs: receivedUnixSeconds * 1000, userAgent: SYNAPSE_AGENT });
  if ("refused" in read) throw new Error(read.refused.sentence);
  return read.value;
}

/** In a directory that is gone after the test. */
export async function temporaryStore(reportersMax = 1000): Promise<ReportStore> {
  return openSqliteStore(join(temporaryDirectory(), "reports.db"), { reportersMax });
}

export interface CollectorSettings {
  readonly token?: string;
  readonly paths?: readonly string[];
  readonly trustedProxies?: readonly string[];
  readonly keptSeconds?: number;
  readonly addressRate?: Rate;
  readonly instanceRate?: Rate;
  readonly limits?: Partial<CollectorLimits>;
  readonly store?: ReportStore;
  readonly clock?: Clock;
}

export interface RunningCollector {
  readonly port: number;
  readonly store: ReportStore;
  readonly logged: readonly string[];
  /** By their words. */
  readonly refusals: () => Readonly<Record<string, number>>;
  readonly stop: () => Promise<void>;
}

const GENEROUS: Rate = { burst: 1_000_000, perSecond: 1 };

export async function startTestCollector(settings: CollectorSettings = {}): Promise<RunningCollector> {
  const clock = settings.clock ?? fakeClock();
  const store = settings.store ?? (await temporaryStore());
  const logged: string[] = [];
  const registry = createRegistry({ prefix: "fedtrace", clock });
  const collector = await startCollector(
    {
      host: "127.0.0.1",
      port: 0,
      paths: settings.paths ?? [PUSH],
      token: settings.token,
      trustedProxies: settings.trustedProxies ?? [],
      keptSeconds: settings.keptSeconds ?? 400 * 86_400,
      addressRate: settings.addressRate ?? GENEROUS,
      instanceRate: settings.instanceRate ?? GENEROUS,
      pageDirectory: "dist/page",
      ...(settings.limits === undefined ? {} : { limits: settings.limits }),
    },
    { store, clock, registry, log: logFrom((_, message) => void logged.push(message)) },
  );
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= collector.stop());
  onTestFinished(stop);
  return {
    port: Number(collector.address.split(":").at(-1)),
    store,
    logged,
    refusals() {
      const family = registry.find("fedtrace_collect_reports_refused");
      const rows = family?.series.map(({ values, numbers }) => [values[0] ?? "", numbers[0] ?? 0]) ?? [];
      return Object.fromEntries(rows) as Record<string, number>;
    },
    stop,
  };
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** None unless told: a connection of its own. */
  readonly agent?: Agent;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request; fetch would not let Host and others be set. */
export function ask(
  port: number,
  path: string,
  { method = "GET", headers = {}, body, agent }: Asked = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port, path, method, headers, agent: agent ?? false },
      (response) => {
        text(response).then(
          (read) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: read }),
          reject,
        );
      },
    );
    request.once("error", reject);
    request.end(body);
  });
}

/** A report, as Synapse sends it unless told otherwise. */
export function send(
  port: number,
  document: Document,
  asked: Asked & { readonly path?: string } = {},
): Promise<Answered> {
  return ask(port, asked.path ?? PUSH, {
    method: "PUT",
    body: JSON.stringify(document),
    ...asked,
    headers: { "content-type": "application/json", "user-agent": SYNAPSE_AGENT, ...asked.headers },
  });
}
