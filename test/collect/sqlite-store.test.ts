/** Reports in SQLite: all that a storage has to do, and which files it does not touch. */

import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openSqlite } from "../../src/collect/sqlite-driver.ts";
import { openSqliteStore } from "../../src/collect/sqlite-store.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { reportOf, synapseDocument } from "../support/collect.ts";
import { testReportStore } from "../support/report-store-contract.ts";

describe("SQLite", () => {
  let path = "";
  testReportStore({
    open(reportersMax) {
      path = join(temporaryDirectory(), "reports.db");
      return openSqliteStore(path, { reportersMax });
    },
    reopen: () => openSqliteStore(path, { reportersMax: 1000 }),
  });
});

const LIMITS = { reportersMax: 10 };

it("flushes each commit to disk, with a log that outlives the process", async () => {
  const file = join(temporaryDirectory(), "reports.db");
  const store = await openSqliteStore(file, LIMITS);
  const { sqlite } = await openSqlite(file);
  expect(sqlite.prepare("PRAGMA journal_mode").all()).toMatchObject([{ journal_mode: "wal" }]);
  sqlite.close();
  await store.write([reportOf(synapseDocument())]);
  expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
  await store.close();
});

it("makes a file that only its owner reads", async () => {
  const file = join(temporaryDirectory(), "reports.db");
  await (await openSqliteStore(file, LIMITS)).close();
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

it.each([
  { sql: "CREATE TABLE users (name TEXT)", why: "another program's tables" },
  {
    sql: "CREATE TABLE users (name TEXT); PRAGMA user_version = 1",
    why: "and its version is ours by chance",
  },
  { sql: "PRAGMA user_version = 2", why: "a later version of this program's" },
])("does not touch $why", async ({ sql }) => {
  const file = join(temporaryDirectory(), "other.db");
  const { sqlite } = await openSqlite(file);
  sqlite.exec(sql);
  sqlite.close();
  await expect(openSqliteStore(file, LIMITS)).rejects.toThrow("another program, or of another version");
});

it("does not touch what is no database", async () => {
  const file = join(temporaryDirectory(), "notes.txt");
  writeFileSync(file, "my notes, not a database\n".repeat(100));
  await expect(openSqliteStore(file, LIMITS)).rejects.toThrow(/not a database/);
  expect(readFileSync(file, "utf8")).toContain("my notes");
});

it("is of no use once its pages are overwritten, and says so", async () => {
  const file = join(temporaryDirectory(), "reports.db");
  await (await openSqliteStore(file, LIMITS)).close();
  const { sqlite } = await openSqlite(file);
  sqlite.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  sqlite.close();
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill("x", 4096));
  const store = await openSqliteStore(file, LIMITS);
  await expect(store.check()).rejects.toThrow(/malformed/);
  await store.close();
});

it("says where there is no file to be had", async () => {
  await expect(openSqliteStore(temporaryDirectory(), LIMITS)).rejects.toThrow(/EISDIR/);
});
