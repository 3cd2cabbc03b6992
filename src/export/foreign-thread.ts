/**
 * A thread for one foreign exporter, seen from the main thread: started, asked, and ended for good
 * (https://nodejs.org/api/worker_threads.html).
 *
 * Whatever foreign code does in there (throws in a timer, exits, never returns, eats its memory), here it is an answer that
 * didn't come, told as such. It never holds the process. Not here: starting the next one (foreign-exporter.ts).
 * A thread is no sandbox: the code has the process's rights, and may write to its files or send it a signal.
 */

import { Worker } from "node:worker_threads";
import { type ExporterModule, type ForeignQuestion, parseForeignAnswer } from "./foreign-message.ts";
import { foreignReason } from "./foreign-reason.ts";
import { withTimeout } from "./with-timeout.ts";

/** Put in by the bundler (build.mjs), seen from dist/cli.js; where the sources run unbundled, the built one is taken. */
declare const FEDTRACE_FOREIGN_WORKER: string | undefined;

const WORKER_URL = new URL(
  typeof FEDTRACE_FOREIGN_WORKER === "string" ? FEDTRACE_FOREIGN_WORKER : "../../dist/foreign-worker.js",
  import.meta.url,
);

/** Zipkin's exporter lives on 5 MB with a queue full of spans; more than this is a leak, and ends the thread only. */
const HEAP_MB_MAX = 256;
/** A stray rejection is a line on the thread's standard error, and not its end. */
const EXEC_ARGV = ["--unhandled-rejections=warn"];
/** Written between two questions: ten times what OpenTelemetry's console exporter makes of a batch. More would take our time too. */
const OUTPUT_BYTES_MAX = 8 * 1024 ** 2;
/** Of one piece of it; the rest is read by nobody. */
const OUTPUT_PIECE_BYTES_MAX = 1000;
/** Code that Node can't interrupt (a synchronous child process) isn't waited for longer. */
const END_TIMEOUT_MS = 1000;

interface ThreadEvents {
  /** It is gone, and why; told before the questions that were open. Once. */
  readonly onEnded: (reason: string) => void;
  /** A piece of what it wrote to standard output or error, cut and without what the options hold. */
  readonly onOutput: ((text: string) => void) | undefined;
}

/** What became of a question. */
type ThreadReply =
  | { readonly isAnswered: true; readonly refused: string | undefined }
  /** The thread has ended, or was just ended because it took too long. */
  | { readonly isAnswered: false; readonly reason: string };

export interface ForeignThread {
  /**
   * Rejects only for what can't be cloned. An answer that takes longer than `timeoutMs` ends the thread. Only a batch may wait without keeping the
   * process alive: a start and a stop are waited for.
   */
  ask(question: ForeignQuestion, timeoutMs: number): Promise<ThreadReply>;
  /** Resolves when it is gone, or after a second. Never rejects. @param reason for questions that are open */
  end(reason: string): Promise<void>;
}

export function startForeignThread(module: ExporterModule, events: ThreadEvents): ForeignThread {
  const { path, exporter, options } = module;
  const worker = new Worker(WORKER_URL, {
    workerData: { path, exporter, options } satisfies ExporterModule,
    execArgv: EXEC_ARGV,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
    stdout: true, // Kept from ours, whose lines are fixed.
    stderr: true,
  });
  worker.unref();
  const open = new Map<number, (reply: ThreadReply) => void>();
  let asked = 0;
  let outputBytes = 0;
  let thrown: string | undefined;
  /** Set once it is to be asked no more. */
  let end: { readonly reason: string } | undefined;
  let onGone: (() => void) | undefined;
  const gone = new Promise<void>((resolve) => {
    onGone = resolve;
  });

  function close(reason: string): void {
    end ??= { reason };
    for (const settle of open.values()) settle({ isAnswered: false, reason: end.reason });
  }

  async function terminate(reason: string): Promise<void> {
    close(reason);
    void worker.terminate();
    worker.unref(); // terminate() holds the process.
    await withTimeout(gone, END_TIMEOUT_MS);
  }

  worker.on("message", (message: unknown) => {
    const answer = parseForeignAnswer(message);
    if (answer !== undefined) open.get(answer.id)?.({ isAnswered: true, refused: answer.refused });
  });
  worker.on("error", (error: unknown) => {
    thrown = foreignReason(error, options);
  });
  worker.on("exit", (code) => {
    const reason = end?.reason ?? `its thread ended (${thrown ?? `exit code ${code}`})`;
    events.onEnded(reason);
    close(reason);
    onGone?.();
  });
  // Read in any case: what nobody reads would pile up in the thread.
  for (const stream of [worker.stdout, worker.stderr]) {
    stream.on("data", (piece: Buffer) => {
      if (end !== undefined) return;
      events.onOutput?.(foreignReason(piece.subarray(0, OUTPUT_PIECE_BYTES_MAX), options));
      outputBytes += piece.length;
      if (outputBytes > OUTPUT_BYTES_MAX) void terminate(`it wrote more than ${OUTPUT_BYTES_MAX} bytes`);
    });
  }

  return {
    ask(question, timeoutMs) {
      return new Promise((resolve) => {
        if (end !== undefined) return resolve({ isAnswered: false, reason: end.reason });
        const id = asked++;
        worker.postMessage({ ...question, id });
        outputBytes = 0;
        const late = (): void => void terminate(`no answer within ${timeoutMs} ms`);
        const timer = setTimeout(late, timeoutMs);
        if (question.ask === "export") timer.unref();
        open.set(id, (reply) => {
          clearTimeout(timer);
          open.delete(id);
          resolve(reply);
        });
      });
    },
    end: terminate,
  };
}
