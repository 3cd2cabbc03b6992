/**
 * Exports: their addresses, and fetching one into memory, since a plain link can't send a token. A bound on its size, with
 * advice: a browser is no place for gigabytes.
 */

import { fieldOf, textOf } from "../page/jaeger-model.ts";
import { authorization } from "./collector-api.ts";

export type ExportFormat = "csv" | "json";

/** A million reports are about as much. */
export const EXPORT_BYTES_MAX = 512 * 1024 * 1024;

/** @param sinceSeconds undefined: from the first report on */
export function exportPath(format: ExportFormat, sinceSeconds: number | undefined): string {
  return `/api/reports.${format}${sinceSeconds === undefined ? "" : `?since=${sinceSeconds}`}`;
}

/** What does the same without a browser, for a shell. @param origin of the page, whose characters a shell takes as they are */
export function curlCommand(origin: string, path: string): string {
  return `curl -fH "Authorization: Bearer $TOKEN" -o ${fileNameOf(path)} '${origin}${path}'`;
}

/** `fedtrace-reports.csv` */
export function fileNameOf(path: string): string {
  return `fedtrace-${path.replace(/^.*\//, "").replace(/\?.*$/, "")}`;
}

export type Exported = { readonly blob: Blob } | { readonly problem: string };

/** @param onBytes told how many came so far */
export async function fetchExport(
  path: string,
  token: string | undefined,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<Exported> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  try {
    const response = await fetch(path, { headers: authorization(token), signal });
    if (!response.ok || response.body === null) {
      const body: unknown = await response.json().catch(() => undefined);
      return { problem: textOf(fieldOf(body, "error")) || `The answer was ${response.status}.` };
    }
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.byteLength;
      if (bytes > EXPORT_BYTES_MAX) {
        await reader.cancel();
        return { problem: "This export is too big for a browser. Fetch it with curl, as below." };
      }
      chunks.push(value);
      onBytes(bytes);
    }
    return { blob: new Blob(chunks, { type: response.headers.get("content-type") ?? "" }) };
  } catch {
    if (signal.aborted) return { problem: "Stopped; nothing was saved." };
    return {
      problem:
        bytes === 0
          ? "The collector does not answer."
          : "The export broke off; nothing was saved. Try again.",
    };
  }
}
