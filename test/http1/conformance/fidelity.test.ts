/**
 * What is not hop-by-hop and names no trace passes byte for byte, both ways, and as soon as it comes (contract rule 10;
 * RFC 9110 section 7.6, RFC 9112 section 2.2).
 */

import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startInProcess, type TestSidecar } from "../../support/in-process.ts";
import {
  exchangeRaw,
  OK_RESPONSE,
  rawClient,
  recordingUpstream,
  type RecordingUpstream,
} from "../../support/wire.ts";
import { HOST } from "./row.ts";

let upstream: RecordingUpstream;
let answer: string | undefined = OK_RESPONSE;
let sidecar: TestSidecar;

beforeAll(async () => {
  upstream = await recordingUpstream(() => answer);
  sidecar = await startInProcess({
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${upstream.port}`,
      authenticate: "claimed",
    },
  });
});
afterAll(async () => {
  upstream.stop();
  await sidecar.sidecar.stop();
});

/** For a machine that has other things to do. */
const PATIENCE = { timeout: 10_000 };

function eventually<T>(look: () => T) {
  return expect.poll(look, PATIENCE);
}

/** What the sidecar says about the client and the trace; all else must be the client's bytes. */
const OWN_LINES = /^(?:x-forwarded-(?:for|proto|host)|traceparent|uber-trace-id|b3): .*\r\n/gm;

async function arrives(request: string): Promise<string> {
  answer = OK_RESPONSE;
  const known = upstream.received().length;
  await exchangeRaw(sidecar.port.inbound, request);
  return upstream.received().slice(known).replaceAll(OWN_LINES, "");
}

const REQUESTS = [
  {
    why: "the order of header lines",
    line: "GET / HTTP/1.1",
    lines: "Z: 1\r\nA: 2\r\nM: 3\r\nB: 4\r\n",
  },
  { why: "the case of names", line: "GET / HTTP/1.1", lines: "aCCept: a\r\nX-yZ: b\r\nETAG: c\r\n" },
  {
    why: "duplicates, apart",
    line: "GET / HTTP/1.1",
    lines: "Cookie: a=1\r\nX: y\r\nCookie: b=2\r\ncookie: c=3\r\n",
  },
  { why: "white space around values", line: "GET / HTTP/1.1", lines: "A:1\r\nB:  \t2 \t\r\nC:\r\nD: \r\n" },
  { why: "obs-text", line: "GET / HTTP/1.1", lines: "X: \x80\x85\xa0\xff\r\n" },
  {
    why: "every byte of a value",
    line: "GET / HTTP/1.1",
    lines: `X: ${bytes(0x21, 0x7e)}${bytes(0x80, 0xff)}\r\n`,
  },
  { why: "every byte of a name", line: "GET / HTTP/1.1", lines: "!#$%&'*+-.^_`|~09Az: 1\r\n" },
  { why: "a path that could be normalised", line: "GET /a/./b/../c//d;e=1/%2e%2E/%41 HTTP/1.1", lines: "" },
  { why: "encoded slashes, CRLF and NUL", line: "GET /%2F%2f%0d%0a%00 HTTP/1.1", lines: "" },
  { why: "a query", line: "GET /?a=b&a=c&&=&+%20%zz?/:@ HTTP/1.1", lines: "" },
  { why: "an empty query", line: "GET /x? HTTP/1.1", lines: "" },
  { why: "every byte of a target", line: `GET /${bytes(0x24, 0x7e)}"! HTTP/1.1`, lines: "" },
  { why: "a method nobody knows", line: "fOO-bAR /x HTTP/1.1", lines: "" },
  { why: "a target of 8000 bytes (RFC 9112 3)", line: `GET /${"a".repeat(8000)} HTTP/1.1`, lines: "" },
  { why: "200 header lines but one", line: "GET / HTTP/1.1", lines: "X: 1\r\n".repeat(197) },
  { why: "request-id headers", line: "GET / HTTP/1.1", lines: "X-Request-Id: 1\r\nX-Correlation-Id: 2\r\n" },
  {
    why: "Via and Max-Forwards",
    line: "OPTIONS /x HTTP/1.1",
    lines: "Via: 1.1 a\r\nMax-Forwards: 1\r\n",
  },
] as const;

function bytes(from: number, to: number): string {
  const codes = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  return String.fromCharCode(...codes).replace("#", "");
}

describe("a request", () => {
  it.each(REQUESTS)("keeps $why", async ({ line, lines }) => {
    const arrived = await arrives(`${line}\r\n${HOST}${lines}Connection: close\r\n\r\n`);
    expect(arrived).toBe(`${line}\r\n${HOST}${lines}\r\n`);
  });

  it.each([
    { why: "a length", framing: "Content-Length: 260", body: `${bytes(0, 255)}#abcd`.slice(0, 260) },
    {
      why: "chunks",
      framing: "Transfer-Encoding: chunked",
      body: `a0;x="y"\r\n${"z".repeat(160)}\r\n1\r\n\0\r\n00\r\nX-T: 1\r\nx-t: \xff\r\n\r\n`,
    },
  ])("keeps every byte of a body with $why", async ({ framing, body }) => {
    const arrived = await arrives(`PUT /x HTTP/1.1\r\n${HOST}${framing}\r\nConnection: close\r\n\r\n${body}`);
    expect(arrived).toBe(`PUT /x HTTP/1.1\r\n${HOST}${framing}\r\n\r\n${body}`);
  });

  it.each([
    { why: "a length", framing: "Content-Length: 10", pieces: ["abc", "defg", "hij"] },
    {
      why: "chunks",
      framing: "Transfer-Encoding: chunked",
      pieces: ["3\r\nabc\r\n", "4\r\nde", "fg\r\n0\r\n\r\n"],
    },
  ])("passes a body with $why on as it comes, piece by piece", async ({ framing, pieces }) => {
    answer = undefined;
    const client = await rawClient(sidecar.port.inbound);
    const known = upstream.received().length;
    client.send(`PUT /x HTTP/1.1\r\n${HOST}${framing}\r\n\r\n`);
    let sent = "";
    for (const piece of pieces) {
      // The bytes before are there although the last ones are not sent yet.
      await eventually(() => upstream.received().slice(known)).toMatch(new RegExp(`\\r\\n\\r\\n${sent}$`));
      client.send(piece);
      sent += piece;
    }
    await eventually(() => upstream.received().slice(known)).toContain(`\r\n\r\n${sent}`);
    client.socket.destroy();
  });
});

const RESPONSES = [
  { why: "a reason", text: "HTTP/1.1 200 Very  well, thanks\r\nContent-Length: 2\r\n\r\nok" },
  { why: "a reason of obs-text", text: "HTTP/1.1 200 \xc3\xa9\xff\r\nContent-Length: 2\r\n\r\nok" },
  { why: "an empty reason", text: "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok" },
  { why: "no reason and no space", text: "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok" },
  { why: "a status nobody knows", text: "HTTP/1.1 299 X\r\nContent-Length: 2\r\n\r\nok" },
  { why: "a status above 599", text: "HTTP/1.1 999 X\r\nContent-Length: 2\r\n\r\nok" },
  {
    why: "order, case, duplicates and white space",
    text: "HTTP/1.1 200 OK\r\nSet-Cookie: b\r\nset-cookie:a\r\nX: \t1 \r\nCONTENT-LENGTH: 2\r\nSet-Cookie: c\r\n\r\nok",
  },
  {
    why: "obs-text in a value",
    text: "HTTP/1.1 200 OK\r\nX: \x80\x85\xa0\xff\r\nContent-Length: 2\r\n\r\nok",
  },
  { why: "every byte of a body", text: `HTTP/1.1 200 OK\r\nContent-Length: 255\r\n\r\n${bytes(0, 255)}` },
  {
    why: "chunks, extensions and trailers",
    text: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n02 ; a="\\"" \r\nok\r\n0\r\nX-T: \xff\r\nx-t:2\r\n\r\n'.replace(
      " \r\nok",
      "\r\nok",
    ),
  },
  {
    why: "an interim answer",
    text: "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  },
  {
    why: "a 304 and its length",
    text: 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 5\r\n\r\n',
  },
] as const;

describe("a response", () => {
  it.each(RESPONSES)("keeps $why", async ({ text }) => {
    answer = text;
    const client = await rawClient(sidecar.port.inbound);
    client.send(`GET /x HTTP/1.1\r\n${HOST}\r\n`);
    await client.until((received) => received.length >= text.length);
    // The connection goes on, so that there is nothing of the sidecar's own in the answer.
    answer = "HTTP/1.1 204 No Content\r\n\r\n";
    client.send(`GET /y HTTP/1.1\r\n${HOST}\r\n`);
    expect(await client.until((received) => received.endsWith(answer ?? ""))).toBe(text + answer);
    client.socket.destroy();
  });

  it.each([
    { why: "a length", head: "Content-Length: 10\r\n", pieces: ["abc", "defg", "hij"] },
    {
      why: "chunks",
      head: "Transfer-Encoding: chunked\r\n",
      pieces: ["3\r\nabc\r\n", "4\r\nde", "fg\r\n0\r\n\r\n"],
    },
    { why: "the connection's end", head: "", pieces: ["abc", "defg", "hij"] },
  ])("passes a body with $why on as it comes, piece by piece", async ({ head, pieces }) => {
    answer = `HTTP/1.1 200 OK\r\n${head}\r\n`;
    const client = await rawClient(sidecar.port.inbound);
    client.send(`GET /x HTTP/1.1\r\n${HOST}\r\n`);
    let sent = "\r\n\r\n";
    for (const piece of pieces) {
      await client.until((received) => received.endsWith(sent));
      upstream.connections.at(-1)?.socket.write(piece);
      sent += piece;
    }
    await client.until((received) => received.endsWith(sent));
    client.socket.destroy();
  });
});

describe("an upgrade that is taken", () => {
  it("passes every byte both ways, those that came with the heads too", async () => {
    const sw = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    answer = `${sw}\x81\x02hi`;
    const client = await rawClient(sidecar.port.inbound);
    const known = upstream.received().length;
    const early = "\x82\x03\0\xff\x80";
    client.send(`GET /ws HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n${early}`);
    await client.until((received) => received.endsWith("\r\n\r\n\x81\x02hi"));
    client.send(`GET /x HTTP/1.1\r\n\r\n`);
    const wanted = `\r\n\r\n${early}GET /x HTTP/1.1\r\n\r\n`;
    await eventually(() => upstream.received().slice(known).endsWith(wanted)).toBe(true);
    client.socket.destroy();
    const socket = upstream.connections.at(-1)?.socket;
    if (socket !== undefined && !socket.closed) await once(socket, "close");
  });

  it("does not pass a byte that was sent behind it before the 101 (RFC 9931)", async () => {
    answer = undefined;
    const client = await rawClient(sidecar.port.inbound);
    const known = upstream.received().length;
    client.send(
      `GET /ws HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n`,
    );
    await eventually(() => upstream.received().slice(known)).toMatch(/\r\n\r\n$/);
    upstream.connections.at(-1)?.socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    // It is HTTP then, and a request without Host.
    expect((await client.closed()).received).toMatch(/^HTTP\/1\.1 403 [^]*\r\n\r\nHTTP\/1\.1 400 /);
    expect(upstream.received().slice(known)).not.toContain("/smuggled");
  });
});
