/**
 * Asking the collector: the summary, and what its answers mean for who may read. Nothing here throws.
 * Not here: keeping the token (token.ts), exports (export-file.ts).
 */

import { fieldOf, textOf } from "../page/jaeger-model.ts";
import { parseSummary, type Summary } from "./summary.ts";

export type Answer =
  | { readonly kind: "summary"; readonly summary: Summary }
  /** A token is needed; `isRefused`: the one that was sent is wrong. */
  | { readonly kind: "token"; readonly isRefused: boolean }
  | { readonly kind: "forbidden"; readonly why: string }
  /** To be tried again. `why` goes on a sentence. */
  | { readonly kind: "failed"; readonly why: string };

/** A summary of many servers may take a database seconds. */
const TIMEOUT_MS = 30_000;

/** RFC 6750 allows less, but a server compares what it is sent; other characters can't stand in a header. */
const TOKEN = /^[\x21-\x7e]+$/;

/** White space around it (a token's file ends with a line end) is taken off. @returns undefined: can be no token */
export function parseToken(typed: string): string | undefined {
  const token = typed.trim();
  return TOKEN.test(token) ? token : undefined;
}

export function authorization(token: string | undefined): Readonly<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

export async function askSummary(
  days: number,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    const response = await fetch(`/api/summary?days=${days}`, {
      headers: { accept: "application/json", ...authorization(token) },
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    // A proxy in front may answer with a page.
    const body: unknown = await response.json().catch(() => undefined);
    return readAnswer(response.status, body, token !== undefined);
  } catch {
    return { kind: "failed", why: "the collector does not answer" };
  }
}

/** @param body undefined: no JSON */
export function readAnswer(status: number, body: unknown, hadToken: boolean): Answer {
  const why = textOf(fieldOf(body, "error"));
  if (status === 401) return { kind: "token", isRefused: hadToken };
  if (status === 403) return { kind: "forbidden", why: why || "the answer was 403" };
  if (status === 200 && typeof fieldOf(body, "totals") === "object") {
    return { kind: "summary", summary: parseSummary(body) };
  }
  return {
    kind: "failed",
    why: why || `the answer was ${status}${status === 200 ? " without a summary" : ""}`,
  };
}
