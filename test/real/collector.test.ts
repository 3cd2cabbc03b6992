/**
 * The collector as a program, with what it is made for: a real Synapse that reports to it, ten thousand reports of a thousand servers, a
 * crash in the middle of them, and a real PostgreSQL that goes away and comes back. Prints what it measured.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createPostgresPool } from "../../src/collect/postgres-pool.ts";
import { openPostgresStore } from "../../src/collect/postgres-store.ts";
import type { ReportStore } from "../../src/collect/report-store.ts";
import { CLI, environmentOf } from "../support/cli.ts";
import { ask, NOW, reportOf, send, synapseDocument } from "../support/collect.ts";
import { poll } from "../support/poll.ts";
import { testReportStore } from "../support/report-store-contract.ts";
import { type Postgres, startPostgres } from "./postgres.ts";
import { loadReports, reportsOf } from "./report-load.ts";
import { findSynapse, type SynapsePython } from "./synapse-python.ts";
import { type Homeserver, startHomeserver } from "./synapse.ts";

interface CollectorProcess {
  readonly port: number;
  readonly child: ChildProcess;
  /** Of the log. */
  readonly lines: readonly string[];
  /** SIGKILL unless told otherwise; resolves with the exit status once it has ended. */
  end(signal?: "SIGTERM" | "SIGKILL"): Promise<number | null>;
}

async function startCollect(database: string): Promise<CollectorProcess> {
  const child = spawn(process.execPath, [CLI, "collect", "--listen", "127.0.0.1:0"], {
    env: environmentOf({ FEDTRACE_COLLECT_DATABASE: database }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const ended = new Promise<number | null>((resolve) => void child.once("close", resolve));
  createInterface({ input: child.stderr }).on("line", (line) => lines.push(line));
  const port = await new Promise<number>((resolve, reject) => {
    let address = "";
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line === "ready") resolve(Number(address.split(":").at(-1)));
      else address = line;
    });
    void ended.then(() => reject(new Error(`the collector did not start:\n${lines.join("\n")}`)));
  });
  return {
    port,
    child,
    lines,
    end(signal = "SIGKILL") {
      child.kill(signal);
      return ended;
    },
  };
}

interface Summary {
  readonly totals: Readonly<Record<string, number>>;
  readonly servers: readonly Readonly<Record<string, unknown>>[];
  readonly days: readonly Readonly<Record<string, unknown>>[];
}

async function summaryOf(port: number): Promise<Summary> {
  const { status, body } = await ask(port, "/api/summary");
  if (status !== 200) throw new Error(`summary: ${status} ${body}`);
  return JSON.parse(body) as Summary;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const fromMs = performance.now();
  await work();
  return performance.now() - fromMs;
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

const SERVERS = 1000;
const REPORTS_EACH = 10;
/** The bar. SQLite, which is the default, takes a third of it here. */
const LOAD_MS_MAX = 10_000;
/** PostgreSQL takes 7 s on a quiet machine, the load generator and two more programs on its two cores. */
const LOAD_POSTGRES_MS_MAX = 30_000;
const READ_MS_MAX = 200;

/** Ten thousand reports, then both reads, each at once and as it is after a second. */
async function expectLoad(database: string, which: string, loadMsMax = LOAD_MS_MAX): Promise<void> {
  const collector = await startCollect(database);
  onTestFinished(async () => void (await collector.end()));
  const load = await loadReports(collector.port, reportsOf(SERVERS, REPORTS_EACH, nowSeconds()));
  expect(load.others).toEqual({});
  const summaryMs = await timed(() => summaryOf(collector.port));
  const pageMs = await timed(async () => {
    expect((await ask(collector.port, "/")).status).toBe(
      existsSync("dist/collect-page/index.html") ? 200 : 503,
    );
  });
  const again = await timed(() => summaryOf(collector.port));
  const { totals } = await summaryOf(collector.port);
  console.log(
    `${which}: ${load.acknowledged.length} reports in ${Math.round(load.ms)} ms; summary ${summaryMs.toFixed(0)} ms, page ${pageMs.toFixed(0)} ms, again ${again.toFixed(0)} ms`,
  );
  expect(totals).toMatchObject({
    servers: SERVERS,
    active: SERVERS,
    reports: SERVERS * REPORTS_EACH,
  });
  expect(load.ms).toBeLessThan(loadMsMax);
  expect(summaryMs).toBeLessThan(READ_MS_MAX);
  expect(pageMs).toBeLessThan(READ_MS_MAX);
  expect(await collector.end("SIGTERM")).toBe(0);
}

interface Exported {
  readonly instance: string;
  readonly timestamp: number;
}

async function exportOf(port: number): Promise<readonly Exported[]> {
  return JSON.parse((await ask(port, "/api/reports.json")).body) as readonly Exported[];
}

function keyOf({ instance, timestamp }: Exported): string {
  return `${instance} ${timestamp}`;
}

/** A crash in the middle of a load: what was acknowledged is there afterwards, and nothing twice. */
async function expectSurvival(database: string, crash: (collector: CollectorProcess) => void): Promise<void> {
  const collector = await startCollect(database);
  const reports = reportsOf(SERVERS, REPORTS_EACH, nowSeconds());
  const load = await loadReports(collector.port, reports, (count) => {
    if (count === 3000) crash(collector);
  });
  await collector.end();
  expect(load.acknowledged.length).toBeGreaterThanOrEqual(3000);
  expect(load.acknowledged.length).toBeLessThan(reports.length);
  const again = await startCollect(database);
  onTestFinished(async () => void (await again.end()));
  const exported = await exportOf(again.port);
  const kept = new Set(exported.map(keyOf));
  expect(kept.size).toBe(exported.length);
  const lost = load.acknowledged.filter(
    ({ homeserver, timestamp }) => !kept.has(`${homeserver} ${timestamp}`),
  );
  expect(lost).toEqual([]);
  // Senders try again with all of it.
  const second = await loadReports(again.port, reports);
  expect(second.others).toEqual({});
  expect((await summaryOf(again.port)).totals).toMatchObject({ reports: reports.length, servers: SERVERS });
  console.log(`crash: ${load.acknowledged.length} acknowledged, ${exported.length} kept, 0 lost`);
}

function temporaryDatabase(): string {
  const directory = mkdtempSync(join(tmpdir(), "fedtrace-collect-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "reports.db");
}

// Its first report comes five minutes after its start, so it starts first, and is looked at last.
let synapse: SynapsePython;
let homeserver: Homeserver;
let collector: CollectorProcess;
let directory: string;
const FIRST_REPORT_DEADLINE_MS = 400_000;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "fedtrace-collect-"));
  synapse = await findSynapse();
  collector = await startCollect(join(directory, "reports.db"));
  homeserver = await startHomeserver({
    python: synapse.path,
    serverName: "reporting.test",
    extra: {
      report_stats: true,
      report_stats_endpoint: `http://127.0.0.1:${collector.port}/report-usage-stats/push`,
      server_context: "a test of <fedtrace>",
    },
  });
});

afterAll(async () => {
  await homeserver.stop();
  await collector.end();
  rmSync(directory, { recursive: true, force: true });
});

describe("SQLite", () => {
  it("takes 10,000 reports of 1,000 servers in time, and shows them at once", async () => {
    await expectLoad(temporaryDatabase(), "SQLite");
  });

  it("has all that was acknowledged after kill -9, and nothing twice", async () => {
    await expectSurvival(temporaryDatabase(), ({ child }) => void child.kill("SIGKILL"));
  });
});

describe("PostgreSQL", () => {
  let postgres: Postgres;
  let url = "";
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  const open = (reportersMax: number): ReturnType<typeof openPostgresStore> =>
    openPostgresStore(url, { reportersMax, onLost: () => undefined });
  testReportStore({
    open(reportersMax) {
      url = postgres.createDatabase();
      return open(reportersMax);
    },
    reopen: () => open(1000),
  });

  it("makes its tables once where two collectors start at a time", async () => {
    url = postgres.createDatabase();
    const stores = await Promise.all([open(10), open(10), open(10)]);
    for (const store of stores) await store.close();
  });

  it("is written by one collector while another one forgets, and neither waits for the other in a circle", async () => {
    url = postgres.createDatabase();
    const [one, other, remover] = [await open(1000), await open(1000), await open(1000)];
    let second = 0;
    const write = async (store: ReportStore): Promise<void> => {
      for (let batch = 0; batch < 100; batch++) {
        const timestamp = NOW + ++second;
        const names = Array.from({ length: 20 }, (_, index) => `h${(index * 7 + second) % 30}.test`);
        await store.write(
          names.map((homeserver) => reportOf(synapseDocument({ homeserver, timestamp }), timestamp)),
        );
      }
    };
    let isWritten = false;
    const written = Promise.all([write(one), write(other)]).finally(() => (isWritten = true));
    while (!isWritten) await remover.removeReceivedBefore(NOW + second - 20, 50);
    await written;
    for (const store of [one, other, remover]) await store.close();
    const pool = await createPostgresPool(url, () => undefined);
    onTestFinished(() => pool.close());
    // Sessions tell what they counted when they end.
    const counted = await poll(async () => {
      const [row] = await pool.query(
        "SELECT xact_commit > 200 AS is_told, deadlocks FROM pg_stat_database WHERE datname = current_database()",
        [],
      );
      return row?.["is_told"] === true ? row : undefined;
    }, 10_000);
    expect(counted?.["deadlocks"]).toBe("0");
  });

  it("takes 10,000 reports of 1,000 servers in time, and shows them at once", async () => {
    await expectLoad(postgres.createDatabase(), "PostgreSQL", LOAD_POSTGRES_MS_MAX);
  });

  it("has all that was acknowledged after kill -9 of the collector, and nothing twice", async () => {
    await expectSurvival(postgres.createDatabase(), ({ child }) => void child.kill("SIGKILL"));
  });

  it("is waited for where it is away, and the collector goes on by itself", async () => {
    const away = await startCollect(postgres.createDatabase());
    onTestFinished(async () => void (await away.end()));
    const report = synapseDocument({ timestamp: nowSeconds() });
    expect((await send(away.port, report)).status).toBe(200);
    await postgres.kill();
    const refused = await Promise.all(
      Array.from({ length: 200 }, (_, index) => send(away.port, { ...report, homeserver: `h${index}.test` })),
    );
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([503]));
    expect(refused[0]?.headers["retry-after"]).toBe("30");
    const ready = async (): Promise<number> => (await ask(away.port, "/health/ready")).status;
    expect(await ready()).toBe(503);
    expect((await ask(away.port, "/api/reports.json")).status).toBe(503);
    expect(away.lines.length).toBeLessThan(50);
    await postgres.start();
    const isBack = await poll(async () => ((await ready()) === 200 ? true : undefined), 20_000);
    expect(isBack).toBe(true);
    expect((await send(away.port, report)).status).toBe(200);
    expect((await summaryOf(away.port)).totals).toMatchObject({ reports: 1 });
    expect(await away.end("SIGTERM")).toBe(0);
  });

  it("may end in the middle of a load: what was acknowledged is there afterwards, and nothing twice", async () => {
    const collecting = await startCollect(postgres.createDatabase());
    onTestFinished(async () => void (await collecting.end()));
    const reports = reportsOf(SERVERS, REPORTS_EACH, nowSeconds());
    let isBack: Promise<void> | undefined;
    const load = await loadReports(collecting.port, reports, (count) => {
      if (count === 3000) isBack = postgres.kill().then(() => postgres.start());
    });
    await isBack;
    expect(Object.keys(load.others)).toEqual(["503"]);
    const kept = new Set((await exportOf(collecting.port)).map(keyOf));
    expect(
      load.acknowledged.filter(({ homeserver, timestamp }) => !kept.has(`${homeserver} ${timestamp}`)),
    ).toEqual([]);
    const second = await loadReports(collecting.port, reports);
    expect(second.others).toEqual({});
    expect((await summaryOf(collecting.port)).totals).toMatchObject({
      reports: reports.length,
      servers: SERVERS,
    });
    console.log(
      `PostgreSQL ended: ${load.acknowledged.length} acknowledged, ${kept.size} kept by then, 0 lost`,
    );
  });
});

describe("Synapse", () => {
  it(
    "reports to it by itself",
    async () => {
      const servers = await poll(async () => {
        const summary = await summaryOf(collector.port);
        return summary.servers.length > 0 ? summary.servers : undefined;
      }, FIRST_REPORT_DEADLINE_MS);
      expect(servers).toHaveLength(1);
      expect(servers?.[0]).toMatchObject({
        instance: "reporting.test",
        kind: "synapse",
        context: "a test of <fedtrace>",
        version: synapse.version,
        runtime: expect.stringMatching(/^python 3\.\d+\.\d+$/) as string,
        reports: 1,
        messages: 0,
        users: 0,
      });
      const exported = JSON.parse((await ask(collector.port, "/api/reports.json")).body) as {
        document: object;
      }[];
      expect(exported[0]?.document).toMatchObject({
        homeserver: "reporting.test",
        database_engine: "sqlite3",
      });
      console.log(`Synapse ${synapse.version}: ${JSON.stringify(exported[0]?.document)}`);
    },
    FIRST_REPORT_DEADLINE_MS + 10_000,
  );
});
