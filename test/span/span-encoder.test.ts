/**
 * The fast way from a request's facts to bytes (span-encoder.ts), and back (span-decode.ts).
 * Method: the general way, a record, is the oracle for any facts; OpenTelemetry's own serializer is the oracle of that one
 * (test/export/otlp-encode.test.ts).
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOtlpEncoder } from "../../src/export/otlp-encode.ts";
import type { ClientFacts, ServerFacts } from "../../src/span/conventions.ts";
import { errorType } from "../../src/span/conventions.ts";
import { EncodedSpan } from "../../src/span/encoded-span.ts";
import { SpanRecord } from "../../src/span/record.ts";
import { draftToRecord, type SpanDraft } from "../../src/span/span-draft.ts";
import { createSpanEncoder } from "../../src/span/span-encoder.ts";
import { CONTEXT, EXAMPLE_FACTS as SERVER, ORIGIN } from "../export/spans.ts";
import { runs } from "../support/runs.ts";

function draftOf(server: ServerFacts, changes: Partial<SpanDraft> = {}): SpanDraft {
  return {
    name: "PUT /_matrix/federation/v1/send/{txnId}",
    context: CONTEXT,
    parent: { ...CONTEXT, spanId: "00f067aa0ba902b7" },
    startUnixMs: 1_795_355_012_345.678,
    endUnixMs: 1_795_355_012_361.25,
    error: errorType("server", server.status, server.error),
    server,
    client: undefined,
    isKnown: true,
    links: [],
    events: [],
    ...changes,
  };
}

/** Latin1, as a head's texts are, often ASCII; around the lengths where a length needs a second byte, and over the bound. */
const anyText = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ minLength: 90, maxLength: 140 }),
  fc.integer({ min: 1000, max: 1100 }).map((length) => "x".repeat(length)),
  fc.string({
    unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
    maxLength: 20,
  }),
);
const anyEndpoint = fc.record({
  address: anyText,
  port: fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: undefined }),
});
const maybe = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(values, { nil: undefined });

const anyFacts = {
  method: fc.constantFrom("GET", "PUT", "POST", "HEAD", "QUERY", "BREW", "get"),
  scheme: fc.constantFrom("http" as const, "https" as const),
  path: anyText.map((text) => `/${text}`),
  query: maybe(fc.oneof(anyText, fc.constant("access_token=secret&a=1"))),
  protocolVersion: fc.constantFrom("1.0", "1.1"),
  status: maybe(fc.constantFrom(200, 204, 301, 404, 500, 504)),
  error: maybe(fc.constantFrom("UPSTREAM_TIMEOUT" as const, "CLIENT_ABORTED" as const)),
  peer: maybe(anyEndpoint),
  server: maybe(anyEndpoint),
  border: fc.record({
    peerName: maybe(anyText),
    proof: fc.constantFrom(
      "signature" as const,
      "mtls" as const,
      "network" as const,
      "claimed" as const,
      "none" as const,
    ),
    isWhitelisted: fc.boolean(),
    context: fc.constantFrom(
      "extracted" as const,
      "restarted" as const,
      "refused" as const,
      "absent" as const,
    ),
    headersRemoved: fc.integer({ min: 0, max: 300 }),
  }),
  sampling: fc.record({
    asked: fc.constantFrom(undefined, "sampled" as const, "not_sampled" as const, "debug" as const),
    decided: fc.constantFrom(
      "local" as const,
      "forced" as const,
      "own" as const,
      "debug_pass" as const,
      "tail_error" as const,
    ),
    sampler: fc.constantFrom(
      undefined,
      { type: "const", param: true },
      { type: "probabilistic", param: 0.01 },
      { type: "ratelimiting", param: 5 },
    ),
  }),
  resendCount: fc.constantFrom(0, 0, 0, 1),
  bodyContexts: fc.constantFrom(0, 0, 0, 2),
};
const anyServer: fc.Arbitrary<ServerFacts> = fc.record({
  ...anyFacts,
  proofRefusal: fc.constantFrom(undefined, undefined, undefined, "wrong"),
  route: fc.option(fc.constantFrom("/a/{b}", "/c"), { nil: undefined }),
  clientAddress: maybe(anyText),
  userAgent: maybe(anyText),
});
const anyClient: fc.Arbitrary<ClientFacts> = fc.record({
  ...anyFacts,
  authority: anyText,
  tunnel: maybe(fc.constant({ sentBytes: 1, receivedBytes: 2 ** 40 })),
  peerTraceId: maybe(fc.constant("4bf92f3577b34da6a3ce929d0e0e4737")),
});
const anyTimes = fc.record({
  startUnixMs: fc.double({ min: 1e12, max: 3e12, noNaN: true }),
  tookMs: fc.double({ min: -5, max: 1e6, noNaN: true }),
  parent: maybe(fc.constant({ ...CONTEXT, spanId: "00f067aa0ba902b7" })),
  traceState: fc.constantFrom("", "a=1,b=2", "ot=th:8"),
  isRandom: fc.boolean(),
});

const anyDraft: fc.Arbitrary<SpanDraft> = fc
  .tuple(fc.oneof(anyServer, anyClient), anyTimes)
  .map(([facts, { startUnixMs, tookMs, parent, traceState, isRandom }]) => {
    const client = "authority" in facts ? facts : undefined;
    const server = "authority" in facts ? undefined : facts;
    const isRetry = client !== undefined && facts.resendCount > 0;
    const traceId = client?.peerTraceId;
    const links = [
      ...(isRetry ? [{ context: CONTEXT, attributes: { "fedtrace.link": "resend" } }] : []),
      ...(traceId === undefined
        ? []
        : [{ context: { ...CONTEXT, traceId }, attributes: { "fedtrace.link": "per_peer" } }]),
    ];
    const events = isRetry
      ? [
          {
            name: "fedtrace.connect",
            unixMs: startUnixMs,
            attributes: { "fedtrace.duration_ms": Math.abs(tookMs) },
          },
        ]
      : [];
    return {
      name: `${facts.method} ${server?.route ?? ""}`,
      context: { ...CONTEXT, traceState, isRandom },
      parent,
      startUnixMs,
      endUnixMs: startUnixMs + tookMs,
      error: errorType(client === undefined ? "server" : "client", facts.status, facts.error),
      server,
      client,
      isKnown: true,
      links,
      events,
    };
  });

/** What an exporter could read of it; what OTLP has no place for, of the parent, left out. */
function view(record: SpanRecord): unknown {
  const { parentSpanContext: parent } = record;
  return {
    name: record.name,
    kind: record.kind,
    context: { ...record.spanContext(), traceState: record.spanContext().traceState?.serialize() },
    parent: parent && { traceId: parent.traceId, spanId: parent.spanId, isRemote: parent.isRemote },
    times: [record.startTime, record.endTime, record.duration],
    status: record.status,
    attributes: record.attributes,
    links: record.links,
    events: record.events,
    resource: record.resource,
    scope: record.instrumentationScope,
  };
}

/** The order of attributes may differ. */
function sortedBytes(bytes: Buffer): readonly number[] {
  return [...Uint8Array.from(bytes).sort()];
}

describe("an encoded span", () => {
  it("reads as the record of the same facts, whatever they are and whatever came before", () => {
    const encoder = createSpanEncoder(ORIGIN);
    fc.assert(
      fc.property(anyDraft, (draft) => {
        const span = encoder.encode(draft);
        const record = draftToRecord(ORIGIN, draft);
        expect(view(span.toRecord())).toEqual(view(record));
        expect(span.traceId).toBe(draft.context.traceId);
        const { name, kind, startTime, endTime } = record;
        const outline = span.outline();
        expect(outline).toMatchObject({ name, kind, startUnixMs: draft.startUnixMs });
        expect(new SpanRecord(ORIGIN, { ...record.fields, ...outline })).toMatchObject({
          startTime,
          endTime,
        });
      }),
      { numRuns: runs(1000) },
    );
  });

  it("is exported as the bytes of its record, in another order of attributes", () => {
    const encode = createOtlpEncoder();
    const draft = draftOf(SERVER);
    const fast = encode([createSpanEncoder(ORIGIN).encode(draft)]);
    const general = encode([draftToRecord(ORIGIN, draft)]);
    expect(fast).toHaveLength(general.length);
    expect(sortedBytes(fast)).toEqual(sortedBytes(general));
  });

  it("stands among others in a batch as it stands alone", () => {
    const encode = createOtlpEncoder();
    const encoder = createSpanEncoder(ORIGIN);
    const drafts = Array.from({ length: 300 }, (_, index) => draftOf({ ...SERVER, path: `/${index}` }));
    const spans = drafts.map((draft) => encoder.encode(draft));
    const pages = new Set(spans.map(({ page }) => page));
    expect(pages.size).toBeGreaterThan(1);
    const other = draftToRecord(ORIGIN, draftOf(SERVER));
    // Around a hole, and around one that isn't encoded.
    const batch = [...spans.slice(0, 100), other, ...spans.slice(101)];
    const alone = batch.map((span) => (span instanceof EncodedSpan ? span.toRecord() : span));
    expect(sortedBytes(encode(batch))).toEqual(sortedBytes(encode(alone)));
  });

  it.each([
    { why: "one that fills a page to its end", texts: 60 },
    { why: "one that is larger than a page", texts: 90 },
  ])("keeps $why", ({ texts }) => {
    const encoder = createSpanEncoder(ORIGIN);
    const traceState = Array.from({ length: texts }, (_, index) => `k${index}=${"v".repeat(1000)}`).join(",");
    const long = encoder.encode(draftOf(SERVER, { context: { ...CONTEXT, traceState } }));
    const next = encoder.encode(draftOf(SERVER));
    expect(long.toRecord().fields.context.traceState).toBe(traceState);
    expect(next.toRecord().fields.attributes["url.path"]).toBe(SERVER.path);
  });
});

describe("templates", () => {
  it("are bounded: thousands of routes and combinations are still told right", () => {
    const encoder = createSpanEncoder(ORIGIN);
    for (let index = 0; index < 3000; index++) {
      const facts: ServerFacts = { ...SERVER, route: `/r${index}`, status: 200 + (index % 200) };
      const { attributes } = encoder.encode(draftOf(facts)).toRecord();
      expect(attributes["http.route"]).toBe(facts.route);
      expect(attributes["http.response.status_code"]).toBe(facts.status);
    }
    for (let status = 100; status < 500; status++) {
      const { attributes } = encoder.encode(draftOf({ ...SERVER, status })).toRecord();
      expect(attributes["http.response.status_code"]).toBe(status);
    }
  });
});
