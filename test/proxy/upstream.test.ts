/**
 * The way to the own server, end to end: several addresses, names, unix sockets, one more try, and what waits.
 * Method: a whole sidecar between raw sockets; its clock is put forward, nothing sleeps.
 */

import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { turn } from "../http1/sockets.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import {
  exchangeRaw,
  OK_RESPONSE,
  rawClient,
  type RecordingUpstream,
  recordingUpstream,
} from "../support/wire.ts";

const GET = "GET /x HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n\r\n";
const KEPT_GET = "GET /first HTTP/1.1\r\nHost: own.test\r\n\r\n";
/** tcpmux: nobody listens there. */
const NOBODY = "http://127.0.0.1:1";

type Answer = Parameters<typeof recordingUpstream>[0];

async function startUpstream(answer?: Answer): Promise<RecordingUpstream & { readonly url: string }> {
  const upstream = await recordingUpstream(answer);
  onTestFinished(() => upstream.stop());
  return { ...upstream, url: `http://127.0.0.1:${upstream.port}` };
}

/** A server that reads whole requests and answers "METHOD LENGTH" of each. @returns its port; 0 on a socket */
async function startCounter(
  listen: { readonly path: string } | { readonly host: string; readonly port: number },
) {
  const server = createHttpServer((request, response) => {
    let length = 0;
    request.on("data", (bytes: Buffer) => (length += bytes.length));
    request.on("end", () => response.end(`${request.method} ${length}`));
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(listen);
  await once(server, "listening");
  const address = server.address() as AddressInfo | string;
  return typeof address === "string" ? 0 : address.port;
}

interface Setup {
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly resolve?: (name: string) => Promise<readonly string[]>;
}

async function startSidecar(upstream: unknown, { limits = {}, resolve }: Setup = {}): Promise<TestSidecar> {
  const sidecar = await startInProcess(documentOf(upstream, limits), resolve);
  onTestFinished(() => sidecar.sidecar.stop());
  return sidecar;
}

function documentOf(upstream: unknown, limits: object): Record<string, unknown> {
  return { inbound: { listen: "127.0.0.1:0", upstream }, admin: { listen: "127.0.0.1:0" }, limits };
}

function get({ port }: TestSidecar, request = GET): Promise<string> {
  return exchangeRaw(port.inbound, request);
}

async function attributesOf(sidecar: TestSidecar, index: number) {
  return (await sidecar.spansOf(index + 1))[index]?.attributes;
}

/** One of the sidecar's own numbers. */
async function metric({ port }: TestSidecar, series: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port.admin}/metrics`)).text();
  const line = text.split("\n").find((known) => known.startsWith(`${series} `));
  return Number(line?.split(" ")[1]);
}

function requestOf(method: string, length: number): string {
  const head = `${method} /x HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`;
  return head + "b".repeat(length);
}

describe("several addresses", () => {
  it("share the requests", async () => {
    const upstreams = [await startUpstream(() => undefined), await startUpstream(() => undefined)];
    const sidecar = await startSidecar(
      upstreams.map(({ url }) => url),
      { limits: { drain: "0s" } },
    );
    for (let count = 0; count < 4; count++) (await rawClient(sidecar.port.inbound)).send(GET);
    await expect.poll(() => upstreams.map(({ connections }) => connections.length)).toEqual([2, 2]);
  });

  it.each([
    { why: "a method that is not idempotent", method: "POST", length: 0 },
    { why: "a body that is larger than any buffer", method: "PUT", length: 3_000_000 },
  ])("of which one is dead lose no request, and that one is left alone: $why", async ({ method, length }) => {
    const port = await startCounter({ host: "127.0.0.1", port: 0 });
    const sidecar = await startSidecar([NOBODY, `http://127.0.0.1:${port}`]);
    for (let count = 0; count < 4; count++) {
      expect(await get(sidecar, requestOf(method, length))).toContain(`${method} ${length}`);
    }
    const resent = (await sidecar.spansOf(4)).map(
      ({ attributes }) => attributes["http.request.resend_count"],
    );
    expect(resent.filter((count) => count !== undefined)).toEqual([1]);
    const retries = 'fedtrace_upstream_retries_total{direction="inbound",reason="connect"}';
    expect(await metric(sidecar, retries)).toBe(1);
    expect(await metric(sidecar, "fedtrace_upstream_addresses")).toBe(2);
    expect(await metric(sidecar, "fedtrace_upstream_healthy")).toBe(1);
  });

  it("that are all dead are tried once each: 502", async () => {
    const sidecar = await startSidecar([NOBODY, "http://127.0.0.2:1", "unix:/nowhere.sock"]);
    expect(await get(sidecar)).toContain("FEDTRACE_UPSTREAM_REFUSED");
    expect(await attributesOf(sidecar, 0)).toMatchObject({
      "http.request.resend_count": 2,
      "error.type": "UPSTREAM_REFUSED",
    });
  });

  it("may be unix sockets, alone or beside others", async () => {
    const path = join(temporaryDirectory(), "s");
    await startCounter({ path });
    const alone = await startSidecar(`unix:${path}`);
    const beside = await startSidecar([NOBODY, `unix:${path}`]);
    for (const sidecar of [alone, beside]) {
      expect(await get(sidecar, requestOf("PUT", 70_000))).toContain("PUT 70000");
    }
  });

  it("may change while requests are open", async () => {
    const waiting: Socket[] = [];
    const old = await startUpstream((_head, socket) => void waiting.push(socket));
    const next = await startUpstream();
    const sidecar = await startSidecar(old.url);
    const early = get(sidecar);
    await expect.poll(() => waiting.length).toBe(1);
    expect(await sidecar.reload(documentOf([next.url], {}))).toEqual([]);
    expect(await get(sidecar)).toMatch(/ok$/);
    waiting[0]?.write(OK_RESPONSE);
    expect(await early).toMatch(/ok$/);
    expect([old.connections.length, next.connections.length]).toEqual([1, 1]);
  });
});

describe("a name", () => {
  it("with an address where nobody listens is reached at its other one at once", async () => {
    const port = await startCounter({ host: "127.0.0.1", port: 0 });
    const resolve = () => Promise.resolve(["::1", "127.0.0.1"]);
    const sidecar = await startSidecar(`http://localhost:${port}`, { resolve });
    for (let count = 0; count < 4; count++) {
      expect(await get(sidecar, requestOf("POST", 5))).toContain("POST 5");
    }
    const failures = 'fedtrace_upstream_connect_failures_total{direction="inbound",code="UPSTREAM_REFUSED"}';
    expect(await metric(sidecar, failures)).toBe(1);
    expect(await metric(sidecar, "fedtrace_upstream_healthy")).toBe(1);
  });

  it("whose addresses change leads there with the next look-up, and its kept connections go", async () => {
    let answer = ["127.0.0.2"];
    const upstream = await startUpstream();
    const port = await startCounter({ host: "127.0.0.2", port: upstream.port });
    const sidecar = await startSidecar(`http://a.test:${port}`, { resolve: () => Promise.resolve(answer) });
    const client = await rawClient(sidecar.port.inbound);
    client.send(KEPT_GET);
    await client.until((received) => received.includes("GET 0"));
    answer = ["127.0.0.1"];
    sidecar.advance(30_000);
    await expect
      .poll(() => sidecar.logged.filter((line) => line.includes("upstream addresses")).length)
      .toBe(2);
    client.send(GET);
    expect((await client.closed()).received).toMatch(/ok$/);
    expect(await metric(sidecar, "fedtrace_upstream_connections")).toBe(1);
  });

  it("that can't be resolved: 502, and the look-up is counted", async () => {
    const resolve = () => Promise.reject(new Error("no such name"));
    const sidecar = await startSidecar("http://a.test:80", { resolve });
    const answer = get(sidecar);
    sidecar.advance(1000); // Since the look-up at the start.
    expect(await answer).toContain("FEDTRACE_UPSTREAM_REFUSED");
    expect(await metric(sidecar, "fedtrace_upstream_lookups_failed_total")).toBeGreaterThan(0);
  });

  it("that is still looked up is waited for, with the body", async () => {
    const port = await startCounter({ host: "127.0.0.1", port: 0 });
    let go = (): void => undefined;
    const looked = new Promise<readonly string[]>((fulfil) => (go = () => fulfil(["127.0.0.1"])));
    const sidecar = await startSidecar(`http://a.test:${port}`, { resolve: () => looked });
    const answer = get(sidecar, requestOf("PUT", 1_000_000));
    await expect.poll(() => metric(sidecar, "fedtrace_upstream_queue")).toBe(1);
    go();
    expect(await answer).toContain("PUT 1000000");
  });

  it("that is looked up for too long: 504", async () => {
    const resolve = () => new Promise<readonly string[]>(() => undefined);
    const sidecar = await startSidecar("http://a.test:80", { resolve });
    const answer = get(sidecar);
    await expect.poll(() => metric(sidecar, "fedtrace_upstream_queue")).toBe(1);
    sidecar.advance(5000);
    expect(await answer).toContain("FEDTRACE_UPSTREAM_TIMEOUT");
  });
});

describe("a kept connection that is closed just as a request takes it", () => {
  /** An upstream that answers /first, and then closes `closes` connections as a request comes on them. */
  async function startCloser(closes: number, request: string) {
    let left = closes;
    let heads = 0;
    const upstream = await startUpstream((head, socket) => {
      if (head.includes("/first")) return OK_RESPONSE;
      heads++;
      if (left-- > 0) {
        socket.destroy();
        return undefined;
      }
      if (!head.startsWith("PUT")) return OK_RESPONSE;
      return "HTTP/1.1 100 Continue\r\n\r\n";
    });
    const sidecar = await startSidecar(upstream.url);
    const client = await rawClient(sidecar.port.inbound);
    client.send(KEPT_GET);
    await client.until((received) => received.endsWith("ok"));
    client.send(request);
    return { upstream, sidecar, client, heads: () => heads };
  }

  it.each(["GET", "HEAD", "OPTIONS", "DELETE"])("is one more try on a new one for %s", async (method) => {
    const { sidecar, client, heads } = await startCloser(1, GET.replace("GET", method));
    expect((await client.closed()).received.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect(heads()).toBe(2);
    expect((await attributesOf(sidecar, 0))?.["http.request.resend_count"]).toBeUndefined();
    expect((await attributesOf(sidecar, 1))?.["http.request.resend_count"]).toBe(1);
    expect(await metric(sidecar, 'fedtrace_upstream_retries_total{direction="inbound",reason="stale"}')).toBe(
      1,
    );
  });

  it("is one more try for a request whose body is still to come, which then goes there", async () => {
    const head = "PUT /x HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\nContent-Length: 4\r\n\r\n";
    const { upstream, sidecar, client } = await startCloser(1, head);
    await client.until((received) => received.includes("100 Continue"));
    client.send("body");
    await expect.poll(() => upstream.received()).toMatch(/\r\n\r\nbody$/);
    upstream.connections.at(-1)?.socket.write(OK_RESPONSE);
    expect((await client.closed()).received).toMatch(/ok$/);
    expect((await attributesOf(sidecar, 1))?.["http.request.resend_count"]).toBe(1);
  });

  it.each([
    { why: "not idempotent", request: GET.replace("GET", "POST"), closes: 1, tries: 1 },
    { why: "some of the body was sent", request: requestOf("PUT", 4), closes: 1, tries: 1 },
    { why: "the new one closes too", request: GET, closes: 2, tries: 2 },
  ])("is the end where $why: 502", async ({ request, closes, tries }) => {
    const { client, heads } = await startCloser(closes, request);
    expect((await client.closed()).received).toContain("FEDTRACE_UPSTREAM_CLOSED");
    expect(heads()).toBe(tries);
  });

  it("is the end where its answer has begun: 502", async () => {
    const upstream = await startUpstream((head, socket) => {
      if (head.includes("/first")) return OK_RESPONSE;
      socket.end("HTTP/1.1 2");
      return undefined;
    });
    const sidecar = await startSidecar(upstream.url);
    const client = await rawClient(sidecar.port.inbound);
    client.send(KEPT_GET);
    await client.until((received) => received.endsWith("ok"));
    client.send(GET);
    expect((await client.closed()).received).toContain("FEDTRACE_UPSTREAM_CLOSED");
    expect(upstream.connections).toHaveLength(1);
  });
});

describe("with limits.upstream_connections taken", () => {
  /** One request holds the only connection, and `queue` may wait. `answer` ends the oldest open one. */
  async function startFull(queue: number) {
    const open: Socket[] = [];
    const upstream = await startUpstream((_head, socket) => void open.push(socket));
    const limits = { upstream_connections: 1, upstream_queue: queue };
    const sidecar = await startSidecar(upstream.url, { limits });
    const held = get(sidecar);
    await expect.poll(() => open.length).toBe(1);
    const isQueued = (count: number): Promise<void> =>
      expect.poll(() => metric(sidecar, "fedtrace_upstream_queue")).toBe(count);
    return {
      open,
      upstream,
      sidecar,
      held,
      limits,
      isQueued,
      answer: () => open.shift()?.write(OK_RESPONSE),
    };
  }

  it("a request waits for the connection, and one more than may wait is answered 503", async () => {
    const { sidecar, upstream, held, open, isQueued, answer } = await startFull(1);
    const second = get(sidecar);
    await isQueued(1);
    const third = await get(sidecar, KEPT_GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    expect(third).toMatch(/^HTTP\/1\.1 503 [^]*FEDTRACE_UPSTREAM_FULL/);
    expect(await attributesOf(sidecar, 0)).toMatchObject({
      "error.type": "UPSTREAM_FULL",
      "http.response.status_code": 503,
    });
    answer();
    expect(await held).toMatch(/ok$/);
    await expect.poll(() => open.length).toBe(1);
    answer();
    expect(await second).toMatch(/ok$/);
    expect(upstream.connections).toHaveLength(1);
    const refused = 'fedtrace_upstream_queue_refused_total{direction="inbound",reason="full"}';
    expect(await metric(sidecar, refused)).toBe(1);
  });

  describe("by a client that is slow with its body", () => {
    /** A byte of its body of 20,000 comes with the head, `sent` more after that, and nothing else. */
    async function startSlow(sent: number) {
      const open: Socket[] = [];
      const upstream = await startUpstream((head, socket) => {
        if (head.startsWith("GET")) return OK_RESPONSE;
        open.push(socket);
        return undefined;
      });
      const limits = { upstream_connections: 1, upstream_queue: 1 };
      const sidecar = await startSidecar(upstream.url, { limits });
      const slow = await rawClient(sidecar.port.inbound);
      slow.send("PUT /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\nx");
      await expect.poll(() => upstream.received()).toMatch(/\r\n\r\nx$/);
      slow.send("y".repeat(sent));
      await expect
        .poll(() => upstream.received().replaceAll(/[^y]/g, "").length)
        .toBeGreaterThanOrEqual(sent);
      return { sidecar, slow, finish: () => open[0]?.write(OK_RESPONSE) };
    }

    it.each([
      { why: "late by all measures", sent: 0, afterMs: 10_001 },
      { why: "late for what it has sent", sent: 5000, afterMs: 21_000 },
    ])("that is $why: it is answered 408, and the request has its place", async ({ sent, afterMs }) => {
      const { sidecar, slow } = await startSlow(sent);
      sidecar.advance(afterMs);
      expect(await get(sidecar)).toMatch(/ok$/);
      expect((await slow.closed()).received).toMatch(/^HTTP\/1\.1 408 [^]*FEDTRACE_BODY_TIMEOUT/);
      expect(await attributesOf(sidecar, 0)).toMatchObject({ "error.type": "BODY_TIMEOUT" });
    });

    it.each([
      { why: "in its time of grace", sent: 0, afterMs: 9000 },
      { why: "in time for what it has sent", sent: 5000, afterMs: 19_000 },
    ])("that is $why: it stays", async ({ sent, afterMs }) => {
      const { sidecar, slow, finish } = await startSlow(sent);
      sidecar.advance(afterMs);
      const second = get(sidecar);
      await expect.poll(() => metric(sidecar, "fedtrace_upstream_queue")).toBe(1);
      slow.send("x".repeat(19_999 - sent));
      finish();
      expect(await second).toMatch(/ok$/);
    });

    it("that becomes late while a request waits: it is told when the wait would end", async () => {
      const { sidecar, slow } = await startSlow(0);
      sidecar.advance(6000);
      const second = get(sidecar);
      await expect.poll(() => metric(sidecar, "fedtrace_upstream_queue")).toBe(1);
      sidecar.advance(5001);
      expect(await second).toMatch(/ok$/);
      expect((await slow.closed()).received).toContain("408");
    });
  });

  it("a request waits for connect_timeout, then it is answered 503", async () => {
    const { sidecar, held, isQueued, answer } = await startFull(1);
    const second = get(sidecar);
    await isQueued(1);
    sidecar.advance(5000);
    expect(await second).toContain("FEDTRACE_UPSTREAM_FULL");
    answer();
    await held;
  });

  it("the body of a request that waits is not read", async () => {
    const { sidecar, held, isQueued, open, answer } = await startFull(1);
    const client = await rawClient(sidecar.port.inbound);
    client.send(requestOf("PUT", 50_000_000));
    await isQueued(1);
    // Client and sidecar share this loop: so many turns read all of it, were it read. The system's buffers take some.
    for (let turns = 0; turns < 5000; turns++) await turn();
    expect(client.socket.writableLength).toBeGreaterThan(0);
    answer();
    await held;
    await expect.poll(() => client.socket.writableLength, { timeout: 10_000 }).toBe(0);
    await expect.poll(() => open.length).toBe(1);
    answer();
    expect((await client.closed()).received).toMatch(/ok$/);
  });

  it("a client that goes away makes room for the next", async () => {
    const { sidecar, held, isQueued, open, answer } = await startFull(1);
    const gone = await rawClient(sidecar.port.inbound);
    gone.send(GET);
    await isQueued(1);
    gone.socket.resetAndDestroy();
    await isQueued(0);
    const next = get(sidecar);
    await isQueued(1);
    answer();
    await held;
    await expect.poll(() => open.length).toBe(1);
    answer();
    expect(await next).toMatch(/ok$/);
  });

  it("a reload that raises the limit lets go on who waits", async () => {
    const { sidecar, upstream, limits, held, isQueued, open, answer } = await startFull(1);
    const second = get(sidecar);
    await isQueued(1);
    await sidecar.reload(documentOf(upstream.url, { ...limits, upstream_connections: 2 }));
    await expect.poll(() => open.length).toBe(2);
    answer();
    answer();
    expect([await held, await second].map((answered) => answered.slice(-2))).toEqual(["ok", "ok"]);
  });

  it("a drain still answers who waits", async () => {
    const { sidecar, held, isQueued, open, answer } = await startFull(2);
    const waiting = [get(sidecar), get(sidecar)];
    await isQueued(2);
    const stopped = sidecar.sidecar.stop();
    for (let count = 0; count < 3; count++) {
      await expect.poll(() => open.length).toBe(1);
      answer();
    }
    await stopped;
    for (const answered of [await held, ...(await Promise.all(waiting))]) expect(answered).toMatch(/ok$/);
  });

  it("a drain that is out of time leaves nobody waiting", async () => {
    const { sidecar, upstream, held, limits, isQueued } = await startFull(1);
    const second = get(sidecar);
    await isQueued(1);
    await sidecar.reload(documentOf(upstream.url, { ...limits, drain: "0s" }));
    await sidecar.sidecar.stop();
    for (const refused of [await held, await second]) expect(refused).toContain("FEDTRACE_DRAINING");
    expect((await sidecar.spansOf(2)).map(({ attributes }) => attributes["error.type"])).toEqual([
      "DRAINING",
      "DRAINING",
    ]);
  });

  it("another target on the way out is not full", async () => {
    const full = await startUpstream(() => undefined);
    const free = await startUpstream();
    const sidecar = await startInProcess({
      outbound: { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"] },
      limits: { upstream_connections: 1, upstream_queue: 0, drain: "0s" },
    });
    onTestFinished(() => sidecar.sidecar.stop());
    const ask = (port: number): Promise<string> =>
      exchangeRaw(
        sidecar.port.outbound,
        `GET http://127.0.0.1:${port}/x HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`,
      );
    const held = ask(full.port);
    await expect.poll(() => full.connections.length).toBe(1);
    expect(await ask(full.port)).toContain("FEDTRACE_UPSTREAM_FULL");
    expect(await ask(free.port)).toMatch(/ok$/);
    await sidecar.sidecar.stop();
    await held;
  });
});
