/**
 * createUpstreamPool over real sockets: what is used again, what never is, and how long it rests.
 * Method: as in upstream-connection.test.ts. Advisories: response queue poisoning (CWE-444).
 */

import { once } from "node:events";
import { describe, expect, it } from "vitest";
import type { UpstreamConnection } from "../../src/http1/upstream-connection.ts";
import { LIMITS, type RawPeer } from "./sockets.ts";
import {
  addressOf,
  ANSWER,
  createHandler,
  createTaker,
  expectEvents,
  REQUEST,
  send,
  startUpstream,
  STRAY,
  take,
} from "./upstream.ts";

/** As in upstream-pool.ts. */
const IDLE_PER_ADDRESS_MAX = 1024;

describe("the pool", () => {
  it("gives a resting connection for the next request", async () => {
    const { rest, pool, port } = await startUpstream();
    const first = await rest();
    expect(pool.idle).toBe(1);
    const second = await send(pool, port);
    expect(second.connection).toBe(first.connection);
    expect([pool.idle, second.connection.requests]).toEqual([0, 2]);
    first.peer.send(ANSWER);
    await expectEvents(second.told, ["head 200", "end "]);
    expect(second.told.body).toBe("ok");
  });

  it("gives the last that came back first, each once, and none of another address", async () => {
    const { open, pool, port } = await startUpstream();
    const opened = [await open(), await open(), await open()];
    for (const { told, peer, connection } of opened) {
      peer.send(ANSWER);
      await expectEvents(told, ["head 200", "end "]);
      connection.release();
    }
    const other = await take(pool, { ...addressOf(port), key: "other" }).connections.next();
    const taken = [];
    for (let count = 0; count < 4; count++) {
      taken.push(await take(pool, addressOf(port)).connections.next());
    }
    const known = opened.map(({ connection }) => connection);
    expect(taken.map((connection) => known.indexOf(connection))).toEqual([2, 1, 0, -1]);
    expect(known).not.toContain(other);
    for (const connection of [...taken, other]) connection.destroy();
  });

  it("can be told to take a new one", async () => {
    const { rest, pool, port } = await startUpstream();
    const { connection } = await rest();
    const taker = createTaker();
    pool.takeFresh(addressOf(port), taker);
    const fresh = await taker.connections.next();
    expect(fresh).not.toBe(connection);
    expect(pool.idle).toBe(1);
    fresh.destroy();
  });

  it("keeps as many as allowed, not one more", async () => {
    const { open, pool } = await startUpstream({ upstreamConnections: IDLE_PER_ADDRESS_MAX + 1 });
    const opened = [];
    for (let count = 0; count <= IDLE_PER_ADDRESS_MAX; count++) opened.push(await open());
    for (const { told, peer, connection } of opened) {
      peer.send(ANSWER);
      await expectEvents(told, ["head 200", "end "]);
      connection.release();
    }
    expect(pool.idle).toBe(IDLE_PER_ADDRESS_MAX);
    expect(opened.at(-1)?.connection.isOpen).toBe(false);
  });

  it("lets the one go that is idle longest, of whichever target, when one too many comes back", async () => {
    const { pool, port, peers } = await startUpstream({}, 2);
    const restAt = async (key: string): Promise<UpstreamConnection> => {
      const told = createHandler();
      const connection = await take(pool, { ...addressOf(port), key }).connections.next();
      connection.begin("GET", told);
      connection.outlet.text(REQUEST);
      connection.outlet.flush();
      connection.expectResponse();
      // Another request of the same target goes to the server that has it already.
      if (connection.requests === 1) servers.set(connection, await peers.next());
      servers.get(connection)?.send(ANSWER);
      await expectEvents(told, ["head 200", "end "]);
      connection.release();
      return connection;
    };
    const servers = new Map<UpstreamConnection, RawPeer>();
    const [first, second] = [await restAt("first"), await restAt("second")];
    expect(pool.idle).toBe(2);
    expect(await restAt("first")).toBe(first); // Used again, so the second is the oldest now.
    const third = await restAt("third");
    expect([first, second, third].map(({ isOpen }) => isOpen)).toEqual([true, false, true]);
    expect([pool.idle, pool.open]).toEqual([2, 2]);
  });

  it("lets all go when it is closed, and takes none back", async () => {
    const { rest, open, pool } = await startUpstream();
    const late = await open();
    const early = await rest();
    pool.close();
    await early.closed;
    late.peer.send(ANSWER);
    await expectEvents(late.told, ["head 200", "end "]);
    late.connection.release();
    await late.closed;
    expect(pool.idle).toBe(0);
  });
});

describe("a poisoned connection", () => {
  it.each([
    { why: "another response", stray: STRAY },
    { why: "half a response", stray: "HTTP/1.1 2" },
    { why: "a byte", stray: "x" },
    { why: "a line end", stray: "\r\n" },
  ])("is not used again when $why came behind the answer", async ({ stray }) => {
    const { rest, open, pool } = await startUpstream();
    const { connection, closed } = await rest(ANSWER + stray);
    await closed;
    expect(pool.idle).toBe(0);
    const next = await open();
    expect(next.connection).not.toBe(connection);
    next.peer.send(ANSWER);
    await expectEvents(next.told, ["head 200", "end "]);
    expect(next.told.body).toBe("ok");
  });

  it.each([
    { why: "a length", answer: ANSWER },
    { why: "no body", answer: "HTTP/1.1 204 No Content\r\n\r\n" },
    { why: "chunks", answer: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" },
    { why: "interim responses", answer: `HTTP/1.1 103 Hints\r\n\r\n${ANSWER}` },
  ])("never answers an exchange that begins as a response of $why ends", async ({ answer }) => {
    const { open, pool, port, peers } = await startUpstream();
    const next = createHandler();
    const first = await open(
      createHandler((event) => {
        if (!event.startsWith("end")) return;
        first.connection.release();
        void send(pool, port, next);
      }),
    );
    first.peer.send(answer + STRAY);
    const peer = await peers.next();
    await peer.until("\r\n\r\n");
    expect(next.events.waiting).toBe(0);
    peer.send(ANSWER);
    await expectEvents(next, ["head 200", "end "]);
    expect(next.body).toBe("ok");
  });

  it("does not answer the next exchange even when its owner reuses it against all advice", async () => {
    const { open } = await startUpstream();
    const next = createHandler();
    const first = await open(
      createHandler((event) => {
        if (event.startsWith("end")) first.connection.begin("GET", next);
      }),
    );
    first.peer.send(ANSWER + STRAY);
    await expectEvents(first.told, ["head 200", "end "]);
    first.peer.socket.end();
    await first.closed;
    expect(next.body).toBe("");
    await expectEvents(next, ["failed UPSTREAM_CLOSED unanswered"]);
  });

  it.each([
    { why: "bytes", act: (peer: RawPeer) => peer.send(STRAY) },
    { why: "its end", act: (peer: RawPeer) => void peer.socket.end() },
    { why: "a reset", act: (peer: RawPeer) => void peer.socket.resetAndDestroy() },
  ])("goes from the pool when $why come to it while it rests", async ({ act }) => {
    const { rest, pool } = await startUpstream();
    const { told, closed, peer } = await rest();
    act(peer);
    await closed;
    expect(pool.idle).toBe(0);
    expect(told.events.waiting).toBe(0);
  });
});

describe("a connection for a tunnel", () => {
  it("is a new one, which is no retry, and its socket is given away for good", async () => {
    const { rest, pool, port, peers, events, pass } = await startUpstream();
    await rest();
    const taker = createTaker();
    pool.takeNew(addressOf(port), taker);
    const connection = await taker.connections.next();
    expect([pool.idle, pool.open, taker.retries, events.told]).toEqual([1, 2, 0, ["connect", "connect"]]);
    const socket = connection.takeSocket();
    expect([connection.isOpen, socket.isPaused()]).toEqual([false, true]);
    await pass(LIMITS.idleMs - 1);
    connection.destroy(); // Nothing of it touches the socket any more.
    connection.fail("UPSTREAM_TIMEOUT");
    const peer = await peers.next();
    peer.send(STRAY);
    const [bytes] = (await once(socket.resume(), "data")) as [Buffer];
    expect(bytes.toString()).toBe(STRAY);
    socket.write("ping");
    await peer.until("ping");
    expect(pool.open).toBe(2);
    socket.destroy();
    await peer.ended();
    await expect.poll(() => pool.open).toBe(1);
  });

  it("has its place until it closes", async () => {
    const { pool, port } = await startUpstream({ upstreamConnections: 1 });
    const socket = (await take(pool, addressOf(port)).connections.next()).takeSocket();
    const waiting = take(pool, addressOf(port));
    expect(pool.waiting).toBe(1);
    socket.destroy();
    await waiting.connections.next();
  });

  it.each([
    {
      why: "an exchange began on it",
      act: (connection: UpstreamConnection) => connection.begin("GET", createHandler()),
    },
    { why: "it is closed", act: (connection: UpstreamConnection) => connection.destroy() },
    { why: "it was given away", act: (connection: UpstreamConnection) => void connection.takeSocket() },
  ])("can't be had once $why: that is a fault of ours", async ({ act }) => {
    const { pool, port } = await startUpstream();
    const connection = await take(pool, addressOf(port)).connections.next();
    act(connection);
    expect(() => connection.takeSocket()).toThrow("only a new socket");
    connection.socket.destroy();
  });

  it("can't be one on which an exchange has ended", async () => {
    const { rest } = await startUpstream();
    const { connection } = await rest();
    expect(() => connection.takeSocket()).toThrow("only a new socket");
  });
});

it.each([
  { why: "idle", line: "", limitMs: LIMITS.idleMs },
  { why: "what the upstream says, less a second", line: "keep-alive: timeout=5\r\n", limitMs: 4000 },
  { why: "idle, where the upstream says more", line: "keep-alive: timeout=600\r\n", limitMs: LIMITS.idleMs },
])("a resting connection has $why", async ({ line, limitMs }) => {
  const { rest, pool, pass } = await startUpstream();
  const { closed } = await rest(`HTTP/1.1 200 OK\r\n${line}content-length: 0\r\n\r\n`);
  await pass(limitMs - 1);
  expect(pool.idle).toBe(1);
  await pass(1);
  await closed;
  expect(pool.idle).toBe(0);
});
