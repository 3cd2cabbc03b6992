/**
 * What the page shows, of as many days as there may be, worked out once for all who ask: never twice at a time, and not again
 * for a while, which is the longer the longer it took. So whoever may read can't keep the database busy.
 */

import type { Clock } from "../core/clock.ts";
import { DAY_VALUE_NAMES, type DayValue, KINDS, type Kind } from "./report.ts";
import {
  type ReporterRow,
  type ReportStore,
  SECONDS_PER_DAY,
  type SummaryRange,
  type SummaryRows,
} from "./report-store.ts";

/** Of `GET /api/summary?days=`. */
export const SUMMARY_DAYS = { least: 1, most: 400, usual: 90 } as const;

type SummaryDay = {
  /** `2026-11-30`. */
  readonly day: string;
  readonly synapse: number;
  readonly fedtrace: number;
  readonly new: number;
} & { readonly [K in DayValue]: number };

interface Summary {
  /** Seconds since 1970. */
  readonly generated: number;
  readonly from: string;
  readonly to: string;
  readonly totals: {
    readonly servers: number;
    readonly active: number;
    readonly reports: number;
    readonly synapse: number;
    readonly fedtrace: number;
  };
  readonly days: readonly SummaryDay[];
  readonly versions: readonly { readonly kind: Kind; readonly version: string; readonly servers: number }[];
  readonly contexts: SummaryRows["contexts"];
  readonly servers: readonly ReporterRow[];
  readonly servers_more: number;
}

export interface SummaryReader {
  /** @param days SUMMARY_DAYS. Rejects where the storage failed. */
  read(days: number): Promise<Summary>;
}

/** Seen once, it is shown so long; a page asks again every few seconds. */
const KEPT_LEAST_MS = 1000;
const KEPT_MOST_MS = 60_000;
/** So many times as long as it took: at most a twentieth of the time is spent on it. */
const KEPT_FACTOR = 20;

export function createSummaryReader(store: Pick<ReportStore, "summarize">, clock: Clock): SummaryReader {
  let kept: { readonly untilMs: number; readonly summary: Summary } | undefined;
  let running: Promise<Summary> | undefined;

  async function readAll(): Promise<Summary> {
    const fromMs = clock.monotonicMs();
    const generated = Math.floor(clock.unixMs() / 1000);
    const toDay = Math.floor(generated / SECONDS_PER_DAY);
    const fromDay = toDay - SUMMARY_DAYS.most + 1;
    const range: SummaryRange = { fromDay, toDay, activeFrom: generated - SECONDS_PER_DAY };
    const summary = summaryOf(await store.summarize(range), { ...range, generated });
    const atMs = clock.monotonicMs();
    const keptMs = Math.min(KEPT_MOST_MS, Math.max(KEPT_LEAST_MS, (atMs - fromMs) * KEPT_FACTOR));
    kept = { untilMs: atMs + keptMs, summary };
    return summary;
  }

  function current(): Promise<Summary> {
    if (kept !== undefined && clock.monotonicMs() < kept.untilMs) return Promise.resolve(kept.summary);
    running ??= readAll().finally(() => (running = undefined));
    return running;
  }

  return {
    async read(days) {
      const summary = await current();
      const shown = summary.days.slice(-days);
      return { ...summary, from: shown[0]?.day ?? summary.to, days: shown };
    },
  };
}

function summaryOf(
  rows: SummaryRows,
  { fromDay, toDay, generated }: SummaryRange & { readonly generated: number },
): Summary {
  const byDay = new Map(rows.days.map((row) => [row.day, row]));
  const days = Array.from({ length: toDay - fromDay + 1 }, (_, index): SummaryDay => {
    const day = fromDay + index;
    const row = byDay.get(day);
    const sums = DAY_VALUE_NAMES.map((name) => [name, row?.[name] ?? 0] as const);
    return {
      day: dateOf(day),
      synapse: row?.synapse ?? 0,
      fedtrace: row?.fedtrace ?? 0,
      new: rows.newcomers.get(day) ?? 0,
      ...(Object.fromEntries(sums) as Record<DayValue, number>),
    };
  });
  const { synapse, fedtrace } = rows.active;
  return {
    generated,
    from: dateOf(fromDay),
    to: dateOf(toDay),
    totals: { servers: rows.servers, active: synapse + fedtrace, reports: rows.reports, synapse, fedtrace },
    days,
    versions: versionsOf(rows),
    contexts: rows.contexts,
    servers: rows.last,
    servers_more: rows.servers - rows.last.length,
  };
}

/** What is not listed is `other`, of each kind. */
function versionsOf({ versions, active }: SummaryRows): Summary["versions"] {
  const listed = versions.map(({ kind, version, servers }) => ({
    kind,
    version: version ?? "unknown",
    servers,
  }));
  const others = KINDS.map((kind) => {
    const shown = versions.reduce((sum, row) => sum + (row.kind === kind ? row.servers : 0), 0);
    return { kind, version: "other", servers: active[kind] - shown };
  });
  return [...listed, ...others.filter(({ servers }) => servers > 0)];
}

function dateOf(day: number): string {
  return new Date(day * SECONDS_PER_DAY * 1000).toISOString().slice(0, 10);
}
