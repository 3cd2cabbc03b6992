/**
 * UpstreamConnection over real sockets: where a response ends, every way in which one fails, every limit.
 * Method: a raw server that sends what the test says, and a handler that writes down what it is told (upstream.ts);
 * time is moved by hand (sockets.ts).
 */

import { once } from "node:events";
import { describe, expect, it } from "vitest";
import type { DeadlineOwner, Deadlines } from "../../src/http1/deadlines.ts";
import { createUpstreamPool } from "../../src/http1/upstream-pool.ts";
import { LIMITS, startRawServer } from "./sockets.ts";
import {
  addressOf,
  ANSWER,
  createEvents,
  createHandler,
  expectEvents,
  FIELDS,
  REQUEST,
  startUpstream,
  STRAY,
  take,
  UPSTREAM_LIMITS,
} from "./upstream.ts";

const HEAD = "HTTP/1.1 200 OK\r\n";
const CHUNKED_HEAD = `${HEAD}transfer-encoding: chunked\r\n\r\n`;

describe("a response", () => {
  it.each([
    { why: "a length", sent: ANSWER, body: "ok", end: "end " },
    { why: "a length of 0", sent: `${HEAD}content-length: 0\r\n\r\n`, body: "", end: "end " },
    {
      why: "chunks",
      sent: `${CHUNKED_HEAD}1\r\na\r\n0\r\nx: y\r\n\r\n`,
      body: "1\r\na\r\n0\r\n",
      end: "end x: y\r\n\r\n",
    },
    { why: "a 204", sent: "HTTP/1.1 204 No Content\r\n\r\n", body: "", end: "end " },
    { why: "a 304", sent: "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", body: "", end: "end " },
  ])("ends by $why, and the connection can be used again", async ({ sent, body, end }) => {
    const { open } = await startUpstream();
    const { told, connection, peer } = await open();
    peer.send(sent);
    await expectEvents(told, [`head ${sent.slice(9, 12)}`, end]);
    expect(told.body).toBe(body);
    expect(connection.isReusable).toBe(true);
  });

  it("has no body where it answers HEAD", async () => {
    const { open } = await startUpstream();
    const { told, connection, peer } = await open(createHandler(), "HEAD");
    peer.send(`${HEAD}content-length: 500\r\n\r\n`);
    await expectEvents(told, ["head 200", "end "]);
    expect(connection.isReusable).toBe(true);
  });

  it("runs until the connection's end where nothing else says so", async () => {
    const { open } = await startUpstream();
    const reusable: boolean[] = [];
    const told = createHandler((event) => {
      if (event === "end ") reusable.push(opened.connection.isReusable);
    });
    const opened = await open(told);
    opened.peer.send(`${HEAD}\r\nall of it`);
    await expectEvents(told, ["head 200"]);
    opened.peer.socket.end(STRAY);
    await expectEvents(told, ["end "]);
    expect(told.body).toBe(`all of it${STRAY}`);
    expect(reusable).toEqual([false]);
  });

  it.each([
    { why: "says close", head: `${HEAD}connection: close\r\n` },
    { why: "is of HTTP/1.0", head: "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n" },
  ])("that $why is the last on its connection", async ({ head }) => {
    const { open } = await startUpstream();
    const { told, connection, peer } = await open();
    peer.send(`${head}content-length: 2\r\n\r\nok`);
    await expectEvents(told, ["head 200", "end "]);
    expect(connection.isReusable).toBe(false);
  });

  it("comes without its chunks for a client that doesn't know them", async () => {
    const { open } = await startUpstream();
    const told = createHandler((event) => {
      if (event === "head 200") opened.connection.removeChunking();
    });
    const opened = await open(told);
    opened.peer.send(`${CHUNKED_HEAD}2\r\nab\r\n1;x\r\nc\r\n0\r\nx: y\r\n\r\n`);
    await expectEvents(told, ["head 200", "end "]);
    expect(told.body).toBe("abc");
  });

  it("comes behind its interim responses, in one packet with them or not", async () => {
    const { open } = await startUpstream();
    const { told, peer } = await open();
    peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    await expectEvents(told, ["head 100"]);
    peer.send(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${ANSWER}`);
    await expectEvents(told, ["head 103", "head 200", "end "]);
  });

  it.each([
    { interim: 16, last: ["head 200", "end "] },
    { interim: 17, last: ["failed UPSTREAM_MALFORMED answered"] },
  ])("with $interim interim responses before it: $last", async ({ interim, last }) => {
    const { open } = await startUpstream();
    const { told, peer } = await open();
    peer.send("HTTP/1.1 102 Processing\r\n\r\n".repeat(interim) + ANSWER);
    await expectEvents(told, [...Array<string>(16).fill("head 102"), ...last]);
  });

  it("before the request was taken ends the connection's use: what would follow may never be read", async () => {
    const { open } = await startUpstream();
    const { told, connection, peer } = await open();
    peer.socket.pause();
    connection.outlet.bytes(Buffer.alloc(16_000_000)); // More than the buffers of two sockets take.
    peer.send(ANSWER);
    await expectEvents(told, ["head 200", "end "]);
    expect(connection.isReusable).toBe(false);
  });

  it("of 101 gives the socket away with what came behind it", async () => {
    const { open, pass } = await startUpstream();
    const { told, connection, peer } = await open();
    peer.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nrest");
    await expectEvents(told, ["upgraded rest"]);
    expect(connection.isOpen).toBe(false);
    await pass(LIMITS.idleMs * 2);
    connection.socket.resume();
    peer.send("more");
    const [more] = (await once(connection.socket, "data")) as [Buffer];
    expect(more.toString()).toBe("more");
    connection.socket.destroy();
  });

  it("waits, without a limit, while the client has no room", async () => {
    const { open, pass } = await startUpstream();
    const { told, connection, peer } = await open();
    told.hasRoom = false;
    peer.send(`${HEAD}content-length: 4\r\n\r\nab`);
    await expectEvents(told, ["head 200"]);
    expect(connection.socket.isPaused()).toBe(true);
    await pass(LIMITS.bodyTimeoutMs * 10);
    told.hasRoom = true;
    connection.resumeBody();
    peer.send("cd");
    await expectEvents(told, ["end "]);
    expect(told.body).toBe("abcd");
  });
});

describe("a failure", () => {
  it.each([
    { why: "nonsense", sent: "nonsense\r\n\r\n", events: ["failed UPSTREAM_MALFORMED answered"] },
    { why: "LF alone", sent: "HTTP/1.1 200 OK\n", events: ["failed UPSTREAM_MALFORMED answered"] },
    {
      why: "a head too large",
      sent: "x".repeat(LIMITS.headBytes + 1),
      events: ["failed UPSTREAM_MALFORMED answered"],
    },
    {
      why: "a bad chunk",
      sent: `${CHUNKED_HEAD}x\r\n`,
      events: ["head 200", "failed UPSTREAM_MALFORMED answered"],
    },
    {
      why: "a bad trailer",
      sent: `${CHUNKED_HEAD}0\r\nx\r\n\r\n`,
      events: ["head 200", "failed UPSTREAM_MALFORMED answered"],
    },
    {
      why: "trailers too large",
      sent: `${CHUNKED_HEAD}0\r\n${"x".repeat(LIMITS.headBytes + 1)}`,
      events: ["head 200", "failed UPSTREAM_MALFORMED answered"],
    },
  ])("is told once for $why", async ({ sent, events }) => {
    const { open } = await startUpstream();
    const { told, closed, peer } = await open();
    peer.send(sent);
    await expectEvents(told, events);
    await closed;
    expect(told.events.waiting).toBe(0);
  });

  it.each([
    { why: "before a byte", sent: "", answered: "unanswered", heads: [] },
    { why: "within a head", sent: "HTTP/1.1", answered: "answered", heads: [] },
    {
      why: "within a length",
      sent: `${HEAD}content-length: 3\r\n\r\nok`,
      answered: "answered",
      heads: ["head 200"],
    },
    { why: "within chunks", sent: `${CHUNKED_HEAD}1\r\na\r\n`, answered: "answered", heads: ["head 200"] },
    {
      why: "within trailers",
      sent: `${CHUNKED_HEAD}0\r\nx: y\r\n`,
      answered: "answered",
      heads: ["head 200"],
    },
  ])("is told once for an end $why", async ({ sent, answered, heads }) => {
    const { open } = await startUpstream();
    const { told, closed, peer } = await open();
    peer.socket.end(sent, "latin1");
    await expectEvents(told, [...heads, `failed UPSTREAM_CLOSED ${answered}`]);
    await closed;
    expect(told.events.waiting).toBe(0);
  });

  it("is told for a reset within a body that runs until the end: what came is not all", async () => {
    const { open } = await startUpstream();
    const { told, peer } = await open();
    peer.send(`${HEAD}\r\nhalf`);
    await expectEvents(told, ["head 200"]);
    peer.socket.resetAndDestroy();
    await expectEvents(told, ["failed UPSTREAM_CLOSED answered"]);
  });

  it("is told when nobody listens", async () => {
    const { pool } = await startUpstream();
    const { refusals } = take(pool, addressOf(1)); // tcpmux: no test listens there, nor does a machine of this century.
    expect(await refusals.next()).toBe("UPSTREAM_REFUSED ECONNREFUSED");
  });

  it("is not told of a connection that its owner destroyed", async () => {
    const { open } = await startUpstream();
    const { told, connection, closed } = await open();
    connection.destroy();
    await closed;
    expect(told.events.waiting).toBe(0);
  });
});

describe("limits", () => {
  it("gives a connection connect_timeout", async () => {
    const owners: DeadlineOwner[] = [];
    const deadlines: Deadlines = {
      nowMs: () => 0,
      add: (owner) => void owners.push(owner),
      delete: () => undefined,
      stop: () => undefined,
    };
    const { port } = await startRawServer();
    const options = { limits: UPSTREAM_LIMITS, fields: FIELDS, deadlines, events: createEvents() };
    const { refusals } = take(createUpstreamPool(options), addressOf(port));
    expect(owners.map(({ deadlineMs }) => deadlineMs)).toEqual([LIMITS.connectTimeoutMs]);
    for (const late of owners) late.onDeadline(); // In this turn: the connection can't be there yet.
    expect(await refusals.next()).toBe("UPSTREAM_TIMEOUT");
  });

  it("gives a response response_timeout, once the request is written", async () => {
    const { pool, port, peers, pass } = await startUpstream();
    const connection = await take(pool, addressOf(port)).connections.next();
    const told = createHandler();
    connection.begin("POST", told);
    connection.outlet.text(REQUEST);
    connection.outlet.flush();
    const peer = await peers.next();
    await peer.until("\r\n\r\n");
    await pass(LIMITS.responseTimeoutMs * 10);
    connection.expectResponse();
    await pass(LIMITS.responseTimeoutMs - 1);
    expect(told.events.waiting).toBe(0);
    await pass(1);
    await expectEvents(told, ["failed UPSTREAM_TIMEOUT unanswered"]);
    await peer.ended();
  });

  it("gives the rest of a head no more time than its first byte", async () => {
    const { open, pass } = await startUpstream();
    const { told, connection, peer } = await open();
    await pass(LIMITS.responseTimeoutMs - 1);
    peer.send("HTTP/1.1 ");
    await once(connection.socket, "data");
    await pass(1);
    await expectEvents(told, ["failed UPSTREAM_TIMEOUT answered"]);
  });

  it("gives the next bytes of a body body_timeout", async () => {
    const { open, pass } = await startUpstream();
    const { told, connection, peer } = await open();
    peer.send(`${HEAD}content-length: 3\r\n\r\na`);
    await expectEvents(told, ["head 200"]);
    await pass(LIMITS.bodyTimeoutMs - 1);
    peer.send("b");
    await once(connection.socket, "data");
    await pass(LIMITS.bodyTimeoutMs - 1);
    expect(told.events.waiting).toBe(0);
    await pass(1);
    await expectEvents(told, ["failed UPSTREAM_TIMEOUT answered"]);
    expect(told.body).toBe("ab");
  });

  it("gives an upstream that takes no bytes body_timeout, and sends on once it does", async () => {
    const { open, pass } = await startUpstream();
    const { told, connection, peer } = await open();
    peer.socket.pause();
    const piece = Buffer.alloc(16 * 1024 * 1024);
    expect(connection.outlet.bytes(piece)).toBe(false);
    connection.expectDrain();
    await pass(LIMITS.bodyTimeoutMs - 1);
    peer.socket.resume();
    await expectEvents(told, ["drain"]);
    await pass(LIMITS.responseTimeoutMs - 1);
    peer.socket.pause();
    connection.outlet.bytes(Buffer.concat([piece, piece]));
    connection.expectDrain();
    await pass(LIMITS.bodyTimeoutMs);
    await expectEvents(told, ["failed UPSTREAM_TIMEOUT unanswered"]);
  });
});
