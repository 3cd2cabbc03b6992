/**
 * SQLite, by what the runtime brings (`node:sqlite`: Node 22.13 and later), else by the package libsql, an optional dependency whose
 * binary comes in its package. docs/decisions/0010-collector.md says why these. Both have better-sqlite3's few calls.
 */

/** One database, open. Every call ends before it returns. */
export interface Sqlite {
  /** Statements without values, separated by `;`. */
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

export interface SqliteStatement {
  run(...values: readonly (string | number | null)[]): { readonly changes: number | bigint };
  all(...values: readonly (string | number | null)[]): readonly unknown[];
}

/** Which of the two it is; the runtime's where both are there. */
export type SqliteDriver = "node:sqlite" | "libsql";

type Open = (path: string) => Sqlite;

/** @throws Error with what to do, where there is no driver, or the file can't be opened */
export async function openSqlite(
  path: string,
): Promise<{ readonly sqlite: Sqlite; readonly driver: SqliteDriver }> {
  const own = openerOfRuntime();
  if (own !== undefined) return { sqlite: own(path), driver: "node:sqlite" };
  const open = await openerOfPackage();
  return { sqlite: open(path), driver: "libsql" };
}

function openerOfRuntime(): Open | undefined {
  const module = withoutItsWarning(() => process.getBuiltinModule("node:sqlite") as unknown);
  if (module === undefined) return undefined;
  const { DatabaseSync } = module as { readonly DatabaseSync: new (path: string) => Sqlite };
  return (path) => new DatabaseSync(path);
}

/** The log is lines of JSON, on the stream that this warning would be written to as text; any other warning is. */
function withoutItsWarning<T>(load: () => T): T {
  const emitWarning = process.emitWarning.bind(process);
  const filter = (warning: string | Error, ...more: readonly unknown[]): void => {
    if (more[0] === "ExperimentalWarning" && String(warning).includes("SQLite")) return;
    Reflect.apply(emitWarning, process, [warning, ...more]);
  };
  process.emitWarning = filter;
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}

async function openerOfPackage(): Promise<Open> {
  let module: { readonly default: new (path: string) => unknown };
  try {
    module = (await import("libsql")) as unknown as typeof module;
  } catch (cause) {
    throw new Error(
      "there is no SQLite: use Node 22.13 or later, or install the package libsql beside fedtrace",
      { cause },
    );
  }
  const { default: Database } = module;
  return (path) => new Database(path) as Sqlite;
}
