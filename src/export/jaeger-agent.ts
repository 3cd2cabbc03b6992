/**
 * The exporter to a Jaeger agent: packets of Thrift over UDP, compact (port 6831) or binary (6832).
 *
 * Source: agent.thrift of https://github.com/jaegertracing/jaeger-idl: each packet is one oneway call of emitBatch. UDP has no
 * answer: "exported" means that the system took the packets and nobody refused them. The model is jaeger-thrift.ts, the socket
 * jaeger-udp.ts. Not here: HTTP (jaeger-collector.ts), and emitZipkinBatch.
 */

import type { ExportResult } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { createJaegerEncoder, type EncodedBatches } from "./jaeger-thrift.ts";
import { createUdpChannel, sendFailure } from "./jaeger-udp.ts";
import { exportSuccess, finalFailure } from "./outcome.ts";
import { ThriftBinaryWriter } from "./thrift-binary.ts";
import { ThriftCompactWriter } from "./thrift-compact.ts";

/** What Jaeger reads of a packet unless it is told otherwise (`max_packet_size`); the rest of a longer one is lost on it. */
const PACKET_BYTES_MAX = 65_000;

export interface JaegerAgentOptions {
  /** An address of either family, or a name. */
  readonly host: string;
  readonly port: number;
  /** What the agent reads on that port; it never tells that it was sent the other. */
  readonly protocol: "compact" | "binary";
}

/**
 * A batch is split into packets by its encoded size. A span that is over 65,000 bytes alone counts as rejected, and isn't cut
 * down: half a URL or half of the events would be shown as the whole. Ours don't get there: they have some 14 texts, each
 * bounded to 1,024 characters (span/conventions.ts). Everything but a packet too large for the way (EMSGSIZE) can be tried
 * again; what had been sent before the failure is sent twice then.
 */
export function createJaegerAgentExporter({ host, port, protocol }: JaegerAgentOptions): SpanExporter {
  const createWriter = () => (protocol === "compact" ? new ThriftCompactWriter() : new ThriftBinaryWriter());
  const encode = createJaegerEncoder(createWriter, "emitBatch", PACKET_BYTES_MAX);
  const channel = createUdpChannel(host, port);
  let sending: Promise<ExportResult> = Promise.resolve(exportSuccess());

  async function send(spans: readonly ReadableSpan[]): Promise<ExportResult> {
    let encoded: EncodedBatches;
    try {
      encoded = encode(spans);
    } catch (error) {
      // A foreign span that can't be encoded: the same batch would fail again.
      return finalFailure(String(error));
    }
    try {
      for (const message of encoded.messages) await channel.send(message);
      return exportSuccess(encoded.oversized);
    } catch (error) {
      return sendFailure(error);
    }
  }

  return {
    export(spans, resultCallback) {
      sending = sending.then(() => send(spans)); // In order and at one pace, whoever calls.
      void sending.then(resultCallback);
    },
    async forceFlush() {
      await sending;
    },
    async shutdown() {
      await sending;
      channel.close();
    },
  };
}
