/**
 * Who has a place when a listener is full: eviction of idle connections, each client's share.
 * Method: raw clients from several addresses of 127.0.0.0/8, each of which counts as a client here.
 */

import { describe, expect, it } from "vitest";
import { createEviction } from "../../src/http1/listener-eviction.ts";
import { createPeerCounts, peerKeyOf } from "../../src/http1/listener-peers.ts";
import { ANSWER, GET, REFUSAL, startServer } from "./server.ts";
import { type RawPeer, turn } from "./sockets.ts";

type Server = Awaited<ReturnType<typeof startServer>>;

const peerKeyOfAll = (address: string): string => address;

/** Connects and is served once, so that the connection is kept. */
async function connectKept({ connect, requests }: Server, localAddress?: string): Promise<RawPeer> {
  const client = await connect(localAddress);
  client.send(GET);
  (await requests.next()).answer();
  await client.until(ANSWER);
  return client;
}

async function isServed({ requests }: Server, client: RawPeer): Promise<boolean> {
  client.send(GET);
  (await requests.next()).answer();
  await client.until(ANSWER);
  return true;
}

describe("when all connections are taken, a newcomer", () => {
  it("takes the place of one that is kept between requests", async () => {
    const server = await startServer(1);
    const kept = await connectKept(server);
    const newcomer = await server.connect();
    await kept.ended();
    expect(await isServed(server, newcomer)).toBe(true);
    expect([kept.received, await server.counted.next()]).toEqual([ANSWER, "evicted"]);
    expect([server.listener.connections, server.refusals.waiting]).toEqual([1, 0]);
  });

  it("frees the descriptor of the one that goes, whose client never closes its side", async () => {
    const server = await startServer(1);
    const kept = await server.connect();
    kept.send(GET);
    const request = await server.requests.next();
    request.answer();
    await kept.until(ANSWER);
    await server.connect();
    while (!request.connection.socket.destroyed) await turn();
    expect(await server.counted.next()).toBe("evicted");
  });

  it.each([
    { waitedMs: 900, text: "", why: "has not had the time to send its first request" },
    { waitedMs: 1000, text: "", why: "has sent nothing for a second, and not more" },
    { waitedMs: 5000, text: `${GET}GET /2 HT`, why: "has begun its next request" },
    { waitedMs: 0, text: "GET /1 HT", why: "has begun its first request" },
    { waitedMs: 5000, text: `${GET}${GET}`, why: "waits for an answer" },
    {
      waitedMs: 2000,
      text: `${GET}POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab`,
      why: "sends a body",
    },
  ])("is refused where the other $why", async ({ waitedMs, text }) => {
    const server = await startServer(1, { limits: { headTimeoutMs: 10_000 } });
    const busy = await server.connect();
    await server.untilOpen(1);
    await server.pass(waitedMs);
    if (text !== "") await busy.deliver(text);
    if (text.startsWith(GET)) {
      (await server.requests.next()).answer();
      await busy.until(ANSWER);
    }
    const newcomer = await server.connect();
    await newcomer.ended();
    expect([newcomer.received, await server.refusals.next()]).toEqual([REFUSAL, "connections"]);
    expect([busy.isEnded, server.counted.waiting]).toEqual([false, 0]);
  });

  it("takes the place of one that has sent nothing for more than a second", async () => {
    const server = await startServer(1, { limits: { headTimeoutMs: 10_000 } });
    const silent = await server.connect();
    await server.untilOpen(1);
    await server.pass(1001);
    const newcomer = await server.connect();
    await silent.ended();
    expect(await isServed(server, newcomer)).toBe(true);
  });

  it("takes the place of the client with the most connections, and there of the one idle longest", async () => {
    const server = await startServer(4, { peerKeyOf: peerKeyOfAll });
    const oldest = await connectKept(server, "127.0.0.2");
    const [second, first, third] = [
      await connectKept(server, "127.0.0.3"),
      await connectKept(server, "127.0.0.3"),
      await connectKept(server, "127.0.0.3"),
    ];
    await server.pass(1);
    await isServed(server, second); // Now it is idle for less time than the other two.
    await server.pass(1);
    const newcomer = await server.connect("127.0.0.4");
    await first.ended();
    expect(await isServed(server, newcomer)).toBe(true);
    expect([oldest.isEnded, second.isEnded, third.isEnded]).toEqual([false, false, false]);
  });

  it("closes no more than the limit asks for once it was lowered", async () => {
    const server = await startServer(3);
    const clients = [await connectKept(server), await connectKept(server), await connectKept(server)];
    server.limits.connections = 2;
    const newcomer = await server.connect();
    await newcomer.ended();
    expect([await server.refusals.next(), server.listener.connections]).toEqual(["connections", 2]);
    expect(clients.filter(({ isEnded }) => isEnded)).toHaveLength(1);
  });
});

describe("looking for idle connections", () => {
  function startLooking(count: number) {
    let nowMs = 0;
    let looked = 0;
    const all = Array.from({ length: count }, (_, index) => ({
      get isIdle() {
        looked++;
        return true;
      },
      isKept: true,
      idleSinceMs: count - index,
    }));
    const connections = new Map(all.map((connection) => [connection, undefined]));
    const next = createEviction({ connections, countOf: () => 0, nowMs: () => nowMs });
    return {
      all,
      connections,
      next,
      looked: () => looked,
      pass: (ms: number) => void (nowMs += ms),
    };
  }

  it("passes over all of them at most once in 100 ms, whatever the number of newcomers", () => {
    const { next, looked, pass } = startLooking(1000);
    for (let index = 0; index < 500; index++) next();
    // One pass, and a second look at each of those that were taken.
    expect(looked()).toBe(1000 + 256);
    pass(99);
    expect([next(), looked()]).toEqual([undefined, 1256]);
    pass(1);
    expect([next() === undefined, looked()]).toEqual([false, 2257]);
  });

  it("gives those that are idle longest first, whatever the order they are found in", () => {
    const { all, next } = startLooking(1000);
    const taken = Array.from({ length: 256 }, () => next()?.idleSinceMs);
    expect(taken).toEqual(
      all
        .map(({ idleSinceMs }) => idleSinceMs)
        .reverse()
        .slice(0, 256),
    );
  });

  it("passes over those that closed or were used since", () => {
    const { all, connections, next } = startLooking(4);
    const [used, , closed, longest] = all;
    expect(next()).toBe(longest);
    if (used === undefined || closed === undefined) throw new Error("there are four");
    connections.delete(closed);
    used.idleSinceMs = 99;
    expect([next(), next()]).toEqual([all[1], undefined]);
  });
});

describe("one client's share", () => {
  it("bounds its connections, and nobody else's", async () => {
    const server = await startServer(10, { limits: { connectionsPerPeer: 2 }, peerKeyOf: peerKeyOfAll });
    const first = await connectKept(server, "127.0.0.2");
    await connectKept(server, "127.0.0.2");
    const third = await server.connect("127.0.0.2");
    await third.ended();
    expect([third.received, await server.refusals.next()]).toEqual([REFUSAL, "peer-connections"]);
    await connectKept(server, "127.0.0.3");
    expect(server.listener.connections).toBe(3);

    first.socket.destroy();
    await server.untilOpen(2);
    await connectKept(server, "127.0.0.2");
    expect(server.refusals.waiting).toBe(0);
  });

  it("has no bound for a client without a key", async () => {
    const server = await startServer(10, { limits: { connectionsPerPeer: 1 }, peerKeyOf: () => undefined });
    await connectKept(server);
    await connectKept(server);
    expect([server.listener.connections, server.refusals.waiting]).toEqual([2, 0]);
  });

  it("counts none for a client whose last connection is gone", () => {
    const counts = createPeerCounts();
    counts.enter("a");
    counts.enter("a");
    counts.leave("a");
    expect(counts.countOf("a")).toBe(1);
    counts.leave("a");
    counts.leave("a");
    expect(counts.countOf("a")).toBe(0);
    counts.enter("a");
    expect(counts.countOf("a")).toBe(1);
  });
});

describe("a client's key", () => {
  it.each([
    { address: "192.0.2.1", key: "192.0.2.1", why: "an IPv4 address" },
    { address: "::ffff:192.0.2.1", key: "192.0.2.1", why: "the same, as a dual-stack listener shows it" },
    { address: "2001:db8:1:2:3:4:5:6", key: "2001:db8:1:2", why: "a /64" },
    { address: "2001:db8:1:2::6", key: "2001:db8:1:2", why: "the same /64" },
    { address: "2001:db8:1:3::6", key: "2001:db8:1:3", why: "the /64 beside it" },
    { address: "2001:db8::6", key: "2001:db8:0:0", why: "zeros left out within the /64" },
    { address: "2001:db8::1:2:3:4:5", key: "2001:db8:0:1", why: "one zero left out" },
    { address: "fe80::1%eth0", key: "fe80:0:0:0", why: "a zone" },
    { address: "127.0.0.1", key: undefined, why: "loopback" },
    { address: "127.8.8.8", key: undefined, why: "all of 127.0.0.0/8" },
    { address: "::1", key: undefined, why: "loopback of IPv6" },
    { address: "::ffff:127.0.0.1", key: undefined, why: "loopback as a dual-stack listener shows it" },
    { address: "", key: undefined, why: "a unix socket" },
  ])("of $address is $key: $why", ({ address, key }) => {
    expect(peerKeyOf(address)).toBe(key);
  });
});
