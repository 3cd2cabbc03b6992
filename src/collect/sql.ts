/**
 * The SQL that both databases take as it stands: how changes are merged into rows, and what a summary and an export read.
 *
 * Values stand as `?`, in order (postgres-pool.ts numbers them); no text of a stranger is ever part of a statement. Sums are of
 * floating-point columns: whole numbers are exact up to 2^53, and what strangers claim can't overflow them.
 */

import { DAY_VALUE_NAMES, KINDS, type Kind } from "./report.ts";
import {
  type DayRow,
  LISTED_MAX,
  type PageQuery,
  type ReporterRow,
  type ReportKey,
  SECONDS_PER_DAY,
  type StoredReport,
  type SummaryRange,
  type SummaryRows,
} from "./report-store.ts";

export type SqlValue = string | number | null;

export type Row = Readonly<Record<string, unknown>>;

/** Runs one statement. */
export type Query = (sql: string, values: readonly SqlValue[]) => Promise<readonly Row[]>;

/** After all timestamps. */
export const ALWAYS = Number.MAX_SAFE_INTEGER;
/** Columns in the order in which rows are written. */
export const REPORT_COLUMNS = ["kind", "instance", "timestamp", "received", "version", "document"] as const;
export const REPORTER_COLUMNS = [
  "kind",
  "instance",
  "context",
  "version",
  "runtime",
  "first",
  "last",
  "reports",
  "messages",
  "users",
  "memory_rss",
  "cpu_average",
] as const;
export const DAY_ROW_COLUMNS = [
  "day",
  "kind",
  "instance",
  "timestamp",
  "received",
  ...DAY_VALUE_NAMES,
] as const;

/** Names of columns that are words of SQL in one of the two. */
const RENAMED: Readonly<Record<string, string>> = {
  timestamp: "reported_at",
  received: "received_at",
  first: "first_at",
  last: "last_at",
};

function columnOf(name: string): string {
  return RENAMED[name] ?? name;
}

export function columnsOf(names: readonly string[]): string {
  return names.map(columnOf).join(", ");
}

/** What the latest report says takes the place of what was said before; after `INSERT INTO fedtrace_reporters (…) …`. */
export const MERGE_REPORTER = `
  ON CONFLICT (instance, kind) DO UPDATE SET
    ${["context", "version", "runtime", "messages", "users", "memory_rss", "cpu_average"]
      .map(
        (name) =>
          `${name} = CASE WHEN excluded.last_at >= fedtrace_reporters.last_at THEN excluded.${name} ELSE fedtrace_reporters.${name} END`,
      )
      .join(", ")},
    first_at = CASE WHEN excluded.first_at < fedtrace_reporters.first_at THEN excluded.first_at ELSE fedtrace_reporters.first_at END,
    last_at = CASE WHEN excluded.last_at > fedtrace_reporters.last_at THEN excluded.last_at ELSE fedtrace_reporters.last_at END,
    reports = fedtrace_reporters.reports + excluded.reports`;

/** After `INSERT INTO fedtrace_days (…) …`. */
export const MERGE_DAY = `
  ON CONFLICT (day, instance, kind) DO UPDATE SET
    ${["timestamp", "received", ...DAY_VALUE_NAMES].map((name) => `${columnOf(name)} = excluded.${columnOf(name)}`).join(", ")}
  WHERE excluded.reported_at > fedtrace_days.reported_at`;

/** What is told of a reporter once the report that told it was forgotten: whatever is put next. */
export const LAST_GONE = 0;
/** After `UPDATE fedtrace_reporters SET`. @param count and @param last of those that were forgotten: SQL */
export function takeReports(count: string, last: string): string {
  return `reports = fedtrace_reporters.reports - ${count},
    last_at = CASE WHEN fedtrace_reporters.last_at = ${last} THEN ${LAST_GONE} ELSE fedtrace_reporters.last_at END`;
}

/** Touches what a report is stored in, which `SELECT 1` would not. */
export const LOOK = "SELECT 1 FROM fedtrace_reports LIMIT 1";

export const COUNT_REPORTERS = "SELECT COUNT(*) AS n FROM fedtrace_reporters";

const TOTALS = `
  SELECT COUNT(*) AS servers, COALESCE(SUM(reports), 0) AS reports,
    ${KINDS.map((kind) => `COALESCE(SUM(CASE WHEN last_at >= ? AND kind = '${kind}' THEN 1 ELSE 0 END), 0) AS ${kind}`).join(", ")}
  FROM fedtrace_reporters`;
/** Values: the first day and the last. */
export const SUM_DAYS = `
  SELECT day,
    ${KINDS.map((kind) => `SUM(CASE WHEN kind = '${kind}' THEN 1 ELSE 0 END) AS ${kind}`).join(", ")},
    ${DAY_VALUE_NAMES.map((name) => `COALESCE(SUM(${name}), 0) AS ${name}`).join(", ")}
  FROM fedtrace_days WHERE day >= ? AND day <= ? GROUP BY day ORDER BY day`;
const NEWCOMERS = `
  SELECT first_at / ${SECONDS_PER_DAY} AS day, COUNT(*) AS n FROM fedtrace_reporters
  WHERE first_at >= ? AND first_at < ? GROUP BY 1`;
const VERSIONS = `
  SELECT kind, version, COUNT(*) AS n FROM fedtrace_reporters WHERE last_at >= ?
  GROUP BY kind, version ORDER BY n DESC, kind, version LIMIT ${LISTED_MAX.versions}`;
const CONTEXTS = `
  SELECT context, COUNT(*) AS n FROM fedtrace_reporters WHERE last_at >= ? AND context IS NOT NULL
  GROUP BY context ORDER BY n DESC, context LIMIT ${LISTED_MAX.contexts}`;
const LAST = `
  SELECT ${columnsOf(REPORTER_COLUMNS)} FROM fedtrace_reporters
  ORDER BY last_at DESC, instance, kind LIMIT ${LISTED_MAX.servers}`;

/**
 * @param query what is asked of it should see one moment, as far as the database can show one
 * @param days what the days of the range sum up to
 */
export async function readSummary(
  query: Query,
  range: SummaryRange,
  days: readonly DayRow[],
): Promise<SummaryRows> {
  const { fromDay, toDay, activeFrom } = range;
  const [totals = {}] = await query(TOTALS, [activeFrom, activeFrom]);
  const firsts = [fromDay * SECONDS_PER_DAY, (toDay + 1) * SECONDS_PER_DAY];
  const newcomers = await query(NEWCOMERS, firsts);
  const versions = await query(VERSIONS, [activeFrom]);
  const contexts = await query(CONTEXTS, [activeFrom]);
  const last = await query(LAST, []);
  return {
    servers: numberOf(totals, "servers"),
    reports: numberOf(totals, "reports"),
    active: { synapse: numberOf(totals, "synapse"), fedtrace: numberOf(totals, "fedtrace") },
    days,
    newcomers: new Map(newcomers.map((row) => [numberOf(row, "day"), numberOf(row, "n")])),
    versions: versions.map((row) => ({
      kind: row["kind"] as Kind,
      version: row["version"] as string | null,
      servers: numberOf(row, "n"),
    })),
    contexts: contexts.map((row) => ({ context: String(row["context"]), servers: numberOf(row, "n") })),
    last: last.map(toReporter),
  };
}

/** PostgreSQL tells whole numbers of eight bytes as texts. */
export function numberOf(row: Row, name: string): number {
  return Number(row[name]);
}

function numberOrNull(row: Row, name: string): number | null {
  return row[name] === null ? null : numberOf(row, name);
}

export function toDayRow(row: Row): DayRow {
  const names = ["day", ...KINDS, ...DAY_VALUE_NAMES];
  return Object.fromEntries(names.map((name) => [name, numberOf(row, name)])) as unknown as DayRow;
}

function toReporter(row: Row): ReporterRow {
  return {
    instance: String(row["instance"]),
    kind: row["kind"] as Kind,
    context: row["context"] as string | null,
    version: row["version"] as string | null,
    runtime: row["runtime"] as string | null,
    first: numberOf(row, "first_at"),
    last: numberOf(row, "last_at"),
    reports: numberOf(row, "reports"),
    messages: numberOrNull(row, "messages"),
    users: numberOrNull(row, "users"),
    memory_rss: numberOrNull(row, "memory_rss"),
    cpu_average: numberOrNull(row, "cpu_average"),
  };
}

/** Read along an index from the place where the page before ended: of the reporter's own where one is asked for. */
export async function readPage(query: Query, page: PageQuery): Promise<readonly StoredReport[]> {
  const { since, until, instance, after, max } = page;
  const conditions = ["reported_at >= ?", "reported_at < ?"];
  const values: SqlValue[] = [after?.timestamp ?? since, until];
  if (instance !== undefined) {
    conditions.push("instance = ?");
    values.push(instance);
  }
  if (after !== undefined) {
    conditions.push("(reported_at, instance, kind) > (?, ?, ?)");
    values.push(after.timestamp, after.instance, after.kind);
  }
  const order = instance === undefined ? "reported_at, instance, kind" : "instance, reported_at, kind";
  const rows = await query(
    `SELECT ${columnsOf(REPORT_COLUMNS)} FROM fedtrace_reports WHERE ${conditions.join(" AND ")} ORDER BY ${order} LIMIT ?`,
    [...values, max],
  );
  return rows.map(toStoredReport);
}

export function toStoredReport(row: Row): StoredReport {
  return {
    ...toKey(row),
    received: numberOf(row, "received_at"),
    version: row["version"] as string | null,
    document: String(row["document"]),
  };
}

export function toKey(row: Row): ReportKey {
  return { timestamp: numberOf(row, "reported_at"), ...toReporterKey(row) };
}

export function toReporterKey(row: Row): Pick<ReportKey, "instance" | "kind"> {
  return { instance: String(row["instance"]), kind: row["kind"] as Kind };
}
