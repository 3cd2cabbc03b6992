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
import { type Finished, runCli, temporaryDirectory } from "../support/cli.ts";
import { checkIn, refusedRunIn } from "../support/commands.ts";
import {
  type ConfigDocument,
  configText,
  inboundTo,
  type LogLine,
  type SpawnedSidecar,
  startSidecar,
} from "../support/sidecar.ts";
import { exchangeRaw, recordingUpstream } from "../support/wire.ts";

const REQUEST = "GET /_matrix/key/v2/server HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n\r\n";

/** One request through a sidecar with these exports, which has stopped, and so has sent all. @returns its log */
async function runWith(
  exports: readonly ConfigDocument[],
  environment: Readonly<Record<string, string>> = {},
): Promise<readonly LogLine[]> {
  const upstream = await recordingUpstream();
  onTestFinished(() => upstream.stop());
  const document = { inbound: inboundTo(upstream.port), ...(exports.length > 0 && { export: exports }) };
  const sidecar = await startSidecar(document, { environment });
  expect(await exchangeRaw(sidecar.port.inbound, REQUEST)).toMatch(/^HTTP\/1\.1 200 /);
  expect(await sidecar.stop()).toBe(0);
  return sidecar.log();
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

/** An agent that keeps what it is sent, the first of which can be waited for. */
async function startAgent(): Promise<{ readonly port: number; readonly first: Promise<Buffer> }> {
  const socket = createSocket("udp4");
  onTestFinished(() => void socket.close());
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const first = once(socket, "message").then(([packet]) => packet as Buffer);
  return { port: socket.address().port, first };
}

const FAILING = "span export failing";

function failingIn(log: readonly LogLine[]): readonly unknown[] {
  return log.flatMap(({ msg, exporter }) => (msg === FAILING ? [exporter] : []));
}

describe("spans go out", () => {
  // One sidecar for all ways: a start costs more than what it then sends.
  it("everywhere at once, whatever one of them does", async () => {
    const NAME = "GET /_matrix/key/v2/server";
    const grpc = await startGrpcBackEnd();
    const [compact, binary] = [await startAgent(), await startAgent()];
    const [collector, zipkin] = [await startHttpBackEnd(), await startHttpBackEnd()];
    const bad = join(temporaryDirectory(), "exporter.cjs");
    // A member that can't be seen from outside, as those of many bundles.
    writeFileSync(
      bad,
      "const all = {}; module.exports = all; all['Ba' + 'd'] = class { async export() { throw new Error('bad') } shutdown() { throw 1 } };",
    );
    const log = await runWith(
      [
        { module: bad },
        { otlp: { url: `http://127.0.0.1:${grpc.port}`, protocol: "grpc" } },
        { jaeger: { agent: `127.0.0.1:${compact.port}`, protocol: "compact" } },
        { jaeger: { agent: `127.0.0.1:${binary.port}`, protocol: "binary" } },
        { jaeger: { collector: `http://127.0.0.1:${collector.port}/api/traces` } },
        {
          module: {
            name: "@opentelemetry/exporter-zipkin",
            options: { url: "http://127.0.0.1:${PORT}/api/v2/spans" },
          },
        },
      ],
      { PORT: String(zipkin.port) },
    );
    expect(failingIn(log)).toEqual(["module[0]"]);

    expect(grpc.received, "by OTLP/gRPC").toHaveLength(1);
    expect(grpc.received[0]?.message.includes(NAME)).toBe(true);
    for (const [agent, first] of [[compact, 0x82] as const, [binary, 0x80] as const]) {
      const packet = await agent.first;
      expect(packet[0], "to a Jaeger agent, in its thrift").toBe(first);
      expect(packet.includes(NAME)).toBe(true);
    }
    expect(collector.bodies, "to a Jaeger collector").toHaveLength(1);
    expect(collector.bodies[0]?.includes(NAME)).toBe(true);
    expect(JSON.parse(String(zipkin.bodies[0])), "by a module, in the form of its own").toMatchObject([
      { kind: "SERVER", name: NAME, localEndpoint: { serviceName: "own.test fedtrace" } },
    ]);
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

/** By their own functions. */
const REFUSERS: readonly {
  readonly by: string;
  readonly refuse: (directory: string) => Promise<Finished>;
}[] = [
  { by: "check", refuse: checkIn },
  { by: "run", refuse: refusedRunIn },
];

describe.each(REFUSERS)("$by refuses a module with its place", ({ by, refuse }) => {
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
    const finished = await refuse(directory);
    expect(finished).toMatchObject({ status: 2, stdout: "" });
    const [line = "", ...more] = finished.stderr.trimEnd().split("\n");
    expect(line).toMatch(/^fedtrace\.yaml:(?:14:17|1[45]:\d+): export\[1\]\.module: /);
    expect(line).toContain(said);
    expect(more).toEqual([]);
  });

  it("as a program too", async () => {
    const directory = configWith("./exporter.mjs", { "exporter.mjs": TWO });
    const finished = await runCli([by, "--config", "fedtrace.yaml"], { directory });
    expect(finished.status).toBe(2);
    expect(finished).toEqual(await refuse(directory));
  });
});

describe("an exporter that can't be made", () => {
  const module = { name: "./exporter.mjs", options: { key: "hunter2" } };

  it("is a fault for check, without what the options hold", async () => {
    const directory = configWith(module, { "exporter.mjs": THROWS });
    const { status, stderr } = await checkIn(directory);
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

/** A module's file for each text. */
function filesOf(texts: readonly string[]): readonly { readonly module: string }[] {
  const directory = temporaryDirectory();
  return texts.map((text, index) => {
    const module = join(directory, `exporter-${index}.mjs`);
    writeFileSync(module, text);
    return { module };
  });
}

/** @returns a sidecar with these modules as its exporters, behind an upstream that answers */
async function startWithModules(texts: readonly string[]): Promise<SpawnedSidecar> {
  const upstream = await recordingUpstream();
  onTestFinished(() => upstream.stop());
  return startSidecar({ inbound: inboundTo(upstream.port), export: filesOf(texts) });
}

describe("whatever exporters keep open", () => {
  const texts = OPEN.map(({ text }) => text);

  it("check ends", async () => {
    const directory = temporaryDirectory();
    const document = { inbound: inboundTo(1), export: filesOf(texts) };
    writeFileSync(join(directory, "fedtrace.yaml"), configText(document));
    expect(await runCli(["check", "--config", "fedtrace.yaml"], { directory })).toMatchObject({
      status: 0,
      stdout: "fedtrace.yaml: valid\n",
      stderr: "",
    });
  });

  it("run ends", async () => {
    const sidecar = await startWithModules(texts);
    expect(await exchangeRaw(sidecar.port.inbound, REQUEST)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await sidecar.stop()).toBe(0);
  });
});

/** What an exporter does as it is asked; of all but the last, that it fails is told. */
const MISBEHAVING = [
  { why: "throws what has no text", body: "throw Object.create(null)" },
  { why: "fails with what has no text", body: "done({ code: 1, error: Object.create(null) })" },
  { why: "throws in a timer", body: "setTimeout(() => { throw new Error('boom') })" },
  { why: "ends the process", body: "process.exit(3)" },
  { why: "rejects unheard", body: "Promise.reject(new Error('stray')); done({ code: 1 })" },
  { why: "writes", body: "console.log('hello'); console.error('there'); done({ code: 1 })" },
  // Without burning a core meanwhile; one that does is in test/export/foreign-exporter.test.ts.
  {
    why: "never returns",
    body: "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
  },
];

it("whatever exporters do, traffic goes on, standard output is ours, and the stop is in time", async () => {
  const sidecar = await startWithModules(
    MISBEHAVING.map(({ body }) => `export class A { export(spans, done) { ${body} } ${SHUTDOWN_OK} }`),
  );
  expect(await exchangeRaw(sidecar.port.inbound, REQUEST)).toMatch(/^HTTP\/1\.1 200 /);
  const told = MISBEHAVING.slice(0, -1).map((_, index) => `module[${index}]`);
  await sidecar.untilLog((log) => new Set(failingIn(log)).size === told.length);
  expect(new Set(failingIn(sidecar.log()))).toEqual(new Set(told));
  expect(await exchangeRaw(sidecar.port.inbound, REQUEST)).toMatch(/^HTTP\/1\.1 200 /);
  expect(await sidecar.stop()).toBe(0);
  expect(sidecar.stdout).toEqual([expect.stringMatching(/^inbound listening on /), "ready"]);
  const dropped = sidecar.log().filter(({ msg }) => msg === "spans dropped at stop");
  expect(dropped.map(({ exporter }) => exporter)).toContain(`module[${MISBEHAVING.length - 1}]`);
});
