/**
 * `collect`: receives usage reports of many servers, stores them, shows them on a page.
 *
 * A program beside dist/cli.js (build.mjs), which shares no chunk with it: whoever runs a sidecar reads none of this at a start.
 * Not here: its words (collect-options.ts), its parts (collect/).
 */

import { readFile } from "node:fs/promises";
import { type Collector, startCollector } from "../collect/collector.ts";
import { openPostgresStore } from "../collect/postgres-store.ts";
import type { ReportStore } from "../collect/report-store.ts";
import { openSqliteStore } from "../collect/sqlite-store.ts";
import { createSystemClock } from "../core/clock.ts";
import { createLog, createThrottledLog, type Log } from "../core/log.ts";
import { startProcessMetrics } from "../metrics/process-metrics.ts";
import { createRegistry } from "../metrics/registry.ts";
import { type CollectOptions, type Database, findTokenFault } from "./collect-options.ts";
import { EXIT, type ExitStatus, type Output } from "./output.ts";
import type { Signals } from "./run.ts";

export { parseCollect } from "./collect-options.ts";

/** Names are chosen by strangers, and each takes a row of some hundred bytes for as long as its reports are kept. */
const REPORTERS_MAX = 100_000;

export async function collectCommand(
  options: CollectOptions,
  {
    output,
    signals,
    pageDirectory,
  }: {
    readonly output: Output;
    readonly signals: Pick<Signals, "stop">;
    readonly pageDirectory: string;
  },
): Promise<ExitStatus> {
  const clock = createSystemClock();
  const log = createLog("info");
  const throttled = createThrottledLog(log, clock);
  const faults: string[] = [];
  const token = await readToken(options, faults);
  const store = await openStore(options.database, throttled, faults);
  if (store === undefined || faults.length > 0) {
    await store?.close();
    return cannotStart(log, faults);
  }
  const registry = createRegistry({ prefix: "fedtrace", clock });
  const stopMetrics = startProcessMetrics(registry.unprefixed, { process, clock });
  let collector: Collector;
  try {
    collector = await startCollector({ ...options, token, pageDirectory }, { store, clock, log, registry });
  } catch (error) {
    stopMetrics();
    await store.close();
    return cannotStart(log, [reasonOf(error)]);
  }
  log.info("collecting", {
    paths: options.paths,
    database: options.database.kind,
    reading: token === undefined ? "from this machine alone, without a token" : "with the token",
    kept_days: options.keptSeconds / 86_400,
  });
  output.line(`collect listening on ${collector.address}`);
  output.line("ready");
  const signal = await signals.stop;
  log.info("stopping", { signal });
  await collector.stop();
  stopMetrics();
  return EXIT.OK;
}

function cannotStart(log: Log, reasons: readonly string[]): ExitStatus {
  for (const reason of reasons) log.error("cannot start", { reason });
  return EXIT.CANNOT_START;
}

async function readToken(
  { tokenFile, token }: CollectOptions,
  faults: string[],
): Promise<string | undefined> {
  if (tokenFile === undefined) return token;
  let text: string;
  try {
    text = (await readFile(tokenFile, "utf8")).trim();
  } catch (error) {
    faults.push(`cannot read --token-file: ${reasonOf(error)}`);
    return undefined;
  }
  const fault = findTokenFault(text);
  if (fault !== undefined) faults.push(`--token-file ${fault}`);
  return text;
}

/** @returns undefined where it can't be used, and why is told */
async function openStore(database: Database, log: Log, faults: string[]): Promise<ReportStore | undefined> {
  const limits = { reportersMax: REPORTERS_MAX };
  try {
    if (database.kind === "sqlite") return await openSqliteStore(database.path, limits);
    const onLost = (reason: string): void => log.warn("connection to the database lost", { reason });
    return await openPostgresStore(database.url, { ...limits, onLost });
  } catch (error) {
    const which = database.kind === "sqlite" ? `the database ${database.path}` : "the PostgreSQL database";
    faults.push(`cannot use ${which}: ${reasonOf(error)}`);
    return undefined;
  }
}

/** What several addresses failed with is in `errors`, and the message then empty. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(", ");
  return error instanceof Error ? error.message : String(error);
}
