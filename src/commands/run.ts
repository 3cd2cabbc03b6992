/**
 * `run --config FILE`: the sidecar itself, from its first line to its last.
 *
 * SIGTERM and SIGINT drain and end it; SIGHUP or a change of the file reload it. A bad file changes nothing.
 */

import { lookup } from "node:dns/promises";
import { type Sidecar, startSidecar } from "../app.ts";
import { type Fault, formatFault } from "../config/fault.ts";
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import { watchFile } from "../config/watch.ts";
import { createSystemClock } from "../core/clock.ts";
import { FedtraceError } from "../core/errors.ts";
import { createLog, type Log } from "../core/log.ts";
import { createRandom } from "../core/random.ts";
import { EXIT, type ExitStatus, type Output } from "./output.ts";
import { PATTERN_CHECKS } from "./patterns.ts";

/** The signals, as cli.ts hands them in. */
export interface Signals {
  /** Resolves at the first SIGTERM or SIGINT. */
  readonly stop: Promise<string>;
  onReload(reload: () => void): void;
}

type Valid = Extract<LoadedConfig, { ok: true }>;

export async function runCommand(path: string, output: Output, signals: Signals): Promise<ExitStatus> {
  const loaded = await loadConfig(path, PATTERN_CHECKS);
  if (!loaded.ok) {
    for (const fault of loaded.faults) output.errorLine(formatFault(fault));
    return EXIT.BAD_CONFIG;
  }
  const log = createLog(loaded.config.log.level);
  logWarnings(log, loaded.warnings);

  let sidecar: Sidecar;
  try {
    sidecar = await startSidecar(loaded.config, {
      clock: createSystemClock(),
      random: createRandom(),
      log,
      resolve: resolveBySystem,
      onListening: (name, address) => output.line(`${name} listening on ${address}`),
    });
  } catch (error) {
    if (!(error instanceof FedtraceError)) throw error;
    for (const line of error.message.split("\n"))
      log.error("cannot start", { code: error.code, reason: line });
    return EXIT.CANNOT_START;
  }
  output.line("ready");

  const reload = createReload(path, loaded, sidecar, log);
  signals.onReload(reload);
  const stopWatching = watchFile(path, reload);
  log.info("stopping", { signal: await signals.stop });
  stopWatching();
  await sidecar.stop();
  log.info("stopped");
  return EXIT.OK;
}

async function resolveBySystem(name: string): Promise<readonly string[]> {
  const addresses = await lookup(name, { all: true });
  return addresses.map(({ address }) => address);
}

/** Reloads one after the other; a file with the same bytes is not looked at twice. */
function createReload(path: string, started: Valid, sidecar: Sidecar, log: Log): () => void {
  let { hash } = started;
  let last: Promise<void> = Promise.resolve();

  async function reload(): Promise<void> {
    const loaded = await loadConfig(path, PATTERN_CHECKS);
    if (!loaded.ok) {
      for (const fault of loaded.faults) log.error("reload refused", { fault: formatFault(fault) });
      return;
    }
    if (loaded.hash === hash) return;
    const restartKeys = await sidecar.reload(loaded.config);
    if (restartKeys.length > 0) {
      log.error("reload refused", { fault: "these keys need a restart", keys: restartKeys });
      return;
    }
    hash = loaded.hash;
    logWarnings(log, loaded.warnings);
    log.info("reloaded", { hash });
  }

  return () => {
    last = last.then(reload).catch((error: unknown) => log.error("reload failed", { reason: String(error) }));
  };
}

function logWarnings(log: Log, warnings: readonly Fault[]): void {
  for (const warning of warnings) log.warn("config warning", { warning: formatFault(warning) });
}
