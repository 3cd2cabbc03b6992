/** createDiscovery: which SRV targets are used, and every way to no destination. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDns } from "../../src/discovery/dns.ts";
import {
  A,
  B,
  type Bench,
  brief,
  FED,
  HOME,
  OLD,
  type Row,
  SERVFAIL,
  serverName,
  srv,
  startBench,
} from "./discovery-bench.ts";
import type { DnsZone } from "../support/dns-server.ts";
import { answerDelegations } from "./web.ts";

let bench: Bench;

beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.stop());

describe("SRV records", () => {
  const found = (addresses: string): Row["expected"] => ({
    addresses,
    hostHeader: "a.example",
    tlsName: "a.example",
    step: "srv",
  });
  const B_THEN_C = {
    "_matrix-fed._tcp.a.example": {
      SRV: [
        [1, 0, 1, "b.example"],
        [2, 0, 2, "c.example"],
      ],
    },
  } satisfies DnsZone;
  const many = Array.from({ length: 9 }, (_, index) => [index, 0, 8000 + index, "b.example"] as const);

  it.each<Row>([
    {
      why: "by priority, each with its port",
      name: "a.example",
      zone: {
        "_matrix-fed._tcp.a.example": {
          SRV: [
            [20, 0, 2, "b.example"],
            [10, 0, 1, "c.example"],
          ],
        },
        "b.example": B,
        "c.example": A,
      },
      expected: found("1.1.1.1 1, 2.2.2.2 2"),
    },
    {
      why: "all addresses of one target before the next, IPv6 first",
      name: "a.example",
      zone: {
        ...B_THEN_C,
        "b.example": { A: ["2.2.2.2"], AAAA: ["2606:4700::1"] },
        "c.example": A,
      },
      expected: found("2606:4700::1 1, 2.2.2.2 1, 1.1.1.1 2"),
    },
    {
      why: "eight of nine",
      name: "a.example",
      zone: { "_matrix-fed._tcp.a.example": { SRV: many }, "b.example": B },
      expected: found(Array.from({ length: 8 }, (_, index) => `2.2.2.2 800${index}`).join(", ")),
    },
    {
      why: "a target without address is passed over",
      name: "a.example",
      zone: {
        "_matrix-fed._tcp.a.example": {
          SRV: [
            [1, 0, 1, "nothing.example"],
            [2, 0, 2, "c.example"],
          ],
        },
        "c.example": A,
      },
      expected: found("1.1.1.1 2"),
    },
    {
      why: "so is one that DNS fails for",
      name: "a.example",
      zone: {
        ...B_THEN_C,
        "b.example": SERVFAIL,
        "c.example": A,
      },
      expected: found("1.1.1.1 2"),
    },
    {
      why: "one target that leads inside refuses them all",
      name: "a.example",
      zone: {
        ...B_THEN_C,
        "b.example": B,
        "c.example": { A: ["10.0.0.1"] },
      },
      expected: "TARGET_REFUSED address",
    },
    {
      why: "so does one port",
      name: "a.example",
      zone: {
        "_matrix-fed._tcp.a.example": {
          SRV: [
            [1, 0, 8448, "b.example"],
            [2, 0, 22, "b.example"],
          ],
        },
        "b.example": B,
      },
      expected: "TARGET_REFUSED port",
    },
    {
      why: 'the target "." says that there is no service, and nothing else is tried (RFC 2782)',
      name: "a.example",
      zone: { "a.example": HOME, "_matrix-fed._tcp.a.example": srv(0, ".") },
      expected: "DISCOVERY_FAILED no-address",
      asks: ["a.example", FED("a.example")],
    },
    {
      why: "no target has an address, and 8448 isn't tried",
      name: "a.example",
      zone: { "a.example": HOME, "_matrix-fed._tcp.a.example": srv(1, "nothing.example") },
      expected: "DISCOVERY_FAILED no-address",
    },
    {
      why: "a target must be a name (RFC 2782)",
      name: "a.example",
      zone: { "_matrix-fed._tcp.a.example": srv(1, "1.1.1.1") },
      expected: "DISCOVERY_FAILED no-address",
    },
  ])("$why", async (row) => bench.check(row));

  it("of one priority are drawn by weight", async () => {
    bench.dnsServer.setZone({
      "_matrix-fed._tcp.a.example": {
        SRV: [
          [1, 1, 1, "b.example"],
          [1, 3, 3, "b.example"],
        ],
      },
      "b.example": B,
    });
    answerDelegations(bench.web, {});
    const first = async (fraction: number): Promise<unknown> =>
      brief(await bench.start({ random: { fraction: () => fraction } }).server(serverName("a.example")));
    const ports = new Set([JSON.stringify(await first(0)), JSON.stringify(await first(0.99))]);
    expect([...ports].map((text) => text.slice(0, 40)).toSorted()).toEqual([
      '{"addresses":"2.2.2.2 1, 2.2.2.2 3","hos',
      '{"addresses":"2.2.2.2 3, 2.2.2.2 1","hos',
    ]);
  });
});

describe("no destination", () => {
  it.each<Row>([
    { why: "a private literal", name: "10.0.0.1", expected: "TARGET_REFUSED address" },
    { why: "the clouds' metadata", name: "169.254.169.254:80", expected: "TARGET_REFUSED address" },
    {
      why: "a private IPv4 literal dressed as IPv6",
      name: "[::ffff:10.0.0.1]",
      expected: "TARGET_REFUSED address",
    },
    { why: "a literal with a port that is not allowed", name: "1.1.1.1:22", expected: "TARGET_REFUSED port" },
    {
      why: "a name with a port that is not allowed",
      name: "a.example:22",
      zone: { "a.example": A },
      expected: "TARGET_REFUSED port",
      asks: [],
    },
    { why: "port 0", name: "a.example:0", zone: { "a.example": A }, expected: "TARGET_REFUSED port" },
    {
      why: "a name that leads inside",
      name: "a.example:8448",
      zone: { "a.example": { A: ["192.168.0.1"] } },
      expected: "TARGET_REFUSED address",
    },
    {
      why: "one address of two leads inside",
      name: "a.example:8448",
      zone: { "a.example": { A: ["1.1.1.1", "192.168.0.1"] } },
      expected: "TARGET_REFUSED address",
    },
    {
      why: "the IPv6 address alone leads inside",
      name: "a.example:8448",
      zone: { "a.example": { A: ["1.1.1.1"], AAAA: ["fd00::1"] } },
      expected: "TARGET_REFUSED address",
    },
    {
      why: "an IPv4-mapped address leads inside",
      name: "a.example:8448",
      zone: { "a.example": { AAAA: ["::ffff:10.0.0.1"] } },
      expected: "TARGET_REFUSED address",
    },
    {
      why: "delegated to a private literal",
      name: "a.example",
      zone: { "a.example": HOME },
      delegations: { "a.example": "10.0.0.1" },
      expected: "TARGET_REFUSED address",
    },
    {
      why: "delegated to a port that is not allowed",
      name: "a.example",
      zone: { "a.example": HOME, "b.example": B },
      delegations: { "a.example": "b.example:22" },
      expected: "TARGET_REFUSED port",
    },
    {
      why: "delegated to a name that leads inside",
      name: "a.example",
      zone: { "a.example": HOME, "b.example": { A: ["10.0.0.1"] } },
      delegations: { "a.example": "b.example:443" },
      expected: "TARGET_REFUSED address",
    },
    {
      why: "delegated to a name without address",
      name: "a.example",
      zone: { "a.example": HOME },
      delegations: { "a.example": "nothing.example" },
      expected: "DISCOVERY_FAILED no-address",
    },
    {
      why: "no such name",
      name: "nothing.example",
      expected: "DISCOVERY_FAILED no-address",
      asks: [FED("nothing.example"), OLD("nothing.example")],
    },
    {
      why: "DNS fails for the address",
      name: "a.example:1",
      zone: { "a.example": SERVFAIL },
      expected: "DISCOVERY_FAILED dns",
    },
    {
      why: "DNS fails for SRV: 8448 isn't tried",
      name: "a.example",
      zone: {
        "a.example": HOME,
        "_matrix-fed._tcp.a.example": SERVFAIL,
        "_matrix._tcp.a.example": srv(1, "a.example"),
      },
      expected: "DISCOVERY_FAILED dns",
    },
    {
      why: "DNS fails for the deprecated SRV: 8448 isn't tried",
      name: "a.example",
      zone: { "a.example": HOME, "_matrix._tcp.a.example": SERVFAIL },
      expected: "DISCOVERY_FAILED dns",
    },
    {
      why: "DNS fails for the delegated name's SRV",
      name: "a.example",
      zone: { "a.example": HOME, "b.example": B, "_matrix-fed._tcp.b.example": SERVFAIL },
      delegations: { "a.example": "b.example" },
      expected: "DISCOVERY_FAILED dns",
    },
    {
      why: "DNS fails for every target",
      name: "a.example",
      zone: { "_matrix-fed._tcp.a.example": srv(1, "b.example"), "b.example": SERVFAIL },
      expected: "DISCOVERY_FAILED dns",
    },
  ])("$why", async (row) => bench.check(row));

  it("where DNS is silent", async () => {
    bench.dnsServer.setZone({ "a.example": { fails: { A: "silent", AAAA: "silent" } } });
    const hasty = createDns({ resolver: bench.dnsServer.resolver, timeoutMs: 100 });
    const found = await bench.start({ dns: hasty }).server(serverName("a.example:1"));
    expect(brief(found)).toBe("DISCOVERY_FAILED timeout");
  });
});
