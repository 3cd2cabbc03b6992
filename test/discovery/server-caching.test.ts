/** createDiscovery over time: what is known costs no query, no request and no promise; negative answers; bounds. */

import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Found } from "../../src/discovery/destination.ts";
import type { Dns } from "../../src/discovery/dns.ts";
import { type Discovery, ENTRIES_MAX, IN_FLIGHT_MAX } from "../../src/discovery/server-discovery.ts";
import { fakeClock } from "../support/clock.ts";
import type { DnsRecords, DnsZone } from "../support/dns-server.ts";
import {
  type Bench,
  brief,
  FED,
  HOME,
  OLD,
  SERVFAIL,
  serverName,
  srv,
  startBench,
} from "./discovery-bench.ts";
import { answerDelegations } from "./web.ts";

let bench: Bench;

beforeAll(async () => {
  bench = await startBench();
});
beforeEach(() => answerDelegations(bench.web, {}));
afterAll(() => bench.stop());

const A_NAME = serverName("a.example");
const ADDRESSES = ["A a.example", "AAAA a.example"];
const TTL_SECONDS = 60;

/** A zone of a.example, whose own queries are left out of the count. */
function startAt(zone: DnsZone): { discovery: Discovery; clock: ReturnType<typeof fakeClock> } {
  bench.dnsServer.setZone(zone);
  bench.dnsServer.takeQueries();
  bench.web.takeRequests();
  const clock = fakeClock();
  return { discovery: bench.start({ clock }), clock };
}

const takeQueries = (): readonly string[] => bench.dnsServer.takeQueries().toSorted();

/** What is known at once, or that it isn't. */
function atOnce(found: Found | Promise<Found>): unknown {
  return found instanceof Promise ? "(a promise)" : brief(found);
}

async function settled(discovery: Discovery): Promise<void> {
  await vi.waitFor(
    () => {
      const underWay = Object.values(discovery.counters()).map(({ inFlight }) => inFlight);
      expect(underWay).toEqual([0, 0, 0, 0, 0]);
    },
    { interval: 1, timeout: 10_000 },
  );
}

describe("what is known", () => {
  it.each([
    {
      why: "delegated",
      zone: { "a.example": HOME, "b.example": HOME },
      delegations: { "a.example": "b.example:443" },
    },
    {
      why: "SRV",
      zone: { "a.example": HOME, "_matrix-fed._tcp.a.example": srv(1, "a.example") },
      delegations: {},
    },
    { why: "the default", zone: { "a.example": HOME }, delegations: {} },
  ])("is there at once, without a query or a request: $why", async ({ zone, delegations }) => {
    const { discovery } = startAt(zone);
    answerDelegations(bench.web, delegations);
    const first = await discovery.server(A_NAME);
    takeQueries();
    bench.web.takeRequests();
    for (let request = 0; request < 100; request++) expect(discovery.server(A_NAME)).toBe(first);
    expect([...takeQueries(), ...bench.web.takeRequests()]).toEqual([]);
    expect(discovery.counters().servers).toMatchObject({ hits: 100, misses: 1, inFlight: 0, size: 1 });
  });

  it("is asked for once by a hundred at the same time", async () => {
    const { discovery } = startAt({ "a.example": HOME });
    const askers = Array.from({ length: 100 }, async () => discovery.server(A_NAME));
    expect(new Set(await Promise.all(askers)).size).toBe(1);
    // Of the addresses, one set is the .well-known's.
    expect(takeQueries()).toEqual(
      [...ADDRESSES, ...ADDRESSES, OLD("a.example"), FED("a.example")].toSorted(),
    );
    expect(bench.web.takeRequests()).toHaveLength(1);
  });

  it("ends with the shortest of its parts, and only that is asked for again", async () => {
    const { discovery, clock } = startAt({ "a.example": { ...HOME, ttl: TTL_SECONDS } });
    await discovery.server(A_NAME);
    takeQueries();
    bench.web.takeRequests();
    clock.advance(TTL_SECONDS * 1000);
    expect(atOnce(discovery.server(A_NAME))).toBe("(a promise)");
    await settled(discovery);
    expect([...takeQueries(), ...bench.web.takeRequests()]).toEqual(ADDRESSES);
  });

  it("ends with the .well-known where that is the shortest", async () => {
    const { discovery, clock } = startAt({ "a.example": { ...HOME, ttl: 600 } });
    bench.web.answer((_request, response) =>
      response.writeHead(200, { "cache-control": "max-age=300" }).end('{"m.server":"a.example:1"}'),
    );
    await discovery.server(A_NAME);
    bench.web.takeRequests();
    clock.advance(300_000);
    expect(atOnce(discovery.server(A_NAME))).toBe("(a promise)");
    await settled(discovery);
    expect(bench.web.takeRequests()).toHaveLength(1);
  });

  it.each([
    { why: "the SRV record", zone: { "_matrix-fed._tcp.a.example": srv(1, "a.example") } },
    { why: "that there is no SRV record", zone: {} },
  ])("ends with $why where that is the shortest", async ({ zone }) => {
    const { discovery, clock } = startAt({ "a.example": { ...HOME, ttl: 600 }, ...zone });
    await discovery.server(A_NAME);
    takeQueries();
    clock.advance(300_000);
    expect(atOnce(discovery.server(A_NAME))).toBe("(a promise)");
    await settled(discovery);
    expect(takeQueries()).toContain(FED("a.example"));
  });

  it("of a plain host is shared with nothing but the addresses", async () => {
    const { discovery } = startAt({ "a.example": HOME });
    await discovery.host("a.example", 80);
    await discovery.host("a.example", 81);
    expect(takeQueries()).toEqual(ADDRESSES);
    expect(atOnce(discovery.host("a.example", 80))).toMatchObject({ addresses: "127.0.0.1 80" });
  });
});

describe("a refresh", () => {
  const at = (address: string): DnsZone => ({ "a.example": { A: [address], ttl: TTL_SECONDS } });

  async function startLate(): Promise<ReturnType<typeof startAt>> {
    const started = startAt(at("1.1.1.1"));
    await started.discovery.server(serverName("a.example:1"));
    started.clock.advance(TTL_SECONDS * 800);
    return started;
  }
  const NAME = serverName("a.example:1");

  it("goes on behind who asks late in the time to live, for all of it", async () => {
    const { discovery, clock } = await startLate();
    bench.dnsServer.setZone(at("2.2.2.2"));
    takeQueries();
    expect(atOnce(discovery.server(NAME))).toMatchObject({ addresses: "1.1.1.1 1" });
    await settled(discovery);
    expect(takeQueries()).toEqual(ADDRESSES);
    clock.advance(TTL_SECONDS * 800 - 1);
    expect(atOnce(discovery.server(NAME))).toMatchObject({ addresses: "2.2.2.2 1" });
    expect(takeQueries()).toEqual([]);
    expect(discovery.counters().servers).toMatchObject({ misses: 1, refreshes: 1 });
  });

  it("that fails leaves what is known until its end, and is tried again after 5 s", async () => {
    const { discovery, clock } = await startLate();
    bench.dnsServer.setZone({ "a.example": SERVFAIL });
    takeQueries();
    expect(atOnce(discovery.server(NAME))).toMatchObject({ addresses: "1.1.1.1 1" });
    await settled(discovery);
    expect(takeQueries()).toEqual(ADDRESSES);
    clock.advance(TTL_SECONDS * 200 - 1);
    expect(atOnce(discovery.server(NAME))).toMatchObject({ addresses: "1.1.1.1 1" });
    await settled(discovery);
    expect(takeQueries()).toEqual(ADDRESSES);
    clock.advance(1);
    expect(brief(await discovery.server(NAME))).toBe("DISCOVERY_FAILED dns");
  });

  it("that finds a private address refuses from then on (DNS rebinding)", async () => {
    const { discovery } = await startLate();
    bench.dnsServer.setZone(at("10.0.0.1"));
    expect(atOnce(discovery.server(NAME))).toMatchObject({ addresses: "1.1.1.1 1" });
    await settled(discovery);
    expect(atOnce(discovery.server(NAME))).toBe("TARGET_REFUSED address");
  });
});

describe("no destination is known as well", () => {
  const INSIDE: DnsRecords = { A: ["10.0.0.1"], ttl: 600 };

  it.each([
    {
      why: "refused",
      zone: { "a.example": INSIDE },
      name: "a.example:1",
      known: "TARGET_REFUSED address",
      ttlMs: 30_000,
      asked: ADDRESSES,
    },
    {
      why: "a refused port",
      zone: {},
      name: "a.example:22",
      known: "TARGET_REFUSED port",
      ttlMs: 30_000,
      asked: [],
    },
    {
      why: "no such name",
      zone: {},
      name: "a.example:1",
      known: "DISCOVERY_FAILED no-address",
      ttlMs: 30_000,
      asked: ADDRESSES,
    },
    {
      why: "DNS failed",
      zone: { "a.example": SERVFAIL },
      name: "a.example:1",
      known: "DISCOVERY_FAILED dns",
      ttlMs: 5000,
      asked: ADDRESSES,
    },
    {
      why: "DNS failed for SRV",
      zone: { "a.example": HOME, "_matrix-fed._tcp.a.example": SERVFAIL },
      name: "a.example",
      known: "DISCOVERY_FAILED dns",
      ttlMs: 5000,
      asked: [FED("a.example")],
    },
  ])("$why", async ({ zone, name, known, ttlMs, asked }) => {
    const { discovery, clock } = startAt(zone);
    await discovery.server(serverName(name));
    takeQueries();
    clock.advance(ttlMs * 0.8 - 1);
    expect(atOnce(discovery.server(serverName(name)))).toBe(known);
    expect(takeQueries()).toEqual([]);
    clock.advance(ttlMs * 0.2 + 1);
    expect(atOnce(discovery.server(serverName(name)))).toBe("(a promise)");
    await settled(discovery);
    expect(takeQueries()).toEqual(asked);
  });
});

describe("bounds", () => {
  const instant: Dns = {
    addresses: async () => ({ addresses: ["1.1.1.1"], ttlMs: 600_000 }),
    services: async (name) => ({
      services: [{ name: `x.${name}`, port: 1, priority: 0, weight: 0 }],
      ttlMs: 600_000,
    }),
  };

  it("hold for 20,000 names", async () => {
    const fetchWellKnown = async (): Promise<{ reason: "missing"; isLasting: true }> => ({
      reason: "missing",
      isLasting: true,
    });
    const discovery = bench.start({ dns: instant, fetchWellKnown, isAllowed: () => true });
    for (let index = 0; index < 20_000; index++) {
      await discovery.server(serverName(`s${index}.example`));
      await discovery.host(`h${index}.example`, 1);
    }
    for (const { size, inFlight } of Object.values(discovery.counters())) {
      expect(size).toBeLessThanOrEqual(ENTRIES_MAX);
      expect(size).toBeGreaterThanOrEqual(ENTRIES_MAX / 2);
      expect(inFlight).toBe(0);
    }
    expect(atOnce(discovery.server(serverName("s19999.example")))).toMatchObject({ step: "srv" });
    expect(atOnce(discovery.server(serverName("s0.example")))).toBe("(a promise)");
  }, 60_000); // Two seconds on an idle machine.

  it("hold for look-ups at the same time; who comes later is told so, and may come again", async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const dns: Dns = {
      ...instant,
      addresses: async (host) => {
        await gate;
        return instant.addresses(host);
      },
    };
    const discovery = bench.start({ dns });
    const name = (index: number) => serverName(`s${index}.example:1`);
    const waiting = Array.from({ length: IN_FLIGHT_MAX }, (_, index) => discovery.server(name(index)));
    expect(new Set(waiting.map(atOnce))).toEqual(new Set(["(a promise)"]));
    const late = name(IN_FLIGHT_MAX);
    expect(atOnce(discovery.server(late))).toBe("DISCOVERY_FAILED busy");
    expect(discovery.counters().servers).toMatchObject({ inFlight: IN_FLIGHT_MAX, refused: 1 });
    release();
    await settled(discovery);
    expect(brief(await discovery.server(late))).toMatchObject({ step: "port" });
  });
});
