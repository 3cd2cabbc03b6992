/**
 * The OTLP/gRPC exporter: a batch is one unary call of TraceService/Export.
 *
 * Source: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc. It sends once and says what came of it; trying again is the
 * queue's (delivery.ts). Without a gRPC library: one unary method needs an HTTP/2 stream and two trailers. Not here: the
 * wire (grpc-client.ts), what a status means (grpc-status.ts).
 */

import type { ExportResult } from "@opentelemetry/core";
import { createGrpcClient, type GrpcReply } from "./grpc-client.ts";
import { readGrpcFailure } from "./grpc-status.ts";
import { createOtlpEncoder, type OtlpExporter, type OtlpSpan } from "./otlp-encode.ts";
import { parseRejectedSpans } from "./otlp-response.ts";
import { type ExportOutcome, exportFailure, exportSuccess, finalFailure } from "./outcome.ts";

const METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/** What gRPC receivers take unless told otherwise, before compression; ordinary batches have a tenth of it. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

export interface OtlpGrpcOptions {
  /** Such as http://127.0.0.1:4317; https is TLS. Its path isn't used. */
  readonly url: string;
  /** Sent as metadata; names in lower case. May hold secrets, so it is in no log. */
  readonly headers: Readonly<Record<string, string>>;
  readonly isGzip: boolean;
  /** From the first byte sent to the last one received; 10,000 by OpenTelemetry's default. */
  readonly timeoutMs: number;
  /** PEM of the roots that an https URL is verified with, in place of the system's; undefined: the system's. */
  readonly ca?: Buffer | undefined;
}

/** How far a batch that takes several calls has come. */
interface Progress {
  readonly spans: readonly OtlpSpan[];
  sent: number;
  rejected: number;
}

/**
 * A batch over 4 MiB goes in several calls; where one of them fails and the batch is given again, what was taken isn't sent
 * again.
 *
 * @throws TypeError for a URL that is none; the config has checked it
 */
export function createOtlpGrpcExporter(options: OtlpGrpcOptions): OtlpExporter {
  const client = createGrpcClient(options);
  const encode = createOtlpEncoder();
  /** Of a batch that may be given again. */
  let progress: Progress | undefined;

  async function call(encoded: Buffer): Promise<ExportOutcome> {
    const message = options.isGzip ? await gzipped(encoded) : encoded;
    const { headers: metadata, isGzip } = options;
    return outcomeOf(await client.call({ path: METHOD, metadata, message, isGzip }));
  }

  /** As many spans from `first` on as one message takes, at least one. */
  function encodePart(spans: readonly OtlpSpan[], first: number): { count: number; encoded: Buffer } {
    let count = spans.length - first;
    let encoded = encode(spans.slice(first));
    while (encoded.length > MESSAGE_BYTES_MAX && count > 1) {
      count = Math.ceil(count / 2);
      encoded = encode(spans.slice(first, first + count));
    }
    return { count, encoded };
  }

  async function sendParts(batch: Progress): Promise<ExportResult> {
    const { spans } = batch;
    while (batch.sent < spans.length) {
      const first = batch.sent;
      const { count, encoded } = encodePart(spans, first);
      const outcome = await call(encoded);
      if (!outcome.isExported) {
        // A part that is refused for good must not keep the others back.
        const isFinalOfPart = !outcome.isRetryable && count < spans.length;
        if (!isFinalOfPart) return exportFailure(outcome.reason, outcome);
      }
      batch.sent = first + count;
      batch.rejected += outcome.isExported ? outcome.rejectedSpans : count;
    }
    return exportSuccess(batch.rejected);
  }

  async function send(spans: readonly OtlpSpan[]): Promise<ExportResult> {
    const batch = progress?.spans === spans ? progress : { spans, sent: 0, rejected: 0 };
    progress = undefined;
    try {
      const result = await sendParts(batch);
      if (batch.sent < spans.length) progress = batch;
      return result;
    } catch (error) {
      // A span or a header that can't be sent at all; what goes wrong on the wire is an outcome.
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      return finalFailure(code);
    }
  }

  return {
    export(spans, resultCallback) {
      void send(spans).then(resultCallback);
    },
    forceFlush: () => Promise.resolve(), // Nothing is kept here.
    shutdown() {
      client.close();
      return Promise.resolve();
    },
  };
}

function outcomeOf(reply: GrpcReply): ExportOutcome {
  if (!reply.isAnswered) {
    return { isExported: false, reason: reply.reason, isRetryable: true, retryAfterMs: undefined };
  }
  const { fields } = reply;
  const failure = readGrpcFailure({
    httpStatus: Number(fields[":status"]),
    grpcStatus: textOf(fields["grpc-status"]),
    details: textOf(fields["grpc-status-details-bin"]),
  });
  if (failure !== undefined) return { isExported: false, ...failure };
  return { isExported: true, rejectedSpans: parseRejectedSpans(reply.message) };
}

/** Of a field that came more than once, all values with commas between. */
function textOf(value: string | readonly string[] | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

async function gzipped(bytes: Buffer): Promise<Buffer> {
  const [{ gzip }, { promisify }] = await Promise.all([import("node:zlib"), import("node:util")]);
  return promisify(gzip)(bytes);
}
