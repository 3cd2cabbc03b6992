/**
 * A listener behind proxies that speak the PROXY protocol: whose header is read, what comes of it, and that nothing else of the
 * connection is touched. Real sockets, from 127.0.0.1 (a proxy) and 127.0.0.2 (anybody), plain and with TLS.
 */

import { connect as connectSocket } from "node:net";
import { connect as connectTls } from "node:tls";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { peerKeyOf } from "../../src/http1/listener-peers.ts";
import { v2 } from "./proxy-headers.ts";
import { ANSWER, GET, startServer } from "./server.ts";
import { connectPeer, type RawPeer, turn, wrapPeer } from "./sockets.ts";

const PROXY = "127.0.0.1";
const ANYBODY = "127.0.0.2";
const isProxy = (address: string): boolean => address === PROXY;

const V1 = "PROXY TCP4 192.0.2.7 198.51.100.1 1000 443\r\n";
const V2 = v2().toString("latin1");
const UNKNOWN = "PROXY UNKNOWN\r\n";

const pem = (name: string): string => readFileSync(`test/fixtures/mtls/${name}`, "utf8");
const TLS = {
  cert: pem("server.pem"),
  key: pem("server.key"),
  ca: pem("ca.pem"),
  ticketKeys: Buffer.alloc(48, 7),
};

describe.each([
  { header: V1, client: "192.0.2.7", version: "1" },
  { header: V2, client: "192.0.2.7", version: "2" },
  { header: UNKNOWN, client: PROXY, version: "1, UNKNOWN" },
])("a header of version $version", ({ header, client }) => {
  const sent = header + GET;

  it("comes in any two pieces, or with the request, and the request is whole", async () => {
    const server = await startServer(200, { isProxy });
    for (let cut = 0; cut <= sent.length; cut++) {
      const peer = await server.connect();
      await peer.deliver(sent.slice(0, cut));
      peer.send(sent.slice(cut));
      const request = await server.requests.next();
      expect([request.head.text, request.connection.clientAddress]).toEqual([GET, client]);
      expect(request.connection.socket.remoteAddress).toBe(PROXY);
      request.answer();
      await peer.until(ANSWER);
      peer.socket.destroy();
    }
  });

  it("comes byte by byte", async () => {
    const server = await startServer(10, { isProxy });
    const peer = await server.connect();
    for (const byte of sent) await peer.deliver(byte);
    expect((await server.requests.next()).connection.clientAddress).toBe(client);
  });

  it("counts for every request of its connection, and is not looked for again", async () => {
    const server = await startServer(10, { isProxy });
    const peer = await server.connect();
    peer.send(sent + GET);
    for (let index = 0; index < 2; index++) {
      const request = await server.requests.next();
      expect(request.connection.clientAddress).toBe(client);
      request.answer();
    }
    await peer.until(ANSWER + ANSWER);
    peer.send(sent);
    expect(await server.refusals.next()).not.toBe("");
  });

  it("stands before TLS", async () => {
    const server = await startServer(10, { isProxy, tls: TLS });
    const peer = await connectAnnounced(server.port, header);
    peer.send(GET);
    const request = await server.requests.next();
    expect([request.connection.clientAddress, request.connection.socket.remoteAddress]).toEqual([
      client,
      PROXY,
    ]);
    request.answer();
    await peer.until(ANSWER);
  });

  it("is no header from anybody else, plain or before TLS", async () => {
    const plain = await startServer(10, { isProxy });
    const peer = await plain.connect(ANYBODY);
    peer.send(sent);
    expect(await plain.refusals.next()).not.toBe("");
    const secure = await startServer(10, { isProxy, tls: TLS });
    (await secure.connect(ANYBODY)).send(sent);
    expect(await secure.counted.next()).toMatch(/^handshake /);
    expect(plain.requests.waiting + secure.requests.waiting + plain.counted.waiting).toBe(0);
  });
});

/** TLS behind a header that is sent in the clear. */
async function connectAnnounced(port: number, header: string): Promise<RawPeer> {
  const raw = connectSocket({ host: "127.0.0.1", port, localAddress: PROXY });
  onTestFinished(() => void raw.destroy());
  await once(raw, "connect");
  raw.write(header, "latin1");
  const secure = connectTls({ socket: raw, servername: "localhost", ca: TLS.cert });
  await once(secure, "secureConnect");
  return wrapPeer(secure);
}

describe("without a good header", () => {
  it.each([
    { sent: GET, reason: "absent", why: "HTTP at once" },
    { sent: "\x16\x03\x01\x02\x00", reason: "absent", why: "TLS at once" },
    { sent: V1.replace("443", "99999"), reason: "syntax", why: "a bad line" },
    { sent: "PROXY UNKNOWN ".padEnd(107, "x"), reason: "length", why: "a line without end" },
    { sent: v2({ command: 0x11 }).toString("latin1"), reason: "version", why: "another version" },
  ])("a proxy's connection is closed, unanswered and counted: $why", async ({ sent, reason }) => {
    const server = await startServer(10, { isProxy });
    const peer = await server.connect();
    peer.send(sent);
    await peer.ended();
    expect(peer.received).toBe("");
    expect(await server.counted.next()).toBe(`proxy header ${reason}`);
    expect(server.requests.waiting + server.refusals.waiting).toBe(0);
  });

  it.each([
    { leave: (peer: RawPeer) => void peer.socket.end(), why: "as a health check does" },
    { leave: (peer: RawPeer) => void peer.socket.end("PROXY"), why: "amid its header" },
    { leave: (peer: RawPeer) => void peer.socket.resetAndDestroy(), why: "by a reset" },
  ])("a proxy that leaves is counted: $why", async ({ leave }) => {
    const server = await startServer(10, { isProxy });
    leave(await server.connect());
    expect(await server.counted.next()).toBe("proxy header gone");
  });

  it.each(["", V1.slice(0, -1), V2.slice(0, -1)])(
    "a proxy that waits behind %j has head_timeout",
    async (sent) => {
      const server = await startServer(10, { isProxy, limits: { headTimeoutMs: 50 } });
      const peer = await server.connect();
      peer.send(sent);
      await peer.ended();
      expect(await server.counted.next()).toBe("proxy header timeout");
    },
  );

  it("no more connections wait for theirs than may be open", async () => {
    const server = await startServer(2, { isProxy });
    const waiting = [await server.connect(), await server.connect()];
    const third = await server.connect();
    await third.ended();
    expect(await server.counted.next()).toBe("proxy header busy");
    waiting[0]?.send(V1 + GET);
    expect((await server.requests.next()).connection.clientAddress).toBe("192.0.2.7");
  });
});

describe("connections of one client", () => {
  const header = (client: string): string => `PROXY TCP4 ${client} 198.51.100.1 1000 443\r\n`;
  const limits = { connectionsPerPeer: 2 };

  it("are counted by who is announced, not by the proxy", async () => {
    const server = await startServer(10, { isProxy, limits, peerKeyOf });
    for (const client of ["192.0.2.1", "192.0.2.1", "192.0.2.2"]) {
      (await server.connect()).send(header(client) + GET);
      await server.requests.next();
    }
    (await server.connect()).send(header("192.0.2.1") + GET);
    expect(await server.refusals.next()).toBe("peer-connections");
  });

  it("are so with TLS", async () => {
    const server = await startServer(10, { isProxy, limits, peerKeyOf, tls: TLS });
    for (const client of ["192.0.2.1", "192.0.2.1", "192.0.2.2"]) {
      (await connectAnnounced(server.port, header(client))).send(GET);
      await server.requests.next();
    }
    (await server.connect()).send(header("192.0.2.1"));
    expect(await server.counted.next()).toBe("dropped peer-connections");
  });
});

it("a drain does not wait for headers", async () => {
  const server = await startServer(10, { isProxy });
  const peer = await server.connect();
  await peer.deliver("PROXY ");
  await turn();
  await server.listener.drain();
  await peer.ended();
  expect(server.counted.waiting).toBe(0);
});

it("without proxies a header is malformed HTTP", async () => {
  const server = await startServer();
  const peer = await connectPeer(server.port);
  peer.send(V1 + GET);
  expect(await server.refusals.next()).toBe("request-line");
});
