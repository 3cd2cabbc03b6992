/**
 * Where the real Jaeger comes from: JAEGER_BIN, else ../shared/bin/jaeger beside the repository, else
 * .cache/jaeger/jaeger, which is built with Go the first time (measured: seven and a half minutes on two cores,
 * modules downloaded). Where none can be had it throws: a test of a back end that isn't there shows nothing.
 *
 * Jaeger publishes binaries too (https://www.jaegertracing.io/download/); the Go module is what a machine gets
 * that reaches registries only. Its page is a placeholder there, its API is whole.
 */

import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";

/** Jaeger 2.13.0. */
const MODULE_VERSION = "v1.76.0";
const MODULE = "github.com/jaegertracing/jaeger";
const BUILT = resolve(".cache/jaeger/jaeger");
const SHARED = resolve("../shared/bin/jaeger");

/** @returns the path of a program that is there */
export async function findJaeger(): Promise<string> {
  const named = process.env["JAEGER_BIN"];
  if (named !== undefined && named !== "") {
    if (!existsSync(named)) throw new Error(`JAEGER_BIN names a file that is not there: ${named}`);
    return resolve(named);
  }
  const found = [SHARED, BUILT].find((path) => existsSync(path));
  if (found !== undefined) return found;
  try {
    await build();
  } catch (cause) {
    const advice = `set JAEGER_BIN to a Jaeger 2 program, put one at ${SHARED}, or install Go so that it can be built`;
    throw new Error(`there is no Jaeger to test with: ${advice}`, { cause });
  }
  return BUILT;
}

/** As Jaeger's own build does, with the module's own go.sum, so that its dependencies are those it was released with. */
async function build(): Promise<void> {
  const directory = resolve(".cache/jaeger/build");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const go = (...args: readonly string[]): Promise<string> => runGo(directory, args);

  await go("mod", "init", "jaeger-build");
  await go("mod", "download", `${MODULE}@${MODULE_VERSION}`);
  const modules = (await go("env", "GOMODCACHE")).trim();
  // The module cache is read-only, and a copy with its mode would be too: go.sum is written to below.
  copyFileSync(join(modules, `${MODULE}@${MODULE_VERSION}`, "go.sum"), join(directory, "go.sum"));
  await runCommand("chmod", ["u+w", "go.sum"], directory);
  await go("get", `${MODULE}/cmd/jaeger@${MODULE_VERSION}`);
  await go("build", "-mod=mod", "-trimpath", "-ldflags", "-s -w", "-o", "jaeger", `${MODULE}/cmd/jaeger`);
  renameSync(join(directory, "jaeger"), BUILT); // Only a whole one is found by the next run.
  rmSync(directory, { recursive: true });
}

function runGo(directory: string, args: readonly string[]): Promise<string> {
  return runCommand("go", args, directory, { GOFLAGS: "-p=2 -buildvcs=false", CGO_ENABLED: "0" });
}

async function runCommand(
  command: string,
  args: readonly string[],
  directory: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const child = spawn(command, args, {
    cwd: directory,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((fulfil, reject) => {
    child.once("error", reject); // It is not installed.
    child.once("close", fulfil);
  });
  const [status, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: status ${status}\n${stderr.slice(-2000)}`);
  return stdout;
}
