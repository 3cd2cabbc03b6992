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
import { createFanOut } from "./export/fan-out.ts";
import { createFileExporter } from "./export/file.ts";
import type { ExporterModule } from "./export/foreign-message.ts";
import { createForeignExporter } from "./export/foreign-exporter.ts";
import { createJaegerAgentExporter } from "./export/jaeger-agent.ts";
import { createJaegerCollectorExporter } from "./export/jaeger-collector.ts";
import { createLazyExporter } from "./export/lazy-exporter.ts";
import { createOtlpGrpcExporter } from "./export/otlp-grpc.ts";
import { createOtlpHttpExporter } from "./export/otlp-http.ts";
import { createExportMetrics } from "./metrics/export-metrics.ts";
import type { Registry } from "./metrics/registry.ts";
import type { SpanSink } from "./span/record.ts";

/** JSON takes twice the time of protobuf; a smaller batch keeps the pause for requests below a millisecond. */
const FILE_BATCH_SPANS = 128;

/** Of one POST to a Jaeger collector, for which the config has no key; OTLP's default. */
const JAEGER_TIMEOUT_MS = 10_000;

export interface Exporters {
  readonly sink: SpanSink;
  /**
   * Resolves once the code of every exporter is loaded. Rejects with FedtraceError CONFIG_INVALID, one line a fault, where a
   * module can't be; nothing is left running then. Spans may come before.
   */
  readonly ready: Promise<void>;
  /** Sends what waits, for at most `timeoutMs`; the rest counts as dropped. Never rejects. */
  stop(timeoutMs: number): Promise<void>;
}

interface ExportTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly registry: Registry;
  /** Other places for every span: the built-in store, whoever embeds the sidecar. */
  readonly sinks: readonly SpanSink[];
}

type ExportConfig = Config["exports"][number];

export function startExporters(exports: readonly ExportConfig[], tools: ExportTools): Exporters {
  const metricsOf = createExportMetrics(tools.registry);
  const loads: Promise<SpanExporter>[] = [];
  const queues = exports.map((item, index) => {
    const name = `${item.kind}[${index}]`;
    const made = createExporter(item, `export[${index}].${item.kind}`, tools);
    const isLoading = made instanceof Promise;
    if (isLoading) loads.push(made);
    return startBatchQueue(
      isLoading ? createLazyExporter(made) : made,
      { ...tools, counters: metricsOf(name) },
      { name, batchSpans: item.kind === "file" ? FILE_BATCH_SPANS : undefined },
    );
  });
  const ready = untilLoaded(loads, queues);
  ready.catch(() => undefined); // Who doesn't wait for it is told by the log, with the first batch.
  return {
    sink: createFanOut([...tools.sinks, ...queues]),
    ready,
    stop: (timeoutMs) => stopAll(queues, timeoutMs),
  };
}

async function stopAll(queues: readonly BatchQueue[], timeoutMs: number): Promise<void> {
  await Promise.all(queues.map((queue) => queue.stop(timeoutMs)));
}

/** All are waited for, so an operator sees every fault at once. */
async function untilLoaded(
  loads: readonly Promise<SpanExporter>[],
  queues: readonly BatchQueue[],
): Promise<void> {
  const results = await Promise.allSettled(loads);
  const faults = results.flatMap((result) =>
    result.status === "rejected" ? [messageOf(result.reason)] : [],
  );
  if (faults.length === 0) return;
  await stopAll(queues, 0);
  throw new FedtraceError("CONFIG_INVALID", faults.join("\n"), { faults: faults.length });
}

/** @param key as the operator would find it, for a fault */
function createExporter(
  item: ExportConfig,
  key: string,
  tools: ExportTools,
): SpanExporter | Promise<SpanExporter> {
  const { clock } = tools;
  switch (item.kind) {
    case "otlp": {
      const options = {
        url: item.url,
        headers: item.headers,
        isGzip: item.compression === "gzip",
        timeoutMs: item.timeoutMs,
        ca: item.certificateFile === undefined ? undefined : readFileSync(item.certificateFile),
      };
      return item.protocol === "grpc"
        ? createOtlpGrpcExporter(options)
        : createOtlpHttpExporter(options, clock);
    }
    case "file":
      return createFileExporter({ path: item.path });
    case "jaeger":
      return createJaegerExporter(item, clock);
    case "module":
      return loadModule(item, key, tools);
  }
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
