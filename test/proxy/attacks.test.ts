/**
 * What a hostile client tried against the running sidecar, one row or test for each way in that was found and shut.
 * Each says what would happen without the rule.
 */

import { readFileSync } from "node:fs";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import {
  exchangeRaw,
  OK_RESPONSE,
  rawClient,
  recordingUpstream,
  type RecordingUpstream,
} from "../support/wire.ts";

let upstream: RecordingUpstream;
let answer = OK_RESPONSE;
let sidecar: TestSidecar;

beforeAll(async () => {
  upstream = await recordingUpstream(() => answer);
  sidecar = await startInProcess({
    inbound: { listen: "127.0.0.1:0", upstream: `http://127.0.0.1:${upstream.port}` },
    outbound: { listen: "127.0.0.1:0", shared_secret: "s", allow_networks: ["127.0.0.0/8"] },
    whitelist: [{ regex: "trusted\\.test", sampling: "trust", forced_per_second: 1 }],
    sampling: { type: "const", param: 0 },
  });
});
afterAll(async () => {
  upstream.stop();
  await sidecar.sidecar.stop();
});

const CLOSE = "Connection: close";

async function passIn(lines: readonly string[]): Promise<{ arrived: string; received: string }> {
  answer = OK_RESPONSE;
  const known = upstream.received().length;
  const text = ["GET /x HTTP/1.1", "Host: own.test", ...lines].join("\r\n");
  const received = await exchangeRaw(sidecar.port.inbound, `${text}\r\n\r\n`);
  return { arrived: upstream.received().slice(known), received };
}

describe("memory", () => {
  it("a client that sends on but never reads is not answered without end: 12,000 answers of 50 KB would wait", async () => {
    answer = `HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n${"x".repeat(50_000)}`;
    const known = upstream.received().length;
    const client = await rawClient(sidecar.port.inbound);
    client.socket.pause();
    const request = "GET /greedy HTTP/1.1\r\nHost: own.test\r\n\r\n";
    client.send(request.repeat(12_000));
    const asked = (): number => upstream.received().slice(known).split("GET /greedy").length - 1;
    // It stops when the sockets' buffers are full: some megabytes, not 600.
    let last = -1;
    await expect.poll(() => last === (last = asked()), { interval: 200, timeout: 10_000 }).toBe(true);
    expect(asked()).toBeLessThan(1000);
    client.socket.destroy();
  });
});

describe("identity and sampling", () => {
  it("a port does not give a trusted name a budget of its own", async () => {
    const known = sidecar.spans.length;
    for (let port = 1000; port < 1020; port++) {
      const trace = `traceparent: 00-${String(port).padStart(32, "0")}-6e0c63257de34c92-01`;
      await passIn([`Authorization: X-Matrix origin="trusted.test:${port}",key="k",sig="s"`, trace, CLOSE]);
    }
    // The bucket starts full and refills by one a second.
    expect(sidecar.spans.length - known).toBeLessThanOrEqual(3);
  });

  it("a caller without the shared secret is not believed as the own server", async () => {
    const known = sidecar.spans.length;
    const lines = [
      "Host: a.test",
      "traceparent: 00-deadbeefdeadbeefdeadbeefdeadbeef-6e0c63257de34c92-01",
      CLOSE,
    ];
    const text = `GET http://a.test/x HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
    expect(await exchangeRaw(sidecar.port.outbound, text)).toContain("407");
    expect(sidecar.spans.length).toBe(known);
  });
});

describe("headers", () => {
  it.each([
    { why: "CGI and WSGI can't tell it from the real one", line: "Uber_Trace_Id: 1:2:0:1" },
    { why: "a prefix rule", line: "uberctx_user: root" },
    { why: "a client's address, forged", line: "X_Forwarded_For: 10.0.0.1" },
    { why: "a framing that only the server behind would see", line: "Content_Length: 5" },
    { why: "a framing that only the server behind would see", line: "Transfer_Encoding: chunked" },
  ])("with underscores don't get through: $line ($why)", async ({ line }) => {
    const { arrived } = await passIn([line, CLOSE]);
    expect(arrived).not.toContain(line);
    expect(arrived).toContain("GET /x HTTP/1.1");
  });

  it.each(["signature", "signature-input", "digest", "date", "host", "transfer-encoding"])(
    "that sign or frame can't be nominated away: %s",
    async (name) => {
      expect((await passIn([`Connection: close, ${name}`])).received).toContain("400 Bad Request");
    },
  );

  it("that a response nominates stay on their hop", async () => {
    const text = `GET /x HTTP/1.1\r\nHost: own.test\r\n${CLOSE}\r\n\r\n`;
    answer =
      "HTTP/1.1 200 OK\r\nConnection: x-secret\r\nX-Secret: 1\r\nX-Kept: 2\r\nContent-Length: 0\r\n\r\n";
    const received = await exchangeRaw(sidecar.port.inbound, text);
    expect(received).not.toMatch(/x-secret/i);
    expect(received).toContain("X-Kept: 2");
  });

  it("of a trailer section too large are answered 431", async () => {
    const head = "PUT /x HTTP/1.1\r\nHost: own.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    const client = await rawClient(sidecar.port.inbound);
    answer = "";
    client.send(`${head}X-A: ${"a".repeat(70_000)}`);
    expect((await client.closed()).received).toContain("431 ");
  });
});

describe("connections", () => {
  it("out to a name that must be resolved get the head at once, so that a 100 can come back", async () => {
    answer = "HTTP/1.1 100 Continue\r\n\r\n";
    const authority = `fresh.test:${upstream.port}`;
    const client = await rawClient(sidecar.port.outbound);
    const lines = [
      `Host: ${authority}`,
      "Proxy-Authorization: Bearer s",
      "Content-Length: 2",
      "Expect: 100-continue",
    ];
    client.send(`PUT http://${authority}/x HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    await client.until((received) => received.includes("100 Continue"));
    client.socket.destroy();
  });

  it.each([
    { line: "Expect: 100-continue", body: "ab", isKept: false, why: "it may read the body next" },
    { line: "Expect: x 100-continue", body: "ab", isKept: false, why: "it may read the line loosely" },
    { line: "Expect: 100-continue", body: "", isKept: true, why: "there is no body" },
    { line: "X: 100-continue", body: "ab", isKept: true, why: "nothing was expected" },
  ])(
    "to a server that answers '$line' at once are kept: $isKept, $why",
    async ({ line, body, isKept, why }) => {
      answer = OK_RESPONSE;
      const path = `/${why.replaceAll(" ", "-")}`;
      const head = [`POST ${path} HTTP/1.1`, "Host: own.test", `Content-Length: ${body.length}`, line, CLOSE];
      await exchangeRaw(sidecar.port.inbound, `${head.join("\r\n")}\r\n\r\n${body}`);
      await exchangeRaw(
        sidecar.port.inbound,
        `GET ${path}/next HTTP/1.1\r\nHost: own.test\r\n${CLOSE}\r\n\r\n`,
      );
      const first = upstream.connections.find(({ received }) => received.includes(`POST ${path} `));
      expect(first?.received.includes(`GET ${path}/next`)).toBe(isKept);
    },
  );

  it("that end their side keep an answer that has begun, however long it takes", async () => {
    answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab";
    const client = await rawClient(sidecar.port.inbound);
    client.socket.end("GET /x HTTP/1.1\r\nHost: own.test\r\n\r\n");
    await client.until((received) => received.endsWith("ab"));
    sidecar.advance(6000);
    upstream.connections.at(-1)?.socket.write("cd");
    expect((await client.closed()).received).toMatch(/abcd$/);
  });

  it("go to the new upstream after a reload, though the old one's are warm", async () => {
    const [first, second] = [await recordingUpstream(), await recordingUpstream()];
    const config = (port: number) => ({
      inbound: { listen: "127.0.0.1:0", upstream: `http://127.0.0.1:${port}` },
    });
    const moved = await startInProcess(config(first.port));
    const get = () =>
      exchangeRaw(moved.port.inbound, `GET /x HTTP/1.1\r\nHost: own.test\r\n${CLOSE}\r\n\r\n`);
    await get();
    expect(await moved.reload(config(second.port))).toEqual([]);
    await get();
    expect([first.connections.length, second.connections.length]).toEqual([1, 1]);
    await moved.sidecar.stop();
    first.stop();
    second.stop();
  });
});

describe("TLS handshakes", () => {
  it("that are never finished are closed, and keep nobody from stopping", async () => {
    const tls = { certificate: "test/fixtures/tls/server.pem", private_key: "test/fixtures/tls/server.key" };
    const secure = await startInProcess({
      inbound: { listen: "127.0.0.1:0", upstream: `http://127.0.0.1:${upstream.port}`, tls },
      limits: { head_timeout: "100ms", drain: "100ms" },
    });
    const silent = await rawClient(secure.port.inbound);
    await silent.closed();
    const half = await rawClient(secure.port.inbound);
    half.send("\x16\x03\x01\x02\x00\x01\x00");
    const aborted = connectTls({
      port: secure.port.inbound,
      ca: readFileSync("test/fixtures/tls/server.pem"),
      rejectUnauthorized: false,
    });
    await new Promise<void>((resolve) => {
      aborted.once("secureConnect", function (this: TLSSocket) {
        this.destroy();
        resolve();
      });
    });
    await secure.sidecar.stop();
    await half.closed();
  });
});
