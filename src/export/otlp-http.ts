/**
 * The OTLP/HTTP exporter: a batch is one POST of protobuf.
 *
 * Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp: retryable answers, Retry-After, partial success. The POST is
 * http-post.ts, trying again is the queue's (delivery.ts). Not here: gRPC.
 */

import type { ExportResult } from "@opentelemetry/core";
import type { Clock } from "../core/clock.ts";
import { createHttpPost } from "./http-post.ts";
import { createOtlpEncoder, type OtlpExporter, type OtlpSpan } from "./otlp-encode.ts";
import { parseRejectedSpans } from "./otlp-response.ts";
import { exportSuccess, finalFailure } from "./outcome.ts";

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

/**
 * @param clock for a Retry-After that is a date
 * @throws TypeError for a URL that is none; the config has checked it
 */
export function createOtlpHttpExporter(options: OtlpHttpOptions, clock: Clock): OtlpExporter {
  const post = createHttpPost(options, clock);
  const encode = createOtlpEncoder();
  const headers = {
    ...options.headers,
    "content-type": PROTOBUF,
    ...(options.isGzip ? { "content-encoding": "gzip" } : {}),
  };

  async function send(spans: readonly OtlpSpan[]): Promise<ExportResult> {
    let body: Buffer;
    try {
      const encoded = encode(spans);
      body = options.isGzip ? await gzipped(encoded) : encoded;
    } catch (error) {
      // A foreign span that can't be encoded: the same batch would fail again.
      return finalFailure(String(error));
    }
    const answer = await post.send(body, headers);
    if ("code" in answer) return answer;
    const isReadable = answer.contentType?.startsWith(PROTOBUF) === true;
    return exportSuccess(isReadable ? parseRejectedSpans(answer.body) : 0);
  }

  return {
    export(spans, resultCallback) {
      void send(spans).then(resultCallback);
    },
    forceFlush: () => Promise.resolve(), // Nothing is kept here.
    shutdown: () => post.close(),
  };
}

async function gzipped(bytes: Buffer): Promise<Buffer> {
  const [{ gzip }, { promisify }] = await Promise.all([import("node:zlib"), import("node:util")]);
  return promisify(gzip)(bytes);
}
