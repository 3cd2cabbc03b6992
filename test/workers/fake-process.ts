/** A worker's process without a process: the test says what it says, and how it ends. */

import type { FromWorker, ToWorker } from "../../src/workers/messages.ts";
import type { WorkerEnd } from "../../src/workers/worker-process.ts";

export interface FakeProcess {
  readonly pid: number;
  /** What it was told. */
  readonly told: readonly ToWorker[];
  isKilled: boolean;
  say(message: FromWorker): void;
  end(end: Partial<WorkerEnd>): void;
  send(message: ToWorker): void;
  onMessage(listen: (message: FromWorker) => void): void;
  onEnd(listen: (end: WorkerEnd) => void): void;
  kill(): void;
}

/** One that is killed ends by SIGKILL. */
export function fakeProcess(pid: number): FakeProcess {
  const told: ToWorker[] = [];
  let onMessage: (message: FromWorker) => void = () => undefined;
  let onEnd: (end: WorkerEnd) => void = () => undefined;
  const fake: FakeProcess = {
    pid,
    told,
    isKilled: false,
    say: (message) => onMessage(message),
    end: ({ code, signal }) => onEnd({ code, signal }),
    send: (message) => void told.push(message),
    onMessage: (listen) => void (onMessage = listen),
    onEnd: (listen) => void (onEnd = listen),
    kill() {
      fake.isKilled = true;
      fake.end({ signal: "SIGKILL" });
    },
  };
  return fake;
}
