/** Spans for the tests and benchmarks of src/export: one as the proxy makes it, and any that could be. */

import fc from "fast-check";
import type { TraceContext } from "../../src/propagation/context.ts";
import type { ServerFacts } from "../../src/span/conventions.ts";
import {
  type Attributes,
  SPAN_KIND_CLIENT,
  SPAN_KIND_SERVER,
  type SpanFields,
  type SpanOrigin,
  SpanRecord,
} from "../../src/span/record.ts";
import type { SpanDraft } from "../../src/span/span-draft.ts";
import { createResource } from "../../src/span/resource.ts";
import { unicodeText } from "../support/unicode-text.ts";

export const ORIGIN: SpanOrigin = {
  resource: createResource({ "service.name": "hs1.example fedtrace", "process.pid": 42 }),
  scope: { name: "fedtrace", version: "0.1.0" },
};

export const CONTEXT: TraceContext = {
  traceId: "d4cda95b652f4a1592b449d5929fda1b",
  spanId: "6e0c63257de34c92",
  isSampled: true,
  isRandom: true,
  traceState: "",
};

/** What the proxy knows of the request behind `exampleFields`. */
export const EXAMPLE_FACTS: ServerFacts = {
  method: "PUT",
  scheme: "https",
  path: "/_matrix/federation/v1/send/1795355008288",
  query: undefined,
  protocolVersion: "1.1",
  status: 200,
  error: undefined,
  peer: { address: "192.0.2.17", port: 51234 },
  server: { address: "hs1.example", port: 8448 },
  border: {
    peerName: "hs2.example:8448",
    proof: "claimed",
    isWhitelisted: true,
    context: "extracted",
    headersRemoved: 1,
  },
  sampling: { asked: "sampled", decided: "local", sampler: undefined },
  route: "/_matrix/federation/v1/send/{txnId}",
  clientAddress: "192.0.2.17",
  userAgent: "Synapse/1.163.2",
  resendCount: 0,
  proofRefusal: undefined,
  bodyContexts: 0,
};

/** Of neither side: nothing but what every one has. */
export const DRAFT: SpanDraft = {
  name: "GET",
  context: CONTEXT,
  parent: undefined,
  startUnixMs: 1_795_355_012_345,
  endUnixMs: 1_795_355_012_346,
  error: undefined,
  server: undefined,
  client: undefined,
  isKnown: true,
  links: [],
  events: [],
};

/** As the proxy ends an ordinary inbound request; 18 attributes. */
export function exampleFields(changes: Partial<SpanFields> = {}): SpanFields {
  return {
    name: "PUT /_matrix/federation/v1/send/{txnId}",
    kind: SPAN_KIND_SERVER,
    context: CONTEXT,
    parent: { ...CONTEXT, spanId: "00f067aa0ba902b7" },
    startUnixMs: 1_795_355_012_345.678,
    endUnixMs: 1_795_355_012_361.25,
    attributes: {
      "http.request.method": "PUT",
      "url.scheme": "https",
      "url.path": "/_matrix/federation/v1/send/1795355008288",
      "network.protocol.version": "1.1",
      "fedtrace.direction": "inbound",
      "fedtrace.peer.proof": "claimed",
      "fedtrace.whitelisted": true,
      "fedtrace.context": "extracted",
      "fedtrace.headers.removed": 1,
      "http.response.status_code": 200,
      "http.route": "/_matrix/federation/v1/send/{txnId}",
      "user_agent.original": "Synapse/1.163.2",
      "fedtrace.peer.name": "hs2.example:8448",
      "server.address": "hs1.example",
      "server.port": 8448,
      "client.address": "192.0.2.17",
      "network.peer.address": "192.0.2.17",
      "network.peer.port": 51234,
    },
    links: [],
    events: [],
    error: undefined,
    ...changes,
  };
}

export function exampleSpan(changes: Partial<SpanFields> = {}): SpanRecord {
  return new SpanRecord(ORIGIN, exampleFields(changes));
}

const HEX_DIGITS = Array.from({ length: 16 }, (_, digit) => digit.toString(16));

function hexOf(digits: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...HEX_DIGITS), minLength: digits, maxLength: digits });
}

/** Any UTF-16, lone surrogates too, of every length around the writer's bounds (30 units, 127 bytes). */
const anyText = fc.oneof(
  fc.string(),
  unicodeText({ maxLength: 200 }),
  fc.string({ maxLength: 300 }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
);

const anyNumber = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(
    0,
    -0,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53,
    2 ** 63 - 1024,
    2 ** 63,
    -(2 ** 63),
    -(2 ** 64),
    1e300,
  ),
);

const anyAttributes: fc.Arbitrary<Attributes> = fc.dictionary(
  anyText,
  fc.oneof(anyText, anyNumber, fc.boolean()),
  { maxKeys: 8 },
);

const anyContext: fc.Arbitrary<TraceContext> = fc.record({
  traceId: hexOf(32),
  spanId: hexOf(16),
  isSampled: fc.boolean(),
  isRandom: fc.boolean(),
  traceState: fc.constantFrom("", "rojo=00f067aa0ba902b7", "a=1,b@c=2"),
});

const anyUnixMs = fc.double({ min: 0, max: Date.UTC(2100, 0), noNaN: true });

const anyFields: fc.Arbitrary<SpanFields> = fc.record({
  name: anyText,
  kind: fc.constantFrom(SPAN_KIND_SERVER, SPAN_KIND_CLIENT),
  context: anyContext,
  parent: fc.option(anyContext, { nil: undefined }),
  startUnixMs: anyUnixMs,
  endUnixMs: anyUnixMs,
  attributes: anyAttributes,
  links: fc.array(fc.record({ context: anyContext, attributes: anyAttributes }), { maxLength: 2 }),
  events: fc.array(fc.record({ name: anyText, unixMs: anyUnixMs, attributes: anyAttributes }), {
    maxLength: 2,
  }),
  error: fc.option(fc.constantFrom("500", "UPSTREAM_TIMEOUT"), { nil: undefined }),
});

const OTHER_ORIGIN: SpanOrigin = {
  resource: createResource({}, "https://opentelemetry.io/schemas/1.45.0"),
  scope: { name: "other", schemaUrl: "https://opentelemetry.io/schemas/1.40.0" },
};
const MIXED_ORIGIN: SpanOrigin = { resource: ORIGIN.resource, scope: OTHER_ORIGIN.scope };

export const anySpan: fc.Arbitrary<SpanRecord> = fc
  .tuple(fc.constantFrom(ORIGIN, OTHER_ORIGIN, MIXED_ORIGIN), anyFields)
  .map(([origin, fields]) => new SpanRecord(origin, fields));
