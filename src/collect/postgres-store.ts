/**
 * Reports in a PostgreSQL database, which several collectors may share.
 *
 * Each batch is a few statements, whatever its size: rows go as one list a column (`unnest`). Rows are locked in the order of
 * their keys; should two collectors still wait for each other, one is told so, and tries again. Not here: connections (postgres-pool.ts).
 */

import {
  admitted,
  changesOf,
  changesOfKept,
  goneByReporter,
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
  ALWAYS,
  columnsOf,
  COUNT_REPORTERS,
  DAY_ROW_COLUMNS,
  LAST_GONE,
  LOOK,
  MERGE_DAY,
  MERGE_REPORTER,
  numberOf,
  readPage,
  readSummary,
  REPORT_COLUMNS,
  REPORTER_COLUMNS,
  SUM_DAYS,
  takeReports,
  toDayRow,
  toKey,
  toReporterKey,
  toStoredReport,
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
const PUT_DAYS = insertInto("fedtrace_days", DAY_ROW_COLUMNS) + MERGE_DAY;
const PUT_REPORTERS = insertInto("fedtrace_reporters", REPORTER_COLUMNS) + MERGE_REPORTER;
/** Both in one statement: each is a way to the database and back. */
const PUT_CHANGES = `WITH days AS (${PUT_DAYS}) ${PUT_REPORTERS}`;
const FIND_REPORTERS = `
  SELECT instance, kind FROM fedtrace_reporters
  WHERE (instance, kind) IN (SELECT * FROM unnest(?::text[], ?::text[]))`;
/** What another collector is at is left to it. */
const REMOVE_REPORTS = `
  DELETE FROM fedtrace_reports WHERE ctid = ANY (ARRAY
    (SELECT ctid FROM fedtrace_reports WHERE received_at < ? ORDER BY received_at LIMIT ? FOR UPDATE SKIP LOCKED))
  RETURNING instance, kind, reported_at`;
/** In the order in which they are asked for, which an UPDATE has not. */
const LOCK_REPORTERS = `
  SELECT 1 FROM unnest(?::text[], ?::text[]) WITH ORDINALITY AS wanted (instance, kind, place)
  JOIN fedtrace_reporters AS kept ON kept.instance = wanted.instance AND kept.kind = wanted.kind
  ORDER BY place FOR UPDATE OF kept`;
const TAKE_REPORTS = `
  UPDATE fedtrace_reporters SET ${takeReports("gone.count", "gone.last")}
  FROM unnest(?::text[], ?::text[], ?::bigint[], ?::bigint[]) AS gone (instance, kind, count, last)
  WHERE fedtrace_reporters.instance = gone.instance AND fedtrace_reporters.kind = gone.kind
  RETURNING fedtrace_reporters.instance, fedtrace_reporters.kind, last_at`;
const REMOVE_REPORTERS = `
  DELETE FROM fedtrace_reporters
  WHERE (instance, kind) IN (SELECT * FROM unnest(?::text[], ?::text[])) AND reports <= 0`;
/** A report is received on its own day or later, but for clocks that are a day ahead: only old days are looked at. */
const REMOVE_DAYS = `
  DELETE FROM fedtrace_days WHERE ctid = ANY (ARRAY
    (SELECT ctid FROM fedtrace_days WHERE day <= ? AND received_at < ? LIMIT ? FOR UPDATE SKIP LOCKED))
  RETURNING day, instance, kind`;
/** Values: reporters, timestamps from and to of each, and receipt from of all. */
const LATEST_REPORTS = `
  SELECT latest.* FROM unnest(?::text[], ?::text[], ?::bigint[], ?::bigint[]) AS wanted (instance, kind, since, until)
  CROSS JOIN LATERAL (
    SELECT ${columnsOf(REPORT_COLUMNS)} FROM fedtrace_reports AS kept
    WHERE kept.instance = wanted.instance AND kept.kind = wanted.kind
      AND reported_at >= since AND reported_at < until AND received_at >= ?
    ORDER BY reported_at DESC LIMIT 1) AS latest`;

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
      const gone = goneByReporter(removed.map(toKey));
      await query(LOCK_REPORTERS, listsOf(gone, ["instance", "kind"]));
      const left = await query(TAKE_REPORTS, listsOf(gone, ["instance", "kind", "count", "last"]));
      await query(REMOVE_REPORTERS, listsOf(gone, ["instance", "kind"]));
      const wanted = left
        .filter((row) => numberOf(row, "last_at") === LAST_GONE)
        .map((row) => ({ ...toReporterKey(row), since: 0, until: ALWAYS }));
      const { reporters } = await latestOf(query, wanted, 0);
      if (reporters.length > 0) await query(PUT_REPORTERS, listsOf(reporters, REPORTER_COLUMNS));
    }
    return removed.length + (await removeDays(query, unixSeconds, max));
  }

  async function removeDays(query: Transaction, unixSeconds: number, max: number): Promise<number> {
    const lastDay = Math.floor(unixSeconds / SECONDS_PER_DAY) + 1;
    const removed = await query(REMOVE_DAYS, [lastDay, unixSeconds, max]);
    const wanted = removed.map((row) => {
      const since = numberOf(row, "day") * SECONDS_PER_DAY;
      return { ...toReporterKey(row), since, until: since + SECONDS_PER_DAY };
    });
    const { days } = await latestOf(query, wanted, unixSeconds);
    if (days.length > 0) await query(PUT_DAYS, listsOf(days, DAY_ROW_COLUMNS));
    return removed.length;
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
    check: async () => void (await pool.query(LOOK, [])),
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

interface Wanted extends ReporterKey {
  /** Of timestamps. */
  readonly since: number;
  /** Not included. */
  readonly until: number;
}

/** What the latest of those that are kept says of each, where there is one. */
async function latestOf(
  query: Transaction,
  wanted: readonly Wanted[],
  receivedFrom: number,
): Promise<ReturnType<typeof changesOfKept>> {
  if (wanted.length === 0) return { reporters: [], days: [] };
  const lists = listsOf(wanted, ["instance", "kind", "since", "until"]);
  return changesOfKept((await query(LATEST_REPORTS, [...lists, receivedFrom])).map(toStoredReport));
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
