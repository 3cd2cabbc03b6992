/**
 * One GET of a strategy: the answer's text, that it is the one we have, or why there is none.
 *
 * Conditional (If-None-Match, RFC 9110 section 13.1.2) where the last answer had an ETag: Jaeger itself sends none, a cache before it may.
 * Each has a connection of its own: one a minute is not worth a kept one that the other side has closed by then. Redirects aren't followed.
 * node:http or node:https is loaded with the first one. Not here: what the text says, and when to ask again.
 */

import type { ClientRequest, IncomingMessage } from "node:http";

/** The same bound as the text has that is parsed (jaeger-response.ts). */
const BODY_BYTES_MAX = 1024 * 1024;

export interface FetchOptions {
  /** Of the last answer that was taken. */
  readonly etag: string | undefined;
  /** From the first byte sent to the last one received. */
  readonly timeoutMs: number;
  /** Ends it early; aborted here too, when the time is up. */
  readonly end: AbortController;
}

export interface FetchedText {
  readonly text: string;
  readonly etag: string | undefined;
}

export type Fetched = FetchedText | "not-modified" | { readonly failed: string };

/** Never rejects. */
export async function fetchStrategy(url: URL, { etag, timeoutMs, end }: FetchOptions): Promise<Fetched> {
  let timer: NodeJS.Timeout | undefined;
  let request: ClientRequest | undefined;
  try {
    const { request: open } = await (url.protocol === "https:" ? import("node:https") : import("node:http"));
    timer = setTimeout(() => end.abort(), timeoutMs).unref();
    const condition = etag === undefined ? {} : { "if-none-match": etag };
    request = open(url, {
      agent: false,
      headers: { accept: "application/json", "user-agent": "fedtrace", ...condition },
      signal: end.signal,
    });
    const response = await answerOf(request);
    return await read(response, etag !== undefined);
  } catch (error) {
    return { failed: end.signal.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error) };
  } finally {
    clearTimeout(timer);
    request?.destroy();
  }
}

function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on("response", resolve);
    request.on("error", reject);
    // An upgrade that nobody asked for (101) is closed by Node without an error.
    request.on("close", () => reject(new Error("the connection was closed before an answer")));
    request.end();
  });
}

async function read(response: IncomingMessage, isConditional: boolean): Promise<Fetched> {
  const { statusCode: status, headers } = response;
  if (status === 304 && isConditional) return "not-modified";
  if (status !== 200) return { failed: `HTTP status ${status}` };
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return { failed: `an answer of more than ${BODY_BYTES_MAX} bytes` };
    chunks.push(chunk);
  }
  return { text: Buffer.concat(chunks).toString("utf8"), etag: headers.etag };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error ? String(error.code) : error.message;
}
