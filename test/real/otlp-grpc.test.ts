/**
 * OTLP/gRPC into a real Jaeger, read back from its query API: the sidecar's own spans over h2c, and the exporter's over TLS,
 * compressed, and in a batch that a receiver wouldn't take in one message.
 */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { createOtlpGrpcExporter, type OtlpGrpcOptions } from "../../src/export/otlp-grpc.ts";
import { SPAN_KIND_CLIENT } from "../../src/span/record.ts";
import { exportOnce } from "../export/recorder.ts";
import { CONTEXT, exampleSpan } from "../export/spans.ts";
import { inboundTo, startSidecar } from "../support/sidecar.ts";
import { exchangeRaw, recordingUpstream } from "../support/wire.ts";
import { findJaeger } from "./jaeger-binary.ts";
import { type Jaeger, startJaeger } from "./jaeger.ts";

/** Building Jaeger, where there is none, is a matter of minutes; it happens once. */
const BUILD_TIMEOUT_MS = 40 * 60_000;

/** For 127.0.0.1, and its own authority. */
const CERTIFICATE = resolve("test/fixtures/tls/server.pem");

let program: string;
beforeAll(async () => {
  program = await findJaeger();
}, BUILD_TIMEOUT_MS);

interface GrpcJaeger extends Jaeger {
  readonly plainUrl: string;
  readonly tlsUrl: string;
  readonly ca: Buffer;
}

async function startGrpcJaeger(): Promise<GrpcJaeger> {
  let ports: readonly number[] = [];
  const jaeger = await startJaeger(program, (free) => {
    ports = free;
    const [plain, tls] = free;
    return {
      "otlp/plain": { protocols: { grpc: { endpoint: `127.0.0.1:${plain}` } } },
      "otlp/tls": {
        protocols: {
          grpc: {
            endpoint: `127.0.0.1:${tls}`,
            tls: { cert_file: CERTIFICATE, key_file: resolve("test/fixtures/tls/server.key") },
          },
        },
      },
    };
  });
  onTestFinished(() => jaeger.stop());
  const [plain, tls] = ports;
  return {
    ...jaeger,
    plainUrl: `http://127.0.0.1:${plain}`,
    tlsUrl: `https://127.0.0.1:${tls}`,
    ca: readFileSync(CERTIFICATE),
  };
}

it("gets the sidecar's spans, with parents and tags", async () => {
  const jaeger = await startGrpcJaeger();
  const upstream = await recordingUpstream();
  onTestFinished(() => upstream.stop());
  const sidecar = await startSidecar({
    inbound: inboundTo(upstream.port),
    whitelist: ["peer\\.test"],
    export: [{ otlp: { url: jaeger.plainUrl, protocol: "grpc" } }],
  });
  const parent = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
  const head = [
    "GET /_matrix/federation/v1/version HTTP/1.1",
    "Host: own.test",
    "Connection: close",
    'Authorization: X-Matrix origin="peer.test",key="ed25519:1",sig="c2ln"',
    `traceparent: 00-${parent.traceId}-${parent.spanId}-01`,
  ];
  expect(await exchangeRaw(sidecar.port.inbound, `${head.join("\r\n")}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  expect(await sidecar.stop()).toBe(0);

  const { spans, processes } = await jaeger.traceOf(parent.traceId, 1);
  expect(spans).toHaveLength(1);
  expect(spans[0]).toMatchObject({
    operationName: "GET /_matrix/federation/v1/version",
    references: [{ refType: "CHILD_OF", traceID: parent.traceId, spanID: parent.spanId }],
  });
  expect(spans[0]?.tags).toContainEqual({ key: "fedtrace.context", type: "string", value: "extracted" });
  expect(processes[spans[0]?.processID ?? ""]?.serviceName).toBe("own.test fedtrace");
  expect(sidecar.log().filter(({ msg }) => msg.startsWith("span"))).toEqual([]);
});

it.each([
  { why: "plain", way: ({ plainUrl }: GrpcJaeger) => ({ url: plainUrl }), isGzip: false },
  { why: "plain and compressed", way: ({ plainUrl }: GrpcJaeger) => ({ url: plainUrl }), isGzip: true },
  { why: "over TLS", way: ({ tlsUrl, ca }: GrpcJaeger) => ({ url: tlsUrl, ca }), isGzip: false },
  {
    why: "over TLS and compressed",
    way: ({ tlsUrl, ca }: GrpcJaeger) => ({ url: tlsUrl, ca }),
    isGzip: true,
  },
])("takes a batch, $why", async ({ way, isGzip }) => {
  const jaeger = await startGrpcJaeger();
  const options: OtlpGrpcOptions = { headers: {}, timeoutMs: 10_000, isGzip, ...way(jaeger) };
  const exporter = createOtlpGrpcExporter(options);
  onTestFinished(() => exporter.shutdown());
  const child = exampleSpan({
    kind: SPAN_KIND_CLIENT,
    context: { ...CONTEXT, spanId: "aaaaaaaaaaaaaaaa" },
    parent: CONTEXT,
  });
  expect(await exportOnce(exporter, [exampleSpan(), child])).toEqual({ isExported: true, rejectedSpans: 0 });
  const { spans } = await jaeger.traceOf(CONTEXT.traceId, 2);
  expect(spans.find(({ spanID }) => spanID === "aaaaaaaaaaaaaaaa")?.references).toEqual([
    { refType: "CHILD_OF", traceID: CONTEXT.traceId, spanID: CONTEXT.spanId },
  ]);
});

it("takes a batch of 6 MiB, and of 5,000 spans", async () => {
  const jaeger = await startGrpcJaeger();
  const exporter = createOtlpGrpcExporter({
    url: jaeger.plainUrl,
    headers: {},
    timeoutMs: 10_000,
    isGzip: false,
  });
  onTestFinished(() => exporter.shutdown());
  const spanOf = (traceId: string, index: number, text: string) =>
    exampleSpan({
      context: { ...CONTEXT, traceId, spanId: `f${index.toString(16).padStart(15, "0")}` },
      attributes: { text },
    });
  const large = "1".repeat(32);
  const many = "2".repeat(32);
  const wide = Array.from({ length: 6 }, (_, index) => spanOf(large, index, "x".repeat(1024 * 1024)));
  const long = Array.from({ length: 5000 }, (_, index) => spanOf(many, index, "x".repeat(1000)));
  expect(await exportOnce(exporter, wide)).toEqual({ isExported: true, rejectedSpans: 0 });
  expect(await exportOnce(exporter, long)).toEqual({ isExported: true, rejectedSpans: 0 });
  expect((await jaeger.traceOf(large, 6)).spans).toHaveLength(6);
  expect((await jaeger.traceOf(many, 5000)).spans).toHaveLength(5000);
});

it("is told that a port speaks something else, and goes on", async () => {
  const jaeger = await startGrpcJaeger();
  const { origin } = new URL(jaeger.otlpUrl); // OTLP over HTTP.
  const exporter = createOtlpGrpcExporter({ url: origin, headers: {}, timeoutMs: 2000, isGzip: false });
  onTestFinished(() => exporter.shutdown());
  expect(await exportOnce(exporter, [exampleSpan()])).toMatchObject({ isExported: false });
});
