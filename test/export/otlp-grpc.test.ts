/**
 * createOtlpGrpcExporter against @grpc/grpc-js, and against a bare HTTP/2 server for what that never does.
 * Method: real sockets on port 0; a row says how the back end answers and what must come of it. No sleeps: a silent back
 * end is met with a time limit of milliseconds.
 */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { promisify } from "node:util";
import { ServerCredentials, status } from "@grpc/grpc-js";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import { build } from "esbuild";
import { describe, expect, it, onTestFinished } from "vitest";
import { startBatchQueue } from "../../src/export/batch-queue.ts";
import { createOtlpEncoder } from "../../src/export/otlp-encode.ts";
import { createOtlpGrpcExporter, type OtlpGrpcOptions } from "../../src/export/otlp-grpc.ts";
import { answerWith, type GrpcRequest, startBareBackEnd, startGrpcBackEnd } from "./grpc-back-end.ts";
import { createRecorder, exportOnce } from "./recorder.ts";
import { exampleSpan } from "./spans.ts";

const SPANS = [exampleSpan(), exampleSpan()];

function exporterFor(port: number, changes: Partial<OtlpGrpcOptions> = {}): SpanExporter {
  const options = {
    url: `http://127.0.0.1:${port}`,
    headers: {},
    isGzip: false,
    timeoutMs: 5000,
    ...changes,
  };
  const exporter = createOtlpGrpcExporter(options);
  onTestFinished(() => exporter.shutdown());
  return exporter;
}

describe("the call", () => {
  it("is the encoded batch, with the headers of the config as metadata and a deadline", async () => {
    const { port, received } = await startGrpcBackEnd();
    const exporter = exporterFor(port, { headers: { "x-scope-orgid": "tenant", te: "gzip" } });
    const beforeMs = Date.now();
    expect(await exportOnce(exporter, SPANS)).toEqual({ isExported: true, rejectedSpans: 0 });
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({
      message: createOtlpEncoder()(SPANS),
      metadata: { "x-scope-orgid": "tenant", "user-agent": "fedtrace" },
    });
    const { deadlineMs } = received[0] ?? { deadlineMs: 0 };
    expect(deadlineMs).toBeGreaterThanOrEqual(beforeMs + 5000);
    expect(deadlineMs).toBeLessThan(Date.now() + 6000);
  });

  it("goes to the method's own path, whatever the URL's", async () => {
    const { port } = await startGrpcBackEnd();
    const url = `http://127.0.0.1:${port}/v1/traces?a=b`;
    expect(await exportOnce(exporterFor(port, { url }), SPANS)).toMatchObject({ isExported: true });
  });

  it("is compressed where the config says so", async () => {
    const { port, received } = await startGrpcBackEnd();
    expect(await exportOnce(exporterFor(port, { isGzip: true }), SPANS)).toMatchObject({ isExported: true });
    expect(received[0]?.message).toEqual(createOtlpEncoder()(SPANS)); // grpc-js has decompressed it.
    expect(received[0]?.metadata["grpc-encoding"] ?? "gone").toMatch(/gzip|gone/);
  });

  it("says so in its frame and its header", async () => {
    let frame: Buffer | undefined;
    let encoding: unknown;
    const { port, server } = await startBareBackEnd((stream) => answerWith(stream, 0));
    server.on("stream", (stream, headers) => {
      encoding = headers["grpc-encoding"];
      stream.once("data", (chunk: Buffer) => {
        frame = chunk;
      });
    });
    await exportOnce(exporterFor(port, { isGzip: true }), SPANS);
    expect([frame?.[0], encoding]).toEqual([1, "gzip"]);
  });

  it("takes the connection of the one before", async () => {
    const { port, received } = await startGrpcBackEnd();
    const exporter = exporterFor(port);
    await exportOnce(exporter, SPANS);
    await exportOnce(exporter, SPANS);
    expect(received.map(({ peer }) => peer)).toEqual([received[0]?.peer, received[0]?.peer]);
  });
});

describe("TLS", () => {
  const key = readFileSync("test/fixtures/tls/server.key");
  const cert = readFileSync("test/fixtures/tls/server.pem");

  it("verifies the back end with the roots of the config, and sends nothing without them", async () => {
    const credentials = ServerCredentials.createSsl(null, [{ private_key: key, cert_chain: cert }]);
    const { port, received } = await startGrpcBackEnd(undefined, credentials);
    const url = `https://127.0.0.1:${port}`;
    expect(await exportOnce(exporterFor(port, { url, ca: cert }), SPANS)).toMatchObject({ isExported: true });
    expect(await exportOnce(exporterFor(port, { url }), SPANS)).toMatchObject({
      isRetryable: true,
      reason: "DEPTH_ZERO_SELF_SIGNED_CERT",
    });
    expect(received).toHaveLength(1);
  });
});

/** google.rpc.Status with one detail. */
function statusDetails(typeUrl: string, value: readonly number[]): Buffer {
  const url = [...Buffer.from(typeUrl)];
  const any = [0x0a, url.length, ...url, 0x12, value.length, ...value];
  return Buffer.from([0x08, 8, 0x12, 1, 0x78, 0x1a, any.length, ...any]);
}
const RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo";

describe("the answer", () => {
  it.each([
    { name: "OK", outcome: { isExported: true, rejectedSpans: 0 } },
    { name: "CANCELLED", outcome: { isRetryable: true } },
    { name: "UNKNOWN", outcome: { isRetryable: false } },
    { name: "INVALID_ARGUMENT", outcome: { isRetryable: false } },
    { name: "DEADLINE_EXCEEDED", outcome: { isRetryable: true } },
    { name: "NOT_FOUND", outcome: { isRetryable: false } },
    { name: "ALREADY_EXISTS", outcome: { isRetryable: false } },
    { name: "PERMISSION_DENIED", outcome: { isRetryable: false } },
    { name: "RESOURCE_EXHAUSTED", outcome: { isRetryable: false } },
    { name: "FAILED_PRECONDITION", outcome: { isRetryable: false } },
    { name: "ABORTED", outcome: { isRetryable: true } },
    { name: "OUT_OF_RANGE", outcome: { isRetryable: true } },
    { name: "UNIMPLEMENTED", outcome: { isRetryable: false } },
    { name: "INTERNAL", outcome: { isRetryable: false } },
    { name: "UNAVAILABLE", outcome: { isRetryable: true } },
    { name: "DATA_LOSS", outcome: { isRetryable: true } },
    { name: "UNAUTHENTICATED", outcome: { isRetryable: false } },
  ] as const)("$name", async ({ name, outcome }) => {
    const { port, received } = await startGrpcBackEnd(() => ({ code: status[name] }));
    const reason = name === "OK" ? {} : { reason: `gRPC status ${name}` };
    expect(await exportOnce(exporterFor(port), SPANS)).toMatchObject({ ...outcome, ...reason });
    expect(received).toHaveLength(1);
  });

  it.each([
    { why: "of 3 rejected, all of 2", body: [0x0a, 2, 0x08, 3], rejectedSpans: 3 },
    { why: "a warning", body: [0x0a, 3, 0x12, 1, 0x78], rejectedSpans: 0 },
    { why: "not a message", body: [0xff, 0xff], rejectedSpans: 0 },
  ])("partial success: $why", async ({ body, rejectedSpans }) => {
    const { port } = await startGrpcBackEnd(() => ({ message: Buffer.from(body) }));
    expect(await exportOnce(exporterFor(port), SPANS)).toEqual({ isExported: true, rejectedSpans });
  });

  it.each([
    {
      why: "7 s",
      code: 8,
      details: statusDetails(RETRY_INFO, [0x0a, 2, 0x08, 7]),
      isRetryable: true,
      ms: 7000,
    },
    {
      why: "1.5 s, of a code that is retryable anyway",
      code: 14,
      details: statusDetails(RETRY_INFO, [0x0a, 8, 0x08, 1, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01]),
      isRetryable: true,
      ms: 1500,
    },
    { why: "no delay", code: 8, details: statusDetails(RETRY_INFO, []), isRetryable: true, ms: undefined },
    {
      why: "a delay of nothing: our own back-off",
      code: 8,
      details: statusDetails(RETRY_INFO, [0x0a, 0]),
      isRetryable: true,
      ms: undefined,
    },
    {
      why: "another detail",
      code: 8,
      details: statusDetails("type.googleapis.com/google.rpc.QuotaFailure", [0x0a, 2, 0x08, 7]),
      isRetryable: false,
      ms: undefined,
    },
    {
      why: "bytes that are no detail",
      code: 8,
      details: Buffer.from([0x1a, 99]),
      isRetryable: false,
      ms: undefined,
    },
    {
      why: "a code that is final all the same",
      code: 3,
      details: statusDetails(RETRY_INFO, [0x0a, 2, 0x08, 7]),
      isRetryable: false,
      ms: 7000,
    },
  ])("RetryInfo: $why", async ({ code, details, isRetryable, ms }) => {
    const { port } = await startGrpcBackEnd(() => ({
      code,
      trailers: { "grpc-status-details-bin": details },
    }));
    expect(await exportOnce(exporterFor(port), SPANS)).toMatchObject({ isRetryable, retryAfterMs: ms });
  });

  it.each([
    { why: "trailers alone, OK", headers: { "grpc-status": "0" }, outcome: { isExported: true } },
    { why: "trailers alone, not OK", headers: { "grpc-status": "14" }, outcome: { isRetryable: true } },
    {
      why: "a status that is none",
      headers: { "grpc-status": "99" },
      outcome: { reason: "gRPC status UNKNOWN" },
    },
    { why: "a status that is no number", headers: { "grpc-status": "" }, outcome: { isRetryable: false } },
    { why: "HTTP without gRPC", headers: {}, outcome: { isRetryable: false } },
    { why: "HTTP 400", headers: { ":status": 400 }, outcome: { isRetryable: false } },
    { why: "HTTP 404", headers: { ":status": 404 }, outcome: { isRetryable: false } },
    { why: "HTTP 429", headers: { ":status": 429 }, outcome: { isRetryable: true } },
    { why: "HTTP 500", headers: { ":status": 500 }, outcome: { isRetryable: false } },
    { why: "HTTP 502", headers: { ":status": 502 }, outcome: { isRetryable: true } },
    { why: "HTTP 503", headers: { ":status": 503 }, outcome: { isRetryable: true } },
    { why: "HTTP 504", headers: { ":status": 504 }, outcome: { isRetryable: true } },
  ])("$why", async ({ headers, outcome }) => {
    const { port } = await startBareBackEnd((stream) => {
      stream.respond({ ":status": 200, ...headers }, { endStream: true });
    });
    expect(await exportOnce(exporterFor(port), SPANS)).toMatchObject(outcome);
  });

  it.each([
    { why: "at the bound is read", length: 64 * 1024 - 9, rejectedSpans: 1, outcome: { isExported: true } },
    { why: "past the bound is refused", length: 64 * 1024 - 8, outcome: { isRetryable: false } },
  ])("$why", async ({ length, outcome }) => {
    // Field 15, of the length that is left, then the partial success at the very end; five bytes are gRPC's own.
    const body = length - 4;
    const head = [0x7a, (body & 0x7f) | 0x80, ((body >> 7) & 0x7f) | 0x80, body >> 14];
    const message = Buffer.concat([Buffer.from(head), Buffer.alloc(body), Buffer.from([0x0a, 2, 0x08, 1])]);
    const { port } = await startGrpcBackEnd(() => ({ message }));
    const rejected = outcome.isExported === true ? { rejectedSpans: 1 } : {};
    expect(await exportOnce(exporterFor(port), SPANS)).toMatchObject({ ...outcome, ...rejected });
  });

  it("is not read when it is compressed, which nobody asked for", async () => {
    const { port } = await startBareBackEnd((stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.from([1, 0, 0, 0, 4, 0x0a, 2, 0x08, 1]));
    });
    expect(await exportOnce(exporterFor(port), SPANS)).toEqual({ isExported: true, rejectedSpans: 0 });
  });

  it("is not waited for to its end when it is endless", async () => {
    const { port } = await startBareBackEnd((stream) => {
      const talk = (): void => {
        while (!stream.destroyed && stream.write("x".repeat(1000)));
        stream.once("drain", talk);
      };
      stream.respond({ ":status": 200 });
      talk();
    });
    expect(await exportOnce(exporterFor(port), SPANS)).toMatchObject({
      isRetryable: false,
      reason: "gRPC status RESOURCE_EXHAUSTED",
    });
  });

  it("counts when it comes before the call is read", async () => {
    const { port, server } = await startBareBackEnd(() => undefined);
    server.on("stream", (stream) => {
      stream.pause();
      stream.respond({ ":status": 200, "grpc-status": "7" }, { endStream: true });
    });
    const spans = Array.from({ length: 2000 }, () => exampleSpan());
    expect(await exportOnce(exporterFor(port), spans)).toMatchObject({
      reason: "gRPC status PERMISSION_DENIED",
    });
  });
});

describe("a batch over 4 MiB", () => {
  const large = (mebibytes: number) =>
    exampleSpan({ attributes: { text: "x".repeat(mebibytes * 1024 * 1024) } });
  const BATCH = [large(1), large(1), large(1), large(1), large(1), exampleSpan()];
  const PARTS = [
    [0, 3],
    [3, 6],
  ].map(([from, to]) => ({ name: `${from}-${to}`, bytes: createOtlpEncoder()(BATCH.slice(from, to)) }));

  /** Which of the batch's spans a message is; megabytes are not for an assertion to print. */
  function partOf({ message }: GrpcRequest): string {
    return PARTS.find(({ bytes }) => bytes.equals(message))?.name ?? "something else";
  }

  it.each([
    { why: "at the bound: one call", over: 0, calls: 1 },
    { why: "a byte over it: two", over: 1, calls: 2 },
  ])("$why", async ({ over, calls }) => {
    const { port, received } = await startGrpcBackEnd();
    const padded = (characters: number) => [
      exampleSpan({ attributes: { text: "x".repeat(characters) } }),
      exampleSpan(),
    ];
    const roughly = 4_000_000; // Of the lengths' own bytes, none is added from here on.
    const missing = 4 * 1024 * 1024 - createOtlpEncoder()(padded(roughly)).length;
    const batch = padded(roughly + missing + over);
    expect(await exportOnce(exporterFor(port), batch)).toEqual({ isExported: true, rejectedSpans: 0 });
    expect(received).toHaveLength(calls);
  });

  it("goes in several calls, each of which a receiver takes", async () => {
    const { port, received } = await startGrpcBackEnd(); // Its own bound is 4 MiB.
    expect(await exportOnce(exporterFor(port), BATCH)).toEqual({ isExported: true, rejectedSpans: 0 });
    expect(received.map(partOf)).toEqual(["0-3", "3-6"]);
  });

  it("loses a span that is too large by itself, and no other", async () => {
    const { port, received } = await startGrpcBackEnd();
    const batch = [exampleSpan(), large(5), exampleSpan()];
    expect(await exportOnce(exporterFor(port), batch)).toEqual({ isExported: true, rejectedSpans: 1 });
    expect(received).toHaveLength(2);
  });

  it("goes on where it failed, when it is given again", async () => {
    const codes = [0, 14, 0];
    const { port, received } = await startGrpcBackEnd(() => ({ code: codes.shift() ?? 0 }));
    const exporter = exporterFor(port);
    expect(await exportOnce(exporter, BATCH)).toMatchObject({ isExported: false, isRetryable: true });
    expect(await exportOnce(exporter, BATCH)).toEqual({ isExported: true, rejectedSpans: 0 });
    expect(received.map(partOf)).toEqual(["0-3", "3-6", "3-6"]);
    await exportOnce(exporter, BATCH); // What is done is forgotten.
    expect(received).toHaveLength(5);
  });
});

describe("a connection that is lost", () => {
  it("by GOAWAY: the next call has one of its own, and nothing is sent twice", async () => {
    const { port, sessions } = await startBareBackEnd((stream, index, [first]) => {
      if (index === 0) first?.goaway(0);
      answerWith(stream, 0);
    });
    const exporter = exporterFor(port);
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isExported: true });
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isExported: true });
    expect(sessions).toHaveLength(2);
  });

  it("by GOAWAY in the middle of a call that was not taken up: sent again, at once", async () => {
    const { port, sessions } = await startBareBackEnd((stream, index, [first]) => {
      if (index === 1)
        first?.goaway(0, 1); // The stream of the call before was the last one.
      else answerWith(stream, 0);
    });
    const exporter = exporterFor(port);
    await exportOnce(exporter, SPANS);
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isExported: true });
    expect(sessions).toHaveLength(2);
  });

  it("just as the next call goes out: sent again, at once", async () => {
    const { port, sessions } = await startBareBackEnd((stream, index, [first]) => {
      if (index === 1) first?.destroy();
      else answerWith(stream, 0);
    });
    const exporter = exporterFor(port);
    await exportOnce(exporter, SPANS);
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isExported: true });
    expect(sessions).toHaveLength(2);
  });

  it("with the first call on it: the queue's to try again", async () => {
    const { port, sessions } = await startBareBackEnd((_, __, [first]) => first?.destroy());
    expect(await exportOnce(exporterFor(port), SPANS)).toMatchObject({
      isExported: false,
      isRetryable: true,
    });
    expect(sessions).toHaveLength(1);
  });

  it("in the middle of an answer: the queue's to try again, for it was taken up", async () => {
    const { port, sessions } = await startBareBackEnd((stream, index) => {
      if (index === 0) return answerWith(stream, 0);
      stream.respond({ ":status": 200 });
      stream.write("x", () => stream.session?.destroy());
    });
    const exporter = exporterFor(port);
    await exportOnce(exporter, SPANS);
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isExported: false, isRetryable: true });
    expect(sessions).toHaveLength(1);
  });
});

describe("a back end that isn't well", () => {
  it("is dead: tried again later, and found again", async () => {
    const { port, server } = await startBareBackEnd((stream) => answerWith(stream, 0));
    await new Promise((resolve) => server.close(resolve));
    const exporter = exporterFor(port);
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isRetryable: true, reason: "ECONNREFUSED" });
    await new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", resolve));
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isExported: true });
  });

  it("never answers: the time limit ends it, and the next call has a connection of its own", async () => {
    const { port, sessions } = await startBareBackEnd((stream, index) => {
      if (index === 1) answerWith(stream, 0);
    });
    const exporter = exporterFor(port, { timeoutMs: 1000 });
    expect(await exportOnce(exporter, SPANS)).toMatchObject({
      isRetryable: true,
      reason: "no answer within 1000 ms",
    });
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isExported: true });
    expect(sessions).toHaveLength(2);
  });

  it.each([
    { interimAnswers: 16, outcome: { isExported: true } },
    {
      interimAnswers: 17,
      outcome: { isExported: false, isRetryable: true, reason: "no answer but interim ones" },
    },
  ])("sends $interimAnswers interim answers", async ({ interimAnswers, outcome }) => {
    const { port } = await startBareBackEnd((stream) => {
      for (let sent = 0; sent < interimAnswers; sent++) stream.additionalHeaders({ ":status": 103 });
      answerWith(stream, status.OK);
    });
    expect(await exportOnce(exporterFor(port), SPANS)).toMatchObject(outcome);
  });

  it("takes the connection and says nothing, not even HTTP/2: the time limit ends it", async () => {
    const server = createTcpServer((socket) => void socket.on("error", () => undefined).resume());
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    expect(await exportOnce(exporterFor(port, { timeoutMs: 100 }), SPANS)).toMatchObject({
      isRetryable: true,
    });
  });

  it("speaks HTTP/1.1: tried again later", async () => {
    const server = createHttpServer((_, response) => response.end());
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    expect(await exportOnce(exporterFor(port), SPANS)).toMatchObject({
      isExported: false,
      isRetryable: true,
    });
  });

  it("is given a header that can't be sent: final", async () => {
    const { port } = await startGrpcBackEnd();
    const exporter = exporterFor(port, { headers: { connection: "close" } });
    expect(await exportOnce(exporter, SPANS)).toMatchObject({
      isRetryable: false,
      reason: "ERR_HTTP2_INVALID_CONNECTION_HEADERS",
    });
  });

  it("is given up at shutdown: an open call fails", async () => {
    const { port } = await startGrpcBackEnd(() => void exporter.shutdown());
    const exporter = exporterFor(port);
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isExported: false });
  });
});

describe("behind a queue", () => {
  it("gets every span to a back end that is unwell for a while", async () => {
    const codes = [status.UNAVAILABLE, status.ABORTED, status.OK];
    const details = statusDetails(RETRY_INFO, [0x0a, 2, 0x10, 1]);
    const { port, received } = await startGrpcBackEnd(() => ({
      code: codes.shift() ?? status.OK,
      trailers: { "grpc-status-details-bin": details },
    }));
    const { tools, counts, lines } = createRecorder();
    const queue = startBatchQueue(exporterFor(port), tools, { name: "otlp", batchSpans: 2 });
    for (const span of SPANS) queue.onEnd(span);
    await queue.stop(10_000);
    expect(received).toHaveLength(3);
    expect(counts).toEqual({ exported: 2 });
    expect(lines).toEqual([
      "warn span export failing (gRPC status UNAVAILABLE)",
      "info span export recovered",
    ]);
  });
});

it("doesn't keep the process alive with the connection it keeps", async () => {
  const { port } = await startGrpcBackEnd();
  const script = `
    const { createGrpcClient } = await import("./src/export/grpc-client.ts");
    const client = createGrpcClient({ url: "http://127.0.0.1:${port}", timeoutMs: 5000 });
    const keep = setInterval(() => {}, 1000);
    const path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    const reply = await client.call({ path, metadata: {}, message: Buffer.alloc(0), isGzip: false });
    clearInterval(keep);
    console.log(reply.isAnswered);`;
  const made = await build({
    stdin: { contents: script, resolveDir: "." },
    bundle: true,
    platform: "node",
    format: "esm",
    write: false,
  });
  const args = ["--input-type=module", "-e", made.outputFiles[0]?.text ?? ""];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 10_000 });
  expect(stdout).toBe("true\n");
});
