/** startListener over real sockets: the cap on connections, draining, addresses. */

import { expect, it } from "vitest";
import { startListener } from "../../src/http1/listener.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import { ANSWER, GET, REFUSAL, startServer } from "./server.ts";
import { LIMITS, startTime } from "./sockets.ts";

it("caps the connections and takes new ones when there is room again", async () => {
  const { refusals, requests, connect, untilOpen } = await startServer(2);
  const first = await connect();
  await connect();
  const third = await connect();
  expect(await refusals.next()).toBe("connections");
  await third.ended();
  expect(third.received).toBe(REFUSAL);
  third.socket.end();
  await untilOpen(2);
  first.send(GET);
  (await requests.next()).answer(ANSWER, false);
  await first.ended();
  first.socket.end();
  await untilOpen(1);
  const fourth = await connect();
  fourth.send(GET);
  (await requests.next()).answer();
  await fourth.until("ok");
  expect(refusals.waiting).toBe(0);
});

it("keeps no room for connections that it refused", async () => {
  const { refusals, requests, connect, untilOpen } = await startServer(1);
  const first = await connect();
  await connect();
  expect(await refusals.next()).toBe("connections");
  first.socket.destroy();
  await untilOpen(0);
  const third = await connect();
  third.send(GET);
  (await requests.next()).answer();
  await third.until("ok");
});

it("is drained when the last connection was told its end, not before", async () => {
  const { requests, listener, connect } = await startServer();
  const client = await connect();
  client.send(GET);
  const request = await requests.next();
  expect(await request.events.next()).toBe("end ");
  const drained = listener.drain();
  client.socket.resetAndDestroy();
  await drained;
  expect([listener.connections, request.events.waiting]).toEqual([0, 1]);
});

it("is drained when a client has read the answer that was written before", async () => {
  const { requests, listener, connect } = await startServer(10);
  const client = await connect();
  client.socket.pause();
  client.send(GET);
  const length = 40_000_000;
  // More than the kernel takes, so the connection waits for its client before it would read the next request.
  (await requests.next()).answer(`HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n${"x".repeat(length)}`);
  const drained = listener.drain();
  client.socket.resume();
  await client.ended();
  client.socket.end();
  await drained;
  expect(client.received.endsWith("xxx")).toBe(true);
});

it("drains: idle connections go at once, open requests are answered, then all are gone", async () => {
  const { requests, listener, connect, untilOpen } = await startServer();
  const idle = await connect();
  const open = await connect();
  idle.send(GET);
  (await requests.next()).answer();
  await idle.until("ok");
  open.send(GET + GET);
  const request = await requests.next();
  const drained = listener.drain();
  expect(listener.isDraining).toBe(true);
  await idle.ended();
  idle.socket.end();
  await expect(connect()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  request.answer();
  await open.ended();
  open.socket.end();
  await drained;
  await untilOpen(0);
  expect(open.received).toBe(ANSWER);
  expect(requests.waiting).toBe(0);
});

it("says why it can't listen", async () => {
  const { listener } = await startServer();
  const port = Number(listener.address.split(":").at(-1));
  const { deadlines } = startTime();
  const second = startListener({
    address: { host: "127.0.0.1", port },
    tls: undefined,
    limits: { ...LIMITS, connections: 1, connectionsPerPeer: 1 },
    fields: createProxyFields([]),
    deadlines,
    onRequest: () => undefined,
    onRefused: () => undefined,
  });
  await expect(second).rejects.toMatchObject({
    code: "LISTEN_FAILED",
    message: `cannot listen on 127.0.0.1:${port}: EADDRINUSE`,
    facts: { address: `127.0.0.1:${port}` },
  });
});
