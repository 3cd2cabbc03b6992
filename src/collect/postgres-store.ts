/**
 * Reports in a PostgreSQL database, which several collectors may share.
 *
 * Each batch is a few statements, whatever its size: rows go as one list a column (`unnest`). Rows are locked in the order of
 * their keys; should two collectors still wait for each other, one is told so, and tries again. Not here: connections (postgres-pool.ts).
 */

import {
  admitted,
  changesOf,
  countByReporter,
  type Insertion,
  insertionOf,
  outcomesOf,
  type ReporterKey,
  reporterKey,
  reportKey,
  uniqueReports,
} from "./batch.ts";
import { createPostgresPool, type PostgresPool, type Transaction } from "./postgres-pool.ts";
import { DAY_VALUE_NAMES, type Report } from "./report.ts";
import { type ReportStore, SECONDS_PER_DAY, type StoreOptions } from "./report-store.ts";
import {
  columnsOf,
  COUNT_REPORTERS,
  DAY_ROW_COLUMNS,
  MERGE_DAY,
  MERGE_REPORTER,
  numberOf,
  readPage,
  readSummary,
  REPORT_COLUMNS,
  REPORTER_COLUMNS,
  SUM_DAYS,
  toDayRow,
  toKey,
  toReporterKey,
} from "./sql.ts";

const SCHEMA_VERSION = 1;
/** Any number that no other program is likely to take: "fedtrace" as bytes, cut to 48 bits. */
const SCHEMA_LOCK = 0x66_65_64_74_72_61;

const SCHEMA = [
  `CREATE TABLE fedtrace_reports (
    kind text COLLATE "C" NOT NULL, instance text COLLATE "C" NOT NULL,
    reported_at bigint NOT NULL, received_at bigint NOT NULL, version text, document text NOT NULL,
    PRIMARY KEY (instance, reported_at, kind)
  )`,
  "CREATE INDEX fedtrace_reports_by_time ON fedtrace_reports (reported_at, instance, kind)",
  "CREATE INDEX fedtrace_reports_by_receipt ON fedtrace_reports (received_at)",
  `CREATE TABLE fedtrace_reporters (
    kind text COLLATE "C" NOT NULL, instance text COLLATE "C" NOT NULL,
    context text, version text, runtime text,
    first_at bigint NOT NULL, last_at bigint NOT NULL, reports bigint NOT NULL,
    messages double precision, users double precision, memory_rss double precision, cpu_average double precision,
    PRIMARY KEY (instance, kind)
  )`,
  "CREATE INDEX fedtrace_reporters_by_last ON fedtrace_reporters (last_at)",
  `CREATE TABLE fedtrace_days (
    day bigint NOT NULL, kind text COLLATE "C" NOT NULL, instance text COLLATE "C" NOT NULL,
    reported_at bigint NOT NULL, received_at bigint NOT NULL,
    ${DAY_VALUE_NAMES.map((name) => `${name} double precision`).join(", ")},
    PRIMARY KEY (day, instance, kind)
  )`,
  "CREATE TABLE fedtrace_schema (version integer NOT NULL)",
  `INSERT INTO fedtrace_schema VALUES (${SCHEMA_VERSION})`,
];

const NUMBERS = new Set<string>(["timestamp", "received", "first", "last", "reports", "day"]);
const REALS = new Set<string>([...DAY_VALUE_NAMES, "memory_rss", "cpu_average"]);

function insertInto(table: string, columns: readonly string[]): string {
  const lists = columns.map((name) =>
    NUMBERS.has(name) ? "?::bigint[]" : REALS.has(name) ? "?::float8[]" : "?::text[]",
  );
  return `INSERT INTO ${table} (${columnsOf(columns)}) SELECT * FROM unnest(${lists.join(", ")})`;
}

const INSERT_REPORTS = `${insertInto("fedtrace_reports", REPORT_COLUMNS)}
  ON CONFLICT DO NOTHING RETURNING instance, reported_at, kind`;
/** Both in one statement: each is a way to the database and back. */
const PUT_CHANGES = `
  WITH days AS (${insertInto("fedtrace_days", DAY_ROW_COLUMNS) + MERGE_DAY})
  ${insertInto("fedtrace_reporters", REPORTER_COLUMNS) + MERGE_REPORTER}`;
const FIND_REPORTERS = `
  SELECT instance, kind FROM fedtrace_reporters
  WHERE (instance, kind) IN (SELECT * FROM unnest(?::text[], ?::text[]))`;
/** What another collector is at is left to it. */
const REMOVE_REPORTS = `
  DELETE FROM fedtrace_reports WHERE ctid = ANY (ARRAY
    (SELECT ctid FROM fedtrace_reports WHERE received_at < ? ORDER BY received_at LIMIT ? FOR UPDATE SKIP LOCKED))
  RETURNING instance, kind`;
const TAKE_REPORTS = `
  UPDATE fedtrace_reporters AS kept SET reports = kept.reports - gone.count
  FROM unnest(?::text[], ?::text[], ?::bigint[]) AS gone (instance, kind, count)
  WHERE kept.instance = gone.instance AND kept.kind = gone.kind`;
const REMOVE_REPORTERS = `
  DELETE FROM fedtrace_reporters
  WHERE (instance, kind) IN (SELECT * FROM unnest(?::text[], ?::text[])) AND reports <= 0`;
/** A report is received on its own day or later, but for clocks that are a day ahead: only old days are looked at. */
const REMOVE_DAYS = `
  DELETE FROM fedtrace_days WHERE ctid = ANY (ARRAY
    (SELECT ctid FROM fedtrace_days WHERE day <= ? AND received_at < ? LIMIT ? FOR UPDATE SKIP LOCKED))
  RETURNING day`;

/**
 * @param url postgres://…; never shown
 * @param onLost told why a connection that nobody used broke
 * @throws Error where the database can't be reached, or is of no use
 */
export async function openPostgresStore(
  url: string,
  { reportersMax, onLost }: StoreOptions & { readonly onLost: (reason: string) => void },
): Promise<ReportStore> {
  const pool = await createPostgresPool(url, onLost);
  try {
    await prepareSchema(pool);
  } catch (error) {
    await pool.close();
    throw error;
  }

  async function insert(query: Transaction, unique: readonly Report[]): Promise<Insertion> {
    const found = await query(FIND_REPORTERS, listsOf(unique, ["instance", "kind"]));
    const known = new Set(found.map((row) => reporterKey(toReporterKey(row))));
    const hasNew = unique.some((report) => !known.has(reporterKey(report)));
    const room = hasNew ? reportersMax - numberOf((await query(COUNT_REPORTERS, []))[0] ?? {}, "n") : 0;
    const taken = admitted(unique, { known, room });
    const rows = await query(INSERT_REPORTS, listsOf(taken, REPORT_COLUMNS));
    const inserted = new Set(rows.map((row) => reportKey(toKey(row))));
    const { reporters, days } = changesOf(taken.filter((report) => inserted.has(reportKey(report))));
    if (reporters.length > 0)
      await query(PUT_CHANGES, [...listsOf(days, DAY_ROW_COLUMNS), ...listsOf(reporters, REPORTER_COLUMNS)]);
    return insertionOf(unique, { taken, inserted });
  }

  async function remove(query: Transaction, unixSeconds: number, max: number): Promise<number> {
    const removed = await query(REMOVE_REPORTS, [unixSeconds, max]);
    if (removed.length > 0) {
      const gone = countByReporter(removed.map(toReporterKey));
      await query(TAKE_REPORTS, listsOf(gone, ["instance", "kind", "count"]));
      await query(REMOVE_REPORTERS, listsOf(gone, ["instance", "kind"]));
    }
    const lastDay = Math.floor(unixSeconds / SECONDS_PER_DAY) + 1;
    return removed.length + (await query(REMOVE_DAYS, [lastDay, unixSeconds, max])).length;
  }

  return {
    async write(reports) {
      const unique = uniqueReports(reports);
      return outcomesOf(reports, await pool.inTransaction("BEGIN", (query) => insert(query, unique)));
    },
    summarize: (range) =>
      pool.inTransaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", async (query) => {
        const days = await query(SUM_DAYS, [range.fromDay, range.toDay]);
        return readSummary(query, range, days.map(toDayRow));
      }),
    readPage: (page) => readPage(pool.query, page),
    removeReceivedBefore: (unixSeconds, max) =>
      pool.inTransaction("BEGIN", (query) => remove(query, unixSeconds, max)),
    countReporters: async () => numberOf((await pool.query(COUNT_REPORTERS, []))[0] ?? {}, "n"),
    check: async () => void (await pool.query("SELECT 1", [])),
    close: () => pool.close(),
  };
}

/** @throws Error where it is of no use, or of another version */
async function prepareSchema(pool: PostgresPool): Promise<void> {
  await pool.inTransaction("BEGIN", async (query) => {
    await query("SELECT pg_advisory_xact_lock(?)", [SCHEMA_LOCK]);
    const [encoding = {}] = await query("SHOW server_encoding", []);
    if (encoding["server_encoding"] !== "UTF8")
      throw new Error(`the database is in ${String(encoding["server_encoding"])}; it has to be UTF8`);
    const [schema = {}] = await query("SELECT to_regclass('fedtrace_schema') IS NOT NULL AS is_there", []);
    if (schema["is_there"] !== true) for (const sql of SCHEMA) await query(sql, []);
    const [kept = {}] = await query("SELECT version FROM fedtrace_schema", []);
    if (kept["version"] !== SCHEMA_VERSION)
      throw new Error("the tables in the database are of another version of this program");
  });
}

/** A list for each column. */
function listsOf(
  rows: readonly (ReporterKey & object)[],
  names: readonly string[],
): readonly (readonly unknown[])[] {
  return names.map((name) =>
    rows.map((row) => (row as unknown as Readonly<Record<string, unknown>>)[name] ?? null),
  );
}
