/**
 * The stored reports as one JSON list or as CSV, written at the reader's pace: a page of rows is read when the one before was taken.
 *
 * CSV as RFC 4180 has it. Its cells were chosen by strangers, and a spreadsheet runs what begins like a formula: such a cell gets a
 * `'` before it (https://owasp.org/www-community/attacks/CSV_Injection).
 */

import type { PageQuery, ReportKey, ReportStore, StoredReport } from "./report-store.ts";

export type ExportQuery = Omit<PageQuery, "after" | "max">;

/** A page is some megabytes at most: documents are bounded. */
const PAGE_ROWS = 250;

/** Columns that come from the document, by their paths. What has none is in `document`. */
const DOCUMENT_COLUMNS = [
  "server_context",
  "uptime_seconds",
  "memory_rss",
  "cpu_average",
  "python_version",
  "node_version",
  "log_level",
  "cache_factor",
  "event_cache_size",
  "database_engine",
  "database_server_version",
  "total_users",
  "total_nonbridged_users",
  "total_room_count",
  "daily_user_type_native",
  "daily_user_type_guest",
  "daily_user_type_bridged",
  "daily_active_users",
  "monthly_active_users",
  "daily_active_rooms",
  "daily_active_e2ee_rooms",
  "daily_messages",
  "daily_sent_messages",
  "daily_e2ee_messages",
  "daily_sent_e2ee_messages",
  "r30_users_all",
  "r30v2_users_all",
  "r30v2_users_android",
  "r30v2_users_ios",
  "r30v2_users_electron",
  "r30v2_users_web",
  "daily_active_peers",
  "monthly_active_peers",
  "r30_peers_all",
  "daily_requests_in",
  "daily_requests_out",
  "daily_transactions",
  "daily_pdus",
  "daily_edus",
  "daily_sampled_traces",
  "environment.os",
  "environment.arch",
  "environment.version",
  "environment.install_id",
  "environment.instance_id",
] as const;

const KEY_COLUMNS = ["kind", "instance", "timestamp", "received", "version"] as const;
/** RFC 4180, section 2. */
const LINE_END = "\r\n";

export async function* exportJson(store: ReportStore, query: ExportQuery): AsyncGenerator<string> {
  let separator = "[\n";
  for await (const page of pagesOf(store, query)) {
    let piece = "";
    for (const { document, ...key } of page) {
      piece += `${separator}${JSON.stringify(key).slice(0, -1)},"document":${document}}`;
      separator = ",\n";
    }
    yield piece;
  }
  yield separator === "[\n" ? "[]\n" : "\n]\n";
}

export async function* exportCsv(store: ReportStore, query: ExportQuery): AsyncGenerator<string> {
  const head = [...KEY_COLUMNS, ...DOCUMENT_COLUMNS.map((path) => path.replace(".", "_")), "document"];
  let before = head.join(",") + LINE_END; // With the first page: what can't be read at all shows before anything is answered.
  for await (const page of pagesOf(store, query)) {
    yield before + page.map(lineOf).join("");
    before = "";
  }
  if (before !== "") yield before;
}

async function* pagesOf(store: ReportStore, query: ExportQuery): AsyncGenerator<readonly StoredReport[]> {
  let after: ReportKey | undefined;
  do {
    const page = await store.readPage({ ...query, after, max: PAGE_ROWS });
    if (page.length > 0) yield page;
    after = page.length < PAGE_ROWS ? undefined : page.at(-1);
  } while (after !== undefined);
}

function lineOf(report: StoredReport): string {
  const document = JSON.parse(report.document) as unknown;
  const cells = [
    ...KEY_COLUMNS.map((name) => report[name]),
    ...DOCUMENT_COLUMNS.map((path) => valueAt(document, path)),
    report.document,
  ];
  return cells.map(cellOf).join(",") + LINE_END;
}

function valueAt(document: unknown, path: string): unknown {
  let value = document;
  for (const key of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return null;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return value;
}

/** Also in the full-width forms, which some spreadsheets read as the plain ones. A negative number stays one. */
const FORMULA = /^(?:[=+@\t\r\n＝＋＠－]|-(?!\d+(?:\.\d+)?(?:e[+-]?\d+)?$))/;

/** @returns one cell; nothing for null and what is not there */
export function cellOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
