/**
 * Commands that end by themselves, in the test's own process: their own functions, without the 0.2 s of CPU of a start. For the
 * rows of a table; that the words of a command line come to them is for a test of the built program (cli.ts), one a command.
 */

import { join } from "node:path";
import type { ExitStatus, Output } from "../../src/commands/output.ts";
import { checkCommand } from "../../src/commands/check.ts";
import { runCommand } from "../../src/commands/run.ts";
import type { Finished } from "./cli.ts";

/** @param directory where the command is thought to run: what it says of files there names them without it */
export async function captured(
  directory: string,
  command: (output: Output) => Promise<ExitStatus>,
): Promise<Finished> {
  const said = { stdout: "", stderr: "" };
  const status = await command({
    line: (text) => void (said.stdout += `${text}\n`),
    errorLine: (text) => void (said.stderr += `${text}\n`),
  });
  const relative = (text: string): string => text.replaceAll(`${directory}/`, "");
  return { status, stdout: relative(said.stdout), stderr: relative(said.stderr) };
}

/** `check --config fedtrace.yaml` in that directory. */
export function checkIn(directory: string): Promise<Finished> {
  return captured(directory, (output) => checkCommand(join(directory, "fedtrace.yaml"), output));
}

/** `run --config fedtrace.yaml` in that directory, with a config that is refused; any other is stopped at once. */
export function refusedRunIn(directory: string): Promise<Finished> {
  const signals = { stop: Promise.resolve("SIGTERM"), onReload: () => undefined };
  return captured(directory, (output) =>
    runCommand(join(directory, "fedtrace.yaml"), {
      output,
      signals,
      pageDirectory: "dist/page",
      programPath: "dist/cli.js",
    }),
  );
}
