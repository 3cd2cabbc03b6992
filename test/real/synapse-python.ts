/**
 * Where the real Synapse comes from: FEDTRACE_SYNAPSE_PYTHON (a Python that has matrix-synapse[opentracing]), else
 * .cache/synapse-<version>/, a venv made the first time from PyPI with the versions of synapse-requirements.txt
 * (measured: 40 seconds, 250 MB). Where none can be had it throws: a test of homeservers that aren't there shows nothing.
 */

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";

const REQUIREMENTS_PATH = resolve("test/real/synapse-requirements.txt");

/**
 * Fails where one of them is missing: Synapse itself says so only once it is configured to trace. Not its `__version__`, which
 * adds the git branch that it happens to lie in.
 */
const PROBE =
  "import importlib.metadata, synapse, opentracing, jaeger_client; print(importlib.metadata.version('matrix-synapse'))";

export interface SynapsePython {
  /** A program that runs `-m synapse.app.homeserver`. */
  readonly path: string;
  /** Of Synapse. */
  readonly version: string;
}

/** @throws Error with what to do, where there is none and none can be installed */
export async function findSynapse(): Promise<SynapsePython> {
  const named = process.env["FEDTRACE_SYNAPSE_PYTHON"];
  if (named !== undefined && named !== "") {
    return probe(named).catch((cause: unknown) => {
      throw new Error(
        `FEDTRACE_SYNAPSE_PYTHON is ${named}, which has no matrix-synapse[opentracing] or can't be run`,
        { cause },
      );
    });
  }
  try {
    return await probe(await installed());
  } catch (cause) {
    const advice =
      "install python3 with its venv module (Debian: python3-venv) where PyPI can be reached, " +
      "or set FEDTRACE_SYNAPSE_PYTHON to a Python that has matrix-synapse[opentracing]";
    throw new Error(`there is no Synapse to test with: ${advice}`, { cause });
  }
}

async function probe(path: string): Promise<SynapsePython> {
  return { path, version: (await run(path, ["-c", PROBE])).trim() };
}

/** @returns the Python of the venv, which is made where there is none or its requirements were others */
async function installed(): Promise<string> {
  const requirements = readFileSync(REQUIREMENTS_PATH, "utf8");
  const [, version] = /^matrix-synapse\[opentracing\]==(\S+)$/m.exec(requirements) ?? [];
  if (version === undefined) throw new Error(`${REQUIREMENTS_PATH} does not pin matrix-synapse[opentracing]`);
  const place = resolve(`.cache/synapse-${version}`);
  const python = join(place, "bin", "python");
  const marker = join(place, "installed-requirements.txt");
  if (existsSync(marker) && readFileSync(marker, "utf8") === requirements) return python;

  const making = `${place}.${process.pid}`; // Only a whole one gets the name that the next run looks for.
  try {
    mkdirSync(resolve(".cache"), { recursive: true });
    await run("python3", ["-m", "venv", making]);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS_PATH];
    await run(join(making, "bin", "python"), pip);
    writeFileSync(join(making, "installed-requirements.txt"), requirements);
    rmSync(place, { recursive: true, force: true });
    // Scripts in bin/ name the place they were installed to, so none of them is used; `python -m` looks beside itself.
    renameSync(making, place);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return python;
}

async function run(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | null>((fulfil, reject) => {
    child.once("error", reject); // It is not installed.
    child.once("close", fulfil);
  });
  const [status, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: status ${status}\n${stderr.slice(-2000)}`);
  return stdout;
}
