/** createDns against a DNS server: what is an answer, what is "none", what is a fault, and the time limit. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { resolveChecked } from "../../src/discovery/addresses.ts";
import { createDns, type Dns } from "../../src/discovery/dns.ts";
import { createAllowedTargets } from "../../src/proxy/allowed-targets.ts";
import { type DnsRecords, type DnsServer, startDnsServer } from "../support/dns-server.ts";

let server: DnsServer;
let dns: Dns;

beforeAll(async () => {
  server = await startDnsServer();
  dns = createDns({ resolver: server.resolver, timeoutMs: 5000 });
});
afterEach(() => server.takeQueries());
afterAll(() => server.stop());

const allowed = createAllowedTargets([]);

describe("addresses", () => {
  it.each<{ why: string; records: DnsRecords; expected: unknown }>([
    { why: "IPv4 alone", records: { A: ["192.0.2.1"] }, expected: ["192.0.2.1"] },
    { why: "IPv6 alone", records: { AAAA: ["2001:db8::1"] }, expected: ["2001:db8::1"] },
    {
      why: "both",
      records: { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] },
      expected: ["2001:db8::1", "192.0.2.1"],
    },
    {
      why: "one family fails, the other answers",
      records: { A: ["192.0.2.1"], fails: { AAAA: "SERVFAIL" } },
      expected: ["192.0.2.1"],
    },
    { why: "no record of either", records: {}, expected: "none" },
    {
      why: "one is not there, the other not known",
      records: { fails: { AAAA: "SERVFAIL" } },
      expected: "failed",
    },
    { why: "the server fails", records: { fails: { A: "SERVFAIL", AAAA: "SERVFAIL" } }, expected: "failed" },
    { why: "the server refuses", records: { fails: { A: "REFUSED", AAAA: "REFUSED" } }, expected: "failed" },
    { why: "a name that points to another", records: { CNAME: "b.example" }, expected: ["192.0.2.9"] },
    { why: "a name that points to nothing", records: { CNAME: "nothing.example" }, expected: "none" },
    { why: "a name that points to itself", records: { CNAME: "a.example" }, expected: "failed" },
  ])("$why", async ({ records, expected }) => {
    server.setZone({ "a.example": records, "b.example": { A: ["192.0.2.9"] } });
    const answer = await dns.addresses("a.example");
    expect(typeof answer === "string" ? answer : answer.addresses).toEqual(expected);
  });

  it.each([
    { why: "no such name", name: "nothing.example" },
    { why: "a label that fits into no message", name: `${"a".repeat(64)}.example` },
  ])("none: $why", async ({ name }) => {
    server.setZone({});
    expect(await dns.addresses(name)).toBe("none");
  });

  it.each([
    { why: "below the least", ttl: 9, ttlMs: 10_000 },
    { why: "the least", ttl: 10, ttlMs: 10_000 },
    { why: "within", ttl: 599, ttlMs: 599_000 },
    { why: "above the most", ttl: 601, ttlMs: 600_000 },
  ])("ttl: $why", async ({ ttl, ttlMs }) => {
    server.setZone({ "a.example": { A: ["192.0.2.1"], ttl } });
    expect(await dns.addresses("a.example")).toMatchObject({ ttlMs });
  });

  it("keeps none of its own: each look-up is asked again", async () => {
    server.setZone({ "a.example": { A: ["192.0.2.1"] } });
    await dns.addresses("a.example");
    await dns.addresses("a.example");
    expect(server.takeQueries().toSorted()).toEqual([
      "A a.example",
      "A a.example",
      "AAAA a.example",
      "AAAA a.example",
    ]);
  });

  it("come from the system where no resolver is given, with its hosts file", async () => {
    const system = createDns({ resolver: undefined, timeoutMs: 5000 });
    const answer = await system.addresses("localhost");
    expect(answer).toMatchObject({ ttlMs: 30_000 });
    expect(answer).not.toBeTypeOf("string");
  });
});

describe("services", () => {
  it.each<{ why: string; records: DnsRecords; expected: unknown }>([
    {
      why: "a record",
      records: { SRV: [[10, 5, 8448, "hs.example"]] },
      expected: { services: [{ name: "hs.example", port: 8448, priority: 10, weight: 5 }], ttlMs: 300_000 },
    },
    {
      why: "decidedly no service here (RFC 2782)",
      records: { SRV: [[0, 0, 0, "."]] },
      expected: { services: [], ttlMs: 300_000 },
    },
    { why: "another kind of record", records: { A: ["192.0.2.1"] }, expected: "none" },
    { why: "the server fails", records: { fails: { SRV: "SERVFAIL" } }, expected: "failed" },
    { why: "the server refuses", records: { fails: { SRV: "REFUSED" } }, expected: "failed" },
  ])("$why", async ({ records, expected }) => {
    server.setZone({ "_matrix._tcp.a.example": records });
    expect(await dns.services("_matrix._tcp.a.example")).toEqual(expected);
  });
});

describe("the time limit", () => {
  const silent = { fails: { A: "silent", AAAA: "silent", SRV: "silent" } } as const;

  it("ends a look-up that nobody answers, after a second try", async () => {
    server.setZone({ "a.example": silent });
    const hasty = createDns({ resolver: server.resolver, timeoutMs: 900 });
    expect(await hasty.addresses("a.example")).toBe("timeout");
    expect(server.takeQueries().filter((query) => query.startsWith("A "))).toHaveLength(2);
    expect(await hasty.services("a.example")).toBe("timeout");
  });

  it("is kept here, not by c-ares, which would try again first", async () => {
    server.setZone({ "a.example": silent });
    server.takeQueries();
    const hasty = createDns({ resolver: server.resolver, timeoutMs: 50 });
    expect(await hasty.addresses("a.example")).toBe("timeout");
    expect(server.takeQueries().toSorted()).toEqual(["A a.example", "AAAA a.example"]);
  });

  it("waits for one family while the other answers, and takes what came", async () => {
    server.setZone({ "a.example": { A: ["192.0.2.1"], fails: { AAAA: "silent" } } });
    const hasty = createDns({ resolver: server.resolver, timeoutMs: 300 });
    const answer = await hasty.addresses("a.example");
    expect(answer).toMatchObject({ addresses: ["192.0.2.1"] });
  });

  it("is a fault, not an answer, where nobody listens", async () => {
    const closed = await startDnsServer();
    const nobody = createDns({ resolver: closed.resolver, timeoutMs: 90 });
    closed.stop();
    expect(["failed", "timeout"]).toContain(await nobody.addresses("a.example"));
  });
});

describe("resolveChecked", () => {
  it.each<{ why: string; records: DnsRecords; expected: unknown }>([
    {
      why: "the families by turns, IPv6 first (RFC 8305 section 4)",
      records: { A: ["1.1.1.1", "1.1.1.2", "1.1.1.3"], AAAA: ["2606:4700::1", "2606:4700::2"] },
      expected: ["2606:4700::1", "1.1.1.1", "2606:4700::2", "1.1.1.2", "1.1.1.3"],
    },
    {
      why: "eight of nine",
      records: { A: Array.from({ length: 9 }, (_, index) => `1.1.1.${index}`) },
      expected: Array.from({ length: 8 }, (_, index) => `1.1.1.${index}`),
    },
    {
      why: "one is private, behind eight that are not",
      records: { A: [...Array.from({ length: 8 }, (_, index) => `1.1.1.${index}`), "10.0.0.1"] },
      expected: { code: "TARGET_REFUSED", reason: "address" },
    },
    {
      why: "the clouds' metadata",
      records: { A: ["169.254.169.254"] },
      expected: { code: "TARGET_REFUSED", reason: "address" },
    },
    {
      why: "IPv4 dressed as IPv6",
      records: { AAAA: ["::ffff:10.0.0.1"] },
      expected: { code: "TARGET_REFUSED", reason: "address" },
    },
    {
      why: "public IPv4 dressed as IPv6: refused as well",
      records: { AAAA: ["::ffff:1.1.1.1"] },
      expected: { code: "TARGET_REFUSED", reason: "address" },
    },
    {
      why: "behind a CNAME",
      records: { CNAME: "inside.example" },
      expected: { code: "TARGET_REFUSED", reason: "address" },
    },
    { why: "no address", records: {}, expected: { code: "DISCOVERY_FAILED", reason: "no-address" } },
    {
      why: "a failing server",
      records: { fails: { A: "SERVFAIL", AAAA: "SERVFAIL" } },
      expected: { code: "DISCOVERY_FAILED", reason: "dns" },
    },
  ])("$why", async ({ records, expected }) => {
    server.setZone({ "a.example": records, "inside.example": { A: ["192.168.0.1"] } });
    const { value } = await resolveChecked(dns, "a.example", (address) => allowed.isAllowed(address));
    expect(value).toEqual(expected);
  });
});
