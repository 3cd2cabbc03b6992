/** Asking the sidecar's own listener. Nothing here throws: what failed is a sentence to show. */

import { fieldOf, listOf, textOf } from "./jaeger-model.ts";

export type Fetched<T> = { readonly value: T } | { readonly problem: string; readonly status: number };

/** The listener answers in milliseconds; after this long it is gone. */
const TIMEOUT_MS = 10_000;

/** @param path of this origin @param read never throws @param signal ends it when nobody waits any more */
export async function fetchJson<T>(
  path: string,
  read: (body: unknown) => T,
  signal: AbortSignal,
): Promise<Fetched<T>> {
  try {
    const response = await fetch(path, {
      headers: { accept: "application/json" },
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const body: unknown = await response.json();
    if (response.ok) return { value: read(body) };
    return { problem: problemOf(body) || `the answer was ${response.status}`, status: response.status };
  } catch {
    return { problem: "the sidecar does not answer", status: 0 };
  }
}

/** fedtrace says `{error}`, Jaeger's API `{errors: [{msg}]}`. */
function problemOf(body: unknown): string {
  return textOf(fieldOf(body, "error")) || textOf(fieldOf(listOf(fieldOf(body, "errors"))[0], "msg"));
}
