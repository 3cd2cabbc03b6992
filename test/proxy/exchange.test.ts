/**
 * Forwarding, message by message: framings, interim and bodiless responses, upgrades, back-pressure, and every way
 * an exchange can fail. Each ends with an answer or a break that the client can see, and one span.
 */

import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import {
  exchangeRaw,
  OK_RESPONSE,
  rawClient,
  recordingUpstream,
  type RecordingUpstream,
} from "../support/wire.ts";

type AnswerTo = (head: string, socket: Socket) => string | undefined;

let upstream: RecordingUpstream;
let answerTo: AnswerTo = () => OK_RESPONSE;
let sidecar: TestSidecar;
/** One that waits as long as it does by default. */
let patient: TestSidecar;

beforeAll(async () => {
  upstream = await recordingUpstream((head, socket) => answerTo(head, socket));
  const inbound = { listen: "127.0.0.1:0", upstream: `http://127.0.0.1:${upstream.port}` };
  patient = await startInProcess({ inbound });
  sidecar = await startInProcess({
    inbound,
    limits: { body_timeout: "200ms", response_timeout: "200ms", head_timeout: "300ms" },
  });
});
afterAll(async () => {
  upstream.stop();
  await sidecar.sidecar.stop();
  await patient.sidecar.stop();
});

const GET = "GET /x HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n\r\n";

async function get(answer: string | AnswerTo, request = GET): Promise<string> {
  answerTo = typeof answer === "string" ? () => answer : answer;
  return exchangeRaw(sidecar.port.inbound, request);
}

/** The last span, once an exchange begun after `known` spans has ended. */
async function lastSpan(known: number, of = sidecar) {
  const spans = await of.spansOf(known + 1);
  return spans[known];
}

describe("responses", () => {
  it.each([
    {
      why: "Content-Length",
      answer: "HTTP/1.1 200 Fine\r\nX-A: 1\r\nContent-Length: 3\r\n\r\nabc",
      expected: "HTTP/1.1 200 Fine\r\nX-A: 1\r\nContent-Length: 3\r\nconnection: close\r\n\r\nabc",
    },
    {
      why: "chunked, extension and trailer kept",
      answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
      expected:
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nconnection: close\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
    },
    {
      why: "204 has no body, whatever follows",
      answer: "HTTP/1.1 204 No Content\r\n\r\n",
      expected: "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
    },
    {
      why: "304 has a length but no body (RFC 9110 section 15.4.5)",
      answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
      expected: "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nconnection: close\r\n\r\n",
    },
    {
      why: "no reason phrase",
      answer: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
      expected: "HTTP/1.1 200\r\nContent-Length: 0\r\nconnection: close\r\n\r\n",
    },
    {
      why: "hop-by-hop headers stay on their hop",
      answer:
        "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n",
      expected: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nconnection: close\r\n\r\n",
    },
    {
      why: "interim responses before it (RFC 9110 section 15.2)",
      answer: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      expected:
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\nconnection: close\r\n\r\n",
    },
  ])("pass: $why", async ({ answer, expected }) => {
    expect(await get(answer)).toBe(expected);
  });

  it("pass until the upstream closes, and close there", async () => {
    const answer: AnswerTo = (_head, socket) => {
      socket.end("HTTP/1.1 200 OK\r\n\r\nall of it");
      return undefined;
    };
    const keepAlive = "GET /x HTTP/1.1\r\nHost: own.test\r\n\r\n";
    expect(await get(answer, keepAlive)).toBe("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall of it");
  });

  it("to HEAD have no body, and the connection goes on", async () => {
    answerTo = () => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    const client = await rawClient(sidecar.port.inbound);
    client.send("HEAD /x HTTP/1.1\r\nHost: own.test\r\n\r\n");
    await client.until((received) => received.includes("\r\n\r\n"));
    answerTo = () => OK_RESPONSE;
    client.send(GET);
    const { received } = await client.closed();
    expect(received.split("HTTP/1.1 200 OK")).toHaveLength(3);
    expect(received).toMatch(/ok$/);
  });

  it("to HTTP/1.0 lose the chunked coding, which that client can't read (RFC 9112 section 6.1)", async () => {
    const answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    expect(await get(answer, "GET /x HTTP/1.0\r\n\r\n")).toBe(
      "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcde",
    );
  });
});

describe("requests", () => {
  it("pipelined are answered in order", async () => {
    answerTo = (head) => {
      const path = head.split(" ")[1] ?? "";
      return `HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`;
    };
    const client = await rawClient(sidecar.port.inbound);
    const request = (path: string, more = ""): string =>
      `GET ${path} HTTP/1.1\r\nHost: own.test\r\n${more}\r\n`;
    client.send(request("/a") + request("/b") + request("/c", "Connection: close\r\n"));
    const { received } = await client.closed();
    expect([...received.matchAll(/\r\n\r\n(\/[abc])/g)].map(([, path]) => path)).toEqual(["/a", "/b", "/c"]);
  });

  it("with Expect wait for the upstream's 100 (RFC 9110 section 10.1.1)", async () => {
    answerTo = (_head, socket) => {
      socket.once("data", () => socket.write(OK_RESPONSE));
      return "HTTP/1.1 100 Continue\r\n\r\n";
    };
    const client = await rawClient(sidecar.port.inbound);
    client.send(
      "PUT /x HTTP/1.1\r\nHost: own.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
    );
    await client.until((received) => received === "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    expect((await client.closed()).received).toMatch(/ok$/);
  });

  it.each([
    {
      why: "TRACE would send the injected context back",
      line: "TRACE /x",
      code: "FORM_UNSUPPORTED",
      status: 501,
    },
    { why: "CONNECT is for proxies", line: "CONNECT a:1", code: "FORM_UNSUPPORTED", status: 501 },
    { why: "absolute-form for another host", line: "GET http://a/x", code: "REQUEST_MALFORMED", status: 400 },
  ])("refused: $why", async ({ line, code, status }) => {
    const received = await get(
      OK_RESPONSE,
      `${line} HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n\r\n`,
    );
    expect(received).toContain(`HTTP/1.1 ${status} `);
    expect(received).toContain(`"errcode":"FEDTRACE_${code}"`);
  });

  it("in absolute-form for the own host go on in origin-form", async () => {
    const known = upstream.received().length;
    await get(OK_RESPONSE, "GET http://OWN.test/a?b HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n\r\n");
    expect(upstream.received().slice(known)).toMatch(/^GET \/a\?b HTTP\/1\.1\r\n/);
  });

  it("that ask for h2c are plain requests behind the sidecar", async () => {
    const known = upstream.received().length;
    const lines = ["Upgrade: h2c", "HTTP2-Settings: AA", "Connection: Upgrade, HTTP2-Settings"];
    answerTo = () => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const client = await rawClient(sidecar.port.inbound);
    client.send(`GET /x HTTP/1.1\r\nHost: own.test\r\n${lines.join("\r\n")}\r\n\r\n`);
    await client.until((received) => received.includes("200 OK"));
    client.socket.destroy();
    expect(upstream.received().slice(known)).not.toMatch(/upgrade|http2/i);
  });
});

describe("upgrades", () => {
  it("are spliced both ways, with what came ahead, and scrubbed", async () => {
    answerTo = (_head, socket) => {
      socket.on("data", (bytes: Buffer) => socket.write(`<${bytes.toString("latin1")}>`));
      return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nBaggage: a=b\r\n\r\nhello";
    };
    const known = sidecar.spans.length;
    const client = await rawClient(sidecar.port.inbound);
    const from = upstream.received().length;
    client.send(
      "GET /x HTTP/1.1\r\nHost: own.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nbaggage: a=b\r\n\r\n",
    );
    const head = await client.until((received) => received.endsWith("hello"));
    expect(head).toBe(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nconnection: Upgrade\r\n\r\nhello",
    );
    expect(upstream.received().slice(from)).not.toContain("baggage");
    client.send("ping");
    await client.until((received) => received.endsWith("hello<ping>"));
    client.socket.end();
    expect((await lastSpan(known))?.attributes["http.response.status_code"]).toBe(101);
  });

  it("nobody asked for are malformed", async () => {
    const received = await get(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    );
    expect(received).toContain("FEDTRACE_UPSTREAM_MALFORMED");
  });
});

describe("failures of the upstream", () => {
  it.each([
    {
      why: "closes before it answers",
      answer: ((_h, socket) => void socket.end()) as AnswerTo,
      code: "UPSTREAM_CLOSED",
      status: 502,
    },
    {
      why: "resets",
      answer: ((_h, socket) => void socket.resetAndDestroy()) as AnswerTo,
      code: "UPSTREAM_CLOSED",
      status: 502,
    },
    { why: "speaks nonsense", answer: "SSH-2.0-x\r\n\r\n", code: "UPSTREAM_MALFORMED", status: 502 },
    {
      why: "says two lengths",
      answer: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      code: "UPSTREAM_MALFORMED",
      status: 502,
    },
    { why: "stays silent", answer: (() => undefined) as AnswerTo, code: "UPSTREAM_TIMEOUT", status: 504 },
  ])("$why: $status", async ({ answer, code, status }) => {
    const known = sidecar.spans.length;
    const received = await get(answer);
    expect(received).toContain(`HTTP/1.1 ${status} `);
    expect(received).toContain(`"errcode":"FEDTRACE_${code}"`);
    const span = await lastSpan(known);
    expect(span?.attributes).toMatchObject({ "error.type": code, "http.response.status_code": status });
  });

  it("nobody listens: 502", async () => {
    const gone = await recordingUpstream();
    const alone = await startInProcess({
      inbound: { listen: "127.0.0.1:0", upstream: `http://127.0.0.1:${gone.port}` },
    });
    gone.stop();
    expect(await exchangeRaw(alone.port.inbound, GET)).toContain("FEDTRACE_UPSTREAM_REFUSED");
    await alone.sidecar.stop();
  });

  it.each([
    { why: "a length cut short", head: "Content-Length: 10" },
    { why: "chunks cut short", head: "Transfer-Encoding: chunked" },
  ])("in the body are seen by the client: $why", async ({ head }) => {
    const known = sidecar.spans.length;
    answerTo = (_head, socket) => {
      socket.end(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n5\r\nab`);
      return undefined;
    };
    const client = await rawClient(sidecar.port.inbound);
    client.send(GET);
    const { received, isReset } = await client.closed();
    expect(isReset).toBe(true);
    expect(received.endsWith("0\r\n\r\n")).toBe(false);
    expect((await lastSpan(known))?.attributes["error.type"]).toBe("UPSTREAM_CLOSED");
  });

  it("on an idle connection just as it is taken: one more try, on a new one", async () => {
    answerTo = () => OK_RESPONSE;
    const client = await rawClient(sidecar.port.inbound);
    client.send("GET /first HTTP/1.1\r\nHost: own.test\r\n\r\n");
    await client.until((received) => received.endsWith("ok"));
    let tries = 0;
    answerTo = (_head, socket) => {
      if (++tries > 1) return OK_RESPONSE;
      socket.destroy();
      return undefined;
    };
    client.send("GET /second HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n\r\n");
    expect((await client.closed()).received).toMatch(/ok$/);
    expect(tries).toBe(2);
  });
});

describe("failures of the client", () => {
  it.each([
    { why: "resets", leave: (socket: Socket) => void socket.resetAndDestroy() },
    {
      why: "closes, and is given time in case it only half-closed",
      leave: (socket: Socket) => {
        socket.destroy();
        socket.once("close", () => patient.advance(6000));
      },
    },
  ])("aborts: the upstream's connection is freed and the span says so: $why", async ({ leave }) => {
    const known = patient.spans.length;
    const client = await rawClient(patient.port.inbound);
    answerTo = () => {
      leave(client.socket);
      return undefined;
    };
    client.send(GET);
    expect((await lastSpan(known, patient))?.attributes["error.type"]).toBe("CLIENT_ABORTED");
    const last = upstream.connections.at(-1);
    if (last?.isClosed === false) await new Promise((resolve) => void last.socket.once("close", resolve));
  });

  it("sends its body too slowly: 408", async () => {
    answerTo = () => undefined;
    const client = await rawClient(sidecar.port.inbound);
    client.send("PUT /x HTTP/1.1\r\nHost: own.test\r\nContent-Length: 4\r\n\r\nab");
    expect((await client.closed()).received).toContain("FEDTRACE_BODY_TIMEOUT");
  });

  it("sends its head too slowly: 408", async () => {
    const client = await rawClient(sidecar.port.inbound);
    client.send("GET /x HTTP/1.1\r\nHost:");
    expect((await client.closed()).received).toContain("FEDTRACE_HEAD_TIMEOUT");
  });

  it("breaks the chunked coding: 400, and the upstream never sees the end of the body", async () => {
    answerTo = () => undefined;
    const known = upstream.received().length;
    const head = "PUT /x HTTP/1.1\r\nHost: own.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    const client = await rawClient(sidecar.port.inbound);
    client.send(`${head}3\r\nabc\r\n`);
    await expect.poll(() => upstream.received().slice(known)).toContain("abc");
    client.send("-1\r\n");
    expect((await client.closed()).received).toContain("FEDTRACE_REQUEST_MALFORMED");
    expect(upstream.received().slice(known)).not.toContain("0\r\n\r\n");
  });

  it("half-closes after its request: it still gets the answer", async () => {
    answerTo = () => OK_RESPONSE;
    const client = await rawClient(sidecar.port.inbound);
    client.socket.end("GET /x HTTP/1.1\r\nHost: own.test\r\n\r\n");
    expect((await client.closed()).received).toMatch(/ok$/);
  });
});

describe("large bodies", () => {
  /** Far more than sockets hold; the whole way takes a tenth of the time limits, which a busy machine may stretch. */
  const MEGABYTES = 3;

  it("go up and come down whole, though neither side takes more than it reads", async () => {
    const body = "0123456789abcdef".repeat((MEGABYTES * 1024 * 1024) / 16);
    const known = upstream.received().length;
    answerTo = (head, socket) => {
      socket.on("data", () => {
        const isWhole = upstream.received().length === known + head.length + body.length;
        if (isWhole) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      });
      return undefined;
    };
    const client = await rawClient(sidecar.port.inbound);
    client.send(
      `PUT /x HTTP/1.1\r\nHost: own.test\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
    const { received } = await client.closed();
    expect(received.slice(received.indexOf("\r\n\r\n") + 4) === body).toBe(true);
  });
});
