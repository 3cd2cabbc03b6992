/**
 * Exporters by module: which class is taken, and that nothing that a foreign class does gets further than an outcome.
 * Method: modules written for a row, in a directory of their own; the real @opentelemetry/exporter-zipkin against an
 * HTTP server that keeps what it is sent.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { json } from "node:stream/consumers";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { resolveModule } from "../../src/config/module-path.ts";
import { startBatchQueue } from "../../src/export/batch-queue.ts";
import {
  checkExporterModule,
  createForeignExporter,
  type ExporterModule,
  tryExporterModule,
} from "../../src/export/foreign-exporter.ts";
import { createLazyExporter } from "../../src/export/lazy-exporter.ts";
import { SPAN_KIND_CLIENT } from "../../src/span/record.ts";
import { createRecorder, exportOnce } from "./recorder.ts";
import { CONTEXT, exampleSpan } from "./spans.ts";

const TWO = resolve("test/golden/config/modules/two.mjs");
const SPANS = [exampleSpan(), exampleSpan()];

const directory = mkdtempSync(join(tmpdir(), "fedtrace-exporter-"));
afterAll(() => rmSync(directory, { recursive: true }));
let modules = 0;

/** A module with this text; each has a file of its own, since Node loads a file once. */
function moduleOf(
  text: string,
  changes: Partial<ExporterModule> & { readonly extension?: string } = {},
): ExporterModule {
  const { extension = "mjs", ...rest } = changes;
  const path = join(directory, `module-${modules++}.${extension}`);
  writeFileSync(path, text);
  return { path, exporter: undefined, options: {}, ...rest };
}

async function exporterOf(module: ExporterModule): Promise<SpanExporter> {
  const made = await createForeignExporter(module);
  if ("refused" in made) throw new Error(made.refused);
  onTestFinished(() => made.shutdown().catch(() => undefined));
  return made;
}

/** A class whose export() has this body. */
function exporterWith(body: string, method = "export"): string {
  return `export class Own { ${method}(spans, done) { ${body} } shutdown() { return Promise.resolve(); } }`;
}

describe("the class", () => {
  it.each([
    {
      why: "is the only one that is an exporter",
      module: moduleOf(`${exporterWith("")}\nexport class Other {}`),
    },
    { why: "is the one that is named", module: { path: TWO, exporter: "Second", options: {} } },
    { why: "is named by another name of it", module: { path: TWO, exporter: "Renamed", options: {} } },
    { why: "is the default export", module: moduleOf(`${exporterWith("")}\nexport { Own as default };`) },
    {
      why: "is what a CommonJS module is",
      module: moduleOf(`module.exports = ${exporterWith("").slice(7)}`, { extension: "cjs" }),
    },
    {
      why: "is a member of a CommonJS module that can't be seen from outside",
      module: moduleOf(
        `const all = {}; ${exporterWith("").slice(7)}; all["O" + "wn"] = Own; module.exports = all;`,
        {
          extension: "cjs",
        },
      ),
    },
    {
      why: "has its methods from its constructor, and is named",
      module: moduleOf(
        "export class Own { export = (spans, done) => done({ code: 0 }); shutdown = async () => {}; }",
        { exporter: "Own" },
      ),
    },
  ])("$why", async ({ module }) => {
    expect(await checkExporterModule(module)).toBeUndefined();
    expect(await tryExporterModule(module)).toBeUndefined();
  });

  it.each([
    {
      why: "several",
      module: { path: TWO, exporter: undefined, options: {} },
      refused: "has several exporters; allowed: exporter: First, Second",
    },
    {
      why: "several, and another name",
      module: { path: TWO, exporter: "Third", options: {} },
      refused: "has no class by the name in exporter; allowed: exporter: First, Second",
    },
    {
      why: "a name of something else",
      module: { path: TWO, exporter: "text", options: {} },
      refused: "has no class by the name in exporter; allowed: exporter: First, Second",
    },
    {
      why: "none",
      module: moduleOf("export const text = 1; export function export_() {}"),
      refused: "has no exporter; allowed: a module with a class that has export() and shutdown()",
    },
    {
      why: "a module that throws",
      module: moduleOf("throw new Error('no\\nluck')"),
      refused: "can't be loaded (no luck); allowed: a module that Node can load",
    },
    {
      why: "a module that is no JavaScript",
      module: moduleOf("not javascript"),
      refused: expect.stringMatching(/^can't be loaded \(/) as string,
    },
    {
      why: "a module that lacks one of its own",
      module: moduleOf("import 'not-installed-anywhere';"),
      refused: expect.stringMatching(
        /^can't be loaded \(Cannot find package 'not-installed-anywhere'/,
      ) as string,
    },
  ])("is refused where there is: $why", async ({ module, refused }) => {
    expect(await checkExporterModule(module)).toEqual(refused);
    expect(await createForeignExporter(module)).toEqual({ refused });
  });

  it.each([
    {
      why: "the constructor throws, and its message holds an option",
      module: moduleOf(
        "export class Own { constructor({ url }) { throw new Error(`bad ${url}`) } export() {} shutdown() {} }",
        { options: { url: "http://key@host" } },
      ),
      refused: "Own can't be made (bad …); allowed: options that it takes",
    },
    {
      why: "what it makes is no exporter",
      module: moduleOf("export class Own {}", { exporter: "Own" }),
      refused: "Own makes something without export() and shutdown(); allowed: a SpanExporter",
    },
  ])("is found, but not made: $why", async ({ module, refused }) => {
    expect(await checkExporterModule(module)).toBeUndefined();
    expect(await tryExporterModule(module)).toBe(refused);
  });

  it("is given options that it may change", async () => {
    const text =
      "export class Own { constructor(o) { o.headers.a = 'b'; if (o.hasOwnProperty('list')) this.o = o; }" +
      " export(spans, done) { done({ code: 1, error: new Error(JSON.stringify(this.o)) }); } shutdown() {} }";
    const options = Object.freeze({ headers: Object.freeze({}), list: Object.freeze([1, true]) });
    const exporter = await exporterOf(moduleOf(text, { options }));
    expect(await exportOnce(exporter, SPANS)).toMatchObject({
      reason: '{"headers":{"a":"b"},"list":[1,true]}',
    });
  });

  it("is shut down after it was only tried", async () => {
    const text =
      `${exporterWith("").replace("return Promise.resolve()", "globalThis[this.o.mark] = true")}`.replace(
        "class Own {",
        "class Own { constructor(o) { this.o = o }",
      );
    expect(await tryExporterModule(moduleOf(text, { options: { mark: "isShutDown" } }))).toBeUndefined();
    expect(Reflect.get(globalThis, "isShutDown")).toBe(true);
    Reflect.deleteProperty(globalThis, "isShutDown");
  });
});

describe("what it does ends as an outcome", () => {
  const final = { isExported: false, isRetryable: false };
  it.each([
    {
      why: "success",
      text: exporterWith("done({ code: 0 })"),
      outcome: { isExported: true, rejectedSpans: 0 },
    },
    {
      why: "failure",
      text: exporterWith("done({ code: 1, error: new Error('x') })"),
      outcome: { ...final, reason: "x" },
    },
    {
      why: "failure without a reason",
      text: exporterWith("done({ code: 1 })"),
      outcome: { ...final, reason: "no reason given" },
    },
    {
      why: "an error that is none",
      text: exporterWith("done({ code: 1, error: 'x' })"),
      outcome: { ...final, reason: "x" },
    },
    { why: "a result that is none", text: exporterWith("done()"), outcome: final },
    { why: "null", text: exporterWith("done(null)"), outcome: final },
    { why: "it throws", text: exporterWith("throw new Error('x')"), outcome: { ...final, reason: "x" } },
    {
      why: "it throws nothing",
      text: exporterWith("throw undefined"),
      outcome: { ...final, reason: "undefined" },
    },
    {
      why: "it rejects",
      text: exporterWith("throw new Error('x')", "async export"),
      outcome: { ...final, reason: "x" },
    },
    {
      why: "twice: the first counts",
      text: exporterWith("done({ code: 0 }); done({ code: 1 })"),
      outcome: { isExported: true },
    },
    {
      why: "then it throws",
      text: exporterWith("done({ code: 0 }); throw new Error('x')"),
      outcome: { isExported: true },
    },
  ])("$why", async ({ text, outcome }) => {
    expect(await exportOnce(await exporterOf(moduleOf(text)), SPANS)).toMatchObject(outcome);
  });

  it("a message holds no option of four characters or more", async () => {
    const text = exporterWith("done({ code: 1, error: new Error('key hunter2, abc') })");
    const exporter = await exporterOf(
      moduleOf(text, { options: { nested: [{ key: "hunter2" }], short: "abc" } }),
    );
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ reason: "key …, abc" });
  });

  it("an array that it empties is its own", async () => {
    const batch = [...SPANS];
    await exportOnce(await exporterOf(moduleOf(exporterWith("spans.length = 0; done({ code: 0 })"))), batch);
    expect(batch).toHaveLength(2);
  });

  it("behind a queue, one that never calls back costs its spans and no more", async () => {
    const { tools, counts } = createRecorder();
    const exporter = await exporterOf(moduleOf(exporterWith("")));
    const queue = startBatchQueue(exporter, tools, { name: "module", batchSpans: 1 });
    for (const span of SPANS) queue.onEnd(span);
    await queue.stop(50);
    expect(counts).toEqual({ shutdown: 2 });
  });

  it("behind a queue, one that can't close costs nothing", async () => {
    const text = exporterWith("done({ code: 0 }); done({ code: 0 })").replace(
      "return Promise.resolve()",
      "throw 1",
    );
    const { tools, counts } = createRecorder();
    const made = await createForeignExporter(moduleOf(text));
    if ("refused" in made) throw new Error(made.refused);
    const queue = startBatchQueue(made, tools, { name: "module", batchSpans: 1 });
    for (const span of SPANS) queue.onEnd(span);
    await queue.stop(5000);
    expect(counts).toEqual({ exported: 2 });
  });
});

describe("while its code is loaded", () => {
  it("a batch waits", async () => {
    const loading = exporterOf(moduleOf(exporterWith("done({ code: 0 })")));
    expect(await exportOnce(createLazyExporter(loading), SPANS)).toMatchObject({ isExported: true });
  });

  it("and can't be: every batch fails for good", async () => {
    const exporter = createLazyExporter(Promise.reject(new Error("gone")));
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isRetryable: false, reason: "Error: gone" });
    await expect(exporter.shutdown()).rejects.toThrow("gone");
  });
});

it("is the real Zipkin exporter: parents, kinds and tags arrive", async () => {
  const received: unknown[] = [];
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      received.push(...(body as unknown[]));
      response.writeHead(202).end();
    });
  });
  await new Promise<void>((listening) => void server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v2/spans`;

  const path = resolveModule("@opentelemetry/exporter-zipkin", "/") ?? "none";
  const exporter = await exporterOf({ path, exporter: undefined, options: { url } });
  const server_ = exampleSpan();
  const client = exampleSpan({
    kind: SPAN_KIND_CLIENT,
    context: { ...CONTEXT, spanId: "aaaaaaaaaaaaaaaa" },
    parent: CONTEXT,
    error: "500",
  });
  expect(await exportOnce(exporter, [server_, client])).toEqual({ isExported: true, rejectedSpans: 0 });
  expect(received).toMatchObject([
    {
      traceId: CONTEXT.traceId,
      id: CONTEXT.spanId,
      parentId: "00f067aa0ba902b7",
      kind: "SERVER",
      name: "PUT /_matrix/federation/v1/send/{txnId}",
      localEndpoint: { serviceName: "hs1.example fedtrace" },
      tags: {
        "fedtrace.direction": "inbound",
        "http.response.status_code": "200",
        "fedtrace.whitelisted": "true",
      },
    },
    {
      id: "aaaaaaaaaaaaaaaa",
      parentId: CONTEXT.spanId,
      kind: "CLIENT",
      tags: { "otel.status_code": "ERROR" },
    },
  ]);
});
