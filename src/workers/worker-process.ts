/**
 * A worker as the primary sees it: a forked process of this program, with a channel to it.
 *
 * Source: https://nodejs.org/api/child_process.html#child_processforkmodulepath-args-options. Its standard error is the
 * primary's; it has nothing to say on standard output.
 */

import type { Socket } from "node:net";
import type { FromWorker, ToWorker } from "./messages.ts";
import { createPacking } from "./packing.ts";

export interface WorkerProcess {
  /** Undefined: it could not be started, and is about to have ended. */
  readonly pid: number | undefined;
  /** Into the void once it is gone. */
  send(message: ToWorker, socket?: Socket): void;
  onMessage(listen: (message: FromWorker) => void): void;
  /** Called once, after its last message. */
  onEnd(listen: (end: WorkerEnd) => void): void;
  /** SIGKILL: for one that can't be asked. */
  kill(): void;
}

/** How it ended: one of the two, or neither where it could not be started. */
export interface WorkerEnd {
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

/** @param programPath the file of the program's command line, which knows the command `worker` */
export async function createFork(programPath: string): Promise<() => WorkerProcess> {
  const [{ fork }, v8] = await Promise.all([import("node:child_process"), import("node:v8")]);
  const { pack, unpack } = createPacking(v8);
  return () => {
    const child = fork(programPath, ["worker"], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    return {
      pid: child.pid,
      send(message, socket) {
        // The socket stays open here until the worker says that it has it.
        child.send(pack(message), socket, { keepOpen: true }, () => undefined);
      },
      onMessage: (listen) => void child.on("message", (message) => listen(unpack(message) as FromWorker)),
      onEnd(listen) {
        let hasEnded = false;
        const end = (code: number | null, signal: string | null): void => {
          if (hasEnded) return;
          hasEnded = true;
          listen({ code: code ?? undefined, signal: signal ?? undefined });
        };
        // "close", not "exit": by then all that it said has been read.
        child.once("close", end);
        child.on("error", () => {
          if (child.pid === undefined) end(null, null); // No process left to start one, say.
        });
      },
      kill: () => void child.kill("SIGKILL"),
    };
  };
}
