/**
 * The built program as users run it: a process of its own, with an environment that holds nothing of the
 * tester's OpenTelemetry settings. Here are the commands that end by themselves; sidecar.ts has `run`.
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { FEW_ROOTS } from "./roots.ts";

/** What `npm run build` makes; test/support/build.ts runs it before the tests. */
export const CLI = resolve("dist/cli.js");

export type Environment = Readonly<Record<string, string>>;

export interface Finished {
  /** Null where a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param args after `fedtrace` */
export async function runCli(
  args: readonly string[],
  options: { readonly environment?: Environment; readonly directory?: string } = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: options.directory,
    env: environmentOf(options.environment),
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const status = new Promise<number | null>((fulfil) => void child.once("close", fulfil));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await status, stdout, stderr };
}

/** Reads the program again for each command line, and what it says. */
const EACH = `
  const finished = [];
  const write = process.stdout.write.bind(process.stdout);
  for (const [index, args] of JSON.parse(process.argv[2]).entries()) {
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) process[name].setMaxListeners(0).write = (text) => ((said[name] += text), true);
    process.argv = [process.execPath, ${JSON.stringify(CLI)}, ...args];
    process.exitCode = undefined;
    await import(${JSON.stringify(CLI)} + "?" + index);
    finished.push({ status: process.exitCode, ...said });
  }
  process.exitCode = 0;
  write(JSON.stringify(finished));
`;

/**
 * Several commands that end where they are read, in one process of their own: most of such a command's time is the start.
 *
 * @param commandLines each after `fedtrace`
 */
export async function runCliEach(commandLines: readonly (readonly string[])[]): Promise<readonly Finished[]> {
  const script = join(temporaryDirectory(), "each.mjs"); // Not by --eval, with which Node reads a command line otherwise.
  writeFileSync(script, EACH);
  const child = spawn(process.execPath, [script, JSON.stringify(commandLines)], {
    env: environmentOf(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return JSON.parse(await text(child.stdout)) as readonly Finished[];
}

/** The tester's environment without what fedtrace reads, with few authorities and with `added`. */
export function environmentOf(added: Environment = {}): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(OTEL_|FEDTRACE_|DO_NOT_TRACK$)/.test(name));
  return { ...Object.fromEntries(kept), SSL_CERT_FILE: FEW_ROOTS, ...added };
}

/** An empty directory that is gone after the test. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), "fedtrace-test-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
