/**
 * The exporter to a Jaeger collector's own endpoint (port 14268, /api/traces): a batch is one POST of Thrift.
 *
 * Source: https://www.jaegertracing.io/docs/1.76/architecture/apis/#thrift-over-http-stable: the bare Batch struct in the binary
 * protocol. Jaeger answers 202, 400 to what it can't read, and 500 where its own pipeline failed, which counts as final here
 * as it does for OTLP. The POST is http-post.ts, the model jaeger-thrift.ts. Not here: UDP (jaeger-agent.ts).
 */

import type { ExportResult } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import type { Clock } from "../core/clock.ts";
import { createHttpPost } from "./http-post.ts";
import { createJaegerEncoder, type EncodedBatches } from "./jaeger-thrift.ts";
import { exportSuccess, finalFailure } from "./outcome.ts";
import { ThriftBinaryWriter } from "./thrift-binary.ts";

/** Jaeger takes this and application/x-thrift, and no other. */
const CONTENT_TYPE = "application/vnd.apache.thrift.binary";

/** Of one POST. Jaeger's server takes 20 MiB; a batch of our queue has some 300 kB. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;

export interface JaegerCollectorOptions {
  /** The whole address, such as http://127.0.0.1:14268/api/traces. */
  readonly url: string;
  /** Sent with each batch; may hold secrets, so it is in no log. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Of one POST, from the first byte sent to the last one received. */
  readonly timeoutMs: number;
}

/**
 * Spans of several resources are several POSTs, since a Batch has one process: where a later one fails, the earlier ones are
 * sent again with it. A span over 4 MiB counts as rejected.
 *
 * @param clock for a Retry-After that is a date
 * @throws TypeError for a URL that is none; the config has checked it
 */
export function createJaegerCollectorExporter(options: JaegerCollectorOptions, clock: Clock): SpanExporter {
  const post = createHttpPost(options, clock);
  const encode = createJaegerEncoder(() => new ThriftBinaryWriter(), "batch", BODY_BYTES_MAX);
  const headers = { ...options.headers, "content-type": CONTENT_TYPE };

  async function send(spans: readonly ReadableSpan[]): Promise<ExportResult> {
    let encoded: EncodedBatches;
    try {
      encoded = encode(spans);
    } catch (error) {
      // A foreign span that can't be encoded: the same batch would fail again.
      return finalFailure(String(error));
    }
    for (const message of encoded.messages) {
      const answer = await post.send(message, headers);
      if ("code" in answer) return answer;
    }
    return exportSuccess(encoded.oversized);
  }

  return {
    export(spans, resultCallback) {
      void send(spans).then(resultCallback);
    },
    forceFlush: () => Promise.resolve(), // Nothing is kept here.
    shutdown: () => post.close(),
  };
}
