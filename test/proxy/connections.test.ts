/** Which connections are kept, for how long and where they lead, as far as no single message decides it. */

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
    sampling: { type: "const", param: 0 },
  });
});
afterAll(async () => {
  upstream.stop();
  await sidecar.sidecar.stop();
});

const CLOSE = "Connection: close";

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
