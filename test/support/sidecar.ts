/**
 * `fedtrace run` in a process of its own, waited for by what it says: no sleeps, and whoever waits for what
 * never comes fails with all that the process said beside it. It ends with the test that started it.
 */

import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { CLI, type Environment, environmentOf, temporaryDirectory } from "./cli.ts";

export type LogLine = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string };

export interface SpawnedSidecar {
  readonly pid: number;
  readonly configPath: string;
  /** Lines so far. */
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** Ports of the listeners that said they accept; 0 for the others. */
  readonly port: Readonly<Record<"inbound" | "outbound" | "admin", number>>;
  /** Standard error as the log it is; throws for a line that is no JSON. */
  log(): readonly LogLine[];
  /** Resolves with the log once `isEnough`; rejects when the process ends before. */
  untilLog(isEnough: (log: readonly LogLine[]) => boolean): Promise<readonly LogLine[]>;
  signal(name: NodeJS.Signals): void;
  /** The exit status, or the signal's name where that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** SIGTERM, and the exit status. */
  stop(): Promise<number | NodeJS.Signals>;
}

/** A config in the form its YAML would be parsed to; `server_name` is filled in. */
export type ConfigDocument = Readonly<Record<string, unknown>>;

export interface SidecarOptions {
  readonly environment?: Environment;
  /** A config file that is there already, in place of one made from the document. */
  readonly configPath?: string;
}

/** YAML text of a document: JSON is YAML. */
export function configText(document: ConfigDocument): string {
  return JSON.stringify({ server_name: "own.test", ...document }, undefined, 2);
}

/** Listens on a port that the system chooses. */
export const ADMIN = { listen: "127.0.0.1:0" };
/** The same, and lets requests through to the test's own servers. */
export const OUTBOUND = { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"] };

/** Believes names, since nobody signs in most tests: those of proof ask for it themselves. */
export function inboundTo(upstreamPort: number): {
  readonly listen: string;
  readonly upstream: string;
  readonly authenticate: string;
} {
  return {
    listen: "127.0.0.1:0",
    upstream: `http://127.0.0.1:${upstreamPort}`,
    authenticate: "claimed",
  };
}

/** A crash shows the line of the bundle it happened in, which is as long as a file. */
const LINE_SHOWN_MAX = 400;
/** In the message of a failure. */
const LINES_SHOWN_MAX = 10;

/** Starts the sidecar and resolves once it says `ready`; rejects when it ends before. */
export async function startSidecar(
  document: ConfigDocument,
  options: SidecarOptions = {},
): Promise<SpawnedSidecar> {
  const sidecar = spawnSidecar(document, options);
  await sidecar.ready;
  return sidecar;
}

/** Spawns it and does not wait for anything. */
function spawnSidecar(
  document: ConfigDocument,
  options: SidecarOptions,
): SpawnedSidecar & { readonly ready: Promise<void> } {
  const configPath = options.configPath ?? writeConfig(document);
  const stdout: string[] = [];
  const stderr: string[] = [];
  const port = { inbound: 0, outbound: 0, admin: 0 };
  const waiting = new Set<() => void>();
  let ended: number | NodeJS.Signals | undefined;

  const child = spawn(process.execPath, [CLI, "run", "--config", configPath], {
    env: environmentOf(options.environment),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = (): readonly LogLine[] => stderr.map((line) => JSON.parse(line) as LogLine);
  const wake = (): void => {
    for (const look of waiting) look();
  };
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("close", (status, signal) => {
      ended = status ?? signal ?? 1;
      resolve(ended);
      wake();
    });
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [, name, number] = /^(inbound|outbound|admin) listening on .*:(\d+)$/.exec(line) ?? [];
    if (name !== undefined) port[name as keyof typeof port] = Number(number);
    stdout.push(line);
    wake();
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    stderr.push(line);
    wake();
  });

  const lastLines = (): string =>
    stderr
      .slice(-LINES_SHOWN_MAX)
      .map((line) => line.slice(0, LINE_SHOWN_MAX))
      .join("\n");

  function until(isThere: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        try {
          if (isThere()) resolve();
          else if (ended === undefined) return;
          else
            reject(
              new Error(`the sidecar ended (${ended}) before it said what was waited for:\n${lastLines()}`),
            );
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error))); // A log line that is no JSON.
        }
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  }

  const ready = until(() => stdout.includes("ready"));
  onTestFinished(async ({ task }) => {
    child.kill("SIGKILL");
    await exited;
    if (task.result?.state !== "fail") return;
    for (const line of [...stdout, ...stderr]) process.stderr.write(`${line.slice(0, LINE_SHOWN_MAX)}\n`);
  });
  return {
    pid: child.pid ?? 0,
    configPath,
    stdout,
    stderr,
    port,
    log,
    exited,
    ready,
    signal: (name) => void child.kill(name),
    async untilLog(isEnough) {
      await until(() => isEnough(log()));
      return log();
    },
    stop() {
      child.kill("SIGTERM");
      return exited;
    },
  };
}

function writeConfig(document: ConfigDocument): string {
  const path = join(temporaryDirectory(), "fedtrace.yaml");
  writeFileSync(path, configText(document));
  return path;
}
