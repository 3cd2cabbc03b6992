/**
 * Addresses that race for one request (RFC 8305, section 5): when the next begins, who wins, and what becomes of the others.
 * Method: TLS towards raw servers. One that takes the connection and never answers the hello stands for an address that swallows
 * everything: it is connected and not open, for as long as a test likes. Time is moved by hand.
 */

import { beforeAll, describe, expect, it } from "vitest";
import type { UpstreamAddress } from "../../src/http1/upstream-connection.ts";
import type { UpstreamLimits } from "../../src/http1/upstream-member.ts";
import type { UpstreamTarget } from "../../src/http1/upstream-pool.ts";
import { createTrust, createUpstreamTls, type UpstreamTls } from "../../src/http1/upstream-tls.ts";
import { LIMITS, startRawServer } from "./sockets.ts";
import { CA, startHeldServer, startTlsServer } from "./tls-server.ts";
import { addressOf, ANSWER, createHandler, expectEvents, REQUEST, startUpstream, take } from "./upstream.ts";

/** As in upstream-wait.ts. */
const DELAY_MS = 250;
const NOBODY: UpstreamAddress = addressOf(1);

let tls: UpstreamTls;
beforeAll(async () => {
  tls = (await createUpstreamTls({ trust: await createTrust([CA]), pins: {} }))("target.example");
});

const secured = (port: number, key = `${port}`): UpstreamAddress => ({ ...addressOf(port), key, tls });

/** A place with an address for each letter: a server that swallows all, one that speaks TLS, one where nobody listens. */
async function startRace(letters: string, limits: Partial<UpstreamLimits> = {}) {
  const upstream = await startUpstream(limits);
  const good = await startTlsServer();
  const silent: Awaited<ReturnType<typeof startRawServer>>[] = [];
  const addresses: UpstreamAddress[] = [];
  for (const letter of letters) {
    if (letter === "s") silent.push(await startRawServer());
    const port = letter === "s" ? (silent.at(-1)?.port ?? 0) : good.port;
    addresses.push(
      letter === "n"
        ? { ...NOBODY, key: `nobody ${addresses.length}` }
        : secured(port, `${addresses.length}`),
    );
  }
  const place: UpstreamTarget = { key: "target", addresses };
  const connects = (): number => upstream.events.told.filter((event) => event === "connect").length;
  return { ...upstream, good, silent, place, addresses, connects, ask: () => take(upstream.pool, place) };
}

describe("the next address is tried", () => {
  it.each([
    { why: "none of them is open", letters: "sss", atMs: [0, 250, 500], connects: [1, 2, 3] },
    { why: "one is left", letters: "ss", atMs: [0, 250, 500], connects: [1, 2, 2] },
    { why: "it is the only one", letters: "s", atMs: [0, 250, 500], connects: [1, 1, 1] },
  ])("after 250 ms and not before, where $why", async ({ letters, atMs, connects }) => {
    const { ask, pass, connects: count } = await startRace(letters, { connectTimeoutMs: 5000 });
    ask();
    let nowMs = 0;
    const counted = [];
    for (const at of atMs) {
      if (at > 0) {
        await pass(at - nowMs - 1);
        expect(count()).toBe(counted.at(-1));
        await pass(1);
      }
      nowMs = at;
      counted.push(count());
    }
    expect(counted).toEqual(connects);
  });

  it("at once where one fails, and the next has its 250 ms from then on", async () => {
    const { ask, pass, connects, events } = await startRace("nss", { connectTimeoutMs: 5000 });
    ask();
    await expect.poll(connects).toBe(2);
    expect(events.told).toEqual(["connect", "failed UPSTREAM_REFUSED", "connect", "retry connect"]);
    await pass(DELAY_MS - 1);
    expect(connects()).toBe(2);
    await pass(1);
    expect(connects()).toBe(3);
  });

  it("not once the time is over, if only just now", async () => {
    const { ask, pass, connects } = await startRace("nss");
    const taken = ask();
    await expect.poll(connects).toBe(2);
    await pass(LIMITS.connectTimeoutMs);
    expect([await taken.refusals.next(), connects()]).toEqual(["UPSTREAM_TIMEOUT", 2]);
  });

  it("not once the time is over", async () => {
    const { ask, pass, connects } = await startRace("ss", { connectTimeoutMs: DELAY_MS });
    const taken = ask();
    await pass(DELAY_MS);
    expect([await taken.refusals.next(), connects()]).toEqual(["UPSTREAM_TIMEOUT", 1]);
  });

  it("in the order given, however busy it is, and from the first again for the next request", async () => {
    const { ask, good, pool } = await startRace("gg");
    for (let count = 0; count < 3; count++) {
      const connection = await ask().connections.next();
      expect(connection.address.key).toBe("0");
    }
    expect([good.sockets.length, pool.open]).toEqual([3, 3]);
  });

  it("in the order given but for those that failed before, until their back-off is over", async () => {
    const { pool, addresses, pass, good } = await startRace("gg");
    const place = { key: "target", addresses: [{ ...NOBODY, key: "nobody" }, ...addresses] };
    const first = take(pool, place);
    const kept = await first.connections.next(); // Keeps the group.
    expect([kept.address.key, first.retries]).toEqual(["0", 1]);
    const second = take(pool, place);
    expect([(await second.connections.next()).address.key, second.retries]).toEqual(["0", 0]);
    await pass(1000);
    const third = take(pool, place);
    expect([(await third.connections.next()).address.key, third.retries]).toEqual(["0", 1]);
    expect(good.sockets).toHaveLength(3);
  });
});

describe("the first that is open", () => {
  it("wins: the other is closed, unharmed, and the request is sent once", async () => {
    const { ask, pass, pool, silent, good, events } = await startRace("sg");
    const taken = ask();
    const loser = await silent[0]?.peers.next();
    await loser?.until("\x16"); // A record of a handshake: the hello.
    await pass(DELAY_MS);
    const winner = await taken.connections.next();
    expect([winner.address.key, taken.retries, pool.open]).toEqual(["1", 0, 1]);
    await loser?.ended();
    const told = createHandler();
    winner.begin("POST", told);
    winner.outlet.text(REQUEST);
    winner.outlet.flush();
    const peer = await good.peers.next();
    await peer.until("\r\n\r\n");
    peer.send(ANSWER);
    await expectEvents(told, ["head 200", "end "]);
    expect(peer.received).toBe(REQUEST);
    expect(loser?.received).not.toContain("GET");
    expect(events.told).toEqual(["connect", "connect"]);
    // Unharmed: it is still the first to be tried.
    winner.destroy();
    ask();
    await silent[0]?.peers.next();
  });

  it("may be the one that began first", async () => {
    const { pool, pass, silent, addresses } = await startRace("s");
    const slow = await startHeldServer();
    const taken = take(pool, { key: "target", addresses: [secured(slow.port), ...addresses] });
    const answer = await slow.held.next();
    await pass(DELAY_MS);
    const loser = await silent[0]?.peers.next();
    answer();
    expect((await taken.connections.next()).address.key).toBe(`${slow.port}`);
    await loser?.ended();
    expect([pool.open, taken.retries]).toEqual([1, 0]);
  });

  it("has no rival that arrives at the same time: that one is closed", async () => {
    const { pool, pass } = await startRace("");
    const slow = await startHeldServer();
    const addresses = [secured(slow.port, "0"), secured(slow.port, "1")];
    const taken = take(pool, { key: "target", addresses });
    const answers = [await slow.held.next()];
    await pass(DELAY_MS);
    answers.push(await slow.held.next());
    for (const answer of answers) answer();
    const winner = await taken.connections.next();
    await expect.poll(() => slow.sockets.filter(({ closed }) => closed)).toHaveLength(1);
    expect([pool.open, winner.isOpen, taken.connections.waiting]).toEqual([1, true, 0]);
  });

  it("may be at an address that had no room when its turn came", async () => {
    const limits = { upstreamConnections: 1, connectTimeoutMs: 5000 };
    const { pool, addresses, pass, silent } = await startRace("sg", limits);
    const busy = await take(pool, { key: "target", addresses: addresses.slice(1) }).connections.next();
    const taken = take(pool, { key: "target", addresses });
    await silent[0]?.peers.next();
    await pass(DELAY_MS);
    expect(pool.open).toBe(2); // The other address is full, which is no reason to wait in line.
    expect([pool.waiting, busy.isOpen]).toEqual([0, true]);
    busy.destroy();
    await pass(DELAY_MS);
    expect((await taken.connections.next()).address.key).toBe("1");
    expect(pool.open).toBe(1);
  });
});

describe("where all fail", () => {
  it.each([
    { why: "nobody listens", letters: "nnn", passMs: 0, code: "UPSTREAM_REFUSED ECONNREFUSED", retries: 2 },
    { why: "all swallow everything", letters: "ss", passMs: 500, code: "UPSTREAM_TIMEOUT", retries: 1 },
    { why: "the last one is silent", letters: "ns", passMs: 500, code: "UPSTREAM_TIMEOUT", retries: 1 },
  ])("the taker is told once: $why", async ({ letters, passMs, code, retries }) => {
    const { ask, pass, pool, connects } = await startRace(letters);
    const taken = ask();
    if (passMs > 0) {
      await expect.poll(connects).toBe(letters === "ns" ? 2 : 1);
      await pass(DELAY_MS);
      await pass(passMs - DELAY_MS);
    }
    expect([await taken.refusals.next(), taken.retries]).toEqual([code, retries]);
    expect([pool.open, pool.waiting, taken.refusals.waiting, taken.connections.waiting]).toEqual([
      0, 0, 0, 0,
    ]);
  });
});

it("each has all that is left of connect_timeout", async () => {
  const { ask, pass, pool } = await startRace("ss");
  const taken = ask();
  await pass(DELAY_MS);
  await pass(LIMITS.connectTimeoutMs - DELAY_MS - 1);
  expect([pool.open, taken.refusals.waiting]).toEqual([2, 0]);
  await pass(1);
  expect([await taken.refusals.next(), pool.open]).toEqual(["UPSTREAM_TIMEOUT", 0]);
});

it("a race that nobody waits for any more is over: all its connections close, and no other begins", async () => {
  const { ask, pass, pool, silent, connects } = await startRace("sss", { connectTimeoutMs: 5000 });
  const taken = ask();
  await pass(DELAY_MS);
  const peers = [await silent[0]?.peers.next(), await silent[1]?.peers.next()];
  expect(pool.open).toBe(2);
  taken.wait?.cancel();
  taken.wait?.cancel();
  expect(pool.open).toBe(0);
  for (const peer of peers) await peer?.ended();
  await pass(DELAY_MS * 2);
  expect([connects(), taken.refusals.waiting, taken.connections.waiting]).toEqual([2, 0, 0]);
});

it("a race's connections have their places until it is over, and give them to whoever waits", async () => {
  const { ask, pass, pool, silent, connects } = await startRace("sg", {
    upstreamConnections: 1,
    connectTimeoutMs: 5000,
  });
  const first = ask();
  await silent[0]?.peers.next();
  const second = ask(); // The first address is full: the second is dialled at once.
  await second.connections.next();
  const third = ask();
  expect([pool.waiting, connects()]).toEqual([1, 2]);
  await pass(DELAY_MS); // The second address is full as well: nothing more begins.
  expect([pool.waiting, connects()]).toEqual([1, 2]);
  first.wait?.cancel();
  expect([pool.waiting, connects()]).toEqual([0, 3]);
  await silent[0]?.peers.next();
  third.wait?.cancel();
  expect([pool.open, pool.waiting]).toEqual([1, 0]);
});

describe("a target", () => {
  it("takes a connection that rests at any of its addresses before a new one", async () => {
    const { pool, place, good } = await startRace("ng");
    const taken = take(pool, place);
    const connection = await taken.connections.next();
    const told = createHandler();
    connection.begin("GET", told);
    connection.outlet.text(REQUEST);
    connection.outlet.flush();
    connection.expectResponse();
    const peer = await good.peers.next();
    await peer.until("\r\n\r\n");
    peer.send(ANSWER);
    await expectEvents(told, ["head 200", "end "]);
    connection.release();
    await expect.poll(() => pool.idle).toBe(1);
    const other = { key: "target", addresses: [secured(good.port, "another"), ...place.addresses] };
    expect(await take(pool, other).connections.next()).toBe(connection);
  });

  it("keeps its connections and bounds while a race is all that it has", async () => {
    const { pool, place, silent, connects } = await startRace("ns", {
      upstreamConnections: 1,
      upstreamQueue: 0,
    });
    const first = take(pool, place);
    await silent[0]?.peers.next(); // The first address has failed: between its close and this one there was none.
    const second = take(pool, place);
    expect([await second.refusals.next(), connects()]).toEqual(["UPSTREAM_FULL", 2]);
    first.wait?.cancel();
  });

  it("keeps its bounds when the last connection to an address of before ends", async () => {
    const { pool, good } = await startRace("", { upstreamConnections: 1, upstreamQueue: 0 });
    const placeAt = (key: string): UpstreamTarget => ({
      key: "target",
      addresses: [secured(good.port, key)],
    });
    const old = await take(pool, placeAt("old")).connections.next();
    (await take(pool, placeAt("new")).connections.next()).destroy(); // No address of it has a connection any more.
    await take(pool, placeAt("new")).connections.next();
    old.destroy();
    expect(await take(pool, placeAt("new")).refusals.next()).toBe("UPSTREAM_FULL");
  });

  it("has at most 16 addresses", async () => {
    const { pool, connects } = await startRace("");
    const addresses = Array.from({ length: 20 }, (_, index) => ({ ...NOBODY, key: `${index}` }));
    const taken = take(pool, { key: "many", addresses });
    expect([await taken.refusals.next(), connects()]).toEqual(["UPSTREAM_REFUSED ECONNREFUSED", 16]);
  });

  it("without an address is refused when connect_timeout is over", async () => {
    const { pool, pass } = await startRace("");
    const taken = take(pool, { key: "none", addresses: [] });
    await pass(LIMITS.connectTimeoutMs);
    expect(await taken.refusals.next()).toBe("UPSTREAM_TIMEOUT");
  });

  it("that trusts others than before speaks anew with everybody", async () => {
    const { pool, good } = await startRace("");
    const before = await take(pool, secured(good.port, "one")).connections.next();
    const other = (await createUpstreamTls({ trust: await createTrust([]), pins: {} }))("target.example");
    const after = take(pool, { ...addressOf(good.port), key: "one", tls: other });
    expect([await after.refusals.next(), before.isOpen]).toEqual([
      "UPSTREAM_UNTRUSTED UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      true,
    ]);
  });
});

it("a group of the own server races too", async () => {
  const { pool, addresses, pass } = await startRace("sg");
  const group = pool.createGroup({ onAddressesWanted: () => undefined, onHealth: () => undefined });
  group.use(addresses);
  const takings = [take(pool, group), take(pool, group)];
  await pass(DELAY_MS);
  for (const taken of takings) expect((await taken.connections.next()).address.key).toBe("1");
  expect([group.healthy, pool.open]).toEqual([2, 2]);
});

it("an address of the own server that lost to one that began before it is no worse for it", async () => {
  const { pool, addresses, pass, silent } = await startRace("s");
  const slow = await startHeldServer();
  const group = pool.createGroup({ onAddressesWanted: () => undefined, onHealth: () => undefined });
  group.use([...addresses, secured(slow.port)]);
  const taken = take(pool, group);
  const answer = await slow.held.next();
  await pass(DELAY_MS);
  await silent[0]?.peers.next();
  answer();
  await taken.connections.next();
  take(pool, group); // The less busy one.
  await silent[0]?.peers.next();
});

it("an address of the own server that was outrun is left alone for 30 s, though it is the least busy one", async () => {
  const { pool, addresses, pass, connects } = await startRace("sg", { connectTimeoutMs: 5000 });
  const group = pool.createGroup({ onAddressesWanted: () => undefined, onHealth: () => undefined });
  group.use(addresses);
  const ask = async (): Promise<string> => (await take(pool, group).connections.next()).address.key;
  expect(await ask()).toBe("1"); // They take turns, and this is whose it is.
  const second = take(pool, group);
  await pass(DELAY_MS);
  expect([(await second.connections.next()).address.key, connects()]).toEqual(["1", 3]);
  expect([await ask(), await ask(), connects(), group.healthy]).toEqual(["1", "1", 5, 2]);
  await pass(30_000 - 1);
  expect([await ask(), connects()]).toEqual(["1", 6]);
  await pass(1);
  const late = take(pool, group);
  expect([late.connections.waiting, connects()]).toEqual([0, 7]);
  await pass(DELAY_MS);
  await late.connections.next();
  expect(connects()).toBe(8);
});
