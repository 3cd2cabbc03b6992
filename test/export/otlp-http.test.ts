/**
 * createOtlpHttpExporter against a back end of node:http on a real socket, well-behaved or not.
 * Method: one server for all; a row says how it answers and what must come of it. No sleeps: a silent server is met with a
 * time limit of milliseconds.
 */

import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server as TcpServer,
  type Socket,
} from "node:net";
import { gunzipSync } from "node:zlib";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import { afterEach, describe, expect, it } from "vitest";
import { startBatchQueue } from "../../src/export/batch-queue.ts";
import { createOtlpEncoder } from "../../src/export/otlp-encode.ts";
import { createOtlpHttpExporter, type OtlpHttpOptions } from "../../src/export/otlp-http.ts";
import { fakeClock } from "../support/clock.ts";
import { createRecorder, exportOnce } from "./recorder.ts";
import { exampleSpan } from "./spans.ts";

const SPANS = [exampleSpan(), exampleSpan()];
const PROTOBUF = { "content-type": "application/x-protobuf" };

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  readonly remotePort: number | undefined;
}

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listen(server: TcpServer): Promise<string> {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => new Promise((resolve) => void server.close(() => resolve())));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
}

/** A back end that answers with `answer` after it has read the request. */
async function startBackEnd(
  answer: RequestListener,
): Promise<{ url: string; received: Received[]; server: Server }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat(await request.toArray());
      const { method, url, headers, socket } = request;
      received.push({ method, url, headers, body, remotePort: socket.remotePort });
      answer(request, response);
    })();
  });
  const url = await listen(server);
  cleanups.push(() => server.closeAllConnections());
  return { url, received, server };
}

function exporterFor(url: string, changes: Partial<OtlpHttpOptions> = {}): SpanExporter {
  const options = { url, headers: {}, isGzip: false, timeoutMs: 5000, ...changes };
  const exporter = createOtlpHttpExporter(options, fakeClock());
  cleanups.push(() => exporter.shutdown());
  return exporter;
}

describe("the request", () => {
  it("is one POST of the encoded batch, with the headers of the config", async () => {
    const { url, received } = await startBackEnd((_, response) => response.end());
    const exporter = exporterFor(url, { headers: { "X-Scope-OrgID": "tenant" } });
    expect(await exportOnce(exporter, SPANS)).toEqual({ isExported: true, rejectedSpans: 0 });
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({
      method: "POST",
      url: "/v1/traces",
      headers: {
        "content-type": "application/x-protobuf",
        "user-agent": "fedtrace",
        "x-scope-orgid": "tenant",
      },
      body: createOtlpEncoder()(SPANS),
    });
  });

  it("is compressed where the config says so", async () => {
    const { url, received } = await startBackEnd((_, response) => response.end());
    await exportOnce(exporterFor(url, { isGzip: true }), SPANS);
    expect(received[0]?.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(received[0]?.body ?? Buffer.alloc(0))).toEqual(createOtlpEncoder()(SPANS));
  });

  it("takes the connection of the one before", async () => {
    const { url, received } = await startBackEnd((_, response) => response.end());
    const exporter = exporterFor(url);
    await exportOnce(exporter, SPANS);
    await exportOnce(exporter, SPANS);
    expect(received[1]?.remotePort).toBe(received[0]?.remotePort);
  });

  it("goes out again, at once, where that connection was closed in the meantime", async () => {
    const sockets: Socket[] = [];
    const server = createTcpServer((socket) => {
      sockets.push(socket);
      const isFirst = sockets.length === 1;
      let requests = 0;
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => {
        if (!chunk.includes("POST ")) return;
        if (isFirst && ++requests > 1) socket.resetAndDestroy();
        else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      });
    });
    const exporter = exporterFor(await listen(server));
    await exportOnce(exporter, SPANS);
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isExported: true });
    expect(sockets).toHaveLength(2);
  });
});

describe("the answer", () => {
  it.each([
    { why: "200", status: 200, headers: PROTOBUF, body: [], outcome: { isExported: true, rejectedSpans: 0 } },
    { why: "202", status: 202, headers: {}, body: [], outcome: { isExported: true, rejectedSpans: 0 } },
    {
      why: "partial success",
      status: 200,
      headers: PROTOBUF,
      body: [0x0a, 2, 0x08, 1],
      outcome: { isExported: true, rejectedSpans: 1 },
    },
    {
      why: "success in another format: not read",
      status: 200,
      headers: { "content-type": "application/json" },
      body: [0x0a, 2, 0x08, 1],
      outcome: { isExported: true, rejectedSpans: 0 },
    },
    { why: "redirect", status: 308, headers: { location: "/" }, body: [], outcome: { isRetryable: false } },
    { why: "bad data", status: 400, headers: {}, body: [], outcome: { isRetryable: false } },
    { why: "not allowed", status: 401, headers: {}, body: [], outcome: { isRetryable: false } },
    {
      why: "time-out of the back end's",
      status: 408,
      headers: {},
      body: [],
      outcome: { isRetryable: false },
    },
    { why: "too many", status: 429, headers: {}, body: [], outcome: { isRetryable: true } },
    { why: "error", status: 500, headers: {}, body: [], outcome: { isRetryable: false } },
    { why: "bad gateway", status: 502, headers: {}, body: [], outcome: { isRetryable: true } },
    { why: "unavailable", status: 503, headers: {}, body: [], outcome: { isRetryable: true } },
    { why: "gateway time-out", status: 504, headers: {}, body: [], outcome: { isRetryable: true } },
    {
      why: "seconds to wait",
      status: 503,
      headers: { "retry-after": "7" },
      body: [],
      outcome: { isRetryable: true, retryAfterMs: 7000 },
    },
    {
      why: "a date to wait for",
      status: 429,
      headers: { "retry-after": "Thu, 01 Jan 2026 00:00:09 GMT" }, // The fake clock stands at 00:00:00.
      body: [],
      outcome: { isRetryable: true, retryAfterMs: 9000 },
    },
    {
      why: "a date that has passed",
      status: 429,
      headers: { "retry-after": "Thu, 01 Jan 2025 00:00:00 GMT" },
      body: [],
      outcome: { isRetryable: true, retryAfterMs: 0 },
    },
    {
      why: "a wait that isn't one",
      status: 503,
      headers: { "retry-after": "soon" },
      body: [],
      outcome: { isRetryable: true, retryAfterMs: undefined },
    },
  ])("$why ($status)", async ({ status, headers, body, outcome }) => {
    const { url } = await startBackEnd((_, response) => {
      response.writeHead(status, headers).end(Buffer.from(body));
    });
    expect(await exportOnce(exporterFor(url), SPANS)).toMatchObject(outcome);
  });

  it.each([
    { why: "at the bound is read", padding: 64 * 1024 - 4, rejectedSpans: 1 },
    { why: "past the bound is cut: the count behind it isn't read", padding: 64 * 1024, rejectedSpans: 0 },
  ])("$why", async ({ padding, rejectedSpans }) => {
    // Field 15, of the length that is left, then the partial success at the very end.
    const length = padding - 4;
    const head = [0x7a, (length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14];
    const answer = Buffer.concat([Buffer.from(head), Buffer.alloc(length), Buffer.from([0x0a, 2, 0x08, 1])]);
    const { url } = await startBackEnd((_, response) => response.writeHead(200, PROTOBUF).end(answer));
    expect(await exportOnce(exporterFor(url), SPANS)).toEqual({ isExported: true, rejectedSpans });
  });
});

it("reads no endless answer", async () => {
  const { url } = await startBackEnd((_, response) => {
    const talk = (): void => {
      while (response.write("x".repeat(1000)));
      response.once("drain", talk);
    };
    response.writeHead(200, PROTOBUF);
    talk();
  });
  expect(await exportOnce(exporterFor(url), SPANS)).toMatchObject({ isExported: true });
});

describe("a back end that isn't well", () => {
  it("is dead: tried again later", async () => {
    const { url, server } = await startBackEnd((_, response) => response.end());
    await new Promise((resolve) => server.close(resolve));
    expect(await exportOnce(exporterFor(url), SPANS)).toMatchObject({
      isRetryable: true,
      reason: "ECONNREFUSED",
    });
  });

  it.each([
    { why: "never answers", answer: () => undefined },
    {
      why: "never ends its answer",
      answer: ((_, response) => response.writeHead(200).write("x")) satisfies RequestListener,
    },
  ])("$why: the time limit ends it", async ({ answer }) => {
    const { url } = await startBackEnd(answer);
    expect(await exportOnce(exporterFor(url, { timeoutMs: 100 }), SPANS)).toMatchObject({
      isRetryable: true,
      reason: "no answer within 100 ms",
    });
  });

  it("closes in the middle of its answer: tried again later", async () => {
    const { url } = await startBackEnd((request, response) => {
      response.writeHead(200, { "content-length": 10 }).write("x", () => request.socket.destroy());
    });
    expect(await exportOnce(exporterFor(url), SPANS)).toMatchObject({ isExported: false, isRetryable: true });
  });

  it.each([
    {
      why: "switches protocols, unasked",
      answer: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
      outcome: { isExported: false, isRetryable: true, reason: "the connection was closed before an answer" },
    },
    {
      why: "sends 16 interim answers",
      answer: `${"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(16)}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n`,
      outcome: { isExported: true },
    },
    {
      why: "sends 17 interim answers",
      answer: `${"HTTP/1.1 100 Continue\r\n\r\n".repeat(17)}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n`,
      outcome: { isExported: false, isRetryable: true, reason: "no answer but interim ones" },
    },
  ])("$why", async ({ answer, outcome }) => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => undefined).once("data", () => socket.write(answer));
    });
    expect(await exportOnce(exporterFor(await listen(server)), SPANS)).toMatchObject(outcome);
  });

  it("speaks something else: tried again later", async () => {
    const server = createTcpServer((socket) => {
      socket
        .on("error", () => undefined)
        .resume()
        .end("SSH-2.0-x\r\n");
    });
    expect(await exportOnce(exporterFor(await listen(server)), SPANS)).toMatchObject({ isRetryable: true });
  });

  it("is given a header that can't be sent: final", async () => {
    const exporter = exporterFor("http://127.0.0.1:9/", { headers: { "x-a": "b\r\nc" } });
    expect(await exportOnce(exporter, SPANS)).toMatchObject({
      isRetryable: false,
      reason: "ERR_INVALID_CHAR",
    });
  });

  it("is given up at shutdown: an open request fails", async () => {
    const { url } = await startBackEnd(() => void exporter.shutdown());
    const exporter = exporterFor(url);
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isExported: false });
  });
});

describe("behind a queue", () => {
  it("gets every span to a back end that is unwell for a while", async () => {
    const answers = [503, 429, 200];
    const { url, received } = await startBackEnd((_, response) => {
      response.writeHead(answers.shift() ?? 200, { "retry-after": "0" }).end();
    });
    const { tools, counts, lines } = createRecorder();
    const queue = startBatchQueue(exporterFor(url), tools, { name: "otlp", batchSpans: 2 });
    for (const span of SPANS) queue.onEnd(span);
    await queue.stop(10_000);
    expect(received).toHaveLength(3);
    expect(counts).toEqual({ exported: 2 });
    expect(lines).toEqual(["warn span export failing (HTTP status 503)", "info span export recovered"]);
  });

  it("loses spans to a back end that is silent, and stops in time", async () => {
    const { url } = await startBackEnd(() => undefined);
    const { tools, counts } = createRecorder();
    const queue = startBatchQueue(exporterFor(url), tools, { name: "otlp", batchSpans: 1 });
    for (const span of SPANS) queue.onEnd(span);
    await queue.stop(100);
    expect(counts).toEqual({ shutdown: 2 });
  });
});
