/**
 * `npm run fuzz -- [--seconds 60] [--seed N] [--only NAME,…] [--cases N]`: arguments in, lines and an exit status out.
 * Not here: the process itself (main.ts).
 */

import { parseArgs } from "node:util";
import type { FuzzTarget } from "./target.ts";

const SECONDS_DEFAULT = 60;
const NUMBER_MAX = 2 ** 31 - 1;
const NAME_WIDTH = 22;

interface FuzzOptions {
  readonly targets: readonly FuzzTarget[];
  readonly seed: number;
  /** For all targets together; undefined: no bound but the cases. */
  readonly seconds: number | undefined;
  /** For each target. */
  readonly cases: number | undefined;
}

/** What the command is given from outside. */
export interface FuzzSurroundings {
  readonly write: (line: string) => void;
  /** Milliseconds from anywhere. */
  readonly nowMs: () => number;
  /** For a run that names no seed. */
  readonly anySeed: number;
}

/**
 * Runs each target for its share of the time. Writes the seed first, each finding as it comes with the command that
 * repeats it, and one line a target at the end.
 *
 * @returns the exit status: 0 nothing found, 1 something found, 2 wrong arguments
 */
export async function runFuzz(
  args: readonly string[],
  known: readonly FuzzTarget[],
  { write, nowMs, anySeed }: FuzzSurroundings,
): Promise<0 | 1 | 2> {
  const options = parseOptions(args, known, anySeed);
  if (typeof options === "string") {
    write(options);
    return 2;
  }
  const { targets, seed, seconds, cases } = options;
  write(`seed ${seed}`);
  const timeMs = seconds === undefined ? undefined : (seconds * 1000) / targets.length;
  const summary: string[] = [];
  let status: 0 | 1 = 0;
  for (const { name, fuzz } of targets) {
    const startMs = nowMs();
    const outcome = await fuzz({ seed, cases, timeMs });
    const { finding } = outcome;
    const elapsedSeconds = Math.max(nowMs() - startMs, 1) / 1000;
    const rate = Math.round(outcome.cases / elapsedSeconds);
    const mark = finding === undefined ? "" : "  FAILED";
    summary.push(`${name.padEnd(NAME_WIDTH)}${outcome.cases} cases  ${rate} cases/s${mark}`);
    if (finding === undefined) continue;
    status = 1;
    write(`\n${name} failed at case ${finding.cases} of seed ${seed}`);
    write(`  input:  ${finding.input}`);
    write(`  reason: ${finding.reason.replaceAll("\n", "\n          ")}`);
    write(`  repeat: npm run fuzz -- --seed ${seed} --only ${name} --cases ${finding.cases}`);
  }
  for (const line of summary) write(line);
  return status;
}

function parseOptions(
  args: readonly string[],
  known: readonly FuzzTarget[],
  anySeed: number,
): FuzzOptions | string {
  const values = readArguments(args);
  if (typeof values === "string") return values;
  const numbers = { seconds: values["seconds"], seed: values["seed"], cases: values["cases"] };
  for (const [name, text] of Object.entries(numbers)) {
    const least = name === "seed" ? 0 : 1;
    if (text !== undefined && !isWhole(text, least)) {
      return `--${name} is not a whole number from ${least} to ${NUMBER_MAX}`;
    }
  }
  const names = values["only"]?.split(",");
  const unknown = names?.find((name) => !known.some((target) => target.name === name));
  if (unknown !== undefined) {
    return `--only ${unknown} is no target; there are ${known.map(({ name }) => name).join(", ")}`;
  }
  const { seed, seconds, cases } = numbers;
  return {
    targets: names === undefined ? known : known.filter(({ name }) => names.includes(name)),
    seed: seed === undefined ? anySeed : Number(seed),
    seconds: seconds === undefined ? (cases === undefined ? SECONDS_DEFAULT : undefined) : Number(seconds),
    cases: cases === undefined ? undefined : Number(cases),
  };
}

function readArguments(args: readonly string[]): Readonly<Record<string, string | undefined>> | string {
  const option = { type: "string" } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { seconds: option, seed: option, only: option, cases: option },
    });
    return { ...values };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function isWhole(text: string, least: number): boolean {
  return /^[0-9]{1,10}$/.test(text) && Number(text) >= least && Number(text) <= NUMBER_MAX;
}
