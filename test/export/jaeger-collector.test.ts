/**
 * createJaegerCollectorExporter against a back end of node:http on a real socket.
 * The POST itself (time limits, stale connections, bounds of an answer) is shared with OTLP and held in otlp-http.test.ts.
 */

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import { afterEach, describe, expect, it } from "vitest";
import { createJaegerCollectorExporter } from "../../src/export/jaeger-collector.ts";
import { SpanRecord } from "../../src/span/record.ts";
import { createResource } from "../../src/span/resource.ts";
import { fakeClock } from "../support/clock.ts";
import { decodeBinaryBatch } from "./jaeger-decode.ts";
import { exportOnce } from "./recorder.ts";
import { exampleFields, exampleSpan, ORIGIN } from "./spans.ts";

const SPANS = [exampleSpan({ name: "a" }), exampleSpan({ name: "b" })];
const OTHER = new SpanRecord(
  { ...ORIGIN, resource: createResource({ "service.name": "other" }) },
  exampleFields({ name: "c" }),
);

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A back end that answers with one status after the other, the last one for good. */
async function startCollector(
  statuses: readonly number[],
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly url: string; readonly received: readonly Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void request.toArray().then((chunks: Buffer[]) => {
      const { method, url, headers: sent } = request;
      received.push({ method, url, headers: sent, body: Buffer.concat(chunks) });
      const status = statuses[Math.min(received.length, statuses.length) - 1] ?? 202;
      response.writeHead(status, headers).end();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => new Promise((resolve) => void server.close(() => resolve())));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/traces`, received };
}

function exporterFor(url: string, headers?: Readonly<Record<string, string>>): SpanExporter {
  const options = { url, timeoutMs: 5000, ...(headers === undefined ? {} : { headers }) };
  const exporter = createJaegerCollectorExporter(options, fakeClock());
  cleanups.push(() => exporter.shutdown());
  return exporter;
}

it("is one POST of a Batch, with the headers of the config", async () => {
  const { url, received } = await startCollector([202]);
  const exporter = exporterFor(url, { Authorization: "Basic dTpw" });
  expect(await exportOnce(exporter, SPANS)).toEqual({ isExported: true, rejectedSpans: 0 });
  expect(received).toHaveLength(1);
  expect(received[0]).toMatchObject({
    method: "POST",
    url: "/api/traces",
    headers: {
      "content-type": "application/vnd.apache.thrift.binary",
      "user-agent": "fedtrace",
      authorization: "Basic dTpw",
    },
  });
  const { process, spans } = decodeBinaryBatch(received[0]?.body ?? Buffer.alloc(0));
  expect(process.serviceName).toBe("hs1.example fedtrace");
  expect(spans.map(({ operationName }) => operationName)).toEqual(["a", "b"]);
});

describe("the answer", () => {
  it.each([
    { why: "Jaeger's success", status: 202, outcome: { isExported: true, rejectedSpans: 0 } },
    { why: "what it can't read", status: 400, outcome: { isExported: false, isRetryable: false } },
    { why: "another path", status: 404, outcome: { isExported: false, isRetryable: false } },
    { why: "its pipeline failed", status: 500, outcome: { isExported: false, isRetryable: false } },
    {
      why: "unavailable",
      status: 503,
      outcome: { isExported: false, isRetryable: true, reason: "HTTP status 503", retryAfterMs: 7000 },
    },
  ])("$why ($status)", async ({ status, outcome }) => {
    const { url } = await startCollector([status], { "retry-after": "7" });
    expect(await exportOnce(exporterFor(url), SPANS)).toMatchObject(outcome);
  });
});

describe("several resources", () => {
  const serviceOf = ({ body }: Received): string => decodeBinaryBatch(body).process.serviceName;

  it("are a POST each", async () => {
    const { url, received } = await startCollector([202]);
    expect(await exportOnce(exporterFor(url), [...SPANS, OTHER])).toMatchObject({ isExported: true });
    expect(received.map(serviceOf)).toEqual(["hs1.example fedtrace", "other"]);
  });

  it("end with the first that fails", async () => {
    const { url, received } = await startCollector([503, 202]);
    expect(await exportOnce(exporterFor(url), [...SPANS, OTHER])).toMatchObject({ isRetryable: true });
    expect(received.map(serviceOf)).toEqual(["hs1.example fedtrace"]);
  });
});

it("rejects a span over the bound, and sends the others", async () => {
  const { url, received } = await startCollector([202]);
  const big = exampleSpan({ name: "big", attributes: { long: "x".repeat(4 * 1024 * 1024) } });
  const outcome = await exportOnce(exporterFor(url), [...SPANS, big]);
  expect(outcome).toEqual({ isExported: true, rejectedSpans: 1 });
  const names = received.flatMap(({ body }) =>
    decodeBinaryBatch(body).spans.map((span) => span.operationName),
  );
  expect(names).toEqual(["a", "b"]);
});

it("fails for good where a span can't be encoded", async () => {
  const { url, received } = await startCollector([202]);
  const broken = Object.create(exampleSpan(), {
    attributes: { value: { list: [1n] } }, // No JSON for it; the API's type forbids it, a foreign span may not care.
  }) as SpanRecord;
  expect(await exportOnce(exporterFor(url), [broken])).toMatchObject({
    isExported: false,
    isRetryable: false,
    reason: expect.stringContaining("BigInt") as string,
  });
  expect(received).toEqual([]);
});
