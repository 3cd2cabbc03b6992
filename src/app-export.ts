/** From `export` to the one sink that the proxy writes spans to: an exporter and a queue for each item. */

import { readFileSync } from "node:fs";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import type { Config } from "./config/merge.ts";
import type { Clock } from "./core/clock.ts";
import { FedtraceError } from "./core/errors.ts";
import type { Log } from "./core/log.ts";
import type { Random } from "./core/random.ts";
import { startBatchQueue } from "./export/batch-queue.ts";
import { createFanOut } from "./export/fan-out.ts";
import { createFileExporter } from "./export/file.ts";
import { createOtlpHttpExporter } from "./export/otlp-http.ts";
import { createExportMetrics } from "./metrics/export-metrics.ts";
import type { Registry } from "./metrics/registry.ts";
import type { SpanSink } from "./span/record.ts";

/** JSON takes twice the time of protobuf; a smaller batch keeps the pause for requests below a millisecond. */
const FILE_BATCH_SPANS = 128;

export interface Exporters {
  readonly sink: SpanSink;
  /** Sends what waits, for at most `timeoutMs`; the rest counts as dropped. Never rejects. */
  stop(timeoutMs: number): Promise<void>;
}

interface ExportTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly registry: Registry;
  readonly spans?: SpanSink;
}

type ExportConfig = Config["exports"][number];

export function startExporters(exports: readonly ExportConfig[], tools: ExportTools): Exporters {
  const metricsOf = createExportMetrics(tools.registry);
  const queues = exports.map((item, index) => {
    const name = `${item.kind}[${index}]`;
    const batchSpans = item.kind === "file" ? FILE_BATCH_SPANS : undefined;
    return startBatchQueue(
      createExporter(item, tools.clock),
      { ...tools, counters: metricsOf(name) },
      { name, batchSpans },
    );
  });
  return {
    sink: createFanOut(tools.spans === undefined ? queues : [tools.spans, ...queues]),
    async stop(timeoutMs) {
      await Promise.all(queues.map((queue) => queue.stop(timeoutMs)));
    },
  };
}

function createExporter(item: ExportConfig, clock: Clock): SpanExporter {
  switch (item.kind) {
    case "otlp":
      return createOtlpHttpExporter(
        {
          url: item.url,
          headers: item.headers,
          isGzip: item.compression === "gzip",
          timeoutMs: item.timeoutMs,
          ca: item.certificateFile === undefined ? undefined : readFileSync(item.certificateFile),
        },
        clock,
      );
    case "file":
      return createFileExporter({ path: item.path });
    case "jaeger":
      // Refused by the config before it comes here (config/not-yet.ts).
      throw new FedtraceError("INTERNAL", "export: jaeger is not available yet");
  }
}
