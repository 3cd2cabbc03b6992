/**
 * Two sidecars in processes of their own, a real Jaeger behind both, and what its query API then tells:
 *
 * ```
 *   peer ──► A inbound ──► A's server ──► A outbound ──► B inbound ──► B's server
 *            SERVER                       CLIENT         SERVER
 * ```
 * Spans are read back once the sidecars have stopped, so all of them are sent; Jaeger is asked until it has them.
 */

import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { ADMIN, inboundTo, OUTBOUND, type SpawnedSidecar, startSidecar } from "../support/sidecar.ts";
import { poll } from "../support/poll.ts";
import { exchangeRaw, OK_RESPONSE, type RecordingUpstream, recordingUpstream } from "../support/wire.ts";
import { type Jaeger, type JaegerSpan, type JaegerTrace, startJaeger } from "./jaeger.ts";
import { findJaeger } from "./jaeger-binary.ts";

/** Building Jaeger, where there is none, is a matter of minutes; it happens once. */
const BUILD_TIMEOUT_MS = 40 * 60_000;

const VERSION_PATH = "/_matrix/federation/v1/version";
const CONTEXT_LINE =
  /^(?:traceparent|tracestate|uber-trace-id|uberctx-[^:]*|b3|x-b3-\w+|baggage|jaeger-\S+):/im;

let program: string;
beforeAll(async () => {
  program = await findJaeger();
}, BUILD_TIMEOUT_MS);

let jaeger: Jaeger;
beforeEach(async () => {
  jaeger = await startJaeger(program);
  return () => jaeger.stop();
});

interface Federation {
  /** Sends one request to A's front door and reads the whole answer. */
  readonly ask: (origin: string, ...headers: readonly string[]) => Promise<string>;
  readonly a: SpawnedSidecar;
  readonly b: SpawnedSidecar;
  /** Behind A: it passes context on and asks B, as a traced homeserver does. */
  readonly serverA: RecordingUpstream;
  readonly serverB: RecordingUpstream;
  /** Stops both sidecars, so that all spans are sent. */
  readonly stop: () => Promise<void>;
}

/** @param targetOf what A's server asks, of B's own address; B by default */
async function startFederation(targetOf = (addressOfB: string): string => addressOfB): Promise<Federation> {
  const shared = { admin: ADMIN, export: [{ otlp: { url: jaeger.otlpUrl } }] };
  const serverB = await recordingUpstream();
  const b = await startSidecar({
    ...shared,
    server_name: "b.test",
    inbound: inboundTo(serverB.port),
    whitelist: ["a\\.test"],
  });
  const addressOfB = `127.0.0.1:${b.port.inbound}`;
  const target = targetOf(addressOfB);

  let outboundOfA = 0;
  const serverA = await recordingUpstream((head, socket) => {
    void askNext(outboundOfA, target, head).then(() => socket.write(OK_RESPONSE));
    return undefined;
  });
  const a = await startSidecar({
    ...shared,
    server_name: "a.test",
    inbound: inboundTo(serverA.port),
    outbound: OUTBOUND,
    whitelist: ["peer\\.test", addressOfB.replaceAll(".", "\\.")],
  });
  outboundOfA = a.port.outbound;
  onTestFinished(() => {
    serverA.stop();
    serverB.stop();
  });
  return {
    a,
    b,
    serverA,
    serverB,
    ask: (origin, ...headers) =>
      exchangeRaw(a.port.inbound, requestOf(`GET ${VERSION_PATH}`, "a.test", [signedBy(origin), ...headers])),
    async stop() {
      expect(await Promise.all([a.stop(), b.stop()])).toEqual([0, 0]);
    },
  };
}

/** One request out of A, with the context of the one that came in. */
function askNext(outboundOfA: number, target: string, head: string): Promise<string> {
  const context = head.split("\r\n").filter((line) => CONTEXT_LINE.test(line));
  const line = `GET http://${target}${VERSION_PATH}`;
  return exchangeRaw(outboundOfA, requestOf(line, target, [signedBy("a.test"), ...context]));
}

function requestOf(line: string, host: string, headers: readonly string[]): string {
  return [`${line} HTTP/1.1`, `Host: ${host}`, "Connection: close", ...headers, "", ""].join("\r\n");
}

function signedBy(origin: string): string {
  return `Authorization: X-Matrix origin="${origin}",key="ed25519:1",sig="c2ln"`;
}

/** Of the first request that a server got. */
function traceIdIn(server: RecordingUpstream): string {
  return /^traceparent: 00-([0-9a-f]{32})-/im.exec(server.received())?.[1] ?? "none";
}

function spanOf({ spans, processes }: JaegerTrace, service: string, direction: string): JaegerSpan {
  const found = spans.filter(
    (span) =>
      processes[span.processID]?.serviceName === service && tagsOf(span)["fedtrace.direction"] === direction,
  );
  expect(found).toHaveLength(1);
  return found[0] as JaegerSpan;
}

function tagsOf({ tags }: Pick<JaegerSpan, "tags">): Record<string, unknown> {
  return Object.fromEntries(tags.map(({ key, value }) => [key, value]));
}

function childOf({ traceID, spanID }: Pick<JaegerSpan, "traceID" | "spanID">): JaegerSpan["references"] {
  return [{ refType: "CHILD_OF", traceID, spanID }];
}

describe("a request of a whitelisted peer", () => {
  const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
  const PEER_SPAN = { traceID: TRACE_ID, spanID: "b7ad6b7169203331" };
  const TRACEPARENT = `traceparent: 00-${TRACE_ID}-${PEER_SPAN.spanID}-01`;

  it("is one trace over both sidecars, each span the child of the one before it", async () => {
    const { ask, stop } = await startFederation();
    expect(await ask("peer.test", TRACEPARENT)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    await stop();

    const trace = await jaeger.traceOf(TRACE_ID, 3);
    expect(trace.spans).toHaveLength(3);
    const inboundA = spanOf(trace, "a.test fedtrace", "inbound");
    const outboundA = spanOf(trace, "a.test fedtrace", "outbound");
    const inboundB = spanOf(trace, "b.test fedtrace", "inbound");
    expect(inboundA.references).toEqual(childOf(PEER_SPAN));
    expect(outboundA.references).toEqual(childOf(inboundA));
    expect(inboundB.references).toEqual(childOf(outboundA));
  });

  it("has the conventions' and the contract's tags, each of its type", async () => {
    const { ask, stop, b } = await startFederation();
    await ask("peer.test", TRACEPARENT, "baggage: a=1");
    await stop();

    const trace = await jaeger.traceOf(TRACE_ID, 3);
    const inboundA = spanOf(trace, "a.test fedtrace", "inbound");
    expect(inboundA.operationName).toBe(`GET ${VERSION_PATH}`);
    expect(inboundA.tags).toEqual(
      expect.arrayContaining([
        { key: "span.kind", type: "string", value: "server" },
        { key: "http.request.method", type: "string", value: "GET" },
        { key: "http.route", type: "string", value: VERSION_PATH },
        { key: "http.response.status_code", type: "int64", value: 200 },
        { key: "url.path", type: "string", value: VERSION_PATH },
        { key: "fedtrace.direction", type: "string", value: "inbound" },
        { key: "fedtrace.peer.name", type: "string", value: "peer.test" },
        { key: "fedtrace.peer.proof", type: "string", value: "claimed" },
        { key: "fedtrace.whitelisted", type: "bool", value: true },
        { key: "fedtrace.context", type: "string", value: "extracted" },
        { key: "fedtrace.headers.removed", type: "int64", value: 2 },
      ]),
    );
    const outboundA = spanOf(trace, "a.test fedtrace", "outbound");
    expect(outboundA.tags).toEqual(
      expect.arrayContaining([
        { key: "span.kind", type: "string", value: "client" },
        { key: "server.port", type: "int64", value: b.port.inbound },
        { key: "fedtrace.peer.name", type: "string", value: `127.0.0.1:${b.port.inbound}` },
        { key: "fedtrace.whitelisted", type: "bool", value: true },
      ]),
    );
    const process = trace.processes[inboundA.processID];
    expect(process?.tags).toContainEqual({
      key: "service.version",
      type: "string",
      value: expect.any(String) as string,
    });
  });

  it("loses its baggage at every border", async () => {
    const { ask, serverA, serverB } = await startFederation();
    await ask("peer.test", TRACEPARENT, "baggage: colour=red", "uberctx-colour: red");
    expect(serverA.received() + serverB.received()).not.toMatch(/^(?:baggage|uberctx)|red/im);
  });
});

describe("a stranger", () => {
  const FORGED = {
    traceparent: { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" },
    uber: { traceId: "5bf92f3577b34da6a3ce929d0e0e4737", spanId: "10f067aa0ba902b8" },
  };
  const HEADERS = [
    `traceparent: 00-${FORGED.traceparent.traceId}-${FORGED.traceparent.spanId}-01`,
    "tracestate: forged=tracestate",
    `uber-trace-id: ${FORGED.uber.traceId}:${FORGED.uber.spanId}:0:3`,
    "jaeger-debug-id: forged-debug-id",
    "baggage: forged=baggage",
  ];

  it("begins a new trace, and nothing it sent about tracing is anywhere in Jaeger", async () => {
    const { ask, stop, serverA, serverB } = await startFederation();
    expect(await ask("stranger.test", ...HEADERS)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    await stop();

    const trace = await jaeger.traceOf(traceIdIn(serverA), 3);
    const inboundA = spanOf(trace, "a.test fedtrace", "inbound");
    expect(inboundA.references).toEqual([]);
    expect(tagsOf(inboundA)).toMatchObject({
      "fedtrace.peer.name": "stranger.test",
      "fedtrace.whitelisted": false,
      "fedtrace.context": "restarted",
      "fedtrace.headers.removed": HEADERS.length,
    });

    for (const { traceId } of Object.values(FORGED)) expect(await jaeger.findTrace(traceId)).toBeUndefined();
    const everything = [
      ...(await jaeger.tracesOf("a.test fedtrace")),
      ...(await jaeger.tracesOf("b.test fedtrace")),
    ];
    expect(new Set(everything.map(({ traceID }) => traceID))).toEqual(new Set([trace.traceID]));
    const forged = Object.values(FORGED).flatMap(({ traceId, spanId }) => [traceId, spanId]);
    const anyForged = new RegExp([...forged, "forged"].join("|"));
    expect(JSON.stringify(everything)).not.toMatch(anyForged);
    expect(serverA.received() + serverB.received()).not.toMatch(anyForged);
  });

  it("gets no trace header from us", async () => {
    const stranger = await recordingUpstream();
    onTestFinished(() => stranger.stop());
    const { ask, stop, serverA } = await startFederation(() => `127.0.0.1:${stranger.port}`);
    await ask("peer.test");
    await stop();

    expect(stranger.received()).toMatch(/^GET \/_matrix\/federation\/v1\/version HTTP\/1\.1\r\n/);
    expect(stranger.received()).not.toMatch(CONTEXT_LINE);
    const traceId = traceIdIn(serverA);
    expect(stranger.received()).not.toContain(traceId);
    const outboundA = spanOf(await jaeger.traceOf(traceId, 2), "a.test fedtrace", "outbound");
    expect(tagsOf(outboundA)).toMatchObject({
      "fedtrace.peer.name": `127.0.0.1:${stranger.port}`,
      "fedtrace.whitelisted": false,
      "http.response.status_code": 200,
    });
  });
});

it("has every span of 200 traces", async () => {
  const { ask, stop } = await startFederation();
  const ids = Array.from({ length: 200 }, (_, index) =>
    index.toString(16).padStart(8, "0").padStart(32, "f"),
  );
  for (let first = 0; first < ids.length; first += 10) {
    const batch = ids.slice(first, first + 10);
    const answers = await Promise.all(
      batch.map((id) => ask("peer.test", `traceparent: 00-${id}-b7ad6b7169203331-01`)),
    );
    expect(answers.every((answer) => answer.startsWith("HTTP/1.1 200 OK\r\n"))).toBe(true);
  }
  await stop();

  for (const id of ids) expect((await jaeger.traceOf(id, 3)).spans).toHaveLength(3);
  const traces = await jaeger.tracesOf("a.test fedtrace");
  expect(new Set(traces.map(({ traceID }) => traceID))).toEqual(new Set(ids));
});

describe("a Jaeger that ends", () => {
  it("costs no request anything, and spans that are counted", async () => {
    const { ask, a, b } = await startFederation();
    await ask("peer.test");
    await jaeger.stop();
    const startMs = performance.now();
    for (let request = 0; request < 20; request++) {
      expect(await ask("peer.test")).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    }
    expect(performance.now() - startMs).toBeLessThan(5000); // No request waits for an exporter.

    const dropped = await poll(() => droppedBy(a), GIVE_UP_MS);
    expect(dropped).toBeGreaterThan(0);
    expect(await Promise.all([a.stop(), b.stop()])).toEqual([0, 0]);
    expect(a.log().filter(({ msg }) => msg === "span export failing")).toHaveLength(1);
  });
});

/** A batch is tried six times, and given up after 31 s at most (src/export/backoff.ts). */
const GIVE_UP_MS = 60_000;

/** Spans that A counts as lost since its retries were used up; undefined while there are none. */
async function droppedBy({ port }: SpawnedSidecar): Promise<number | undefined> {
  const response = await fetch(`http://127.0.0.1:${port.admin}/metrics`);
  const series = 'fedtrace_spans_dropped_total{exporter="otlp[0]",reason="retries_exhausted"} ';
  const line = (await response.text()).split("\n").find((each) => each.startsWith(series));
  return line === undefined ? undefined : Number(line.slice(series.length));
}
