/**
 * How an answer of the admin listener goes out: its headers, gzip where the reader takes it, pieces at the reader's pace.
 *
 * A trace with thousands of spans is megabytes of JSON. It is neither held whole nor sent faster than it is read, and zlib
 * works on its own thread, so that no request of the proxy waits for somebody's look at a page.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { takesCoding } from "./accept-encoding.ts";
import type { AdminAnswer } from "./answer.ts";

/** Below this gzip's own bytes outweigh what it saves. */
const GZIP_FROM_BYTES = 1024;
/** Fast rather than small: most of the gain is in the repeated keys. */
const GZIP_LEVEL = 1;

/** What is no page of ours may do nothing in a browser, and stand in no frame. */
const POLICY = "default-src 'none'; frame-ancestors 'none'";

/** Whether it is written in pieces, at its reader's pace: what the server bounds. */
export function isStream(
  answer: AdminAnswer,
): answer is AdminAnswer & { readonly body: AsyncIterable<string> } {
  return typeof answer.body !== "string" && !Buffer.isBuffer(answer.body);
}

/** Rejects when the reader goes away, or where the body's own source fails; the response is then unfinished. */
export async function writeAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  answer: AdminAnswer,
): Promise<void> {
  const { body } = answer;
  const isZipped =
    isZippable(answer) && takesCoding(String(request.headers["accept-encoding"] ?? ""), "gzip");
  const headers: Record<string, string | number> = {
    "content-type": answer.type,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": POLICY,
    ...(isZippable(answer) ? { vary: "accept-encoding" } : {}),
    ...(isZipped ? { "content-encoding": "gzip" } : {}),
    ...answer.headers,
  };
  const isWhole = typeof body === "string" || Buffer.isBuffer(body);
  if (isWhole && !isZipped) headers["content-length"] = Buffer.byteLength(body);
  response.writeHead(answer.status, headers);
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  if (isWhole && !isZipped) {
    response.end(body);
    return;
  }
  const [{ Readable }, { pipeline }] = await Promise.all([
    import("node:stream"),
    import("node:stream/promises"),
  ]);
  const source = Readable.from(isWhole ? [body] : body);
  if (!isZipped) return pipeline(source, response);
  const { createGzip } = await import("node:zlib");
  return pipeline(source, createGzip({ level: GZIP_LEVEL }), response);
}

/** What says its own encoding is left as it is. */
function isZippable({ body, headers }: AdminAnswer): boolean {
  if (headers?.["content-encoding"] !== undefined || Buffer.isBuffer(body)) return false;
  return typeof body !== "string" || body.length >= GZIP_FROM_BYTES;
}
