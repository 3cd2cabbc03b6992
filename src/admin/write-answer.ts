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
  return typeof answer.body !== "string" && Symbol.asyncIterator in answer.body;
}

/** @returns undefined for a stream */
function piecesOf(answer: AdminAnswer): readonly Buffer[] | undefined {
  if (isStream(answer)) return undefined;
  const { body } = answer;
  if (typeof body === "string") return [Buffer.from(body)];
  return Buffer.isBuffer(body) ? [body] : (body as readonly Buffer[]);
}

function lengthOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** Rejects when the reader goes away, or where the body's own source fails; the response is then unfinished. */
export async function writeAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  answer: AdminAnswer,
): Promise<void> {
  const pieces = piecesOf(answer);
  const isZippable = canBeZipped(answer, pieces);
  const isZipped = isZippable && takesCoding(String(request.headers["accept-encoding"] ?? ""), "gzip");
  const headers: Record<string, string | number> = {
    "content-type": answer.type,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": POLICY,
    ...(isZippable ? { vary: "accept-encoding" } : {}),
    ...(isZipped ? { "content-encoding": "gzip" } : {}),
    ...(pieces === undefined || isZipped ? {} : { "content-length": lengthOf(pieces) }),
    ...answer.headers,
  };
  response.writeHead(answer.status, headers);
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  if (pieces !== undefined && !isZipped) {
    for (const piece of pieces.slice(0, -1)) response.write(piece);
    response.end(pieces.at(-1));
    return;
  }
  const [{ Readable }, { pipeline }] = await Promise.all([
    import("node:stream"),
    import("node:stream/promises"),
  ]);
  // One piece for zlib: each goes to its thread and back, which took longer than the work.
  const source = Readable.from(
    pieces === undefined ? (answer.body as AsyncIterable<string>) : [Buffer.concat(pieces)],
  );
  if (!isZipped) return pipeline(source, response);
  const { createGzip } = await import("node:zlib");
  return pipeline(source, createGzip({ level: GZIP_LEVEL }), response);
}

/** What says its own encoding is left as it is, and what is no text. */
function canBeZipped({ body, headers }: AdminAnswer, pieces: readonly Buffer[] | undefined): boolean {
  if (headers?.["content-encoding"] !== undefined || Buffer.isBuffer(body)) return false;
  return pieces === undefined || lengthOf(pieces) >= GZIP_FROM_BYTES;
}
