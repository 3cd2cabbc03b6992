/**
 * `run --config FILE`: the sidecar itself, from its first line to its last.
 *
 * SIGTERM and SIGINT drain and end it; SIGHUP or a change of the file reload it. A bad file changes nothing.
 */

import { startSidecar } from "../app.ts";
import { type RunningSidecar, startWorkers, type WorkersTools } from "../app-workers.ts";
import type { Config } from "../config/merge.ts";
import { type Fault, formatFault, type Parsed } from "../config/fault.ts";
import { readConfigText } from "../config/files.ts";
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import { type FilesWatch, watchFiles } from "../config/watch.ts";
import { readListText } from "../config/whitelist-file.ts";
import { createSystemClock } from "../core/clock.ts";
import { FedtraceError } from "../core/errors.ts";
import { createLog, type Log, type LogFacts } from "../core/log.ts";
import { createRandom } from "../core/random.ts";
import { EXIT, type ExitStatus, type Output } from "./output.ts";
import { RELOAD_CHECKS, START_CHECKS } from "./config-checks.ts";

/** The signals, as cli.ts hands them in. */
export interface Signals {
  /** Resolves at the first SIGTERM or SIGINT. */
  readonly stop: Promise<string>;
  onReload(reload: () => void): void;
}

type Valid = Extract<LoadedConfig, { ok: true }>;

/** What a command that runs sidecars is given of the process. */
export interface RunTools {
  readonly output: Output;
  readonly signals: Signals;
  /** Of the trace page. */
  readonly pageDirectory: string;
  /** Of the command line, for processes that are started with it. */
  readonly programPath: string;
}

export async function runCommand(
  path: string,
  { output, signals, pageDirectory, programPath }: RunTools,
): Promise<ExitStatus> {
  const loaded = await loadConfig(path, START_CHECKS);
  if (!loaded.ok) {
    for (const fault of loaded.faults) output.errorLine(formatFault(fault));
    return EXIT.BAD_CONFIG;
  }
  const log = createLog(loaded.config.log.level);

  const starting = startProcesses(loaded.config, {
    clock: createSystemClock(),
    random: createRandom(),
    log,
    pageDirectory,
    programPath,
    onListening: (name, address) => output.line(`${name} listening on ${address}`),
  });
  // Before "ready": whoever waits for that line may change the file or send SIGHUP right after it.
  const watch = watchFiles(() => reload("seen"));
  const reload = createReload({ path, watch, started: loaded, starting, log });
  watch.follow(filesOf(path, loaded));
  signals.onReload(() => reload("asked"));

  let sidecar: RunningSidecar;
  try {
    sidecar = await starting;
  } catch (error) {
    watch.stop();
    if (!(error instanceof FedtraceError)) throw error;
    for (const line of error.message.split("\n")) {
      log.error("cannot start", { code: error.code, reason: line });
    }
    return error.code === "CONFIG_INVALID" ? EXIT.BAD_CONFIG : EXIT.CANNOT_START;
  }
  output.line("ready");
  logWarnings(log, loaded.warnings);
  const { holdYoungGeneration } = await import("./young-generation.ts");
  holdYoungGeneration();
  log.info("stopping", { signal: await signals.stop });
  watch.stop();
  await sidecar.stop();
  log.info("stopped");
  return EXIT.OK;
}

/** One process, or several. */
async function startProcesses(config: Config, tools: Omit<WorkersTools, "count">): Promise<RunningSidecar> {
  const count = config.workers === "auto" ? (await import("node:os")).availableParallelism() : config.workers;
  if (count === 1) return startSidecar(config, { ...tools, resolve: resolveBySystem });
  return startWorkers(config, { ...tools, count });
}

/** All addresses of a name, as the system gives them; rejects where there are none. */
export async function resolveBySystem(name: string): Promise<readonly string[]> {
  const { lookup } = await import("node:dns/promises");
  const addresses = await lookup(name, { all: true });
  return addresses.map(({ address }) => address);
}

/** What a reload looks at and acts on. */
interface ReloadParts {
  readonly path: string;
  readonly watch: FilesWatch;
  readonly started: Valid;
  readonly starting: Promise<RunningSidecar>;
  readonly log: Log;
}

function filesOf(path: string, { list }: Valid): readonly string[] {
  return list === undefined ? [path] : [path, list.path];
}

function isSameText(now: Parsed<string>, before: string): boolean {
  return "value" in now && now.value === before;
}

/**
 * Reloads one after the other; files with the same bytes are not looked at twice. Whatever changes in a file's
 * directory is a reason to look, so a refusal that was told already is told again only where somebody asked.
 */
function createReload({ path, watch, started, starting, log }: ReloadParts): (why: "asked" | "seen") => void {
  let { text, list } = started;
  let told = "";
  let last: Promise<void> = Promise.resolve();

  function refuse(refusals: readonly LogFacts[], why: "asked" | "seen"): void {
    const refused = JSON.stringify(refusals);
    if (refused === told && why === "seen") return log.debug("config unchanged");
    told = refused;
    for (const facts of refusals) log.error("reload refused", facts);
  }

  async function reload(why: "asked" | "seen"): Promise<void> {
    // Looked at before it is parsed: whatever is written beside the file comes here too.
    const isListSame = list === undefined || isSameText(readListText(list.path), list.text);
    if (isListSame && isSameText(readConfigText(path), text)) {
      told = "";
      if (why === "asked") await (await starting).rereadCertificates();
      return log[why === "asked" ? "info" : "debug"]("config unchanged");
    }
    const loaded = await loadConfig(path, { ...RELOAD_CHECKS, listInForce: list?.text ?? "" });
    if (!loaded.ok) {
      return refuse(
        loaded.faults.map((fault) => ({ fault: formatFault(fault) })),
        why,
      );
    }
    const sidecar = await starting;
    const keys = await sidecar.reload(loaded.config);
    if (keys.length > 0) return refuse([{ fault: "these keys need a restart", keys }], why);
    ({ text, list } = loaded);
    watch.follow(filesOf(path, loaded));
    told = "";
    logWarnings(log, loaded.warnings);
    log.info("reloaded");
  }

  return (why) => {
    last = last
      .then(() => reload(why))
      .catch((error: unknown) => log.error("reload failed", { reason: String(error) }));
  };
}

function logWarnings(log: Log, warnings: readonly Fault[]): void {
  for (const warning of warnings) log.warn("config warning", { warning: formatFault(warning) });
}
