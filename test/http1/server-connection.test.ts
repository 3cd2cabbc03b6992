/**
 * ServerConnection behind a listener, over real sockets: the order of requests, every limit, and every way in which a
 * connection ends.
 * Method: a raw client, and an owner that answers only when the test says so (server.ts); time is moved by hand
 * (sockets.ts).
 */

import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { ANSWER, GET, REFUSAL, startServer } from "./server.ts";
import { LIMITS, turn } from "./sockets.ts";

/** As in server-connection.ts. */
const LINGER_MS = 2000;
const HALF_CLOSED_MS = 5000;

describe("order", () => {
  it("holds pipelined requests back while one is open, and answers in order", async () => {
    const { requests, connect } = await startServer();
    const client = await connect();
    client.send(GET + GET.replace("/1", "/2") + GET.replace("/1", "/3"));
    for (const target of ["/1", "/2", "/3"]) {
      const request = await requests.next();
      expect(request.head.target).toBe(target);
      expect(requests.waiting).toBe(0);
      request.answer(ANSWER.replace("ok", `a${target.slice(1)}`));
    }
    await client.until("a3");
    expect(client.received.match(/a[123]/g)).toEqual(["a1", "a2", "a3"]);
  });

  it("takes no more ahead than the socket had read: the client waits", async () => {
    const { requests, connect } = await startServer();
    const client = await connect();
    client.send(GET);
    const first = await requests.next();
    client.send(GET.repeat(100_000));
    const { socket } = first.connection;
    await once(socket, "data");
    expect(socket.isPaused()).toBe(true);
    expect(socket.bytesRead).toBeLessThan(GET.length * 50_000);
    expect(requests.waiting).toBe(0);
  });

  it("reads no further request while the client leaves its answers lying", async () => {
    const { requests, connect } = await startServer();
    const client = await connect();
    client.socket.pause();
    client.send(GET + GET);
    const { connection } = await requests.next();
    connection.outlet.bytes(Buffer.alloc(32 * 1024 * 1024));
    connection.finish(true);
    await turn();
    expect(requests.waiting).toBe(0);
    expect(connection.socket.isPaused()).toBe(true);
    client.socket.resume();
    (await requests.next()).answer();
    await client.until(ANSWER);
  });

  it("answers many pipelined requests at once without growing its stack", async () => {
    const { requests, connect } = await startServer();
    const client = await connect();
    const count = 20_000;
    client.send(GET.repeat(count) + GET.replace("/1", "/last"));
    for (let answered = 0; answered < count; answered++)
      (await requests.next()).answer("HTTP/1.1 204 N\r\n\r\n");
    expect((await requests.next()).head.target).toBe("/last");
  });

  it("passes a body on, its trailers apart, and reads the next request behind it", async () => {
    const { requests, connect } = await startServer();
    const client = await connect();
    const body = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n";
    client.send(`${body}x: y\r\n\r\n${GET}`);
    const request = await requests.next();
    expect(await request.events.next()).toBe("end x: y\r\n\r\n");
    expect(request.body).toBe("2\r\nab\r\n0\r\n");
    request.answer();
    expect((await requests.next()).head.target).toBe("/1");
  });

  it("gives the socket away with what was read ahead, and lets go of it", async () => {
    const { requests, connect, pass } = await startServer();
    const client = await connect();
    client.send(`${GET}ahead`);
    const { connection } = await requests.next();
    expect(connection.detach()?.toString()).toBe("ahead");
    await pass(LIMITS.idleMs * 2);
    connection.socket.end("bye");
    await client.until("bye");
    expect(requests.waiting).toBe(0);
  });
});

describe("limits", () => {
  it.each([
    { why: "nothing", sent: "", answer: "" },
    { why: "empty lines", sent: "\r\n\r\n", answer: "" },
    { why: "a part of a head", sent: "GET / HT", answer: REFUSAL },
  ])("gives a connection that sent $why head_timeout from its start", async ({ sent, answer }) => {
    const { refusals, connect, pass, untilOpen } = await startServer();
    const client = await connect();
    await untilOpen(1);
    await pass(LIMITS.headTimeoutMs / 2);
    await client.deliver(sent);
    await pass(LIMITS.headTimeoutMs / 2 - 1);
    expect(client.isEnded).toBe(false);
    await pass(1);
    await client.ended();
    expect(client.received).toBe(answer);
    if (answer !== "") expect(await refusals.next()).toBe("head-timeout");
  });

  it("gives a later head head_timeout from its first byte, however many follow", async () => {
    const { refusals, requests, connect, pass } = await startServer();
    const client = await connect();
    client.send(GET);
    const first = await requests.next();
    first.answer();
    const { socket } = first.connection;
    await pass(LIMITS.idleMs / 2);
    client.send("G");
    await once(socket, "data");
    await pass(LIMITS.headTimeoutMs - 1);
    client.send("E");
    await once(socket, "data");
    expect(refusals.waiting).toBe(0);
    await pass(1);
    expect(await refusals.next()).toBe("head-timeout");
    await client.until(REFUSAL);
  });

  it("gives a later head all of head_timeout, though the idle time is nearly over", async () => {
    const { requests, refusals, connect, pass } = await startServer();
    const client = await connect();
    client.send(GET);
    (await requests.next()).answer();
    await client.until("ok");
    await pass(LIMITS.idleMs - 1);
    await client.deliver("GET / HT");
    await pass(LIMITS.headTimeoutMs - 1);
    expect(refusals.waiting).toBe(0);
    await pass(1);
    expect(await refusals.next()).toBe("head-timeout");
  });

  it("closes an idle connection without a word", async () => {
    const { requests, connect, pass } = await startServer();
    const client = await connect();
    client.send(GET);
    (await requests.next()).answer();
    await client.until("ok");
    await pass(LIMITS.idleMs - 1);
    expect(client.isEnded).toBe(false);
    await pass(1);
    await client.ended();
    expect(client.received).toBe(ANSWER);
  });

  it("limits the time between two bytes of a body, but not while it is paused", async () => {
    const { requests, connect, pass } = await startServer();
    const client = await connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\na");
    const request = await requests.next();
    await pass(LIMITS.bodyTimeoutMs - 1);
    request.hasRoom = false;
    client.send("b");
    await once(request.connection.socket, "data");
    await pass(LIMITS.bodyTimeoutMs * 10);
    request.hasRoom = true;
    request.connection.resumeBody();
    await pass(LIMITS.bodyTimeoutMs - 1);
    expect(request.events.waiting).toBe(0);
    await pass(1);
    expect(await request.events.next()).toBe("gone BODY_TIMEOUT");
    expect(request.body).toBe("ab");
    request.answer(REFUSAL, false);
    await client.ended();
    expect(client.received).toBe(REFUSAL);
  });

  it("limits how long a client that is not read from may leave its answer lying", async () => {
    const { requests, connect, pass } = await startServer();
    const client = await connect();
    client.socket.pause();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    const request = await requests.next();
    request.hasRoom = false;
    client.send("a");
    await once(request.connection.socket, "data");
    request.connection.outlet.bytes(Buffer.alloc(16 * 1024 * 1024));
    request.connection.expectDrain();
    await pass(LIMITS.bodyTimeoutMs);
    expect(await request.events.next()).toBe("gone CLIENT_ABORTED");
  });

  it("limits how long a client may leave its answer lying, and sends on once it reads", async () => {
    const { requests, connect, pass } = await startServer();
    const client = await connect();
    client.socket.pause();
    client.send(GET);
    const request = await requests.next();
    const { connection } = request;
    const piece = Buffer.alloc(8 * 1024 * 1024);
    expect(await request.events.next()).toBe("end ");
    expect(connection.outlet.bytes(piece)).toBe(false);
    connection.expectDrain();
    await pass(LIMITS.bodyTimeoutMs - 1);
    client.socket.resume();
    expect(await request.events.next()).toBe("drain");
    await pass(LIMITS.bodyTimeoutMs * 10);
    client.socket.pause();
    connection.outlet.bytes(Buffer.concat([piece, piece]));
    connection.expectDrain();
    await pass(LIMITS.bodyTimeoutMs);
    expect(await request.events.next()).toBe("gone CLIENT_ABORTED");
  });
});
describe("ends", () => {
  it.each([
    { why: "a malformed head", sent: "GET / HTTP/1.1\r\n\r\n", word: "host-missing" },
    { why: "LF alone", sent: "GET / HTTP/1.1\n", word: "bare-line-end" },
    { why: "a head too large", sent: "x".repeat(LIMITS.headBytes + 1), word: "head-size" },
  ])("refuses $why once, and reads nothing behind it", async ({ sent, word }) => {
    const { refusals, requests, connect } = await startServer();
    const client = await connect();
    client.send(sent + GET + GET);
    expect(await refusals.next()).toBe(word);
    await client.ended();
    expect(client.received).toBe(REFUSAL);
    client.send(GET);
    client.socket.end();
    await client.closed();
    expect(requests.waiting + refusals.waiting).toBe(0);
  });

  it("delivers a refusal though the client sends on, then stops listening", async () => {
    const { refusals, listener, connect, pass, untilOpen } = await startServer();
    const client = await connect();
    client.send("GET / HTTP/1.1\r\n\r\n");
    const block = "x".repeat(1024 * 1024);
    client.send(block.repeat(8));
    await refusals.next();
    await client.ended();
    expect(client.received).toBe(REFUSAL);
    expect(client.errors).toEqual([]);
    await pass(LINGER_MS - 1);
    expect(listener.connections).toBe(1);
    await pass(1);
    await untilOpen(0);
  });

  it("says the word of a malformed body, and takes the rest for nothing", async () => {
    const { requests, connect } = await startServer();
    const client = await connect();
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n${GET}`);
    const request = await requests.next();
    expect(await request.events.next()).toBe("gone REQUEST_MALFORMED chunk");
    request.answer(REFUSAL, false);
    await client.ended();
    expect(client.received).toBe(REFUSAL);
    expect(requests.waiting).toBe(0);
  });

  it("closes behind an answer that came before the request's end, whatever was said of it", async () => {
    const { requests, connect } = await startServer();
    const client = await connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\na");
    (await requests.next()).answer(ANSWER, true);
    await client.ended();
    expect(client.received).toBe(ANSWER);
    client.send("b".repeat(99) + GET);
    client.socket.end();
    await client.closed();
    expect(requests.waiting).toBe(0);
  });

  it("throws the rest of a paused body away behind its answer", async () => {
    const { requests, connect } = await startServer();
    const client = await connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n");
    const request = await requests.next();
    request.hasRoom = false;
    client.send("x".repeat(16 * 1024 * 1024));
    await once(request.connection.socket, "data");
    expect(request.connection.socket.isPaused()).toBe(true);
    request.answer(REFUSAL, false);
    await once(client.socket, "drain");
    await client.ended();
    expect(client.received).toBe(REFUSAL);
  });

  it("answers a client that closed its half, and closes", async () => {
    const { requests, connect } = await startServer();
    const client = await connect();
    client.send(GET + GET);
    client.socket.end();
    (await requests.next()).answer();
    const second = await requests.next();
    await once(second.connection.socket, "end");
    second.answer();
    await client.closed();
    expect(client.received).toBe(ANSWER + ANSWER);
    expect(client.errors).toEqual([]);
  });

  it("gives a client that closed its half a bounded time", async () => {
    const { requests, connect, pass } = await startServer();
    const client = await connect();
    client.send(GET);
    client.socket.end();
    const request = await requests.next();
    expect(await request.events.next()).toBe("end ");
    await once(request.connection.socket, "end");
    await pass(HALF_CLOSED_MS - 1);
    expect(request.events.waiting).toBe(0);
    await pass(1);
    expect(await request.events.next()).toBe("gone CLIENT_ABORTED");
    await client.closed();
  });

  it("goes on with an answer that has begun for a client that closed its half", async () => {
    const { requests, connect, pass } = await startServer();
    const client = await connect();
    client.send(GET);
    client.socket.end();
    const { connection } = await requests.next();
    await once(connection.socket, "end");
    connection.beginAnswer();
    connection.outlet.text("some ");
    connection.outlet.flush();
    await pass(HALF_CLOSED_MS * 10);
    connection.outlet.text("more");
    connection.finish(false);
    await client.until("some more");
  });

  it("gives a slow client all of its last answer: the lingering starts behind the last byte", async () => {
    const { requests, connect, pass } = await startServer();
    const client = await connect();
    client.socket.pause();
    client.send(GET);
    const { connection } = await requests.next();
    const size = 32 * 1024 * 1024; // More than the system buffers.
    connection.outlet.bytes(Buffer.alloc(size));
    connection.finish(false);
    await pass(LIMITS.bodyTimeoutMs - 1);
    client.socket.resume();
    await client.ended();
    expect(client.received).toHaveLength(size);
  });

  it("gives its last answer up when a client takes none of it within body_timeout", async () => {
    const { requests, connect, pass, untilOpen } = await startServer();
    const client = await connect();
    client.socket.pause();
    client.send(GET);
    const { connection } = await requests.next();
    connection.outlet.bytes(Buffer.alloc(32 * 1024 * 1024));
    connection.finish(false);
    await pass(LIMITS.bodyTimeoutMs);
    await untilOpen(0);
    expect(connection.socket.writableFinished).toBe(false);
  });

  it.each([
    { why: "resets", leave: (socket: Socket) => socket.resetAndDestroy() },
    { why: "closes its half", leave: (socket: Socket) => socket.end() },
  ])("says once that a client is gone which $why within a body", async ({ leave }) => {
    const { requests, connect, untilOpen } = await startServer();
    const client = await connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    const request = await requests.next();
    leave(client.socket);
    expect(await request.events.next()).toBe("gone CLIENT_ABORTED");
    await untilOpen(0);
    expect(request.events.waiting).toBe(0);
  });

  it("says that a client is gone which resets while it waits", async () => {
    const { requests, connect } = await startServer();
    const client = await connect();
    client.send(GET);
    const request = await requests.next();
    expect(await request.events.next()).toBe("end ");
    client.socket.resetAndDestroy();
    expect(await request.events.next()).toBe("gone CLIENT_ABORTED");
  });

  it("breaks an answer off by a reset, so that it can't pass for whole", async () => {
    const { requests, connect } = await startServer();
    const client = await connect();
    client.send(GET);
    const { connection } = await requests.next();
    connection.outlet.text("HTTP/1.1 200 OK\r\n\r\nhalf");
    connection.outlet.flush();
    await client.until("half");
    connection.breakOff();
    await client.closed();
    expect(client.errors).toEqual(["ECONNRESET"]);
    expect(client.isEnded).toBe(false);
  });
});
