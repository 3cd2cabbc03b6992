/** What a running sidecar tells of its requests: spans in the export file, OTLP by the environment, log lines. */

import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Environment, temporaryDirectory } from "../support/cli.ts";
import { startInProcess } from "../support/in-process.ts";
import { type ExportedSpan, readSpans } from "../support/otlp-file.ts";
import {
  type ConfigDocument,
  inboundTo,
  OUTBOUND,
  type SpawnedSidecar,
  startSidecar,
} from "../support/sidecar.ts";
import { exchangeRaw, type RecordingUpstream, recordingUpstream } from "../support/wire.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const FORGED_ID = "d4cda95b652f4a1592b449d5929fda1b";
const PARENT_ID = "b7ad6b7169203331";
const TRACEPARENT = `traceparent: 00-${TRACE_ID}-${PARENT_ID}-01`;

interface Traced {
  readonly sidecar: SpawnedSidecar;
  readonly upstream: RecordingUpstream;
  /** Stops the sidecar and reads what its file exporter wrote. */
  readonly finish: () => Promise<readonly ExportedSpan[]>;
}

async function startTraced(document: ConfigDocument = {}, environment: Environment = {}): Promise<Traced> {
  const upstream = await recordingUpstream();
  onTestFinished(() => upstream.stop());
  const path = join(temporaryDirectory(), "traces.jsonl");
  const sidecar = await startSidecar(
    {
      inbound: inboundTo(upstream.port),
      outbound: OUTBOUND,
      whitelist: ["hs2\\.test", "127\\.0\\.0\\.1"],
      export: [{ file: { path } }],
      ...document,
    },
    { environment },
  );
  return {
    sidecar,
    upstream,
    async finish() {
      expect(await sidecar.stop()).toBe(0);
      return readSpans(path);
    },
  };
}

function requestOf(line: string, host: string, ...more: readonly string[]): string {
  return [`${line} HTTP/1.1`, `Host: ${host}`, "Connection: close", ...more, "", ""].join("\r\n");
}

const X_MATRIX = `Authorization: X-Matrix origin="hs2.test",key="ed25519:1",sig="c2ln"`;

describe("the export file", () => {
  it("holds the SERVER span of an inbound request, with the contract's attributes", async () => {
    const { sidecar, finish } = await startTraced();
    const line = "PUT /_matrix/federation/v1/send/42?access_token=secret";
    await exchangeRaw(
      sidecar.port.inbound,
      requestOf(line, "own.test:8448", X_MATRIX, TRACEPARENT, "User-Agent: Synapse/1.163", "baggage: a=1"),
    );
    expect(await finish()).toEqual([
      {
        service: "own.test fedtrace",
        resource: { "service.name": "own.test fedtrace", "service.version": expect.any(String) as string },
        name: "PUT /_matrix/federation/v1/send/{txnId}",
        traceId: TRACE_ID,
        traceState: "",
        spanId: expect.stringMatching(/^(?!b7ad6b7169203331)[0-9a-f]{16}$/) as string,
        parentSpanId: PARENT_ID,
        kind: 2,
        links: [],
        attributes: {
          "http.request.method": "PUT",
          "http.route": "/_matrix/federation/v1/send/{txnId}",
          "http.response.status_code": 200,
          "url.scheme": "http",
          "url.path": "/_matrix/federation/v1/send/42",
          "url.query": "access_token=REDACTED",
          "user_agent.original": "Synapse/1.163",
          "server.address": "own.test",
          "server.port": 8448,
          "client.address": "127.0.0.1",
          "network.peer.address": "127.0.0.1",
          "network.peer.port": expect.any(Number) as number,
          "network.protocol.version": "1.1",
          "fedtrace.direction": "inbound",
          "fedtrace.peer.name": "hs2.test",
          "fedtrace.peer.proof": "claimed",
          "fedtrace.sampling.asked": "sampled",
          "fedtrace.sampling.decided": "local",
          "fedtrace.whitelisted": true,
          "fedtrace.context": "extracted",
          "fedtrace.headers.removed": 2,
        },
      },
    ]);
  });

  it("holds the CLIENT span of an outbound request", async () => {
    const { sidecar, upstream, finish } = await startTraced();
    const authority = `127.0.0.1:${upstream.port}`;
    await exchangeRaw(
      sidecar.port.outbound,
      requestOf(`GET http://${authority}/a?b=1`, authority, TRACEPARENT),
    );
    const [span] = await finish();
    expect(upstream.received()).toContain(`traceparent: 00-${TRACE_ID}-${span?.spanId ?? ""}-01`);
    expect(span).toMatchObject({
      name: "GET",
      traceId: TRACE_ID,
      parentSpanId: PARENT_ID,
      kind: 3,
      attributes: {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.full": `http://${authority}/a?b=1`,
        "server.address": "127.0.0.1",
        "server.port": upstream.port,
        "network.peer.address": "127.0.0.1",
        "network.peer.port": upstream.port,
        "fedtrace.direction": "outbound",
        "fedtrace.peer.name": authority,
        "fedtrace.whitelisted": true,
        "fedtrace.context": "extracted",
        "fedtrace.headers.removed": 1,
      },
    });
  });

  it("holds what failed, by its error code", async () => {
    const { sidecar, finish } = await startTraced({ inbound: inboundTo(1) });
    await exchangeRaw(sidecar.port.inbound, requestOf("GET /", "own.test"));
    const [span] = await finish();
    expect(span?.parentSpanId).toBeUndefined();
    expect(span?.attributes).toMatchObject({
      "error.type": "UPSTREAM_REFUSED",
      "http.response.status_code": 502,
      "fedtrace.peer.proof": "none",
      "fedtrace.whitelisted": false,
      "fedtrace.context": "absent",
      "fedtrace.headers.removed": 0,
    });
  });
});

describe("the environment of OpenTelemetry", () => {
  async function trace(environment: Environment, document: ConfigDocument = {}) {
    const traced = await startTraced(document, environment);
    await exchangeRaw(traced.sidecar.port.inbound, requestOf("GET /", "own.test", X_MATRIX));
    return { ...traced, spans: await traced.finish() };
  }

  it("names the service and describes it", async () => {
    const { spans } = await trace({
      OTEL_SERVICE_NAME: "the front door",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test,service.name=other",
    });
    expect(spans[0]?.resource).toMatchObject({
      "service.name": "the front door",
      "deployment.environment.name": "test",
    });
  });

  it("sends the spans to OTEL_EXPORTER_OTLP_ENDPOINT, where the file names no export", async () => {
    const collector = await recordingUpstream("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    onTestFinished(() => collector.stop());
    await trace(
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}`,
        OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=blue",
        OTEL_SERVICE_NAME: "the front door",
      },
      { export: undefined },
    );
    const received = collector.received();
    expect(received).toMatch(/^POST \/v1\/traces HTTP\/1\.1\r\n/);
    expect(received).toMatch(/^content-type: application\/x-protobuf\r$/im);
    expect(received).toMatch(/^x-tenant: blue\r$/im);
    expect(received).toContain("the front door");
  });

  it("OTEL_SDK_DISABLED records and sends nothing, and the border stands", async () => {
    const collector = await recordingUpstream();
    onTestFinished(() => collector.stop());
    const { sidecar, upstream, finish } = await startTraced(
      { export: undefined, whitelist: [{ regex: "hs2\\.test", sampling: "trust" }] },
      { OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}` },
    );
    const ask = (...headers: readonly string[]): Promise<string> =>
      exchangeRaw(sidecar.port.inbound, requestOf("GET /", "own.test", TRACEPARENT, ...headers));
    expect(await ask()).toMatch(/^HTTP\/1\.1 200 /);
    expect(upstream.received()).not.toContain(TRACE_ID);
    expect(upstream.received()).toMatch(/^traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-0[02]\r$/m);
    await ask(X_MATRIX); // Who is trusted to have traces recorded has none recorded either.
    expect(upstream.received()).toContain(TRACE_ID);
    await finish();
    expect(collector.received()).toBe("");
  });

  /** The same without a process of its own: what a variable does is the composition's, once it is read. */
  async function traceInProcess(environment: Environment, document: ConfigDocument) {
    const upstream = await recordingUpstream();
    onTestFinished(() => upstream.stop());
    const started = { inbound: inboundTo(upstream.port), whitelist: ["hs2\\.test"], ...document };
    const { sidecar, port, spans } = await startInProcess(started, undefined, undefined, environment);
    await exchangeRaw(port.inbound, requestOf("GET /", "own.test", X_MATRIX));
    await sidecar.stop();
    return { upstream, spans };
  }

  it.each([
    { environment: { OTEL_TRACES_SAMPLER: "always_off" }, document: {}, spans: 0, why: "it samples nothing" },
    {
      environment: { OTEL_TRACES_SAMPLER: "always_off" },
      document: { sampling: { type: "const", param: 1 } },
      spans: 1,
      why: "the file wins",
    },
    {
      environment: { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" },
      document: {},
      spans: 0,
      why: "its argument counts",
    },
    { environment: {}, document: {}, spans: 1, why: "all are recorded where nobody says" },
  ])("$environment with the file's $document gives $spans spans: $why", async (row) => {
    const { spans } = await traceInProcess(row.environment, row.document);
    expect(spans).toHaveLength(row.spans);
  });

  it.each([
    { environment: { OTEL_PROPAGATORS: "b3" }, document: {}, written: ["b3"], why: "only these are written" },
    {
      environment: { OTEL_PROPAGATORS: "b3" },
      document: { propagation: { formats: ["jaeger"] } },
      written: ["uber-trace-id"],
      why: "the file wins",
    },
  ])("$environment with the file's $document writes $written: $why", async (row) => {
    const { upstream } = await traceInProcess(row.environment, row.document);
    const names = upstream.received().match(/^(?:traceparent|tracestate|uber-trace-id|b3|x-b3-\w+)(?=:)/gim);
    expect(names).toEqual(row.written);
  });
});

describe("the log", () => {
  it("is JSON lines with level and time, with the ids of the span where there is one, and none of a stranger's", async () => {
    const { sidecar, finish } = await startTraced({ inbound: inboundTo(1) });
    const { port } = sidecar;
    await exchangeRaw(port.inbound, requestOf("GET /", "own.test", X_MATRIX, TRACEPARENT));
    const forged = `traceparent: 00-${FORGED_ID}-${PARENT_ID}-01`;
    await exchangeRaw(port.inbound, requestOf("GET /", "own.test", forged, "X-Request-Id: forged"));
    const spans = await finish();
    for (const each of sidecar.log()) {
      expect(each).toMatchObject({
        level: expect.stringMatching(/^(debug|info|warn|error)$/) as string,
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
        msg: expect.any(String) as string,
      });
    }
    const lines = sidecar.log().filter(({ msg }) => msg === "exchange failed");
    expect(lines).toMatchObject([
      { code: "UPSTREAM_REFUSED", trace_id: TRACE_ID, span_id: spans[0]?.spanId },
      { code: "UPSTREAM_REFUSED", trace_id: spans[1]?.traceId, span_id: spans[1]?.spanId },
    ]);
    expect(sidecar.stderr.join("\n")).not.toMatch(new RegExp(`${FORGED_ID}|${PARENT_ID}|forged`));
  });

  it.each([
    { level: "error", messages: [], why: "nothing went wrong" },
    { level: "info", messages: ["config warning", "stopping", "stopped"], why: "the usual" },
  ])("at level $level has $messages: $why", async ({ level, messages }) => {
    const { sidecar, finish } = await startTraced({ log: { level } });
    await finish();
    expect(sidecar.log().map(({ msg }) => msg)).toEqual(messages);
    // A claimed name proves nothing.
    if (messages.length === 0) return;
    expect(sidecar.log()[0]).toMatchObject({
      level: "warn",
      warning: expect.stringMatching(/inbound\.authenticate: is claimed/) as string,
    });
  });
});
