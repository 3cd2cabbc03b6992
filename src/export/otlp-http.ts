/**
 * The OTLP/HTTP exporter: a batch is one POST of protobuf.
 *
 * Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp: which answers may be tried again (#retryable-response-codes),
 * Retry-After, partial success. It sends once and says what came of it; trying again is the queue's
 * (delivery.ts). Redirects aren't followed. node:http or node:https is loaded with the first batch: a start
 * without such an exporter doesn't pay for it. Not here: gRPC, proxies of the environment.
 */

import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { ExportResult } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import type { Clock } from "../core/clock.ts";
import { createOtlpEncoder } from "./otlp-encode.ts";
import { parseRejectedSpans } from "./otlp-response.ts";
import { exportFailure, exportSuccess } from "./outcome.ts";

/** An answer is a few bytes; more is read by nobody. */
const RESPONSE_BYTES_MAX = 64 * 1024;

const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

const PROTOBUF = "application/x-protobuf";

export interface OtlpHttpOptions {
  /** The whole address, such as http://127.0.0.1:4318/v1/traces. */
  readonly url: string;
  /** Sent with each batch; may hold secrets, so it is in no log. */
  readonly headers: Readonly<Record<string, string>>;
  readonly isGzip: boolean;
  /** From the first byte sent to the last one received; 10,000 by OpenTelemetry's default. */
  readonly timeoutMs: number;
  /** PEM of the roots that an https URL is verified with, in place of the system's; undefined: the system's. */
  readonly ca?: Buffer | undefined;
}

interface Transport {
  readonly agent: Agent;
  request(url: URL, options: RequestOptions, onResponse: (response: IncomingMessage) => void): ClientRequest;
}

interface Reply {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly contentType: string | undefined;
  /** Cut at 64 KiB. */
  readonly body: Buffer;
}

/**
 * @param clock for a Retry-After that is a date
 * @throws TypeError for a URL that is none; the config has checked it
 */
export function createOtlpHttpExporter(options: OtlpHttpOptions, clock: Clock): SpanExporter {
  const url = new URL(options.url);
  const encode = createOtlpEncoder();
  let loading: Promise<Transport> | undefined;

  async function send(spans: readonly ReadableSpan[]): Promise<ExportResult> {
    try {
      const headers = headersOf(options);
      const encoded = encode(spans);
      const body = options.isGzip ? await gzipped(encoded) : encoded;
      const transport = await (loading ??= loadTransport(url, options.ca));
      const signal = AbortSignal.timeout(options.timeoutMs);
      const requestOptions = { agent: transport.agent, headers, method: "POST", signal };
      const reply = await post((onResponse) => transport.request(url, requestOptions, onResponse), body);
      return readReply(reply, clock);
    } catch (error) {
      // Node's network errors are plain Errors; these two come from a span or a header that can't be sent at all.
      const isRetryable = !(error instanceof TypeError || error instanceof RangeError);
      return exportFailure(reasonOf(error, options.timeoutMs), { isRetryable, retryAfterMs: undefined });
    }
  }

  return {
    export(spans, resultCallback) {
      void send(spans).then(resultCallback);
    },
    forceFlush: () => Promise.resolve(), // Nothing is kept here.
    async shutdown() {
      (await loading)?.agent.destroy(); // Open requests fail with it.
    },
  };
}

async function loadTransport(url: URL, ca: Buffer | undefined): Promise<Transport> {
  const shared = { keepAlive: true, maxSockets: 1 };
  if (url.protocol !== "https:") {
    const { Agent, request } = await import("node:http");
    return { agent: new Agent(shared), request };
  }
  const { Agent, request } = await import("node:https");
  return { agent: new Agent(ca === undefined ? shared : { ...shared, ca }), request };
}

function headersOf({ headers, isGzip }: OtlpHttpOptions): Record<string, string> {
  return {
    "user-agent": "fedtrace",
    ...headers,
    "content-type": PROTOBUF,
    ...(isGzip ? { "content-encoding": "gzip" } : {}),
  };
}

async function gzipped(bytes: Buffer): Promise<Buffer> {
  const [{ gzip }, { promisify }] = await Promise.all([import("node:zlib"), import("node:util")]);
  return promisify(gzip)(bytes);
}

/**
 * Sends once, and once more where a kept connection turns out to have been closed by the back end just then: that is
 * no failure of the back end (https://nodejs.org/api/http.html#requestreusedsocket).
 */
async function post(
  open: (onResponse: (response: IncomingMessage) => void) => ClientRequest,
  body: Buffer,
): Promise<Reply> {
  for (let isFirst = true; ; isFirst = false) {
    let request: ClientRequest | undefined;
    try {
      return await new Promise<Reply>((resolve, reject) => {
        request = open((response) => void readResponse(response).then(resolve, reject));
        request.on("error", reject).end(body);
      });
    } catch (error) {
      const isStale = request?.reusedSocket === true && codeOf(error) === "ECONNRESET";
      if (!isFirst || !isStale) throw error;
    }
  }
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

function readReply({ status, retryAfter, contentType, body }: Reply, clock: Clock): ExportResult {
  if (status >= 200 && status < 300) {
    return exportSuccess(contentType?.startsWith(PROTOBUF) === true ? parseRejectedSpans(body) : 0);
  }
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
  return code ?? String(error);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
