/**
 * Jaeger's legacy ways, read back from the real Jaeger: Thrift over UDP (compact and binary) and over HTTP, beside OTLP; and
 * Jaeger's retired client around us, in one trace.
 *
 * Method: the same spans go by OTLP and by a Thrift way to one Jaeger, in a trace of their own each. Its answers are compared
 * whole, but for the trace's id; a table holds what does differ, both ways and why.
 */

import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { createJaegerAgentExporter } from "../../src/export/jaeger-agent.ts";
import { createJaegerCollectorExporter } from "../../src/export/jaeger-collector.ts";
import { createOtlpHttpExporter } from "../../src/export/otlp-http.ts";
import type { TraceContext } from "../../src/propagation/context.ts";
import { SPAN_KIND_CLIENT, type SpanFields, SpanRecord } from "../../src/span/record.ts";
import { createResource } from "../../src/span/resource.ts";
import { exportOnce } from "../export/recorder.ts";
import { CONTEXT, exampleFields, ORIGIN } from "../export/spans.ts";
import { startInProcess } from "../support/in-process.ts";
import { createLegacyTracer } from "../support/jaeger-client.ts";
import { poll } from "../support/poll.ts";
import { exchangeRaw, OK_RESPONSE, recordingUpstream } from "../support/wire.ts";
import { type Jaeger, type JaegerSpan, startJaeger } from "./jaeger.ts";
import { findJaeger } from "./jaeger-binary.ts";

/** Building Jaeger, where there is none, is a matter of minutes; it happens once. */
const BUILD_TIMEOUT_MS = 40 * 60_000;

const SERVICE = "hs1.example fedtrace";

let program: string;
beforeAll(async () => {
  program = await findJaeger();
}, BUILD_TIMEOUT_MS);

let jaeger: Jaeger;
let port: Readonly<Record<"compact" | "binary" | "collector", number>>;
beforeEach(async () => {
  jaeger = await startJaeger(program, ([compact = 0, binary = 0, collector = 0]) => {
    port = { compact, binary, collector };
    const at = (number: number): object => ({ endpoint: `127.0.0.1:${number}` });
    // No socket_buffer_size: the system's default is what most agents out there have.
    const protocols = {
      thrift_compact: at(compact),
      thrift_binary: at(binary),
      thrift_http: at(collector),
    };
    return { jaeger: { protocols } };
  });
  return () => jaeger.stop();
});

const WAYS = ["otlp", "compact", "binary", "collector"] as const;
type Way = (typeof WAYS)[number];

function exporterOf(way: Way): SpanExporter {
  const exporter = createExporter(way);
  onTestFinished(() => exporter.shutdown());
  return exporter;
}

function createExporter(way: Way): SpanExporter {
  const clock = createSystemClock();
  const timeoutMs = 10_000;
  switch (way) {
    case "otlp":
      return createOtlpHttpExporter({ url: jaeger.otlpUrl, headers: {}, isGzip: false, timeoutMs }, clock);
    case "collector": {
      const url = `http://127.0.0.1:${port.collector}/api/traces`;
      return createJaegerCollectorExporter({ url, timeoutMs }, clock);
    }
    case "compact":
    case "binary":
      return createJaegerAgentExporter({ host: "127.0.0.1", port: port[way], protocol: way });
  }
}

const EXPORTED = { isExported: true, rejectedSpans: 0 };

/** What differs from row to row of a comparison; the rest is the same, in a trace of its own for each way. */
type SpanChanges = Partial<Pick<SpanFields, Exclude<keyof SpanFields, "name">>>;

const FIRST_MS = 1_795_355_012_345.678;
const OTHER: TraceContext = { ...CONTEXT, traceId: "1".repeat(32), spanId: "2".repeat(16) };
const PARENT_ID = "00f067aa0ba902b7";

function traceIdOf(way: Way): string {
  return (WAYS.indexOf(way) + 1).toString(16).padStart(32, "a");
}

function contextOf(way: Way, spanId: string): TraceContext {
  return { ...CONTEXT, traceId: traceIdOf(way), spanId };
}

function spanOf(way: Way, name: string, index: number, changes: SpanChanges): SpanRecord {
  const context = contextOf(way, index.toString(16).padStart(16, "b"));
  const resource = createResource({ "service.name": SERVICE, "process.pid": 42, "host.name": "hs1" });
  return new SpanRecord(
    { ...ORIGIN, resource },
    {
      ...exampleFields(),
      startUnixMs: FIRST_MS,
      parent: contextOf(way, PARENT_ID),
      ...changes,
      name,
      context: { ...context, traceState: changes.context?.traceState ?? "" },
    },
  );
}

/** Sends them and gives what Jaeger answers, in the order of the names, without what must differ from trace to trace. */
async function readBack(way: Way, spans: ReadableSpan[]): Promise<readonly JaegerSpan[]> {
  expect(await exportOnce(exporterOf(way), spans)).toEqual(EXPORTED);
  const trace = await jaeger.traceOf(traceIdOf(way), spans.length);
  const found = trace.spans
    .map((span) => ({ ...span, process: trace.processes[span.processID], processID: "" }))
    .sort((one, other) => (one.operationName < other.operationName ? -1 : 1));
  return JSON.parse(JSON.stringify(found).replaceAll(trace.traceID, "TRACE")) as readonly JaegerSpan[];
}

describe("the same span by OTLP and by Thrift", () => {
  const linkTo = (context: TraceContext) => ({ context, attributes: {} });
  const alike = (way: Way): Readonly<Record<string, SpanChanges>> => ({
    "an ordinary request": {},
    "a root, outbound": { parent: undefined, kind: SPAN_KIND_CLIENT },
    "an error with a code": { error: "UPSTREAM_TIMEOUT" },
    "an error by status": { error: "502", attributes: { "http.response.status_code": 502 } },
    "a link": { links: [linkTo(OTHER)] },
    "two links": { links: [linkTo(OTHER), linkTo({ ...OTHER, spanId: "3".repeat(16) })] },
    "a link of a root": { parent: undefined, links: [linkTo(OTHER)] },
    "a link of a root, within its trace": {
      parent: undefined,
      links: [linkTo(contextOf(way, "4".repeat(16)))],
    },
    "a link to the parent's id in another trace": { links: [linkTo({ ...OTHER, spanId: PARENT_ID })] },
    events: {
      events: [
        {
          name: "retry",
          unixMs: FIRST_MS + 1,
          attributes: { attempt: 2, delay: 0.5, last: false, why: "é" },
        },
        { name: "exception", unixMs: FIRST_MS + 2, attributes: { event: "own" } },
        { name: "", unixMs: FIRST_MS + 3, attributes: {} },
      ],
    },
    "a trace state": { context: { ...CONTEXT, traceState: "rojo=00f067aa0ba902b7,congo=t61" } },
    numbers: {
      attributes: {
        zero: 0,
        below: -1,
        exact: 2 ** 53 - 1,
        half: 1.5,
        int64: 2 ** 62,
        past: 2 ** 63,
        tiny: 5e-324,
      },
    },
    texts: {
      attributes: { empty: "", unicode: "ключ → 🔑", long: "x".repeat(1024), "a key": '\u0000\t"\\' },
    },
    "no attributes": { attributes: {} },
    "a fraction of a microsecond": { startUnixMs: FIRST_MS + 0.0009, endUnixMs: FIRST_MS + 1.0015 },
  });
  const spansOf = (way: Way): SpanRecord[] =>
    Object.entries(alike(way)).map(([name, changes], index) => spanOf(way, name, index + 1, changes));

  it.each(["compact", "binary", "collector"] as const)(
    "is answered alike, field by field: %s",
    async (way) => {
      const [expected, answer] = [await readBack("otlp", spansOf("otlp")), await readBack(way, spansOf(way))];
      expect(answer).toHaveLength(Object.keys(alike(way)).length);
      expect(answer).toEqual(expected);
    },
  );
});

/** Every difference that is left. The first is ours to want; the model has no place for the others, or Jaeger reads them so. */
describe("a difference between OTLP and Thrift", () => {
  interface Difference {
    readonly why: string;
    readonly changes?: (way: Way) => SpanChanges;
    /** Over the span's own: what only a foreign ReadableSpan has. */
    readonly foreign?: Partial<ReadableSpan>;
    readonly pick: (span: JaegerSpan) => unknown;
    readonly otlp: unknown;
    readonly thrift: unknown;
  }
  const tag = (key: string) => (span: JaegerSpan) => span.tags.find((one) => one.key === key)?.value;
  const DIFFERENCES: readonly Difference[] = [
    {
      why: "a link to the own parent turns CHILD_OF into FOLLOWS_FROM over OTLP: not sent by Thrift, the parent says it",
      changes: (way) => ({ links: [{ context: contextOf(way, PARENT_ID), attributes: {} }] }),
      pick: ({ references }) => references.map(({ refType, spanID }) => `${refType} ${spanID}`),
      otlp: [`FOLLOWS_FROM ${PARENT_ID}`],
      thrift: [`CHILD_OF ${PARENT_ID}`],
    },
    {
      why: "OpenTelemetry's mapping leaves the kind INTERNAL out; none of our spans has it",
      foreign: { kind: 0 },
      pick: tag("span.kind"),
      otlp: "internal",
      thrift: undefined,
    },
    {
      why: "what was dropped is a tag in OpenTelemetry's mapping; Jaeger doesn't show the field of OTLP",
      foreign: { droppedAttributesCount: 3 },
      pick: tag("otel.dropped_attributes_count"),
      otlp: undefined,
      thrift: 3,
    },
    {
      why: "without a status, Jaeger makes one of Thrift's old http.status_code; our spans have http.response.status_code",
      changes: () => ({ attributes: { "http.status_code": 500 } }),
      pick: tag("error"),
      otlp: undefined,
      thrift: true,
    },
    {
      why: "times are whole microseconds: what is left of a nanosecond is only in a warning about an empty span",
      changes: () => ({ startUnixMs: FIRST_MS, endUnixMs: FIRST_MS }),
      pick: (span) => /Original end timestamp: \S+ (\S+)/.exec(JSON.stringify(span))?.[1],
      otlp: "13:43:32.345677979",
      thrift: "13:43:32.345677",
    },
  ];

  it.each(["compact", "binary", "collector"] as const)("is one of those known: %s", async (way) => {
    const spansOf = (to: Way): ReadableSpan[] =>
      DIFFERENCES.map(({ changes, foreign = {} }, index) => {
        const span = spanOf(to, String(index), index + 1, changes?.(to) ?? {});
        const own = Object.entries(foreign).map(([key, value]) => [key, { value }] as const);
        return Object.create(span, Object.fromEntries(own)) as ReadableSpan;
      });
    const [overOtlp, overThrift] = [
      await readBack("otlp", spansOf("otlp")),
      await readBack(way, spansOf(way)),
    ];
    for (const [index, { why, pick, otlp, thrift }] of DIFFERENCES.entries()) {
      expect({ why, otlp: pick(overOtlp[index] as JaegerSpan) }).toEqual({ why, otlp });
      expect({ why, thrift: pick(overThrift[index] as JaegerSpan) }).toEqual({ why, thrift });
    }
  });
});

describe("5,000 spans at once over UDP, into a socket of the default size", () => {
  const TRACES = 10;
  const SPANS = 500;

  // No pace is slow enough for a receiver that the machine doesn't let run at all: that isn't what is tested.
  it.each(["compact", "binary"] as const)("all arrive: %s", { retry: 2 }, async (way) => {
    const exporter = exporterOf(way);
    const ids = Array.from({ length: TRACES }, (_, index) => index.toString(16).padStart(32, "c"));
    for (const traceId of ids) {
      const spans = Array.from({ length: SPANS }, (_, index) => {
        const context = { ...CONTEXT, traceId, spanId: (index + 1).toString(16).padStart(16, "0") };
        return new SpanRecord(ORIGIN, exampleFields({ context }));
      });
      expect(await exportOnce(exporter, spans)).toEqual(EXPORTED);
    }
    let kept = 0;
    await poll(async () => {
      const traces = await Promise.all(ids.map((id) => jaeger.findTrace(id)));
      kept = traces.reduce((sum, trace) => sum + (trace?.spans.length ?? 0), 0);
      return kept === TRACES * SPANS ? kept : undefined;
    }, 5000);
    expect(kept).toBe(TRACES * SPANS);
  });
});

describe("Jaeger's retired client before us, behind us and after us", () => {
  it.each([
    { ids: "64-bit ids", is128Bit: false, way: "compact" },
    { ids: "64-bit ids", is128Bit: false, way: "collector" },
    { ids: "128-bit ids", is128Bit: true, way: "binary" },
  ] as const)("is one trace with us, $ids, our spans by $way", async ({ is128Bit, way }) => {
    const tracerOf = (service: string) => createLegacyTracer({ service, is128Bit, agentPort: port.binary });
    const [peer, server, remote] = [tracerOf("peer"), tracerOf("server"), tracerOf("remote")];
    const request = peer.startSpan("ask");
    const traceId = request.context().traceIdStr.padStart(32, "0");

    let outboundPort = 0;
    const remoteServer = await recordingUpstream((head) => {
      remote.startSpan("answer", { childOf: remote.extract(head) }).finish();
      return OK_RESPONSE;
    });
    const ownServer = await recordingUpstream((head, socket) => {
      const span = server.startSpan("work", { childOf: server.extract(head) });
      const authority = `remote.test:${remoteServer.port}`;
      const lines = [`GET http://${authority}/x HTTP/1.1`, `Host: ${authority}`, ...server.inject(span)];
      void exchangeRaw(outboundPort, `${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`).then(() => {
        span.finish();
        socket.write(OK_RESPONSE);
      });
      return undefined;
    });
    const us = await startInProcess({
      inbound: {
        listen: "127.0.0.1:0",
        upstream: `http://127.0.0.1:${ownServer.port}`,
        authenticate: "claimed",
      },
      outbound: { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"] },
      whitelist: ["peer\\.test", "remote\\.test"],
    });
    outboundPort = us.port.outbound;
    onTestFinished(async () => {
      ownServer.stop();
      remoteServer.stop();
      await us.sidecar.stop();
    });

    const signature = 'Authorization: X-Matrix origin="peer.test",key="ed25519:a",sig="AA"';
    const head = [
      "GET /x HTTP/1.1",
      "Host: own.test",
      signature,
      ...peer.inject(request),
      "Connection: close",
    ];
    await exchangeRaw(us.port.inbound, `${head.join("\r\n")}\r\n\r\n`);
    request.finish();
    await Promise.all([peer.close(), server.close(), remote.close()]);
    expect(await exportOnce(exporterOf(way), [...(await us.spansOf(2))])).toEqual(EXPORTED);

    const { spans, processes } = await jaeger.traceOf(traceId, 5);
    const nameOf = ({ processID, operationName, tags }: JaegerSpan): string => {
      const direction = tags.find(({ key }) => key === "fedtrace.direction")?.value;
      if (typeof direction === "string") return `we, ${direction}`;
      return `${processes[processID]?.serviceName}: ${operationName}`;
    };
    const parentOf = ({ references }: JaegerSpan): string => {
      const parent = references.map(({ refType, spanID }) => {
        const found = spans.find((span) => span.spanID === spanID);
        return `${refType} ${found === undefined ? "nobody" : nameOf(found)}`;
      });
      return parent.join(", ");
    };
    expect(Object.fromEntries(spans.map((span) => [nameOf(span), parentOf(span)]))).toEqual({
      "peer: ask": "",
      "we, inbound": "CHILD_OF peer: ask",
      "server: work": "CHILD_OF we, inbound",
      "we, outbound": "CHILD_OF server: work",
      "remote: answer": "CHILD_OF we, outbound",
    });
  });
});
