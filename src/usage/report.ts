/** From what is known of a server's usage to the document that is sent, and to its text. */

import type { SeriesName } from "./saved-usage.ts";
import type { SeriesSummary } from "./sketch.ts";
import type { UsageFigures } from "./usage-book.ts";
import type { UsageReport } from "./report-schema.ts";

/** What a report says besides what was counted. */
export interface ReportFacts {
  readonly serverName: string;
  readonly isAnonymous: boolean;
  readonly serverContext: string | undefined;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  /** Spans that the built-in store may hold, and its default. */
  readonly storeSpans: number;
  readonly storeSpansDefault: number;
  readonly version: string;
  /** process.versions.node, process.platform and process.arch. */
  readonly runtime: { readonly node: string; readonly platform: string; readonly arch: string };
}

/** Python's names, as Synapse reports them. */
const LEVELS = { debug: "DEBUG", info: "INFO", warn: "WARNING", error: "ERROR" } as const;

export function createReport(
  facts: ReportFacts,
  figures: UsageFigures,
  { unixMs, uptimeMs }: { readonly unixMs: number; readonly uptimeMs: number },
): UsageReport {
  const { daily, peers, installId, instanceId } = figures;
  const series = (name: SeriesName) => rounded(figures.series[name]);
  return {
    homeserver: facts.isAnonymous ? instanceId : facts.serverName,
    server_context: facts.serverContext ?? null,
    timestamp: Math.floor(unixMs / 1000),
    uptime_seconds: Math.max(0, Math.floor(uptimeMs / 1000)),
    memory_rss: figures.memoryKb,
    cpu_average: figures.cpuAverage,
    node_version: facts.runtime.node,
    log_level: LEVELS[facts.logLevel],
    cache_factor: toFourDigits(facts.storeSpans / facts.storeSpansDefault),
    event_cache_size: facts.storeSpans,
    daily_active_peers: peers.daily,
    monthly_active_peers: peers.monthly,
    daily_requests_in: daily.requestsIn,
    daily_requests_out: daily.requestsOut,
    daily_transactions: daily.transactions,
    daily_pdus: daily.pdus,
    daily_edus: daily.edus,
    daily_sampled_traces: daily.traces,
    r30_peers_all: peers.retained,
    environment: {
      os: facts.runtime.platform,
      arch: facts.runtime.arch,
      version: facts.version,
      install_id: installId,
      instance_id: instanceId,
    },
    resources: { run_queue: series("runQueue"), memory: series("memory"), cpu: series("cpu") },
    usage: {
      requests: series("requests"),
      bytes: series("bytes"),
      spans: series("spans"),
      latency: series("latency"),
    },
  };
}

/** The bytes that are sent: what `fedtrace report` prints. */
export function formatReport(report: UsageReport): string {
  return JSON.stringify(report);
}

function rounded(summary: SeriesSummary | undefined): SeriesSummary | null {
  if (summary === undefined) return null;
  const { min, max, mean, median, mode } = summary;
  return {
    min: toFourDigits(min),
    max: toFourDigits(max),
    mean: toFourDigits(mean),
    median: toFourDigits(median),
    mode: toFourDigits(mode),
  };
}

/** More would be longer, say nothing more, and tell one server from another. */
function toFourDigits(value: number): number {
  return Number(value.toPrecision(4));
}
