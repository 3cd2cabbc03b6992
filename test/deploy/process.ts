/** One of the program's long-running commands, as the files of deploy/ start it; ends with the test. */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { environmentOf } from "../support/cli.ts";

export interface RunningProcess {
  /** Lines of both outputs so far. */
  readonly lines: readonly string[];
  /** The first line that matches; rejects, with all that was said, when the process ends before. */
  until(line: RegExp): Promise<string>;
  /** SIGTERM, and the exit status. */
  stop(): Promise<number | null>;
}

/** As the tester's system has them: what is started here is started as users start it. */
const SYSTEM_ROOTS = { SSL_CERT_FILE: process.env["SSL_CERT_FILE"] };

/** @param words the program's path and its arguments, after `node` */
export function startProcess(words: readonly string[]): RunningProcess {
  const child = spawn(process.execPath, words, {
    env: { ...environmentOf(), ...SYSTEM_ROOTS },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let hasEnded = false;
  const wake = (): void => {
    for (const look of waiting) look();
  };
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      wake();
    });
  }
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", (status) => {
      hasEnded = true;
      wake();
      resolve(status);
    });
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return {
    lines,
    until: (wanted) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = lines.find((line) => wanted.test(line));
          if (found === undefined && !hasEnded) return;
          waiting.delete(look);
          if (found === undefined)
            reject(new Error(`ended before it said ${String(wanted)}:\n${lines.join("\n")}`));
          else resolve(found);
        };
        waiting.add(look);
        look();
      }),
    stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}
