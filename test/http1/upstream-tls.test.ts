/**
 * TLS towards upstreams over real sockets: which certificates and peers are refused and with what word, what the peer sees of it, and
 * that an exchange is the same with TLS as without.
 * Method: as in upstream-connection.test.ts; certificates of test/fixtures/upstreams.
 */

import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import type { TLSSocket, TlsOptions } from "node:tls";
import { describe, expect, it, vi } from "vitest";
import type { UpstreamAddress, UpstreamConnection } from "../../src/http1/upstream-connection.ts";
import type { UpstreamLimits } from "../../src/http1/upstream-member.ts";
import { createTrust, createUpstreamTls } from "../../src/http1/upstream-tls.ts";
import { LIMITS, type RawPeer } from "./sockets.ts";
import { CA, pair, startHeldServer, startTlsServer } from "./tls-server.ts";
import {
  ANSWER,
  createHandler,
  expectEvents,
  REQUEST,
  startUpstream,
  STRAY,
  take,
  type Told,
} from "./upstream.ts";

const NAME = "target.example";
interface Trusted {
  readonly ca: readonly string[];
  readonly pins: Readonly<Record<string, readonly string[]>>;
}

const TRUST: Trusted = { ca: [CA], pins: {} };
const HEAD = "HTTP/1.1 200 OK\r\n";

/** As in a config: hex without colons. */
function pinOf(certificate: string): string {
  return new X509Certificate(pair(certificate).cert).fingerprint256.replaceAll(":", "");
}

async function addressFor(port: number, name = NAME, trust = TRUST): Promise<UpstreamAddress> {
  const { ca, pins } = trust;
  const tls = (await createUpstreamTls({ trust: await createTrust(ca), pins }))(name);
  return { key: `${port} ${name}`, host: "127.0.0.1", port, tls };
}

interface Setup {
  readonly server?: TlsOptions;
  readonly limits?: Partial<UpstreamLimits>;
}

/** A pool, a target that speaks TLS, and its address. */
async function startSecure({ server, limits }: Setup = {}) {
  const upstream = await startUpstream(limits);
  const target = await startTlsServer(server);
  const address = await addressFor(target.port);

  /** A connection, and the other end of it. */
  async function connect(): Promise<{ readonly connection: UpstreamConnection; readonly peer: RawPeer }> {
    const connection = await take(upstream.pool, address).connections.next();
    return { connection, peer: await target.peers.next() };
  }
  return { ...upstream, target, address, connect };
}

/** Sends a request, and waits until the server has it. */
async function request(connection: UpstreamConnection, peer: RawPeer, told = createHandler()): Promise<Told> {
  const before = peer.received.length;
  connection.begin("GET", told);
  connection.outlet.text(REQUEST);
  connection.outlet.flush();
  connection.expectResponse();
  await expect.poll(() => peer.received.length).toBe(before + REQUEST.length);
  return told;
}

describe("a certificate", () => {
  it.each([
    { why: "for its name", certificate: "target", name: NAME },
    {
      why: "for its name in other letters, with the dot of the root",
      certificate: "target",
      name: "TARGET.example.",
    },
    { why: "for all names below one", certificate: "target", name: "a.wild.example" },
    { why: "for its IPv4 address", certificate: "target-ip", name: "127.0.0.1" },
    { why: "for its IPv6 address, whichever is dialled", certificate: "target-ip", name: "::1" },
    {
      why: "that is pinned, of its own making",
      certificate: "target-self",
      name: NAME,
      pins: ["target-self"],
    },
    { why: "that is pinned, expired", certificate: "target-expired", name: NAME, pins: ["target-expired"] },
    { why: "that is pinned, for another name", certificate: "target", name: "b.example", pins: ["target"] },
    {
      why: "that is one of those pinned",
      certificate: "target",
      name: NAME,
      pins: ["target-self", "target"],
    },
  ])("$why is taken, and the name is sent unless it is an address", async ({ certificate, name, pins }) => {
    const { pool } = await startUpstream();
    const { port, names, peers } = await startTlsServer(pair(certificate));
    const pinned = pins === undefined ? {} : { [name.toUpperCase()]: pins.map(pinOf) };
    const { connections } = take(pool, await addressFor(port, name, { ca: [CA], pins: pinned }));
    const connection = await connections.next();
    const peer = await peers.next();
    const told = await request(connection, peer);
    peer.send(ANSWER);
    await expectEvents(told, ["head 200", "end "]);
    expect(names).toEqual([/^[\d.:]+$/.test(name) ? "" : name.toLowerCase().replace(/\.$/, "")]);
    const { alpnProtocol } = connection.socket as TLSSocket;
    expect(alpnProtocol).toBe(false); // This server knows no ALPN, which is no fault.
  });

  it.each([
    { why: "expired", certificate: "target-expired", name: NAME, detail: "CERT_HAS_EXPIRED" },
    {
      why: "of its own making",
      certificate: "target-self",
      name: NAME,
      detail: "DEPTH_ZERO_SELF_SIGNED_CERT",
    },
    {
      why: "by nobody who is trusted",
      certificate: "target",
      name: NAME,
      ca: [],
      detail: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    },
    {
      why: "for another name",
      certificate: "target",
      name: "b.example",
      detail: "ERR_TLS_CERT_ALTNAME_INVALID",
    },
    {
      why: "for names two below",
      certificate: "target",
      name: "a.b.wild.example",
      detail: "ERR_TLS_CERT_ALTNAME_INVALID",
    },
    {
      why: "for no address",
      certificate: "target",
      name: "127.0.0.1",
      detail: "ERR_TLS_CERT_ALTNAME_INVALID",
    },
    {
      why: "for another address",
      certificate: "target-ip",
      name: "127.0.0.2",
      detail: "ERR_TLS_CERT_ALTNAME_INVALID",
    },
    {
      why: "with a common name alone",
      certificate: "target-cn",
      name: NAME,
      detail: "ERR_TLS_CERT_ALTNAME_INVALID",
    },
    {
      why: "not pinned, of its own making",
      certificate: "target-self",
      name: NAME,
      pins: ["target"],
      detail: "CERT_NOT_PINNED",
    },
    {
      why: "not pinned, though its issuer is trusted",
      certificate: "target",
      name: NAME,
      pins: ["target-self"],
      detail: "CERT_NOT_PINNED",
    },
    {
      why: "where none may be shown",
      certificate: "target",
      name: NAME,
      pins: [],
      detail: "CERT_NOT_PINNED",
    },
  ])("$why is refused, and nothing is sent", async ({ certificate, name, ca, pins, detail }) => {
    const { pool, events } = await startUpstream();
    const { port, peers } = await startTlsServer({ ...pair(certificate), maxVersion: "TLSv1.2" });
    const trust = { ca: ca ?? [CA], pins: pins === undefined ? {} : { [name]: pins.map(pinOf) } };
    const { refusals, connections } = take(pool, await addressFor(port, name, trust));
    expect(await refusals.next()).toBe(`UPSTREAM_UNTRUSTED ${detail}`);
    const peer = await peers.next();
    await peer.ended();
    expect(peer.received).toBe("");
    expect([pool.open, connections.waiting, refusals.waiting]).toEqual([0, 0, 0]);
    expect(events.told).toEqual(["connect", "failed UPSTREAM_UNTRUSTED"]);
  });

  it("is verified whatever the environment says", async () => {
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    const { pool } = await startUpstream();
    const { port } = await startTlsServer(pair("target-self"));
    const { refusals } = take(pool, await addressFor(port));
    expect(await refusals.next()).toBe("UPSTREAM_UNTRUSTED DEPTH_ZERO_SELF_SIGNED_CERT");
    vi.unstubAllEnvs();
  });

  it("of the same name is asked for by the same object, of another by another", async () => {
    const tlsOf = await createUpstreamTls({ trust: await createTrust(TRUST.ca), pins: TRUST.pins });
    expect([tlsOf("a.example") === tlsOf("A.example."), tlsOf("a.example") === tlsOf("b.example")]).toEqual([
      true,
      false,
    ]);
  });
});

describe("a handshake", () => {
  const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
  it.each([
    { why: "TLS 1.1 (RFC 8996)", server: old, detail: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION" },
    {
      why: "CBC alone",
      server: { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA" } as const,
      detail: "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
    },
    {
      why: "HTTP/2 alone",
      server: { ALPNProtocols: ["h2"] },
      detail: "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
    },
  ])("with a peer that speaks $why fails", async ({ server, detail }) => {
    const { pool, address } = await startSecure({ server: { ...pair("target"), ...server } });
    expect(await take(pool, address).refusals.next()).toBe(`UPSTREAM_TLS_FAILED ${detail}`);
    expect(pool.open).toBe(0);
  });

  it.each([
    {
      why: "answers in plain HTTP",
      act: (peer: RawPeer) => peer.send("HTTP/1.1 400 Bad Request\r\n\r\n"),
      detail: "ERR_SSL_WRONG_VERSION_NUMBER",
    },
    { why: "ends", act: (peer: RawPeer) => void peer.socket.end(), detail: "ECONNRESET" },
    { why: "resets", act: (peer: RawPeer) => void peer.socket.resetAndDestroy(), detail: "ECONNRESET" },
  ])("with a peer that $why fails", async ({ act, detail }) => {
    const { pool, port, peers, events } = await startUpstream();
    const { refusals } = take(pool, await addressFor(port));
    const peer = await peers.next();
    await peer.until("\x16");
    act(peer);
    expect(await refusals.next()).toBe(`UPSTREAM_TLS_FAILED ${detail}`);
    expect([pool.open, events.told]).toEqual([0, ["connect", "failed UPSTREAM_TLS_FAILED"]]);
    peer.socket.end();
    await peer.closed(); // This side has closed it too.
  });

  it("with a peer that stays silent has what connect_timeout leaves", async () => {
    const { pool, port, peers, pass } = await startUpstream();
    const { refusals } = take(pool, await addressFor(port));
    const peer = await peers.next();
    await peer.until("\x16");
    await pass(LIMITS.connectTimeoutMs - 1);
    expect(refusals.waiting).toBe(0);
    await pass(1);
    expect([await refusals.next(), pool.open]).toEqual(["UPSTREAM_TIMEOUT", 0]);
    await peer.ended();
  });

  it("is none where nobody listens", async () => {
    const { pool } = await startUpstream();
    expect(await take(pool, await addressFor(1)).refusals.next()).toBe("UPSTREAM_REFUSED ECONNREFUSED");
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)("takes %s", async (version) => {
    const server = {
      ...pair("target"),
      minVersion: version,
      maxVersion: version,
      ALPNProtocols: ["http/1.1"],
    };
    const { connect } = await startSecure({ server });
    const { connection } = await connect();
    const socket = connection.socket as TLSSocket;
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual([version, "http/1.1"]);
  });

  it("is not repeated: what was verified stays so", async () => {
    const { connect, pass } = await startSecure({ server: { ...pair("target"), maxVersion: "TLSv1.2" } });
    const { connection, peer } = await connect();
    const told = await request(connection, peer);
    await pass(1);
    (peer.socket as TLSSocket).renegotiate({}, () => undefined);
    await expectEvents(told, ["failed UPSTREAM_CLOSED unanswered"]);
    expect(peer.errors).toEqual(["ERR_SSL_NO_RENEGOTIATION"]);
    expect(connection.securedMs).toBe(connection.beganMs);
  });

  it("is part of what it takes to be open, and its moments are kept", async () => {
    const { pool, pass, deadlines } = await startUpstream();
    const { port, held } = await startHeldServer();
    const taken = take(pool, await addressFor(port));
    const beganMs = deadlines.nowMs();
    const go = await held.next();
    await pass(100);
    expect(taken.connections.waiting).toBe(0);
    go();
    const connection = await taken.connections.next();
    const times = [connection.beganMs, connection.connectedMs, connection.securedMs];
    expect(times).toEqual([beganMs, beganMs, beganMs + 100]);
  });
});

describe("an exchange over TLS", () => {
  it("leaves a connection for the next", async () => {
    const { connect, pool, address } = await startSecure();
    const { connection, peer } = await connect();
    for (let count = 1; count <= 3; count++) {
      const told = await request(connection, peer);
      peer.send(ANSWER);
      await expectEvents(told, ["head 200", "end "]);
      expect([connection.isReusable, connection.requests]).toEqual([true, count]);
      connection.release();
      await expect.poll(() => pool.idle).toBe(1);
      expect(await take(pool, address).connections.next()).toBe(connection);
    }
  });

  it.each([
    { why: "another response", stray: STRAY },
    { why: "a byte", stray: "x" },
  ])("does not leave one with $why behind the answer", async ({ stray }) => {
    const { connect, pool } = await startSecure();
    const { connection, peer } = await connect();
    const told = await request(connection, peer);
    peer.send(ANSWER + stray);
    await expectEvents(told, ["head 200", "end "]);
    connection.release();
    expect([connection.isOpen, pool.open]).toEqual([false, 0]);
  });

  it.each([
    { why: "bytes", act: (peer: RawPeer) => peer.send(STRAY) },
    { why: "its end", act: (peer: RawPeer) => void peer.socket.end() },
    { why: "a reset", act: resetBelow },
  ])("leaves one that goes when $why come to it while it rests", async ({ act }) => {
    const { connect, pool, target } = await startSecure();
    const { connection, peer } = await connect();
    const told = await request(connection, peer);
    peer.send(ANSWER);
    await expectEvents(told, ["head 200", "end "]);
    connection.release();
    act(peer, target.sockets[0]);
    await expect.poll(() => connection.socket.closed).toBe(true);
    expect([pool.idle, pool.open, told.events.waiting]).toEqual([0, 0, 0]);
  });

  it.each([
    { why: "a closure alert", act: (peer: RawPeer) => void peer.socket.end(), last: "end " },
    // node:tls tells both alike, so this can't be refused (upstream-socket.ts).
    { why: "an end of TCP alone", act: endBelow, last: "end " },
    { why: "a reset", act: resetBelow, last: "failed UPSTREAM_CLOSED answered" },
    { why: "a reset behind bytes", act: resetBehindBytes, last: "failed UPSTREAM_CLOSED answered" },
  ])("with a body that runs until the end: $why is told as '$last'", async ({ act, last }) => {
    const { connect, target } = await startSecure();
    const { connection, peer } = await connect();
    const told = await request(connection, peer);
    peer.send(`${HEAD}\r\nall of it`);
    await expectEvents(told, ["head 200"]);
    await expect.poll(() => told.body).toBe("all of it");
    act(peer, target.sockets[0]);
    await expectEvents(told, [last]);
    expect(connection.isOpen).toBe(false);
  });

  it("takes a large request as fast as the peer reads it", async () => {
    const { connect } = await startSecure();
    const { connection, peer } = await connect();
    const told = createHandler();
    connection.begin("PUT", told);
    peer.socket.pause();
    const piece = Buffer.alloc(1_000_000, "x");
    let sent = 0;
    do sent += piece.length;
    while (connection.outlet.bytes(piece));
    for (; sent < 20_000_000; sent += piece.length) connection.outlet.bytes(piece);
    expect(connection.isReusable).toBe(false);
    expect(peer.received.length).toBeLessThan(sent);
    peer.socket.resume();
    await expectEvents(told, ["drain"]);
    await expect.poll(() => peer.received.length, { timeout: 10_000 }).toBe(sent);
    expect(connection.socket.writableLength).toBe(0);
  });

  it("gives a peer that takes nothing of it body_timeout", async () => {
    const { connect, pass } = await startSecure();
    const { connection, peer } = await connect();
    const told = createHandler();
    connection.begin("PUT", told);
    peer.socket.pause();
    expect(connection.outlet.bytes(Buffer.alloc(16_000_000))).toBe(false);
    connection.expectDrain();
    await pass(LIMITS.bodyTimeoutMs);
    await expectEvents(told, ["failed UPSTREAM_TIMEOUT unanswered"]);
  });

  it("reads a large response as fast as the client takes it", async () => {
    const { connect } = await startSecure();
    const { connection, peer } = await connect();
    const told = await request(connection, peer);
    told.hasRoom = false;
    const length = 20_000_000;
    peer.send(`${HEAD}content-length: ${length}\r\n\r\n`);
    peer.socket.write(Buffer.alloc(length, "y"));
    await expectEvents(told, ["head 200"]);
    await expect.poll(() => connection.socket.isPaused()).toBe(true);
    expect(peer.socket.writableLength).toBeGreaterThan(0);
    expect(told.body.length).toBeLessThan(length);
    told.hasRoom = true;
    connection.resumeBody();
    await expectEvents(told, ["end "]);
    expect([told.body.length, connection.isReusable]).toEqual([length, true]);
  });

  it("of 101 gives the socket away, secured", async () => {
    const { connect, pool } = await startSecure();
    const { connection, peer } = await connect();
    const told = await request(connection, peer);
    peer.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nrest");
    await expectEvents(told, ["upgraded rest"]);
    expect([connection.isOpen, pool.open]).toEqual([false, 1]);
    connection.socket.resume();
    peer.send("more");
    const [more] = (await once(connection.socket, "data")) as [Buffer];
    connection.socket.write("back");
    await peer.until("back");
    connection.socket.destroy();
    await once(connection.socket, "close");
    expect([more.toString(), pool.open]).toEqual(["more", 0]);
  });
});

it("no socket is left, whatever became of the connections", async () => {
  const { pool } = await startUpstream();
  const good = await startTlsServer({ ...pair("target"), allowHalfOpen: false });
  const bad = await startTlsServer({ ...pair("target-expired"), allowHalfOpen: false });
  const [trusted, expired] = [await addressFor(good.port), await addressFor(bad.port)];
  const sockets = (): number =>
    process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
  for (let round = 0; round < 30; round++) {
    take(pool, trusted).wait?.cancel();
    const cancelled = take(pool, trusted);
    await expect.poll(() => good.sockets.length).toBeGreaterThan(round);
    cancelled.wait?.cancel();
    if (cancelled.connections.waiting > 0) (await cancelled.connections.next()).destroy(); // It was open already.
    const won = take(pool, { key: "both", addresses: [expired, trusted] });
    (await won.connections.next()).destroy();
    expect(await take(pool, expired).refusals.next()).toContain("CERT_HAS_EXPIRED");
  }
  expect(pool.open).toBe(0);
  await expect.poll(sockets).toBe(0);
});

/** Ends the TCP connection without a word of TLS. */
function endBelow(_peer: RawPeer, socket: Socket | undefined): void {
  socket?.end();
}

function resetBehindBytes(peer: RawPeer, socket: Socket | undefined): void {
  peer.send("more of it");
  socket?.resetAndDestroy();
}

function resetBelow(_peer: RawPeer, socket: Socket | undefined): void {
  socket?.resetAndDestroy();
}
