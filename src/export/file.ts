/**
 * The file exporter: OTLP JSON, one request a line, appended.
 *
 * Format: the OpenTelemetry file exporter's (https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/). The file is opened for
 * each batch, not kept: it is then found again after logrotate moved it, or the disk was full, and four system calls a second
 * on the thread pool cost nothing. Not here: rotation (logrotate's), compression.
 */

import { type FileHandle, open } from "node:fs/promises";
import type { ExportResult } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { encodeOtlpJson } from "./otlp-json.ts";
import { exportFailure, exportSuccess, finalFailure } from "./outcome.ts";

/** Spans name peers and paths: for the owner only. An existing file keeps its mode. */
const FILE_MODE = 0o600;

/** A trace file that nobody rotates must not fill the homeserver's disk: past this, spans are dropped. */
const FILE_BYTES_MAX_DEFAULT = 1024 ** 3;

export interface FileExporterOptions {
  /** Made where it is missing; its directory isn't. */
  readonly path: string;
  /** The size, in bytes, that the file may reach; 1 GiB unless set. */
  readonly maxBytes?: number;
}

/**
 * Every failure to open or write can be tried again (a full disk, a directory not mounted yet); a file at its size is final
 * for that batch. What was written in part is cut off again, so each line is whole.
 */
export function createFileExporter({ path, maxBytes }: FileExporterOptions): SpanExporter {
  const bound = maxBytes ?? FILE_BYTES_MAX_DEFAULT;
  let writing: Promise<ExportResult> = Promise.resolve(exportSuccess());
  return {
    export(spans, resultCallback) {
      writing = writing.then(() => appendSpans(path, bound, spans)); // In order, whoever calls.
      void writing.then(resultCallback);
    },
    async forceFlush() {
      await writing;
    },
    async shutdown() {
      await writing;
    },
  };
}

async function appendSpans(
  path: string,
  maxBytes: number,
  spans: readonly ReadableSpan[],
): Promise<ExportResult> {
  let file: FileHandle | undefined;
  try {
    const line = Buffer.from(`${encodeOtlpJson(spans)}\n`);
    file = await open(path, "a", FILE_MODE);
    const { size } = await file.stat();
    if (size + line.length > maxBytes) {
      return finalFailure(`file is at its ${maxBytes} bytes`);
    }
    await appendWhole(file, line, size);
    return exportSuccess();
  } catch (error) {
    return exportFailure(String(error), { isRetryable: true, retryAfterMs: undefined });
  } finally {
    await file?.close().catch(() => undefined); // What was written stands, or was reported.
  }
}

/**
 * In one write: the system puts it at the end as a whole, whoever else appends to the file at the same time.
 *
 * @param sizeBefore where to cut the file off again if not all of the line could be written
 */
async function appendWhole(file: FileHandle, line: Buffer, sizeBefore: number): Promise<void> {
  const { bytesWritten } = await file.write(line);
  if (bytesWritten === line.length) return;
  // Most often the disk is full. What another process has appended meanwhile is not ours to cut.
  const { size } = await file.stat();
  if (size === sizeBefore + bytesWritten) await file.truncate(sizeBefore);
  throw new Error(`wrote ${bytesWritten} of ${line.length} bytes`);
}
