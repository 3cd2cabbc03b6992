/**
 * Exporters by module: which class is taken, and that nothing that a foreign class does gets further than an outcome.
 * Method: modules written for a row, in a directory of their own, each in a real thread of dist/foreign-worker.js; what a module
 * saw it writes into a file. The real @opentelemetry/exporter-zipkin against an HTTP server that keeps what it is sent.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  type ForeignExporterOptions,
  tryExporterModule,
} from "../../src/export/foreign-exporter.ts";
import type { ExporterModule } from "../../src/export/foreign-message.ts";
import { createLazyExporter } from "../../src/export/lazy-exporter.ts";
import { SPAN_KIND_CLIENT } from "../../src/span/record.ts";
import { createRecorder, exportOnce } from "./recorder.ts";
import { CONTEXT, exampleSpan } from "./spans.ts";

const TWO = resolve("test/golden/config/modules/two.mjs");
const SPANS = [exampleSpan(), exampleSpan()];
const POLL = { timeout: 10_000 };
const NO_TEXT = "something that is no text was thrown";

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

async function exporterOf(
  module: ExporterModule,
  options: ForeignExporterOptions = {},
): Promise<SpanExporter> {
  const made = await createForeignExporter(module, options);
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
    const mark = join(directory, "shut-down");
    const text = `import { writeFileSync } from "node:fs";
      export class Own { constructor(o) { this.o = o } export() {} shutdown() { writeFileSync(this.o.mark, "") } }`;
    expect(await tryExporterModule(moduleOf(text, { options: { mark } }))).toBeUndefined();
    expect(existsSync(mark)).toBe(true);
  });

  it.each([
    {
      why: "waits for what never comes",
      text: "await new Promise(() => {});",
      reason: "no answer within 500 ms",
      loadTimeoutMs: 500,
    },
    { why: "never returns", text: "for (;;);", reason: "no answer within 500 ms", loadTimeoutMs: 500 },
    { why: "ends the process", text: "process.exit(3);", reason: "its thread ended (exit code 3)" },
    {
      why: "throws in a timer while it waits",
      text: "setTimeout(() => { throw new Error('boom') }); await new Promise(() => {});",
      reason: "its thread ended (boom)",
    },
  ])("is refused where its module $why", async ({ text, reason, loadTimeoutMs = 10_000 }) => {
    const refused = `can't be loaded (${reason}); allowed: a module that Node can load`;
    const module = moduleOf(`${text} ${exporterWith("")}`);
    expect(await checkExporterModule(module, { loadTimeoutMs })).toBe(refused);
    expect(await tryExporterModule(module, { loadTimeoutMs })).toBe(refused);
  });

  it.each([
    { why: "keeps a timer", text: `setInterval(() => {}, 1000); ${exporterWith("")}` },
    {
      why: "never ends its shutdown()",
      text: exporterWith("").replace("return Promise.resolve()", "return new Promise(() => {})"),
    },
    { why: "never returns from it", text: exporterWith("").replace("return Promise.resolve()", "for (;;);") },
  ])("passes and is gone where its module $why", async ({ text }) => {
    expect(await checkExporterModule(moduleOf(text))).toBeUndefined();
    expect(await tryExporterModule(moduleOf(text))).toBeUndefined();
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
      why: "it throws what has no text",
      text: exporterWith("throw Object.create(null)"),
      outcome: { ...final, reason: NO_TEXT },
    },
    {
      why: "its error has no text",
      text: exporterWith("done({ code: 1, error: Object.create(null) })"),
      outcome: { ...final, reason: NO_TEXT },
    },
    {
      why: "its error throws when it is read",
      text: exporterWith(
        "const error = new Error(); Object.defineProperty(error, 'message', { get() { throw 1 } }); done({ code: 1, error })",
      ),
      outcome: { ...final, reason: NO_TEXT },
    },
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

  it("a span that it changes is its own", async () => {
    const span = exampleSpan();
    const before = structuredClone(span.fields);
    const body =
      "for (const s of spans) { s.fields.attributes.evil = 1; s.fields.links.push(1); } done({ code: 0 })";
    expect(await exportOnce(await exporterOf(moduleOf(exporterWith(body))), [span])).toMatchObject({
      isExported: true,
    });
    expect(span.fields).toEqual(before);
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

/** A class whose first export() of all, by a file, has this body; later ones succeed. */
function failingOnce(body: string): { readonly module: ExporterModule; readonly starts: () => number } {
  const mark = join(directory, `mark-${modules}`);
  const text = `import { appendFileSync, readFileSync } from "node:fs";
    appendFileSync(${JSON.stringify(mark)}, "x");
    const isFirst = readFileSync(${JSON.stringify(mark)}).length === 1;
    ${exporterWith(`if (!isFirst) return done({ code: 0 }); ${body}`)}`;
  return { module: moduleOf(text), starts: () => readFileSync(mark, "utf8").length };
}

const ENDS = [
  {
    why: "throws in a timer",
    body: "setTimeout(() => { throw new Error('boom') })",
    reason: "its thread ended (boom)",
  },
  {
    why: "throws what has no text in a timer",
    body: "setTimeout(() => { throw Object.create(null) })",
    reason: expect.stringMatching(/^its thread ended \(.+\)$/) as string,
  },
  { why: "ends the process", body: "process.exit(3)", reason: "its thread ended (exit code 3)" },
  { why: "never returns", body: "for (;;);", reason: "no answer within 500 ms", batchTimeoutMs: 500 },
  { why: "never calls back", body: "", reason: "no answer within 500 ms", batchTimeoutMs: 500 },
  {
    why: "waits where nothing wakes it",
    body: "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
    reason: "no answer within 500 ms",
    batchTimeoutMs: 500,
  },
];

describe("one that ends or hangs", () => {
  it.each(ENDS)(
    "costs a try, and works again: it $why",
    async ({ body, reason, batchTimeoutMs = 30_000 }) => {
      const { module, starts } = failingOnce(body);
      const exporter = await exporterOf(module, { batchTimeoutMs, firstRestMs: 1 });
      expect(await exportOnce(exporter, SPANS)).toMatchObject({
        isExported: false,
        isRetryable: true,
        reason,
      });
      await expect.poll(() => exportOnce(exporter, SPANS), POLL).toMatchObject({ isExported: true });
      expect(starts()).toBe(2);
    },
  );

  it.each([
    { why: "up to 8 MiB", mebibytes: 8, outcome: { isExported: true } },
    {
      why: "more than 8 MiB",
      mebibytes: 9,
      outcome: { isExported: false, isRetryable: true, reason: "it wrote more than 8388608 bytes" },
    },
  ])("writes $why while it is asked", async ({ mebibytes, outcome }) => {
    const write = `process.stdout.write("x".repeat(${mebibytes} * 2 ** 20), () => done({ code: 0 }))`;
    expect(await exportOnce(await exporterOf(moduleOf(exporterWith(write))), SPANS)).toMatchObject(outcome);
  });

  it("costs a try: it eats its memory", async () => {
    const { module } = failingOnce("const kept = []; for (;;) kept.push(new Array(1000).fill({}));");
    const exporter = await exporterOf(module);
    expect(await exportOnce(exporter, SPANS)).toMatchObject({
      isRetryable: true,
      reason: "its thread ended (Worker terminated due to reaching memory limit: JS heap out of memory)",
    });
  });

  it("goes on after a rejection that nobody hears", async () => {
    const { module, starts } = failingOnce("Promise.reject(new Error('stray')); done({ code: 0 })");
    const exporter = await exporterOf(module);
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isExported: true });
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isExported: true });
    expect(starts()).toBe(1);
  });

  it("rests before it is started again, longer each time, and says for how long", async () => {
    const { module, starts } = failingOnce("process.exit(3)");
    const exporter = await exporterOf(module, { firstRestMs: 20_000 });
    const refused = { isRetryable: true, reason: "its thread ended (exit code 3)", retryAfterMs: 20_000 };
    expect(await exportOnce(exporter, SPANS)).toMatchObject(refused);
    expect(await exportOnce(exporter, SPANS)).toMatchObject(refused);
    expect(starts()).toBe(1);
    const text = exporterWith("process.exit(3)");
    const dying = await exporterOf(moduleOf(text), { firstRestMs: 1 });
    const waits = new Set<number | undefined>();
    await expect
      .poll(async () => {
        const outcome = await exportOnce(dying, SPANS);
        if (!outcome.isExported) waits.add(outcome.retryAfterMs);
        return [...waits];
      }, POLL)
      .toEqual([1, 2, 4, 8, 16]);
  });

  it("behind a queue, loses no span, and is told of once", async () => {
    const { module } = failingOnce("process.exit(3)");
    const { tools, counts, lines } = createRecorder();
    const exporter = await exporterOf(module, { firstRestMs: 1 });
    const queue = startBatchQueue(exporter, tools, { name: "module", batchSpans: 2 });
    for (const span of SPANS) queue.onEnd(span);
    await queue.stop(10_000);
    expect(counts).toEqual({ exported: 2 });
    expect(lines).toEqual([
      "warn span export failing (its thread ended (exit code 3))",
      "info span export recovered",
    ]);
  });

  it("is gone in time at shutdown, with a batch open, and takes no more", async () => {
    const exporter = await exporterOf(moduleOf(exporterWith("for (;;);")));
    const open = exportOnce(exporter, SPANS);
    await exporter.shutdown();
    expect(await open).toMatchObject({ isExported: false });
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ reason: "it was shut down" });
  });
});

it("what it writes is handed over cut, without what its options hold", async () => {
  const pieces: string[] = [];
  const text = exporterWith(
    "console.log('key hunter2'); process.stderr.write('x'.repeat(5000)); done({ code: 0 })",
  );
  const exporter = await exporterOf(moduleOf(text, { options: { key: "hunter2" } }), {
    onOutput: (piece) => pieces.push(piece),
  });
  await exportOnce(exporter, SPANS);
  await expect.poll(() => pieces, POLL).toEqual(["key … ", "x".repeat(200)]);
});

it("sees whole spans, whose resource is one object in all batches", async () => {
  const seen = join(directory, "seen");
  const text = `import { writeFileSync } from "node:fs"; ${exporterWith(`
    const [s, { resource }] = spans; this.last ??= resource;
    writeFileSync(${JSON.stringify(seen)}, JSON.stringify({ isSame: s.resource === resource && resource === this.last,
      merged: resource.merge({ attributes: { m: 1 } }).attributes, raw: resource.getRawAttributes(), name: s.name, parent: s.parentSpanContext,
      kind: s.kind, context: s.spanContext(), start: s.startTime, end: s.endTime, duration: s.duration, status: s.status,
      ended: s.ended, attributes: s.attributes, links: s.links, events: s.events, scope: s.instrumentationScope,
      dropped: s.droppedLinksCount }));
    done({ code: 0 });`)}`;
  const exporter = await exporterOf(moduleOf(text));
  const links = [{ context: { ...CONTEXT, traceState: "a=1" }, attributes: { a: 1 } }];
  const events = [{ name: "e", unixMs: 1.5, attributes: { b: true } }];
  const span = exampleSpan({ links, events, error: "UPSTREAM_TIMEOUT" });
  for (let batch = 0; batch < 2; batch++) await exportOnce(exporter, [span, exampleSpan()]);
  const { resource } = span;
  const told = JSON.stringify({
    isSame: true,
    merged: { ...resource.attributes, m: 1 },
    raw: resource.getRawAttributes(),
    name: span.name,
    parent: span.parentSpanContext,
    kind: span.kind,
    context: span.spanContext(),
    start: span.startTime,
    end: span.endTime,
    duration: span.duration,
    status: span.status,
    ended: span.ended,
    attributes: span.attributes,
    links: span.links,
    events: span.events,
    scope: span.instrumentationScope,
    dropped: 0,
  });
  expect(JSON.parse(readFileSync(seen, "utf8"))).toEqual(JSON.parse(told));
});

describe("while its code is loaded", () => {
  it("a batch waits", async () => {
    const loading = exporterOf(moduleOf(exporterWith("done({ code: 0 })")));
    expect(await exportOnce(createLazyExporter(loading), SPANS)).toMatchObject({ isExported: true });
  });

  it("and throws: the batch fails for good", async () => {
    const thrown: unknown[] = [new Error("bad"), Object.create(null)];
    const exporter = createLazyExporter(
      Promise.resolve({
        export() {
          throw thrown.shift();
        },
        shutdown: () => Promise.resolve(),
      }),
    );
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isRetryable: false, reason: "Error: bad" });
    expect(await exportOnce(exporter, SPANS)).toMatchObject({ isRetryable: false });
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
