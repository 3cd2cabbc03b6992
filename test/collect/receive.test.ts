/** The way in over HTTP: what is acknowledged, what is refused with which status and word, and that floods stay bounded. */

import { once } from "node:events";
import { Agent } from "node:http";
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import type { ReportStore } from "../../src/collect/report-store.ts";
import { fakeClock } from "../support/clock.ts";
import {
  type Asked,
  ask,
  type CollectorSettings,
  fedtraceDocument,
  NOW,
  PUSH,
  send,
  startTestCollector,
  synapseDocument,
  temporaryStore,
} from "../support/collect.ts";

const EVERYTHING = { since: 0, until: NOW * 2, instance: undefined, after: undefined, max: 1000 };

describe("takes", () => {
  it.each([
    { document: synapseDocument(), asked: { method: "PUT" }, why: "Synapse's PUT" },
    { document: synapseDocument(), asked: { method: "POST" }, why: "a POST" },
    { document: fedtraceDocument(), asked: {}, why: "a sidecar's" },
    {
      document: synapseDocument(),
      asked: { headers: { "content-type": "application/json; charset=utf-8" } },
      why: "a type with its charset",
    },
    {
      document: synapseDocument(),
      asked: { headers: { "content-encoding": "identity" } },
      why: "no encoding",
    },
    {
      document: synapseDocument(),
      asked: { headers: { host: "stats.example" } },
      why: "any Host: it is not read",
    },
    { document: synapseDocument(), asked: { path: `${PUSH}?a=1` }, why: "a query that means nothing" },
    {
      document: synapseDocument(),
      asked: { headers: { expect: "100-continue" } },
      why: "who waits to be asked",
    },
  ])("$why", async ({ document, asked }) => {
    const { port, store } = await startTestCollector();
    expect(await send(port, document, asked)).toMatchObject({ status: 200, body: "{}\n" });
    expect(await store.readPage(EVERYTHING)).toHaveLength(1);
    expect(await send(port, document, asked)).toMatchObject({ status: 200, body: "{}\n" });
    expect(await store.readPage(EVERYTHING)).toHaveLength(1);
  });

  it("a body that waits to be asked for", async () => {
    const { port } = await startTestCollector();
    const body = JSON.stringify(synapseDocument());
    const socket = connect(port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    const next = async (): Promise<string> => ((await once(socket, "data")) as [Buffer])[0].toString();
    socket.write(`${RAW_HEAD}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`);
    expect(await next()).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    socket.write(body);
    expect(await next()).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  it("reports on the paths that it is given, in the place of the usual one", async () => {
    const { port } = await startTestCollector({ paths: ["/a", "/b/c"] });
    expect((await send(port, synapseDocument(), { path: "/a" })).status).toBe(200);
    expect((await send(port, synapseDocument(), { path: "/b/c" })).status).toBe(200);
    expect((await send(port, synapseDocument())).status).toBe(404);
  });
});

interface Row {
  readonly asked: Asked & { readonly path?: string };
  readonly status: number;
  readonly word: string;
  readonly code: string;
  readonly why: string;
  readonly settings?: CollectorSettings;
}

/** Of a report that is written by hand; more lines follow. */
const RAW_HEAD = `PUT ${PUSH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;

/** @returns what comes until the collector ends the connection */
async function rawAnswer(
  port: number,
  rest: string,
): Promise<{ readonly status: string; readonly body: string }> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.write(RAW_HEAD + rest);
  await once(socket, "close");
  return { status: text.slice(9, 12), body: text };
}

const JSON_TYPE = { "content-type": "application/json" };
const TEXT = JSON.stringify(synapseDocument());
const REFUSED: readonly Row[] = [
  { asked: { method: "GET", body: "" }, status: 405, word: "method", code: "METHOD_REFUSED", why: "a look" },
  {
    asked: { method: "DELETE", body: "" },
    status: 405,
    word: "method",
    code: "METHOD_REFUSED",
    why: "another method",
  },
  {
    asked: { headers: { "content-type": "text/plain" } },
    status: 415,
    word: "type",
    code: "REPORT_TYPE_UNKNOWN",
    why: "what a web page may send",
  },
  {
    asked: { headers: { "content-type": "application/jsonp" } },
    status: 415,
    word: "type",
    code: "REPORT_TYPE_UNKNOWN",
    why: "a type that only begins alike",
  },
  {
    asked: { body: gzipSync(TEXT), headers: { "content-encoding": "gzip" } },
    status: 415,
    word: "encoding",
    code: "REPORT_TYPE_UNKNOWN",
    why: "a body that may grow",
  },
  {
    asked: { body: `{"a":"${"x".repeat(65_536)}"}` },
    status: 413,
    word: "body-size",
    code: "REPORT_TOO_LARGE",
    why: "a body too long, as it says",
  },
  {
    asked: { body: "x".repeat(65_537), headers: { ...JSON_TYPE, "transfer-encoding": "chunked" } },
    status: 413,
    word: "body-size",
    code: "REPORT_TOO_LARGE",
    why: "a body too long, in chunks",
  },
  {
    asked: { body: "x".repeat(65_536) },
    status: 400,
    word: "json",
    code: "REPORT_MALFORMED",
    why: "the longest body, of nothing",
  },
  { asked: { body: "" }, status: 400, word: "json", code: "REPORT_MALFORMED", why: "no body" },
  { asked: { body: "[]" }, status: 400, word: "object", code: "REPORT_MALFORMED", why: "a list" },
  {
    asked: { body: TEXT.replace("hs1.test", "h s") },
    status: 400,
    word: "homeserver",
    code: "REPORT_MALFORMED",
    why: "no name",
  },
];

it("asks nobody for a body who speaks HTTP/1.0, and would take that for the answer", async () => {
  const { port } = await startTestCollector();
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.once("close", () => resolve(text));
    const length = `Content-Length: ${Buffer.byteLength(TEXT)}`;
    const head = ["Content-Type: application/json", length, "Expect: 100-continue"].join("\r\n");
    socket.write(`PUT ${PUSH} HTTP/1.0\r\n${head}\r\n\r\n${TEXT}`);
  });
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});

describe("refuses", () => {
  it.each(REFUSED)("$why with $status $word", async ({ asked, status, word, code }) => {
    const { port, store, refusals } = await startTestCollector();
    const answer = await send(port, synapseDocument(), asked);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toEqual({
      errcode: `FEDTRACE_${code}`,
      error: expect.any(String) as string,
    });
    expect(refusals()).toEqual({ [word]: 1 });
    expect(await store.countReporters()).toBe(0);
  });

  it("a body that does not come, in time", async () => {
    const { port, refusals } = await startTestCollector({ limits: { bodyMs: 200 } });
    const { status, body } = await rawAnswer(port, "Content-Length: 50\r\n\r\n{");
    expect(status).toBe("408");
    expect(body).toContain("FEDTRACE_BODY_TIMEOUT");
    expect(refusals()).toEqual({ "body-slow": 1 });
  });

  it("a body too long before it is sent, where the sender asks", async () => {
    const { port } = await startTestCollector();
    const { status } = await rawAnswer(port, "Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n");
    expect(status).toBe("413");
  });

  it("nothing of a sender who leaves: it is counted, and stored nowhere", async () => {
    const { port, refusals, store } = await startTestCollector();
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(
      `PUT ${PUSH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{`,
    );
    await ask(port, "/health/live"); // By then the head was read.
    socket.destroy();
    await expect.poll(() => refusals()).toEqual({ "body-aborted": 1 });
    expect(await store.countReporters()).toBe(0);
  });
});

const RATE = { burst: 3, perSecond: 0.1 };

describe("rates", () => {
  it("bound the reports of one name, from wherever they come", async () => {
    const clock = fakeClock();
    const { port, refusals } = await startTestCollector({ instanceRate: RATE, clock });
    const at = (second: number): Promise<{ status: number }> =>
      send(port, synapseDocument({ timestamp: NOW + second }));
    for (const second of [1, 2, 3]) expect((await at(second)).status).toBe(200);
    const refused = await send(port, synapseDocument({ timestamp: NOW + 4 }));
    expect(refused).toMatchObject({ status: 429, headers: { "retry-after": "10" } });
    expect(JSON.parse(refused.body)).toMatchObject({ errcode: "FEDTRACE_RATE_LIMITED" });
    expect((await send(port, synapseDocument({ homeserver: "other.test" }))).status).toBe(200);
    clock.advance(10_000);
    expect((await at(4)).status).toBe(200);
    expect(refusals()).toEqual({ "instance-rate": 1 });
  });

  it("bound the reports of one address, known by what a proxy says last", async () => {
    const { port, refusals } = await startTestCollector({ addressRate: RATE });
    const from = async (forwarded: string): Promise<number> => {
      const document = synapseDocument({ homeserver: `h${Math.floor(performance.now() * 1000)}.test` });
      return (await send(port, document, { headers: { "x-forwarded-for": forwarded } })).status;
    };
    for (const made of ["198.51.100.1", "198.51.100.2", "198.51.100.3"])
      expect(await from(`${made}, 192.0.2.1`)).toBe(200);
    expect(await from("198.51.100.4, 192.0.2.1")).toBe(429);
    expect(await from("192.0.2.2")).toBe(200);
    for (const host of ["1", "2", "3"]) expect(await from(`2001:db8::${host}`)).toBe(200);
    expect(await from("2001:db8::4")).toBe(429);
    expect(refusals()).toEqual({ "address-rate": 2 });
  });

  it("do not bound an address that says nothing: this machine's own", async () => {
    const { port } = await startTestCollector({ addressRate: RATE });
    for (let index = 0; index < 10; index++)
      expect((await send(port, synapseDocument({ homeserver: `h${index}.test` }))).status).toBe(200);
  });

  it("count what is refused later as well: garbage is no way around them", async () => {
    const { port } = await startTestCollector({ addressRate: RATE });
    const garbage = { body: "{", headers: { "x-forwarded-for": "192.0.2.1" } };
    for (let index = 0; index < 3; index++)
      expect((await send(port, synapseDocument(), garbage)).status).toBe(400);
    expect((await send(port, synapseDocument(), garbage)).status).toBe(429);
  });
});

/** Its writes end when they are let. */
async function heldStore(): Promise<{
  readonly store: ReportStore;
  readonly release: () => void;
  readonly batches: number[];
}> {
  const store = await temporaryStore();
  const batches: number[] = [];
  let release: (() => void) | undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  return {
    batches,
    release: () => release?.(),
    store: {
      ...store,
      async write(reports) {
        batches.push(reports.length);
        await released;
        return store.write(reports);
      },
    },
  };
}

describe("floods", () => {
  it("of reports wait up to a bound, then are told to come later; those that waited are written together", async () => {
    const { store, release, batches } = await heldStore();
    const running = await startTestCollector({ store, limits: { waitingMax: 5, batchMax: 4 } });
    const sent = (index: number): Promise<number> =>
      send(running.port, synapseDocument({ homeserver: `h${index}.test` })).then(({ status }) => status);
    const first = sent(0);
    await expect.poll(() => batches).toEqual([1]);
    const statuses = Array.from({ length: 12 }, (_, index) => sent(index + 1));
    await expect.poll(() => running.refusals()).toEqual({ busy: 7 });
    release();
    expect(await first).toBe(200);
    expect((await Promise.all(statuses)).filter((status) => status === 200)).toHaveLength(5);
    expect(batches).toEqual([1, 4, 1]);
    const { headers } = await send(running.port, synapseDocument());
    expect(headers["retry-after"]).toBeUndefined();
  });

  it("of new names are refused beyond a bound, and known ones go on", async () => {
    const { port, refusals } = await startTestCollector({ store: await temporaryStore(3) });
    const statuses: number[] = [];
    for (let index = 0; index < 6; index++)
      statuses.push((await send(port, synapseDocument({ homeserver: `h${index}.test` }))).status);
    expect(statuses).toEqual([200, 200, 200, 507, 507, 507]);
    const known = synapseDocument({ homeserver: "h1.test", timestamp: NOW + 1 });
    expect((await send(port, known)).status).toBe(200);
    expect(refusals()).toEqual({ full: 3 });
  });

  it("of connections that say nothing do not keep others out", async () => {
    const { port } = await startTestCollector({ limits: { connectionsMax: 10 } });
    const sockets: Socket[] = [];
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    for (let index = 0; index < 30; index++) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      sockets.push(socket);
      await once(socket, "connect");
    }
    expect((await send(port, synapseDocument())).status).toBe(200);
  });
});

describe("a storage that fails", () => {
  it("is told to senders, probes and readers; nothing crashes, and it goes on once it is back", async () => {
    const store = await temporaryStore();
    let isAway = true;
    const failing = <T>(work: () => Promise<T>): Promise<T> =>
      isAway ? Promise.reject(new Error("it is away")) : work();
    const clock = fakeClock();
    const running = await startTestCollector({
      clock,
      store: {
        ...store,
        write: (reports) => failing(() => store.write(reports)),
        summarize: (range) => failing(() => store.summarize(range)),
        check: () => failing(() => store.check()),
        readPage: (page) => failing(() => store.readPage(page)),
        removeReceivedBefore: (...slice) => failing(() => store.removeReceivedBefore(...slice)),
      },
    });
    const { port, logged, refusals } = running;
    const refused = await send(port, synapseDocument());
    expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "30" } });
    expect(JSON.parse(refused.body)).toMatchObject({ errcode: "FEDTRACE_STORAGE_AWAY" });
    for (const path of ["/api/summary", "/api/reports.json", "/api/reports.csv"])
      expect((await ask(port, path)).status).toBe(503);
    expect((await ask(port, "/health/ready")).status).toBe(503);
    expect((await ask(port, "/health/live")).status).toBe(200);
    for (let index = 0; index < 100; index++) await send(port, synapseDocument());
    expect(logged.filter((line) => line === "report not stored")).toHaveLength(5);
    isAway = false;
    clock.advance(1000);
    expect((await send(port, synapseDocument())).status).toBe(200);
    expect((await ask(port, "/health/ready")).status).toBe(200);
    expect((await ask(port, "/api/summary")).status).toBe(200);
    expect(refusals()).toEqual({ storage: 101 });
  });
});

describe("a storage that can be read, but not written", () => {
  it("is not ready until a report is stored, or nobody tried to for a while", async () => {
    const store = await temporaryStore();
    const clock = fakeClock();
    let isFull = true;
    const { port } = await startTestCollector({
      clock,
      store: {
        ...store,
        write: (reports) => (isFull ? Promise.reject(new Error("disk is full")) : store.write(reports)),
      },
    });
    const ready = async (): Promise<number> => (await ask(port, "/health/ready")).status;
    const sent = async (): Promise<number> => (await send(port, synapseDocument())).status;
    expect([await ready(), await sent(), await ready()]).toEqual([200, 503, 503]);
    clock.advance(9999);
    expect(await ready()).toBe(503);
    clock.advance(1);
    expect(await ready()).toBe(200);
    expect([await sent(), await ready()]).toEqual([503, 503]);
    isFull = false;
    expect([await sent(), await ready()]).toEqual([200, 200]);
  });
});

describe("a stop", () => {
  it("stores and answers what is under way", async () => {
    const { store, release, batches } = await heldStore();
    const { port, stop } = await startTestCollector({ store });
    const sent = send(port, synapseDocument());
    await expect.poll(() => batches).toEqual([1]);
    const stopped = stop();
    release();
    expect((await sent).status).toBe(200);
    await stopped;
    await expect(ask(port, "/health/live")).rejects.toThrow("ECONNREFUSED");
  });

  it("stores what a sender left behind who did not wait, before the storage is closed", async () => {
    const { store, release, batches } = await heldStore();
    const ends: string[] = [];
    const noted: ReportStore = {
      ...store,
      write: (reports) => store.write(reports).finally(() => ends.push("written")),
      close: () => store.close().finally(() => ends.push("closed")),
    };
    const { port, stop } = await startTestCollector({ store: noted });
    const body = JSON.stringify(synapseDocument());
    const socket = connect(port, "127.0.0.1");
    socket.write(`${RAW_HEAD}Content-Length: ${body.length}\r\n\r\n${body}`);
    await expect.poll(() => batches).toEqual([1]);
    socket.destroy();
    const stopped = stop();
    await expect(ask(port, "/health/live")).rejects.toThrow("ECONNREFUSED");
    await new Promise((resolve) => setImmediate(resolve));
    release();
    await stopped;
    expect(ends).toEqual(["written", "closed"]);
  });

  it("does not wait for senders who would keep their connections", async () => {
    const { store, release, batches } = await heldStore();
    const { port, stop } = await startTestCollector({ store, limits: { drainMs: 600_000 } });
    const agent = new Agent({ keepAlive: true });
    const sent = send(port, synapseDocument(), { agent });
    await expect.poll(() => batches).toEqual([1]);
    const stopped = stop();
    release();
    expect(await sent).toMatchObject({ status: 200, headers: { connection: "close" } });
    await stopped;
  });
});
