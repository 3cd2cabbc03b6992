/**
 * Any OpenTelemetry SpanExporter, by the file of its module
 * (https://open-telemetry.github.io/opentelemetry-js/interfaces/_opentelemetry_sdk-trace-base.SpanExporter.html).
 *
 * Its code is not ours, so it runs in a thread of its own (foreign-thread.ts, foreign-worker.ts), on copies of the spans. One that
 * dies or doesn't answer costs a try of its batch; the next try starts the thread anew, not sooner than a growing rest allows, and
 * not before the last one is gone.
 *
 *   start ──► thread ──► batch ──► batch …          shutdown: asked to close, then ended
 *               ▲          └─ gone, or late: ended
 *               └── rest ◄─────┘
 */

import type { ExportResult } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import type { SpanOrigin } from "../span/record.ts";
import { type ExporterModule, toPlainBatch } from "./foreign-message.ts";
import { type ForeignThread, startForeignThread } from "./foreign-thread.ts";
import { exportFailure, exportSuccess, finalFailure } from "./outcome.ts";

/** A module may wait for something before it is loaded (top-level await); a start can't wait for good. */
const LOAD_TIMEOUT_MS = 10_000;
/** OpenTelemetry's own for a batch (OTEL_BSP_EXPORT_TIMEOUT). With a load before it, below the queue's minute. */
const BATCH_TIMEOUT_MS = 30_000;
/** Below the second that a queue waits for an exporter to close. */
const SHUTDOWN_TIMEOUT_MS = 800;
/** Before a thread is started again; doubled each time that no batch came through. */
const FIRST_REST_MS = 1000;
const REST_MS_MAX = 30_000;

/** To a batch that comes too late. */
const SHUT_DOWN = "it was shut down";

/** What is wrong with a module and what is allowed: for a fault, without the key. */
interface Refusal {
  readonly refused: string;
}

export interface ForeignExporterOptions {
  /** A piece of what the exporter wrote to standard output or error: at most 200 characters. As often as it writes. */
  readonly onOutput?: (text: string) => void;
  /** 10,000 unless set. */
  readonly loadTimeoutMs?: number;
  /** 30,000 unless set. */
  readonly batchTimeoutMs?: number;
  /** 1,000 unless set. */
  readonly firstRestMs?: number;
}

/** Loads the module and finds its class, without making one. @returns what is wrong, or undefined */
export async function checkExporterModule(
  module: ExporterModule,
  { loadTimeoutMs = LOAD_TIMEOUT_MS }: ForeignExporterOptions = {},
): Promise<string | undefined> {
  const thread = startForeignThread(module, { onEnded: () => undefined, onOutput: undefined });
  const refused = await load(thread, "load", loadTimeoutMs);
  await thread.end(SHUT_DOWN);
  return refused;
}

/** The same, and makes one and shuts it down. */
export async function tryExporterModule(
  module: ExporterModule,
  options: ForeignExporterOptions = {},
): Promise<string | undefined> {
  const made = await createForeignExporter(module, options);
  if ("refused" in made) return made.refused;
  await made.shutdown();
  return undefined;
}

/** Loads, finds, makes. Never rejects; where it refuses, nothing is left running. */
export async function createForeignExporter(
  module: ExporterModule,
  options: ForeignExporterOptions = {},
): Promise<SpanExporter | Refusal> {
  const threads = createThreads(module, options);
  const first = threads.take();
  const refused = "resting" in first ? first.resting.reason : await first.made;
  if (refused !== undefined) {
    await threads.stop();
    return { refused };
  }
  return exporterOver(threads, options.batchTimeoutMs ?? BATCH_TIMEOUT_MS);
}

/** A thread and what it was told. */
interface Running {
  readonly thread: ForeignThread;
  /** Why there is no exporter in it, or undefined. */
  readonly made: Promise<string | undefined>;
  readonly origins: SpanOrigin[];
}

interface Rest {
  readonly reason: string;
  readonly waitMs: number;
}

interface Threads {
  /** The one that runs, or a new one, or why there is none now. */
  take(): Running | { readonly resting: Rest };
  /** The rest that the last end has brought about. */
  resting(): Rest | undefined;
  /** A batch was answered: the next end is a first one again. */
  succeeded(): void;
  /** Asks the exporter to close, and ends its thread. For good. */
  stop(): Promise<void>;
}

/** One thread after the other, never two at once. */
function createThreads(module: ExporterModule, options: ForeignExporterOptions): Threads {
  const { loadTimeoutMs = LOAD_TIMEOUT_MS, firstRestMs = FIRST_REST_MS } = options;
  let running: Running | undefined;
  let rest: Rest | undefined;
  let ends = 0;
  let isStopped = false;

  function onEnded(reason: string): void {
    running = undefined;
    if (isStopped) return;
    const waitMs = Math.min(firstRestMs * 2 ** ends++, REST_MS_MAX);
    rest = { reason, waitMs };
    setTimeout(() => {
      rest = undefined;
    }, waitMs).unref();
  }

  function start(): Running {
    const thread = startForeignThread(module, { onEnded, onOutput: options.onOutput });
    return { thread, made: load(thread, "make", loadTimeoutMs), origins: [] };
  }

  return {
    take() {
      if (isStopped) rest = { reason: SHUT_DOWN, waitMs: REST_MS_MAX };
      if (rest !== undefined) return { resting: rest };
      return (running ??= start());
    },
    resting: () => rest,
    succeeded() {
      ends = 0;
    },
    async stop() {
      isStopped = true;
      if (running === undefined) return;
      const { thread } = running;
      await thread.ask({ ask: "shutdown" }, SHUTDOWN_TIMEOUT_MS);
      await thread.end(SHUT_DOWN);
    },
  };
}

/** @returns what is wrong and what is allowed, or undefined */
async function load(
  thread: ForeignThread,
  ask: "load" | "make",
  timeoutMs: number,
): Promise<string | undefined> {
  const reply = await thread.ask({ ask }, timeoutMs);
  if (reply.isAnswered) return reply.refused;
  return `can't be loaded (${reply.reason}); allowed: a module that Node can load`;
}

function exporterOver(threads: Threads, batchTimeoutMs: number): SpanExporter {
  async function send(spans: readonly ReadableSpan[]): Promise<ExportResult> {
    const taken = threads.take();
    if ("resting" in taken) return tryLater(taken.resting.reason, taken.resting);
    const { thread, made, origins } = taken;
    const refused = await made;
    if (refused !== undefined) {
      await thread.end(refused);
      return tryLater(refused, threads.resting());
    }
    const reply = await thread.ask({ ask: "export", ...toPlainBatch(spans, origins) }, batchTimeoutMs);
    if (!reply.isAnswered) return tryLater(reply.reason, threads.resting());
    threads.succeeded();
    if (reply.refused === undefined) return exportSuccess();
    return finalFailure(reply.refused);
  }

  return {
    export(spans, resultCallback) {
      const fail = (error: unknown): ExportResult => finalFailure(String(error)); // Ours: spans that can't be cloned.
      void send(spans).catch(fail).then(resultCallback);
    },
    shutdown: () => threads.stop(),
  };
}

function tryLater(reason: string, rest: Rest | undefined): ExportResult {
  return exportFailure(reason, { isRetryable: true, retryAfterMs: rest?.waitMs });
}
