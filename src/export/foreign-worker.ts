/**
 * The thread of one foreign exporter: its module is loaded here, its class made here, and its spans are built here. The build makes
 * dist/foreign-worker.js of it, an entry of its own; foreign-thread.ts starts it.
 *
 * What the exporter throws while it is asked becomes an answer. What it throws later, in a timer or an event of its own, ends this
 * thread and nothing else. Time limits are the other side's: a thread that is stuck can't keep its own.
 */

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { ExportResult } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import type { SpanOrigin } from "../span/record.ts";
import { loadExporterClass, makeExporter } from "./foreign-class.ts";
import {
  type ExporterModule,
  type ForeignAnswer,
  type ForeignQuestion,
  fromPlainBatch,
} from "./foreign-message.ts";
import { foreignReason } from "./foreign-reason.ts";

/** OpenTelemetry's ExportResultCode.SUCCESS. */
const SUCCESS = 0;

/** Answers for as long as the thread lives. */
function serve(port: MessagePort, module: ExporterModule): void {
  const origins: SpanOrigin[] = [];
  let exporter: SpanExporter | undefined;

  /** @returns why not, or undefined */
  async function answer(question: ForeignQuestion): Promise<string | undefined> {
    if (question.ask === "load" || question.ask === "make") {
      const found = await loadExporterClass(module);
      if ("refused" in found) return found.refused;
      if (question.ask === "load") return undefined;
      const made = makeExporter(found, module);
      if ("refused" in made) return made.refused;
      exporter = made;
      return undefined;
    }
    if (exporter === undefined) return "is not made yet";
    if (question.ask === "shutdown") {
      await exporter.shutdown();
      return undefined;
    }
    const result = await exportOnce(exporter, fromPlainBatch(question, origins));
    return refusalOf(result, module);
  }

  port.on("message", ({ id, ...question }: ForeignQuestion & { readonly id: number }) => {
    const reply = (refused: string | undefined): void => {
      port.postMessage({ id, refused } satisfies ForeignAnswer);
    };
    void answer(question).then(reply, (error: unknown) => reply(foreignReason(error, module.options)));
  });
}

/** Rejects with whatever the exporter throws; what comes after a first result is nobody's. */
function exportOnce(exporter: SpanExporter, spans: ReadableSpan[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const returned: unknown = exporter.export(spans, resolve);
    // An async method is against the interface, and common.
    if (returned instanceof Promise) returned.catch(reject);
  });
}

/** Those exporters retry by themselves (outcome.ts): what they give up is given up. */
function refusalOf(result: unknown, { options }: ExporterModule): string | undefined {
  const { code, error } = (
    typeof result === "object" && result !== null ? result : {}
  ) as Partial<ExportResult>;
  if (code === SUCCESS) return undefined;
  return error === undefined ? "no reason given" : foreignReason(error, options);
}

if (parentPort !== null) serve(parentPort, workerData as ExporterModule);
