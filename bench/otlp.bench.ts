/**
 * Question: what does a sampled request's span cost, from facts to bytes?
 * Decision it feeds: encoding stays in the request's process, 512 spans at a time (export/batch-queue.ts), while
 *           a span costs at most 5 µs; above, batches become smaller or encoding moves to a worker.
 * Input:    512 spans of an inbound Matrix request with 18 attributes, as the proxy makes them; one with a text that is
 *           not ASCII in ten.
 * Checked:  both protobuf encodings are the same size but for the zeros that OpenTelemetry's writes, before timing.
 * Run:      npx vitest bench --run bench/otlp.bench.ts   (alone on the machine, 5 times)
 * Last:     see bench/RESULTS.md: date, commit, CPU, Node; never numbers in this file.
 */

import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { bench, describe } from "vitest";
import { createOtlpEncoder } from "../src/export/otlp-encode.ts";
import { encodeOtlpJson } from "../src/export/otlp-json.ts";
import { serverAttributes } from "../src/span/conventions.ts";
import { MATRIX_ROUTES } from "../src/span/matrix-routes.ts";
import { SpanRecord } from "../src/span/record.ts";
import { createRouter } from "../src/span/routes.ts";
import { spanName } from "../src/span/span-name.ts";
import { canonicalRequest } from "../test/export/canonical-protobuf.ts";
import { EXAMPLE_FACTS, exampleFields, exampleSpan, ORIGIN } from "../test/export/spans.ts";

const SPANS = 512;

const spans = Array.from({ length: SPANS }, (_, index) => {
  const { attributes } = exampleFields();
  const path = `/_matrix/federation/v1/send/${1_795_355_008_288 + index}`;
  const userAgent = index % 10 === 0 ? "Synapse/1.163.2 (é)" : "Synapse/1.163.2";
  return exampleSpan({ attributes: { ...attributes, "url.path": path, "user_agent.original": userAgent } });
});

const encode = createOtlpEncoder();
const matchRoute = createRouter(MATRIX_ROUTES);

const theirs = canonicalRequest(ProtobufTraceSerializer.serializeRequest(spans) ?? new Uint8Array());
if (!encode(spans).equals(theirs)) throw new Error("the encodings differ");

/** Every made object must be used, or the engine leaves the making out. */
const made: unknown[] = [];

describe(`${SPANS} spans`, () => {
  bench("match the route and name the span", () => {
    for (let index = 0; index < SPANS; index++) {
      made[index] = spanName(EXAMPLE_FACTS.method, matchRoute(EXAMPLE_FACTS.method, EXAMPLE_FACTS.path));
    }
  });
  bench("make the attributes", () => {
    for (let index = 0; index < SPANS; index++) made[index] = serverAttributes(EXAMPLE_FACTS);
  });
  bench("make the records", () => {
    for (let index = 0; index < SPANS; index++) made[index] = new SpanRecord(ORIGIN, exampleFields());
  });
  bench("OTLP protobuf", () => void encode(spans));
  bench("OTLP protobuf, OpenTelemetry's", () => void ProtobufTraceSerializer.serializeRequest(spans));
  bench("OTLP JSON", () => void encodeOtlpJson(spans));
});
