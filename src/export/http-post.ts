/**
 * One batch as one POST: what every exporter over HTTP shares, whatever the bytes are.
 *
 * Which answers may be tried again, and Retry-After: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response. It sends once and
 * says what came of it; trying again is the queue's (delivery.ts). Redirects aren't followed. node:http or node:https is
 * loaded with the first batch: a start without such an exporter doesn't pay for it. Not here: proxies of the environment.
 */

import type { Agent, ClientRequest, IncomingMessage, OutgoingHttpHeaders, RequestOptions } from "node:http";
import type { LookupFunction } from "node:net";
import type { ExportResult } from "@opentelemetry/core";
import type { Clock } from "../core/clock.ts";
import { exportFailure } from "./outcome.ts";

/** An answer is a few bytes; more is read by nobody. */
const RESPONSE_BYTES_MAX = 64 * 1024;

/** Of one request, before its answer (100, 102, 103); a back end that sends more of them is talking to itself. */
const INTERIM_ANSWERS_MAX = 16;

const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export interface HttpPostOptions {
  /** The whole address, with its path. */
  readonly url: string;
  /** From the first byte sent to the last one received. */
  readonly timeoutMs: number;
  /** PEM of the roots that an https URL is verified with, in place of Node's; undefined: Node's. */
  readonly ca?: Buffer | string[] | undefined;
  /** Of the URL's name, in the place of the system's, which nothing ends early. */
  readonly lookup?: LookupFunction | undefined;
}

/** What came back with a status from 200 to 299. */
interface Accepted {
  readonly contentType: string | undefined;
  /** Cut at 64 KiB. */
  readonly body: Buffer;
}

export interface HttpPost {
  /**
   * Never rejects.
   * @returns the answer that accepts the batch, or the exporter's result for any other end
   */
  send(body: Buffer, headers: OutgoingHttpHeaders): Promise<Accepted | ExportResult>;
  /** Closes its connection; an open request fails with it. */
  close(): Promise<void>;
}

interface Transport {
  readonly agent: Agent;
  request(url: URL, options: RequestOptions, onResponse: (response: IncomingMessage) => void): ClientRequest;
}

type OpenRequest = (onResponse: (response: IncomingMessage) => void) => ClientRequest;

interface Reply extends Accepted {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/**
 * @param clock for a Retry-After that is a date
 * @throws TypeError for a URL that is none; the config has checked it
 */
export function createHttpPost(options: HttpPostOptions, clock: Clock): HttpPost {
  const url = new URL(options.url);
  let loading: Promise<Transport> | undefined;
  return {
    async send(body, headers) {
      // Not AbortSignal.timeout: it would hold the body until the time is up, long after the answer.
      const late = new AbortController();
      let timer: NodeJS.Timeout | undefined;
      try {
        const transport = await (loading ??= loadTransport(url, options));
        timer = setTimeout(() => late.abort(), options.timeoutMs).unref();
        const { signal } = late;
        const requestOptions = {
          agent: transport.agent,
          headers: { "user-agent": "fedtrace", ...headers },
          method: "POST",
          signal,
        };
        const open: OpenRequest = (onResponse) => transport.request(url, requestOptions, onResponse);
        const reply = await post(open, body, signal);
        return reply.status >= 200 && reply.status < 300 ? reply : refusalOf(reply, clock);
      } catch (error) {
        // Node's network errors are plain Errors; a header that can't be sent at all is a TypeError.
        const isRetryable = !(error instanceof TypeError);
        return exportFailure(reasonOf(error, options.timeoutMs), { isRetryable, retryAfterMs: undefined });
      } finally {
        clearTimeout(timer);
      }
    },
    async close() {
      (await loading)?.agent.destroy();
    },
  };
}

async function loadTransport(
  url: URL,
  { ca, lookup }: Pick<HttpPostOptions, "ca" | "lookup">,
): Promise<Transport> {
  const shared = { keepAlive: true, maxSockets: 1, ...(lookup && { lookup }) };
  if (url.protocol !== "https:") {
    const { Agent, request } = await import("node:http");
    return { agent: new Agent(shared), request };
  }
  const { Agent, request } = await import("node:https");
  return { agent: new Agent(ca === undefined ? shared : { ...shared, ca }), request };
}

/**
 * Sends once, and once more where a kept connection turns out to have been closed by the back end just then: that is
 * no failure of the back end (https://nodejs.org/api/http.html#requestreusedsocket).
 */
async function post(open: OpenRequest, body: Buffer, signal: AbortSignal): Promise<Reply> {
  for (let isFirst = true; ; isFirst = false) {
    let request: ClientRequest | undefined;
    try {
      return await new Promise<Reply>((resolve, reject) => {
        request = exchange(open, resolve, reject);
        signal.addEventListener("abort", () => reject(timedOut()), { once: true });
        request.end(body);
      });
    } catch (error) {
      request?.destroy();
      const isStale = request?.reusedSocket === true && codeOf(error) === "ECONNRESET";
      if (!isFirst || !isStale) throw error;
    }
  }
}

/** Settles for every end that a request can have. @returns the request, not yet sent */
function exchange(
  open: OpenRequest,
  resolve: (reply: Reply) => void,
  reject: (error: unknown) => void,
): ClientRequest {
  let hasAnswer = false;
  let interimAnswers = 0;
  const request = open((response) => {
    hasAnswer = true;
    readResponse(response).then(resolve, reject);
  });
  request.on("error", reject);
  request.on("information", () => {
    if (++interimAnswers > INTERIM_ANSWERS_MAX) request.destroy(new Error("no answer but interim ones"));
  });
  // An upgrade that nobody asked for (101) is closed by Node without an error.
  request.on("close", () => {
    if (!hasAnswer) reject(new Error("the connection was closed before an answer"));
  });
  return request;
}

/** As Node has it where a signal ends a request. */
function timedOut(): Error {
  return Object.assign(new Error("The operation was aborted"), { code: "ABORT_ERR" });
}

async function readResponse(response: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > RESPONSE_BYTES_MAX) break; // Leaving the loop destroys the response and its connection.
  }
  return {
    status: response.statusCode ?? 0,
    retryAfter: response.headers["retry-after"],
    contentType: response.headers["content-type"],
    body: Buffer.concat(chunks).subarray(0, RESPONSE_BYTES_MAX),
  };
}

function refusalOf({ status, retryAfter }: Reply, clock: Clock): ExportResult {
  return exportFailure(`HTTP status ${status}`, {
    isRetryable: RETRYABLE_STATUSES.has(status),
    retryAfterMs: retryAfter === undefined ? undefined : parseRetryAfter(retryAfter, clock),
  });
}

/** Seconds or a date (RFC 9110, section 10.2.3); undefined for neither. */
function parseRetryAfter(value: string, clock: Clock): number | undefined {
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const unixMs = Date.parse(value);
  return Number.isNaN(unixMs) ? undefined : Math.max(0, unixMs - clock.unixMs());
}

function reasonOf(error: unknown, timeoutMs: number): string {
  const code = codeOf(error);
  if (code === "ABORT_ERR") return `no answer within ${timeoutMs} ms`;
  return code ?? (error instanceof Error ? error.message : String(error));
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
