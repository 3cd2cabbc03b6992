/**
 * A real PostgreSQL in a process of its own, in a temporary directory, on a Unix socket alone: nobody else's database is touched.
 *
 * Debian's postgresql, or what POSTGRES_BIN names (the directory of initdb and postgres). PostgreSQL runs as nobody who may do
 * everything: where the tests are root's it runs as the user that the package makes.
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { poll } from "../support/poll.ts";

export interface Postgres {
  /** @returns the URL of a new, empty database */
  createDatabase(): string;
  /** Ends it as a crash would, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again on what it had. */
  start(): Promise<void>;
  /** Ends it and removes all it had. */
  stop(): Promise<void>;
}

const DEBIAN = "/usr/lib/postgresql";
const START_DEADLINE_MS = 60_000;
const ADVICE =
  "install Debian's postgresql (RUNLEVEL=1 starts no service), or set POSTGRES_BIN to the directory of its programs";

/** @throws Error with what to do, where there is none */
export async function startPostgres(): Promise<Postgres> {
  const programs = findPrograms();
  const user = process.getuid?.() === 0 ? idsOf("postgres") : undefined;
  const directory = mkdtempSync(join(tmpdir(), "fedtrace-postgres-"));
  chmodSync(directory, 0o711);
  const own = mkdtempSync(join(directory, "own-"));
  if (user !== undefined) chownSync(own, user.uid, user.gid);
  const data = join(own, "data");
  const as = { cwd: own, ...user };
  const settings = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale"];
  execFileSync(join(programs, "initdb"), ["-D", data, ...settings], { ...as, stdio: "pipe" });

  let child: ChildProcess | undefined;
  let ended: Promise<void> | undefined;
  let databases = 0;

  async function start(): Promise<void> {
    // -F: no flush to disk, which is not what is tested here, and slow beside other tests.
    const args = ["-D", data, "-k", own, "-c", "listen_addresses=", "-F"];
    const started = spawn(join(programs, "postgres"), args, { ...as, stdio: "ignore" });
    child = started;
    ended = new Promise((resolve) => void started.once("close", () => resolve()));
    const isUp = await poll(() => Promise.resolve(isReady() ? true : undefined), START_DEADLINE_MS);
    if (isUp !== true) throw new Error("PostgreSQL does not answer");
  }

  function isReady(): boolean {
    try {
      execFileSync(join(programs, "pg_isready"), ["-h", own], { ...as, stdio: "pipe" });
      return true;
    } catch {
      return false;
    }
  }

  /** SIGQUIT: at once, as after a crash; its children end with it, which they would not after SIGKILL. */
  async function kill(): Promise<void> {
    child?.kill("SIGQUIT");
    await ended;
  }

  const postgres: Postgres = {
    createDatabase() {
      const name = `reports${++databases}`;
      execFileSync(join(programs, "createdb"), ["-h", own, "-U", "postgres", name], { ...as, stdio: "pipe" });
      return `postgres://postgres@/${name}?host=${encodeURIComponent(own)}`;
    },
    kill,
    start,
    async stop() {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  try {
    await start();
  } catch (error) {
    await postgres.stop();
    throw error;
  }
  return postgres;
}

function findPrograms(): string {
  const named = process.env["POSTGRES_BIN"];
  if (named !== undefined && named !== "") return named;
  const versions = existsSync(DEBIAN)
    ? readdirSync(DEBIAN)
        .map(Number)
        .toSorted((one, other) => other - one)
    : [];
  const found = versions
    .map((version) => join(DEBIAN, String(version), "bin"))
    .find((path) => existsSync(join(path, "initdb")));
  if (found === undefined) throw new Error(`there is no PostgreSQL to test with: ${ADVICE}`);
  return found;
}

function idsOf(user: string): { readonly uid: number; readonly gid: number } {
  const id = (flag: string): number => Number(execFileSync("id", [flag, user], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}
