/** `demo` as users start it, in a process of its own that ends with the test. */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { CLI, environmentOf } from "./cli.ts";

export interface RunningDemo {
  /** The page's address, without the last slash. */
  readonly page: string;
  readonly lines: readonly string[];
  /** SIGTERM, and the exit status. */
  readonly stop: () => Promise<number | null>;
}

/** Resolves once the demo said where its page is. */
export async function startDemo(): Promise<RunningDemo> {
  const child = spawn(process.execPath, [CLI, "demo"], {
    env: environmentOf(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = new Promise<number | null>((resolve) => void child.once("close", resolve));
  const lines: string[] = [];
  const page = await new Promise<string>((resolve, reject) => {
    void exited.then((status) => reject(new Error(`the demo ended (${status}): ${lines.join("\n")}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines.push(line);
      const [, url] = /^The page: (http:\/\/127\.0\.0\.1:\d+)\/$/.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
  return {
    page,
    lines,
    stop() {
      child.kill("SIGTERM");
      return exited;
    },
  };
}
