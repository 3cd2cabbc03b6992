/**
 * Question: what does a span cost on Jaeger's legacy ways, beside OTLP protobuf?
 * Decision it feeds: encoding stays in the request's process, 512 spans at a time (export/batch-queue.ts), while a span costs
 *           at most 5 µs, for these ways too; above, they get smaller batches.
 * Input:    512 spans of an inbound Matrix request with 18 attributes, as the proxy makes them; one with a text that is
 *           not ASCII in ten.
 * Checked:  each encoding is read back by another implementation and has every name, before timing.
 * Run:      npx vitest bench --run bench/thrift.bench.ts   (alone on the machine, 5 times)
 * Last:     see bench/RESULTS.md: date, commit, CPU, Node; never numbers in this file.
 */

import { bench, describe } from "vitest";
import { createJaegerEncoder } from "../src/export/jaeger-thrift.ts";
import { createOtlpEncoder } from "../src/export/otlp-encode.ts";
import { ThriftBinaryWriter } from "../src/export/thrift-binary.ts";
import { ThriftCompactWriter } from "../src/export/thrift-compact.ts";
import {
  decodeBinaryBatch,
  decodeBinaryCall,
  decodeCall,
  type DecodedBatch,
} from "../test/export/jaeger-decode.ts";
import { exampleFields, exampleSpan } from "../test/export/spans.ts";

const SPANS = 512;
const PACKET_BYTES_MAX = 65_000;
const BODY_BYTES_MAX = 4 * 1024 * 1024;

const spans = Array.from({ length: SPANS }, (_, index) => {
  const { attributes } = exampleFields();
  const path = `/_matrix/federation/v1/send/${1_795_355_008_288 + index}`;
  const userAgent = index % 10 === 0 ? "Synapse/1.163.2 (é)" : "Synapse/1.163.2";
  return exampleSpan({ attributes: { ...attributes, "url.path": path, "user_agent.original": userAgent } });
});

const encodeOtlp = createOtlpEncoder();
const encodeCompact = createJaegerEncoder(() => new ThriftCompactWriter(), "emitBatch", PACKET_BYTES_MAX);
const encodeBinary = createJaegerEncoder(() => new ThriftBinaryWriter(), "emitBatch", PACKET_BYTES_MAX);
const encodeBatch = createJaegerEncoder(() => new ThriftBinaryWriter(), "batch", BODY_BYTES_MAX);

check(encodeCompact(spans).messages, (packet) => decodeCall("compact", packet));
check(encodeBinary(spans).messages, decodeBinaryCall);
check(encodeBatch(spans).messages, decodeBinaryBatch);

function check(messages: readonly Buffer[], decode: (message: Buffer) => DecodedBatch): void {
  const names = messages.flatMap((message) => decode(message).spans.map((span) => span.operationName));
  if (names.join() !== spans.map(({ name }) => name).join())
    throw new Error("what was encoded isn't what is read");
}

describe(`${SPANS} spans`, () => {
  bench("OTLP protobuf", () => void encodeOtlp(spans));
  bench("compact packets", () => void encodeCompact(spans));
  bench("binary packets", () => void encodeBinary(spans));
  bench("binary batch, HTTP", () => void encodeBatch(spans));
});
