/**
 * UpstreamGroup over real sockets: which address a request goes to, what becomes of it where there is none, who waits
 * and for how long. Method: as in upstream-connection.test.ts. Port 1 stands for an address where nobody listens.
 */

import { describe, expect, it } from "vitest";
import type { UpstreamAddress, UpstreamConnection } from "../../src/http1/upstream-connection.ts";
import type { UpstreamLimits } from "../../src/http1/upstream-member.ts";
import { LIMITS, startRawServer } from "./sockets.ts";
import {
  addressOf,
  ANSWER,
  createHandler,
  createTaker,
  expectEvents,
  REQUEST,
  startUpstream,
  take,
} from "./upstream.ts";

const NOBODY = addressOf(1);
const NOBODY_TOO = { ...NOBODY, key: "nobody too" };

/** A group towards one raw server; `told` has what its owner was told. */
async function startGroup(limits: Partial<UpstreamLimits> = {}) {
  const upstream = await startUpstream(limits);
  const told: string[] = [];
  const group = upstream.pool.createGroup({
    onAddressesWanted: () => void told.push("wanted"),
    onHealth: ({ key }, isIn) => void told.push(`${key} ${isIn ? "in" : "out"}`),
  });
  const own = addressOf(upstream.port);
  group.use([own]);
  return { ...upstream, group, told, own };
}

type Started = Awaited<ReturnType<typeof startGroup>>;

/** More servers, each at its address. */
async function startServers(count: number): Promise<UpstreamAddress[]> {
  const servers = await Promise.all(Array.from({ length: count }, startRawServer));
  return servers.map(({ port }) => addressOf(port));
}

async function connectionOf({ pool, group }: Started): Promise<UpstreamConnection> {
  return await take(pool, group).connections.next();
}

/** Where it leads. */
function portOf(connection: UpstreamConnection): string {
  return String(connection.socket.remotePort);
}

/** One exchange that the server ends with `answer`; "" ends the connection in its place. */
async function exchange(started: Started, answer = ANSWER): Promise<UpstreamConnection> {
  const connection = await connectionOf(started);
  const told = createHandler();
  connection.begin("GET", told);
  connection.outlet.text(REQUEST);
  connection.outlet.flush();
  connection.expectResponse();
  const peer = await started.peers.next();
  await peer.until("\r\n\r\n");
  if (answer === "") peer.socket.end();
  else peer.send(answer);
  if (answer === ANSWER) await expectEvents(told, ["head 200", "end "]);
  else expect(await told.events.next()).toMatch(/^failed/);
  return connection;
}

describe("a request goes", () => {
  it("to the address with the fewest open requests", async () => {
    const started = await startGroup();
    const addresses = await startServers(3);
    started.group.use(addresses);
    const opened = [];
    for (let count = 0; count < 6; count++) opened.push(await connectionOf(started));
    for (const { key } of addresses)
      expect(opened.map(portOf).filter((port) => port === key)).toHaveLength(2);
    for (const connection of opened) if (portOf(connection) === addresses[1]?.key) connection.destroy();
    const next = [await connectionOf(started), await connectionOf(started)];
    expect(next.map(portOf)).toEqual([addresses[1]?.key, addresses[1]?.key]);
  });

  it("to each in turn where they are equally busy", async () => {
    const started = await startGroup();
    const addresses = await startServers(3);
    started.group.use(addresses);
    const ports = new Set<string>();
    for (let count = 0; count < 3; count++) {
      const connection = await connectionOf(started);
      ports.add(portOf(connection));
      connection.destroy();
    }
    expect(ports.size).toBe(3);
  });

  it("on where nobody listens, and not there again until its back-off is over", async () => {
    const started = await startGroup();
    const { group, own, pool, events, told, pass } = started;
    group.use([own, NOBODY]);
    const retries = [];
    for (let count = 0; count < 4; count++) {
      const taken = take(pool, group);
      expect(portOf(await taken.connections.next())).toBe(own.key);
      retries.push(taken.retries);
    }
    expect(retries.reduce((sum, count) => sum + count, 0)).toBe(1);
    expect(events.told.filter((event) => event !== "connect")).toEqual([
      "failed UPSTREAM_REFUSED",
      "retry connect",
    ]);
    expect([told, group.healthy, group.size]).toEqual([["1 out", "wanted"], 1, 2]);

    await pass(999);
    await connectionOf(started);
    expect(events.told.filter((event) => event === "retry connect")).toHaveLength(1);
    await pass(1);
    await connectionOf(started);
    await connectionOf(started); // One trial, not one for each.
    expect(events.told.filter((event) => event === "retry connect")).toHaveLength(2);
    expect(told.filter((word) => word !== "wanted")).toEqual(["1 out"]);
  });

  it("nowhere once each address was tried", async () => {
    const { group, pool, events } = await startGroup();
    group.use([NOBODY, NOBODY_TOO]);
    const taken = take(pool, group);
    expect(await taken.refusals.next()).toBe("UPSTREAM_REFUSED ECONNREFUSED");
    expect([taken.retries, events.told.filter((event) => event === "connect").length]).toEqual([1, 2]);
    expect([pool.open, pool.waiting]).toEqual([0, 0]);
  });

  it.each([
    { why: "the only one", more: [] },
    { why: "one of several", more: [NOBODY_TOO] },
  ])("to an address that is out all the same where there is no other: $why", async ({ more }) => {
    const started = await startGroup();
    const { group, pool, events } = started;
    group.use([NOBODY, ...more]);
    for (let count = 0; count < 2; count++) {
      expect(await take(pool, group).refusals.next()).toBe("UPSTREAM_REFUSED ECONNREFUSED");
    }
    expect(group.healthy).toBe(0);
    expect(events.told.filter((event) => event === "connect")).toHaveLength(2 * group.size);
  });

  it("not to an address that is out where others are only full: it waits for those", async () => {
    const started = await startGroup({ upstreamConnections: 1 });
    const { pool, group, own, events } = started;
    group.use([NOBODY]);
    await take(pool, group).refusals.next();
    group.use([NOBODY, own]);
    await connectionOf(started);
    const connects = events.told.filter((event) => event === "connect").length;
    const taken = take(pool, group);
    expect(events.told.filter((event) => event === "connect")).toHaveLength(connects);
    expect([taken.connections.waiting, taken.refusals.waiting]).toEqual([0, 0]);
  });
});

describe("an address is taken out", () => {
  it.each([
    { why: "closes before it answers", answer: "", healthy: 0 },
    { why: "resets before it answers", answer: "reset", healthy: 0 },
    { why: "breaks off its answer's head", answer: "HTTP/1.1 2", healthy: 0 },
    { why: "stays silent", answer: "silence", healthy: 0 },
    { why: "answers nonsense, which is an answer", answer: "SSH-2.0\r\n\r\n", healthy: 1 },
    { why: "answers 500", answer: "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", healthy: 1 },
  ])("after five requests in a row where it $why: $healthy left", async ({ answer, healthy }) => {
    const started = await startGroup();
    for (let count = 0; count < 5; count++) {
      expect(started.group.healthy).toBe(1);
      const connection = await connectionOf(started);
      const told = createHandler();
      connection.begin("GET", told);
      connection.outlet.text(REQUEST);
      connection.outlet.flush();
      connection.expectResponse();
      const peer = await started.peers.next();
      await peer.until("\r\n\r\n");
      if (answer === "silence") await started.pass(LIMITS.responseTimeoutMs);
      else if (answer === "reset") peer.socket.resetAndDestroy();
      else peer.socket.end(answer);
      while (!/^(failed|end)/.test(await told.events.next()));
      connection.destroy();
    }
    expect(started.group.healthy).toBe(healthy);
  });

  it("not by kept connections that it closes as they are taken", async () => {
    const started = await startGroup();
    const kept = [];
    for (let count = 0; count < 6; count++) kept.push(await exchange(started));
    for (const connection of kept) {
      const told = createHandler();
      connection.begin("GET", told);
      connection.fail("UPSTREAM_CLOSED");
      await expectEvents(told, ["failed UPSTREAM_CLOSED unanswered"]);
    }
    expect(started.group.healthy).toBe(1);
  });

  it("until it answers a trial", async () => {
    const started = await startGroup();
    for (let count = 0; count < 5; count++) await exchange(started, "");
    expect(started.told).toEqual([`${started.port} out`]);
    (await exchange(started)).release();
    expect(started.told).toEqual([`${started.port} out`, `${started.port} in`]);
  });
});

describe("other addresses", () => {
  it("take all that is new at once; what is open at gone ones ends undisturbed, what rests there closes", async () => {
    const started = await startGroup();
    const { group, pool, own } = started;
    const resting = await exchange(started);
    const open = await exchange(started);
    expect(open.isReusable).toBe(true);
    resting.release();
    const [next] = await startServers(1);
    group.use(next === undefined ? [] : [next]);
    expect([resting.isOpen, open.isOpen, pool.idle, pool.open]).toEqual([false, true, 0, 1]);
    expect(portOf(await connectionOf(started))).toBe(next?.key);
    open.release();
    expect([open.isOpen, pool.idle, pool.open]).toEqual([false, 0, 1]);
    group.use([own]);
    expect(portOf(await connectionOf(started))).toBe(own.key);
  });

  it("leave the connections to those that stay", async () => {
    const started = await startGroup();
    const resting = await exchange(started);
    resting.release();
    started.group.use([NOBODY, started.own]);
    expect(resting.isOpen).toBe(true);
    expect(await connectionOf(started)).toBe(resting);
  });
});

describe("a request waits", () => {
  it.each([
    { why: "the first that comes back", act: (connection: UpstreamConnection) => connection.release() },
    { why: "a new one where it is gone", act: (connection: UpstreamConnection) => connection.destroy() },
  ])("where all connections are taken, and gets $why, in the order of arrival", async ({ act }) => {
    const started = await startGroup({ upstreamConnections: 1 });
    const { pool, group } = started;
    const first = await exchange(started);
    const [second, third] = [take(pool, group), take(pool, group)];
    expect([pool.waiting, second.connections.waiting]).toEqual([2, 0]);
    act(first);
    const connection = await second.connections.next();
    expect(connection === first).toBe(first.isOpen);
    expect([pool.waiting, pool.open, third.connections.waiting]).toEqual([1, 1, 0]);
    connection.destroy();
    await third.connections.next();
  });

  it("with as many others as limits.upstream_queue allows, not one more", async () => {
    const started = await startGroup({ upstreamConnections: 1 });
    const { pool, group, events } = started;
    await connectionOf(started);
    const waiting = [take(pool, group), take(pool, group), take(pool, group)];
    expect(waiting.map(({ refusals }) => refusals.waiting)).toEqual([0, 0, 0]);
    const over = take(pool, group);
    expect([over.refusals.waiting, over.wait, await over.refusals.next()]).toEqual([
      1,
      undefined,
      "UPSTREAM_FULL",
    ]);
    expect(events.told.at(-1)).toBe("refused full");
  });

  it("for connect_timeout, each its own", async () => {
    const started = await startGroup({ upstreamConnections: 1 });
    const { pool, group, events, pass } = started;
    const held = await connectionOf(started);
    const early = take(pool, group);
    await pass(1);
    const late = take(pool, group);
    await pass(LIMITS.connectTimeoutMs - 2);
    expect(early.refusals.waiting).toBe(0);
    await pass(1);
    expect(await early.refusals.next()).toBe("UPSTREAM_FULL");
    expect([late.refusals.waiting, events.told.at(-1), pool.waiting]).toEqual([0, "refused timeout", 1]);
    await pass(1);
    expect(await late.refusals.next()).toBe("UPSTREAM_FULL");
    held.destroy();
    expect(pool.waiting).toBe(0);
  });

  it("and leaves at once when nobody wants it any more", async () => {
    const started = await startGroup({ upstreamConnections: 1 });
    const { pool, group } = started;
    const held = await connectionOf(started);
    const [gone, next] = [take(pool, group), take(pool, group)];
    gone.wait?.cancel();
    expect(pool.waiting).toBe(1);
    held.destroy();
    await next.connections.next();
    expect([gone.connections.waiting, gone.refusals.waiting]).toEqual([0, 0]);
  });

  it("and takes its connection with it where that is not open yet", async () => {
    const { pool, group } = await startGroup();
    const taken = take(pool, group);
    expect(pool.open).toBe(1);
    taken.wait?.cancel();
    expect(pool.open).toBe(0);
  });

  it("no longer than until the limit is raised", async () => {
    const started = await startGroup({ upstreamConnections: 1 });
    const { pool, group, options } = started;
    await connectionOf(started);
    const waiting = take(pool, group);
    options.limits = { ...options.limits, upstreamConnections: 2 };
    pool.review();
    await waiting.connections.next();
  });

  it("for the address that has no room where the other can't be reached", async () => {
    const started = await startGroup({ upstreamConnections: 1 });
    const { pool, group, own } = started;
    const held = await connectionOf(started);
    group.use([own, NOBODY]);
    const taken = take(pool, group);
    await expect.poll(() => pool.waiting).toBe(1);
    held.destroy();
    expect(portOf(await taken.connections.next())).toBe(own.key);
    expect(taken.retries).toBe(1);
  });

  it("until the pool closes", async () => {
    const started = await startGroup({ upstreamConnections: 1 });
    const { pool, group } = started;
    const held = await connectionOf(started);
    const waiting = take(pool, group);
    pool.close();
    expect(await waiting.refusals.next()).toBe("DRAINING");
    held.destroy();
    expect(await take(pool, group).refusals.next()).toBe("DRAINING");
  });

  it("behind an upgraded connection until that closes", async () => {
    const started = await startGroup({ upstreamConnections: 1 });
    const { pool, group, peers } = started;
    const upgraded = await connectionOf(started);
    const told = createHandler();
    upgraded.begin("GET", told);
    upgraded.outlet.text(REQUEST);
    upgraded.outlet.flush();
    const peer = await peers.next();
    peer.send("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    await expectEvents(told, ["upgraded "]);
    const waiting = take(pool, group);
    expect([pool.waiting, pool.open]).toEqual([1, 1]);
    upgraded.socket.destroy();
    await waiting.connections.next();
  });
});

describe("without an address", () => {
  it("a request asks for one, waits, and goes on when it is there", async () => {
    const { pool, group, told, own } = await startGroup();
    group.use([]);
    const taken = take(pool, group);
    expect([told, pool.waiting]).toEqual([["wanted"], 1]);
    group.use([own]);
    expect(portOf(await taken.connections.next())).toBe(own.key);
  });

  it("a request waits for connect_timeout, and is not told that the upstream is full", async () => {
    const { pool, group, pass, events } = await startGroup();
    group.use([]);
    const taken = take(pool, group);
    await pass(LIMITS.connectTimeoutMs);
    expect([await taken.refusals.next(), events.told]).toEqual(["UPSTREAM_TIMEOUT", []]);
  });

  it("all who wait can be refused", async () => {
    const { pool, group } = await startGroup();
    group.use([]);
    const waiting = [take(pool, group), take(pool, group)];
    group.refuseWaiting("UPSTREAM_REFUSED");
    expect(waiting.map(({ refusals }) => refusals.waiting)).toEqual([1, 1]);
    expect(pool.waiting).toBe(0);
  });
});

it("a request whose kept connection was closed gets a new one, whatever rests", async () => {
  const started = await startGroup();
  const { pool, group, events } = started;
  (await exchange(started)).release();
  const taker = createTaker();
  pool.takeFresh(group, taker);
  const fresh = await taker.connections.next();
  expect([fresh.requests, pool.idle, events.told.at(-2)]).toEqual([0, 1, "retry stale"]);
});

it("an address that was checked is forgotten with its last connection", async () => {
  const { pool, port } = await startUpstream();
  const [other] = await startServers(1);
  const first = take(pool, { ...addressOf(port), key: "one" });
  const connection = await first.connections.next();
  first.wait?.cancel(); // It is over, so this changes nothing.
  connection.destroy();
  const second = take(pool, { ...addressOf(Number(other?.key)), key: "one" });
  expect(portOf(await second.connections.next())).toBe(other?.key);
});
