/**
 * Every way of `export` through the built program: what a sidecar of its own process sends to a back end of the test, and what
 * `check` and `run` say of modules that can't be used. Jaeger's own ports are in test/real.
 */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { startGrpcBackEnd } from "../export/grpc-back-end.ts";
import { runCli, temporaryDirectory } from "../support/cli.ts";
import {
  type ConfigDocument,
  configText,
  inboundTo,
  type SpawnedSidecar,
  startSidecar,
} from "../support/sidecar.ts";
import { exchangeRaw, recordingUpstream } from "../support/wire.ts";

const REQUEST = "GET /_matrix/key/v2/server HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n\r\n";

/** One request through a sidecar with these exports, which has stopped, and so has sent all. @returns its log */
async function runWith(
  exports: readonly ConfigDocument[],
  environment: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const upstream = await recordingUpstream();
  onTestFinished(() => upstream.stop());
  const document = { inbound: inboundTo(upstream.port), ...(exports.length > 0 && { export: exports }) };
  const sidecar = await startSidecar(document, { environment });
  expect(await exchangeRaw(sidecar.port.inbound, REQUEST)).toMatch(/^HTTP\/1\.1 200 /);
  expect(await sidecar.stop()).toBe(0);
  return sidecar.log().map(({ msg }) => msg);
}

/** An HTTP back end that takes everything. */
async function startHttpBackEnd(): Promise<{ readonly port: number; readonly bodies: readonly Buffer[] }> {
  const bodies: Buffer[] = [];
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      bodies.push(body);
      response.writeHead(202).end();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, bodies };
}

const FAILING = "span export failing";

describe("spans go out", () => {
  it("by OTLP/gRPC", async () => {
    const { port, received } = await startGrpcBackEnd();
    const log = await runWith([{ otlp: { url: `http://127.0.0.1:${port}`, protocol: "grpc" } }]);
    expect(received).toHaveLength(1);
    expect(received[0]?.message.includes("GET /_matrix/key/v2/server")).toBe(true);
    expect(log).not.toContain(FAILING);
  });

  it("by OTLP/gRPC as the environment says", async () => {
    const { port, received } = await startGrpcBackEnd();
    await runWith([], {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=a",
    });
    expect(received[0]?.metadata).toMatchObject({ "x-tenant": "a" });
  });

  it.each([
    { protocol: "compact", first: 0x82 },
    { protocol: "binary", first: 0x80 },
  ])("to a Jaeger agent in $protocol thrift", async ({ protocol, first }) => {
    const socket = createSocket("udp4");
    onTestFinished(() => void socket.close());
    const packets: Buffer[] = [];
    socket.on("message", (packet) => void packets.push(packet));
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    const got = once(socket, "message");
    await runWith([{ jaeger: { agent: `127.0.0.1:${socket.address().port}`, protocol } }]);
    await got;
    expect(packets[0]?.[0]).toBe(first);
    expect(packets[0]?.includes("GET /_matrix/key/v2/server")).toBe(true);
  });

  it("to a Jaeger collector", async () => {
    const { port, bodies } = await startHttpBackEnd();
    const log = await runWith([{ jaeger: { collector: `http://127.0.0.1:${port}/api/traces` } }]);
    expect(bodies).toHaveLength(1);
    expect(bodies[0]?.includes("GET /_matrix/key/v2/server")).toBe(true);
    expect(log).not.toContain(FAILING);
  });

  it("by a module, in the form of its own", async () => {
    const { port, bodies } = await startHttpBackEnd();
    const options = { url: `http://127.0.0.1:\${PORT}/api/v2/spans` };
    const log = await runWith([{ module: { name: "@opentelemetry/exporter-zipkin", options } }], {
      PORT: String(port),
    });
    expect(JSON.parse(String(bodies[0]))).toMatchObject([
      {
        kind: "SERVER",
        name: "GET /_matrix/key/v2/server",
        localEndpoint: { serviceName: "own.test fedtrace" },
      },
    ]);
    expect(log).not.toContain(FAILING);
  });

  it("everywhere at once, whatever one of them does", async () => {
    const { port, received } = await startGrpcBackEnd();
    const path = join(temporaryDirectory(), "exporter.cjs");
    // A member that can't be seen from outside, as those of many bundles.
    writeFileSync(
      path,
      "const all = {}; module.exports = all; all['Ba' + 'd'] = class { async export() { throw new Error('bad') } shutdown() { throw 1 } };",
    );
    const log = await runWith([
      { module: path },
      { otlp: { url: `http://127.0.0.1:${port}`, protocol: "grpc" } },
    ]);
    expect(received).toHaveLength(1);
    expect(log).toContain(FAILING);
  });
});

function configWith(module: unknown, files: Readonly<Record<string, string>> = {}): string {
  const directory = temporaryDirectory();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  const document = { inbound: inboundTo(1), export: [{ file: { path: "spans.jsonl" } }, { module }] };
  writeFileSync(join(directory, "fedtrace.yaml"), configText(document));
  return directory;
}

const TWO =
  "export class A { export() {} shutdown() {} } export class B { export() {} shutdown() {} } export const c = 1;";
const THROWS =
  "export class A { constructor({ key }) { throw new Error(`no ${key}`) } export() {} shutdown() {} }";

describe.each(["check", "run"])("%s refuses a module with its place", (command) => {
  it.each([
    {
      why: "that is not there",
      module: "not-installed-anywhere",
      files: {},
      said: "names a module that can't be found",
    },
    {
      why: "whose path is wrong",
      module: "./exporter.mjs",
      files: {},
      said: "names a module that can't be found",
    },
    {
      why: "that throws",
      module: "./exporter.mjs",
      files: { "exporter.mjs": "throw new Error('no luck')" },
      said: "can't be loaded (no luck); allowed: a module that Node can load",
    },
    {
      why: "with several exporters",
      module: "./exporter.mjs",
      files: { "exporter.mjs": TWO },
      said: "has several exporters; allowed: exporter: A, B",
    },
    {
      why: "with another class",
      module: { name: "./exporter.mjs", exporter: "C" },
      files: { "exporter.mjs": TWO },
      said: "has no class by the name in exporter; allowed: exporter: A, B",
    },
    {
      why: "without an exporter",
      module: "./exporter.mjs",
      files: { "exporter.mjs": "export const a = 1;" },
      said: "has no exporter; allowed: a module with a class that has export() and shutdown()",
    },
  ])("$why", async ({ module, files, said }) => {
    const directory = configWith(module, files);
    const finished = await runCli([command, "--config", "fedtrace.yaml"], { directory });
    expect(finished).toMatchObject({ status: 2, stdout: "" });
    const [line = "", ...more] = finished.stderr.trimEnd().split("\n");
    expect(line).toMatch(/^fedtrace\.yaml:(?:14:17|1[45]:\d+): export\[1\]\.module: /);
    expect(line).toContain(said);
    expect(more).toEqual([]);
  });
});

describe("an exporter that can't be made", () => {
  const module = { name: "./exporter.mjs", options: { key: "hunter2" } };

  it("is a fault for check, without what the options hold", async () => {
    const directory = configWith(module, { "exporter.mjs": THROWS });
    const { status, stderr } = await runCli(["check", "--config", "fedtrace.yaml"], { directory });
    expect(status).toBe(2);
    expect(stderr).toContain("export[1].module: A can't be made (no …); allowed: options that it takes");
    expect(stderr).not.toContain("hunter2");
  });

  it("ends a start", async () => {
    const directory = configWith(module, { "exporter.mjs": THROWS });
    const { status, stdout, stderr } = await runCli(["run", "--config", "fedtrace.yaml"], { directory });
    expect(status).toBe(2);
    expect(stdout).not.toContain("ready");
    expect(JSON.parse(stderr)).toMatchObject({
      msg: "cannot start",
      code: "CONFIG_INVALID",
      reason: "export[1].module: A can't be made (no …); allowed: options that it takes",
    });
    expect(stderr).not.toContain("hunter2");
  });
});

const EXPORT_OK = "export(spans, done) { done({ code: 0 }) }";
const SHUTDOWN_OK = "shutdown() { return Promise.resolve() }";

/** Modules that leave something open, which a process would wait for. */
const OPEN = [
  {
    why: "a timer until it is shut down",
    text: `export class A { constructor() { this.timer = setInterval(() => {}, 1000) } ${EXPORT_OK} shutdown() { clearInterval(this.timer) } }`,
  },
  {
    why: "a timer of the module",
    text: `setInterval(() => {}, 1000); export class A { ${EXPORT_OK} ${SHUTDOWN_OK} }`,
  },
  {
    why: "a timer, and never ends its shutdown()",
    text: `export class A { constructor() { setInterval(() => {}, 1000) } ${EXPORT_OK} shutdown() { return new Promise(() => {}) } }`,
  },
  {
    why: "a listener of its own",
    text: `import { createServer } from "node:net"; createServer().listen(0, "127.0.0.1"); export class A { ${EXPORT_OK} ${SHUTDOWN_OK} }`,
  },
];

it.each(OPEN)("check ends, where an exporter keeps open $why", async ({ text }) => {
  const directory = configWith("./exporter.mjs", { "exporter.mjs": text });
  expect(await runCli(["check", "--config", "fedtrace.yaml"], { directory })).toMatchObject({
    status: 0,
    stdout: "fedtrace.yaml: valid\n",
    stderr: "",
  });
});

/** @returns a sidecar whose one exporter is this module, behind an upstream that answers */
async function startWithModule(text: string): Promise<SpawnedSidecar> {
  const upstream = await recordingUpstream();
  onTestFinished(() => upstream.stop());
  const path = join(temporaryDirectory(), "exporter.mjs");
  writeFileSync(path, text);
  return startSidecar({ inbound: inboundTo(upstream.port), export: [{ module: path }] });
}

it.each(OPEN)("run ends, where an exporter keeps open $why", async ({ text }) => {
  const sidecar = await startWithModule(text);
  expect(await exchangeRaw(sidecar.port.inbound, REQUEST)).toMatch(/^HTTP\/1\.1 200 /);
  expect(await sidecar.stop()).toBe(0);
});

describe("traffic goes on, and standard output is ours, where an exporter", () => {
  it.each([
    { why: "throws what has no text", body: "throw Object.create(null)" },
    { why: "fails with what has no text", body: "done({ code: 1, error: Object.create(null) })" },
    { why: "throws in a timer", body: "setTimeout(() => { throw new Error('boom') })" },
    { why: "ends the process", body: "process.exit(3)" },
    { why: "rejects unheard", body: "Promise.reject(new Error('stray')); done({ code: 1 })" },
    { why: "writes", body: "console.log('hello'); console.error('there'); done({ code: 1 })" },
  ])("$why", async ({ body }) => {
    const sidecar = await startWithModule(
      `export class A { export(spans, done) { ${body} } ${SHUTDOWN_OK} }`,
    );
    expect(await exchangeRaw(sidecar.port.inbound, REQUEST)).toMatch(/^HTTP\/1\.1 200 /);
    await sidecar.untilLog((log) => log.some(({ msg }) => msg === FAILING));
    expect(await exchangeRaw(sidecar.port.inbound, REQUEST)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await sidecar.stop()).toBe(0);
    expect(sidecar.stdout).toEqual([expect.stringMatching(/^inbound listening on /), "ready"]);
  });

  it("never returns, and the stop is in time", async () => {
    const sidecar = await startWithModule(`export class A { export() { for (;;); } ${SHUTDOWN_OK} }`);
    expect(await exchangeRaw(sidecar.port.inbound, REQUEST)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await sidecar.stop()).toBe(0);
    expect(sidecar.log().map(({ msg }) => msg)).toContain("spans dropped at stop");
  });
});
