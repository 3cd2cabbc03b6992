/**
 * Reports in one SQLite file, written by one process: in WAL mode, with a flush to disk before a commit returns.
 *
 * Calls of the driver end before they return, so nothing else runs inside a transaction. Not here: the driver.
 */

import { open as openFile } from "node:fs/promises";
import { resolve as resolvePath } from "node:path";
import {
  admitted,
  changesOf,
  changesOfKept,
  goneByReporter,
  type Insertion,
  insertionOf,
  outcomesOf,
  reporterKey,
  reportKey,
  uniqueReports,
} from "./batch.ts";
import { createDaySums } from "./day-sums.ts";
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
  type Row,
  type SqlValue,
  SUM_DAYS,
  takeReports,
  toDayRow,
  toKey,
  toReporterKey,
  toStoredReport,
} from "./sql.ts";
import { openSqlite, type Sqlite, type SqliteDriver, type SqliteStatement } from "./sqlite-driver.ts";

const SCHEMA_VERSION = 1;
/** For whoever else has the file open: a backup, somebody's look with sqlite3. */
const BUSY_TIMEOUT_MS = 5000;
/** Only the operator's: what it holds are other servers' figures. */
const FILE_MODE = 0o600;

const SCHEMA = `
  CREATE TABLE fedtrace_reports (
    kind TEXT NOT NULL, instance TEXT NOT NULL, reported_at INTEGER NOT NULL, received_at INTEGER NOT NULL,
    version TEXT, document TEXT NOT NULL,
    PRIMARY KEY (instance, reported_at, kind)
  );
  CREATE INDEX fedtrace_reports_by_time ON fedtrace_reports (reported_at, instance, kind);
  CREATE INDEX fedtrace_reports_by_receipt ON fedtrace_reports (received_at);
  CREATE TABLE fedtrace_reporters (
    kind TEXT NOT NULL, instance TEXT NOT NULL, context TEXT, version TEXT, runtime TEXT,
    first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, reports INTEGER NOT NULL,
    messages REAL, users REAL, memory_rss REAL, cpu_average REAL,
    PRIMARY KEY (instance, kind)
  ) WITHOUT ROWID;
  CREATE INDEX fedtrace_reporters_by_last ON fedtrace_reporters (last_at);
  CREATE TABLE fedtrace_days (
    day INTEGER NOT NULL, kind TEXT NOT NULL, instance TEXT NOT NULL,
    reported_at INTEGER NOT NULL, received_at INTEGER NOT NULL,
    ${DAY_VALUE_NAMES.map((name) => `${name} REAL`).join(", ")},
    PRIMARY KEY (day, instance, kind)
  ) WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

function insertInto(table: string, columns: readonly string[]): string {
  const marks = columns.map(() => "?").join(", ");
  return `INSERT INTO ${table} (${columnsOf(columns)}) VALUES (${marks})`;
}

const INSERT_REPORT = `${insertInto("fedtrace_reports", REPORT_COLUMNS)} ON CONFLICT DO NOTHING`;
const PUT_REPORTER = insertInto("fedtrace_reporters", REPORTER_COLUMNS) + MERGE_REPORTER;
const PUT_DAY = insertInto("fedtrace_days", DAY_ROW_COLUMNS) + MERGE_DAY;
const FIND_REPORTER = "SELECT 1 FROM fedtrace_reporters WHERE instance = ? AND kind = ?";
const REMOVE_REPORTS = `
  DELETE FROM fedtrace_reports WHERE rowid IN
    (SELECT rowid FROM fedtrace_reports WHERE received_at < ? ORDER BY received_at LIMIT ?)
  RETURNING instance, kind, reported_at`;
const TAKE_REPORTS = `
  UPDATE fedtrace_reporters SET ${takeReports("?", "?")} WHERE instance = ? AND kind = ? RETURNING last_at`;
const REMOVE_REPORTER = "DELETE FROM fedtrace_reporters WHERE instance = ? AND kind = ? AND reports <= 0";
/** A report is received on its own day or later, but for clocks that are a day ahead: only old days are looked at. */
const REMOVE_DAYS = `
  DELETE FROM fedtrace_days WHERE (day, instance, kind) IN
    (SELECT day, instance, kind FROM fedtrace_days WHERE day <= ? AND received_at < ? LIMIT ?)
  RETURNING day, instance, kind`;
/** Values: a reporter, timestamps from and to, and receipt from. */
const LATEST_REPORT = `
  SELECT ${columnsOf(REPORT_COLUMNS)} FROM fedtrace_reports
  WHERE instance = ? AND kind = ? AND reported_at >= ? AND reported_at < ? AND received_at >= ?
  ORDER BY reported_at DESC LIMIT 1`;
/** Another number where another connection has written. */
const DATA_VERSION = "PRAGMA data_version";
const TABLES =
  "SELECT COUNT(*) AS n FROM sqlite_master WHERE type = 'table' AND name LIKE 'fedtrace\\_%' ESCAPE '\\'";
const TABLE_COUNT = 3;

/**
 * @param path of the file, which is made where there is none
 * @throws Error where it can't be opened, or is another program's
 */
export async function openSqliteStore(
  path: string,
  { reportersMax }: StoreOptions,
): Promise<ReportStore & { readonly driver: SqliteDriver }> {
  const file = resolvePath(path); // Some words are no files to SQLite, such as `:memory:`.
  await (await openFile(file, "a", FILE_MODE)).close();
  const { sqlite, driver } = await openSqlite(file);
  try {
    sqlite.exec(
      `PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`,
    );
    prepareSchema(sqlite);
  } catch (error) {
    sqlite.close();
    throw error;
  }
  const statements = new Map<string, SqliteStatement>();

  /** Few texts, which this program wrote. */
  function statement(sql: string): SqliteStatement {
    let found = statements.get(sql);
    if (found === undefined) statements.set(sql, (found = sqlite.prepare(sql)));
    return found;
  }

  const all = (sql: string, values: readonly SqlValue[] = []): readonly Row[] =>
    statement(sql).all(...values) as readonly Row[];
  const run = (sql: string, values: readonly SqlValue[]): number =>
    Number(statement(sql).run(...values).changes);
  const countReporters = (): number => numberOf(all(COUNT_REPORTERS)[0] ?? {}, "n");

  const sums = createDaySums({
    sum: (fromDay, toDay) => all(SUM_DAYS, [fromDay, toDay]).map(toDayRow),
    version: () => numberOf(all(DATA_VERSION)[0] ?? {}, "data_version"),
  });

  function inTransaction<T>(work: () => T): T {
    sqlite.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      sqlite.exec("COMMIT");
      return result;
    } catch (error) {
      rollBack(sqlite);
      throw error;
    }
  }

  function insert(unique: readonly Report[]): Insertion {
    const known = new Set<string>();
    for (const { instance, kind } of unique)
      if (all(FIND_REPORTER, [instance, kind]).length > 0) known.add(reporterKey({ instance, kind }));
    const hasNew = unique.some((report) => !known.has(reporterKey(report)));
    const taken = admitted(unique, { known, room: hasNew ? reportersMax - countReporters() : 0 });
    const fresh = taken.filter((report) => run(INSERT_REPORT, pick(report, REPORT_COLUMNS)) > 0);
    const { reporters, days } = changesOf(fresh);
    for (const reporter of reporters) run(PUT_REPORTER, pick(reporter, REPORTER_COLUMNS));
    for (const day of days) {
      run(PUT_DAY, pick(day, DAY_ROW_COLUMNS));
      sums.touch(day.day);
    }
    return insertionOf(unique, { taken, inserted: new Set(fresh.map(reportKey)) });
  }

  function remove(unixSeconds: number, max: number): number {
    const removed = all(REMOVE_REPORTS, [unixSeconds, max]);
    const lasts: Row[] = [];
    for (const { instance, kind, count, last } of goneByReporter(removed.map(toKey))) {
      const [left = {}] = all(TAKE_REPORTS, [count, last, instance, kind]);
      if (run(REMOVE_REPORTER, [instance, kind]) === 0 && numberOf(left, "last_at") === LAST_GONE)
        lasts.push(...all(LATEST_REPORT, [instance, kind, 0, ALWAYS, 0]));
    }
    for (const reporter of changesOfKept(lasts.map(toStoredReport)).reporters)
      run(PUT_REPORTER, pick(reporter, REPORTER_COLUMNS));
    return removed.length + removeDays(unixSeconds, max);
  }

  function removeDays(unixSeconds: number, max: number): number {
    const lastDay = Math.floor(unixSeconds / SECONDS_PER_DAY) + 1;
    const removed = all(REMOVE_DAYS, [lastDay, unixSeconds, max]);
    const latest = removed.flatMap((row) => {
      const { instance, kind } = toReporterKey(row);
      const from = numberOf(row, "day") * SECONDS_PER_DAY;
      return all(LATEST_REPORT, [instance, kind, from, from + SECONDS_PER_DAY, unixSeconds]);
    });
    for (const day of changesOfKept(latest.map(toStoredReport)).days)
      run(PUT_DAY, pick(day, DAY_ROW_COLUMNS));
    for (const row of removed) sums.touch(numberOf(row, "day"));
    return removed.length;
  }

  const query = (sql: string, values: readonly SqlValue[]): Promise<readonly Row[]> =>
    Promise.resolve().then(() => all(sql, values));
  /** Of 100,000 reporters each statement takes some 60 ms: requests go in between. */
  const queryInTurns: typeof query = async (sql, values) => {
    await new Promise((resolve) => setImmediate(resolve));
    return query(sql, values);
  };
  return {
    driver,
    write: (reports) =>
      Promise.resolve().then(() =>
        outcomesOf(
          reports,
          inTransaction(() => insert(uniqueReports(reports))),
        ),
      ),
    async summarize(range) {
      const days = await sums.read(range.fromDay, range.toDay);
      return readSummary(queryInTurns, range, days);
    },
    readPage: (page) => readPage(query, page),
    removeReceivedBefore: (unixSeconds, max) =>
      Promise.resolve().then(() => inTransaction(() => remove(unixSeconds, max))),
    countReporters: () => Promise.resolve().then(countReporters),
    check: async () => void (await query(LOOK, [])),
    close: () => Promise.resolve(void sqlite.close()),
  };
}

/** @throws Error for a file of another program, or of a later version of this one */
function prepareSchema(sqlite: Sqlite): void {
  const [version] = sqlite.prepare("PRAGMA user_version").all() as readonly Row[];
  const found = numberOf(version ?? {}, "user_version");
  const count = (sql: string): number => numberOf((sqlite.prepare(sql).all()[0] ?? {}) as Row, "n");
  if (found === SCHEMA_VERSION && count(TABLES) === TABLE_COUNT) return;
  if (found !== 0 || count("SELECT COUNT(*) AS n FROM sqlite_master") > 0)
    throw new Error("it is the database of another program, or of another version of this one");
  sqlite.exec("BEGIN IMMEDIATE");
  try {
    sqlite.exec(SCHEMA);
    sqlite.exec("COMMIT");
  } catch (error) {
    rollBack(sqlite);
    throw error;
  }
}

/** What failed is told, not that there was nothing left to roll back. */
function rollBack(sqlite: Sqlite): void {
  try {
    sqlite.exec("ROLLBACK");
  } catch {
    // SQLite has done it itself: a full disk, a failed flush.
  }
}

function pick(row: object, names: readonly string[]): readonly SqlValue[] {
  return names.map((name) => (row as Readonly<Record<string, SqlValue>>)[name] ?? null);
}
