/**
 * From `export` to the one sink that the proxy writes spans to: an exporter and a queue for each item.
 *
 * A module's exporter is loaded beside the rest of the start, and a start waits for it (`ready`). Ours are in the program's
 * first file: a chunk of its own costs every start more than the few kilobytes do.
 */

import { readFileSync } from "node:fs";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import type { Config } from "./config/merge.ts";
import type { Clock } from "./core/clock.ts";
import { FedtraceError } from "./core/errors.ts";
import { createThrottledLog, type Log } from "./core/log.ts";
import type { Random } from "./core/random.ts";
import { type BatchQueue, startBatchQueue } from "./export/batch-queue.ts";
import type { BatchExporter } from "./export/delivery.ts";
import { createFileExporter } from "./export/file.ts";
import type { ExporterModule } from "./export/foreign-message.ts";
import { createForeignExporter } from "./export/foreign-exporter.ts";
import { createIntake, type Intake } from "./export/intake.ts";
import { createJaegerAgentExporter } from "./export/jaeger-agent.ts";
import { createJaegerCollectorExporter } from "./export/jaeger-collector.ts";
import { createLazyExporter } from "./export/lazy-exporter.ts";
import type { OtlpExporter } from "./export/otlp-encode.ts";
import { createOtlpGrpcExporter } from "./export/otlp-grpc.ts";
import { createOtlpHttpExporter } from "./export/otlp-http.ts";
import { createTail } from "./app-tail.ts";
import { createExportMetrics } from "./metrics/export-metrics.ts";
import type { Registry } from "./metrics/registry.ts";
import type { EncodedSpan } from "./span/encoded-span.ts";
import type { SpanOrigin, SpanSink } from "./span/record.ts";
import type { SpanIntake } from "./span/span-draft.ts";
import type { TailBuffer } from "./store/tail-buffer.ts";

/** JSON takes twice the time of protobuf; a smaller batch keeps the pause for requests below a millisecond. */
const FILE_BATCH_SPANS = 128;

/** Of one POST to a Jaeger collector, for which the config has no key; OTLP's default. */
const JAEGER_TIMEOUT_MS = 10_000;

export interface Exporters {
  readonly intake: SpanIntake;
  /** Of the requests that were not sampled; undefined: they are not held. */
  readonly tail: TailBuffer | undefined;
  /**
   * Resolves once the code of every exporter is loaded. Rejects with FedtraceError CONFIG_INVALID, one line a fault, where a
   * module can't be; nothing is left running then. Spans may come before.
   */
  readonly ready: Promise<void>;
  /** Of the fullest queue that sampling looks at, 0 to 1 (sampling/pressure.ts). */
  fullness(nowMs: number): number;
  /** Sends what waits, for at most `timeoutMs`; the rest counts as dropped. Never rejects. */
  stop(timeoutMs: number): Promise<void>;
}

interface ExportTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly registry: Registry;
  readonly origin: SpanOrigin;
  /** Another place for every span, where there is one. */
  readonly store: SpanSink<EncodedSpan> | undefined;
  /** Whoever embeds the sidecar. */
  readonly observer: SpanSink | undefined;
  readonly tail: Config["sampling"]["tail"];
  /** Processes that share what the tail may take. */
  readonly workers: number;
}

type ExportConfig = Config["exports"][number];

/** A queue, whatever its spans are. */
type AnyQueue = Pick<BatchQueue<unknown>, "stop" | "fullness" | "waitingSinceMs">;

/** A back end that has taken nothing of what waits for so long is not slow but gone. */
const GONE_MS = 60_000;

export function startExporters(exports: readonly ExportConfig[], tools: ExportTools): Exporters {
  const metricsOf = createExportMetrics(tools.registry);
  const loads: Promise<SpanExporter>[] = [];
  const queues: AnyQueue[] = [];
  const records: SpanSink[] = tools.observer === undefined ? [] : [tools.observer];
  const encoded: SpanSink<EncodedSpan>[] = tools.store === undefined ? [] : [tools.store];

  function startQueue<Span>(
    exporter: BatchExporter<Span>,
    name: string,
    batchSpans?: number,
  ): BatchQueue<Span> {
    const queue = startBatchQueue(exporter, { ...tools, counters: metricsOf(name) }, { name, batchSpans });
    queues.push(queue);
    return queue;
  }

  for (const [index, item] of exports.entries()) {
    const name = `${item.kind}[${index}]`;
    if (item.kind === "otlp") {
      encoded.push(startQueue<EncodedSpan>(createOtlpExporter(item, tools.clock), name));
    } else if (item.kind === "module") {
      const loading = loadModule(item, `export[${index}].module`, tools);
      loads.push(loading);
      records.push(startQueue(createLazyExporter(loading), name));
    } else {
      const exporter =
        item.kind === "file"
          ? createFileExporter({ path: item.path })
          : createJaegerExporter(item, tools.clock);
      records.push(startQueue(exporter, name, item.kind === "file" ? FILE_BATCH_SPANS : undefined));
    }
  }
  const ready = untilLoaded(loads, queues);
  ready.catch(() => undefined); // Who doesn't wait for it is told by the log, with the first batch.
  const tail = tools.tail && createTail(tools.tail, tools, (record) => intake.keep(record));
  const intake: Intake = createIntake(tools.origin, {
    records,
    encoded,
    unsampled: tail && ((span, facts) => tail.hold(span, facts)),
  });
  return {
    intake,
    tail,
    ready,
    fullness: (nowMs) => fullnessOf(queues, nowMs),
    stop(timeoutMs) {
      intake.flush();
      tail?.stop();
      return stopAll(queues, timeoutMs);
    },
  };
}

/** While there is a back end that is not gone, those that are have no say: fewer traces would help neither. */
function fullnessOf(queues: readonly AnyQueue[], nowMs: number): number {
  const there = queues.filter((queue) => nowMs - (queue.waitingSinceMs() ?? nowMs) < GONE_MS);
  return (there.length > 0 ? there : queues).reduce((most, queue) => Math.max(most, queue.fullness()), 0);
}

async function stopAll(queues: readonly AnyQueue[], timeoutMs: number): Promise<void> {
  await Promise.all(queues.map((queue) => queue.stop(timeoutMs)));
}

/** All are waited for, so an operator sees every fault at once. */
async function untilLoaded(
  loads: readonly Promise<SpanExporter>[],
  queues: readonly AnyQueue[],
): Promise<void> {
  const results = await Promise.allSettled(loads);
  const faults = results.flatMap((result) =>
    result.status === "rejected" ? [messageOf(result.reason)] : [],
  );
  if (faults.length === 0) return;
  await stopAll(queues, 0);
  throw new FedtraceError("CONFIG_INVALID", faults.join("\n"), { faults: faults.length });
}

function createOtlpExporter(
  item: Extract<ExportConfig, { readonly kind: "otlp" }>,
  clock: Clock,
): OtlpExporter {
  const options = {
    url: item.url,
    headers: item.headers,
    isGzip: item.compression === "gzip",
    timeoutMs: item.timeoutMs,
    ca: item.certificateFile === undefined ? undefined : readFileSync(item.certificateFile),
  };
  return item.protocol === "grpc" ? createOtlpGrpcExporter(options) : createOtlpHttpExporter(options, clock);
}

function createJaegerExporter(
  item: Extract<ExportConfig, { readonly kind: "jaeger" }>,
  clock: Clock,
): SpanExporter {
  return item.agent === undefined
    ? createJaegerCollectorExporter({ url: item.collector, timeoutMs: JAEGER_TIMEOUT_MS }, clock)
    : createJaegerAgentExporter({ ...item.agent, protocol: item.protocol });
}

/** What it writes is in the log at level debug: standard output is ours, and nothing bounds what others write. */
async function loadModule(
  module: ExporterModule,
  key: string,
  { log, clock }: ExportTools,
): Promise<SpanExporter> {
  const outputLog = createThrottledLog(log, clock);
  const made = await createForeignExporter(module, {
    onOutput: (text) => outputLog.debug("exporter output", { exporter: key, text }),
  });
  if ("refused" in made) throw new FedtraceError("CONFIG_INVALID", `${key}: ${made.refused}`);
  return made;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
