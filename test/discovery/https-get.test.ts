/** get: which endpoint is taken, whom it trusts, which bodies it reads, and how it ends. */

import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type DialTo, get, type GetOptions, type Reply } from "../../src/discovery/https-get.ts";
import { CA, dialTo, startWeb, type Web } from "./web.ts";

const BODY_BYTES_MAX = 1000;
const HOST = "127.0.0.1";

let web: Web;
let forger: Web;
let tls: DialTo;

beforeAll(async () => {
  web = await startWeb();
  forger = await startWeb("forger");
  tls = await dialTo(CA);
});
afterEach(() => void web.takeRequests());
afterAll(() => {
  web.stop();
  forger.stop();
});

async function getFrom(options: Partial<GetOptions> = {}): Promise<Reply> {
  return get({
    endpoints: [{ host: HOST, port: web.port }],
    tls: tls("a.example"),
    hostHeader: "a.example",
    path: "/x?y",
    accept: "text/plain",
    bodyBytesMax: BODY_BYTES_MAX,
    signal: AbortSignal.timeout(10_000),
    ...options,
  });
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Accepts, and says nothing. */
async function silentPort(): Promise<{ readonly port: number; readonly ended: Promise<unknown> }> {
  let onEnd = (): void => undefined;
  const ended = new Promise<void>((resolve) => (onEnd = resolve));
  const server = createServer((socket) => {
    socket.on("error", () => undefined).on("close", onEnd);
    socket.resume();
  }).listen(0, HOST);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, ended };
}

function answer(type: string | undefined, body: string, status = 200): void {
  web.answer((_request, response) => {
    if (type !== undefined) response.setHeader("content-type", type);
    response.writeHead(status).end(body);
  });
}

it("asks as it is told to", async () => {
  web.answer((request, response) => response.end(JSON.stringify(request.headers)));
  const { status, body } = await getFrom();
  expect(status).toBe(200);
  expect(JSON.parse((body as { text: string }).text)).toEqual({
    accept: "text/plain",
    host: "a.example",
    "user-agent": "fedtrace",
    connection: "close",
  });
  expect(web.takeRequests()).toEqual(["a.example /x?y"]);
});

describe("of several endpoints", () => {
  it("one that refuses is passed over", async () => {
    answer(undefined, "here");
    const endpoints = [
      { host: HOST, port: await closedPort() },
      { host: HOST, port: web.port },
    ];
    expect((await getFrom({ endpoints })).body).toEqual({ text: "here" });
  });

  it("one with a wrong certificate is passed over", async () => {
    answer(undefined, "here");
    const endpoints = [
      { host: HOST, port: forger.port },
      { host: HOST, port: web.port },
    ];
    expect((await getFrom({ endpoints })).body).toEqual({ text: "here" });
    expect(forger.takeRequests()).toEqual([]);
  });

  it("one that is silent is not waited for, and closed", async () => {
    answer(undefined, "here");
    const silent = await silentPort();
    const endpoints = [
      { host: HOST, port: silent.port },
      { host: HOST, port: web.port },
    ];
    expect((await getFrom({ endpoints })).body).toEqual({ text: "here" });
    await silent.ended;
  });

  it("all that fail: the last fault is told", async () => {
    const endpoints = [
      { host: HOST, port: forger.port },
      { host: HOST, port: await closedPort() },
    ];
    await expect(getFrom({ endpoints })).rejects.toThrow("ECONNREFUSED");
  });
});

describe("a pin", () => {
  const { fingerprint256 } = new X509Certificate(readFileSync("test/fixtures/discovery/forger.pem"));
  const print = fingerprint256.replaceAll(":", "");

  it("lets in who no authority knows", async () => {
    forger.answer((_request, response) => response.end("pinned"));
    const endpoints = [{ host: HOST, port: forger.port }];
    const pinned = (await dialTo(CA, { "a.example": [print] }))("a.example");
    expect((await getFrom({ endpoints, tls: pinned })).body).toEqual({ text: "pinned" });
    forger.takeRequests();
  });

  it("keeps out all others", async () => {
    const pinned = (await dialTo(CA, { "a.example": [print] }))("a.example");
    await expect(getFrom({ tls: pinned })).rejects.toThrow(/pinned/);
    expect(web.takeRequests()).toEqual([]);
  });
});

describe("a body", () => {
  const refuse: GetOptions["refuse"] = (fields) =>
    fields["content-type"]?.join() === "application/json" ? undefined : "media-type";

  it.each([
    { why: "as long as may be", type: undefined, body: "x".repeat(BODY_BYTES_MAX), options: {} },
    { why: "whose head is not refused", type: "application/json", body: "{}", options: { refuse } },
  ])("is read: $why", async ({ type, body, options }) => {
    answer(type, body);
    expect((await getFrom(options)).body).toEqual({ text: body });
  });

  it.each([
    {
      why: "a byte too long",
      type: "application/json",
      body: "x".repeat(BODY_BYTES_MAX + 1),
      refusal: "too-large",
    },
    { why: "its head is refused", type: "text/html", body: "{}", refusal: "media-type" },
    { why: "the head has no such field", type: undefined, body: "{}", refusal: "media-type" },
  ])("is not: $why", async ({ type, body, refusal }) => {
    answer(type, body);
    expect((await getFrom({ refuse })).body).toBe(refusal);
  });

  it("has a head in which a field that came twice shows", async () => {
    web.answer((_request, response) => {
      response.writeHead(200, ["Content-Type", "application/json", "Content-Type", "text/html"]).end("{}");
    });
    expect((await getFrom({ refuse })).body).toBe("media-type");
  });

  it("that is not read is not waited for either: the connection is closed", async () => {
    const closed = new Promise((resolve) => {
      web.answer((request, response) => {
        request.socket.on("close", resolve);
        response.writeHead(200, { "content-type": "text/html" }).write("x");
      });
    });
    expect((await getFrom({ refuse })).body).toBe("media-type");
    await closed;
  });

  it("of another status is, whatever its type: the status counts", async () => {
    answer("text/html", "no", 404);
    expect(await getFrom({ refuse })).toMatchObject({ status: 404, body: { text: "no" } });
  });
});

describe("when the time is up", () => {
  it.each([
    { why: "before it began", signal: () => AbortSignal.abort() },
    { why: "in the handshake", signal: () => AbortSignal.timeout(50) },
  ])("$why: it rejects, and nothing stays open", async ({ signal }) => {
    const silent = await silentPort();
    const endpoints = [{ host: HOST, port: silent.port }];
    await expect(getFrom({ endpoints, signal: signal() })).rejects.toThrow("the time is up");
  });

  it("in the body: it rejects, and the connection is closed", async () => {
    const time = new AbortController(); // Begun with the body: a machine under load may need any time for the handshake.
    const closed = new Promise((resolve) => {
      web.answer((request, response) => {
        request.socket.on("close", resolve);
        response.write("x", () => setTimeout(() => time.abort(), 20));
      });
    });
    await expect(getFrom({ signal: time.signal })).rejects.toThrow();
    await closed;
  });
});
