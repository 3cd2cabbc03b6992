/**
 * createDiscovery, step by step: addresses, Host and TLS name of each step of the specification, and what it asks for them.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { A, B, type Bench, brief, FED, HOME, OLD, type Row, srv, startBench } from "./discovery-bench.ts";

let bench: Bench;

beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.stop());

describe("a step of the specification", () => {
  it.each<Row>([
    {
      why: "1: an IPv4 literal",
      name: "1.1.1.1",
      expected: { addresses: "1.1.1.1 8448", hostHeader: "1.1.1.1", tlsName: "1.1.1.1", step: "literal" },
      asks: [],
    },
    {
      why: "1: an IPv6 literal with a port",
      name: "[2606:4700::1111]:443",
      expected: {
        addresses: "2606:4700::1111 443",
        hostHeader: "[2606:4700::1111]:443",
        tlsName: "2606:4700::1111",
        step: "literal",
      },
      asks: [],
    },
    {
      why: "2: a port",
      name: "a.example:8448",
      zone: { "a.example": A, "_matrix-fed._tcp.a.example": srv(1, "b.example") },
      expected: {
        addresses: "1.1.1.1 8448",
        hostHeader: "a.example:8448",
        tlsName: "a.example",
        step: "port",
      },
      asks: [],
    },
    {
      why: "3.1: delegated to a literal",
      name: "a.example",
      zone: { "a.example": HOME },
      delegations: { "a.example": "1.1.1.1" },
      expected: {
        addresses: "1.1.1.1 8448",
        hostHeader: "1.1.1.1",
        tlsName: "1.1.1.1",
        step: "well-known-literal",
      },
      asks: ["a.example"],
    },
    {
      why: "3.1: delegated to a literal with a port",
      name: "a.example",
      zone: { "a.example": HOME },
      delegations: { "a.example": "[2606:4700::1]:443" },
      expected: {
        addresses: "2606:4700::1 443",
        hostHeader: "[2606:4700::1]:443",
        tlsName: "2606:4700::1",
        step: "well-known-literal",
      },
      asks: ["a.example"],
    },
    {
      why: "3.2: delegated to a name with a port",
      name: "a.example",
      zone: { "a.example": HOME, "hs.example": B },
      delegations: { "a.example": "HS.example:443" },
      expected: {
        addresses: "2.2.2.2 443",
        hostHeader: "hs.example:443",
        tlsName: "hs.example",
        step: "well-known-port",
      },
      asks: ["a.example"],
    },
    {
      why: "3.3: delegated to a name with SRV; its .well-known isn't asked for",
      name: "a.example",
      zone: {
        "a.example": HOME,
        "b.example": HOME,
        "_matrix-fed._tcp.b.example": srv(8449, "target.example"),
        "target.example": B,
      },
      delegations: { "a.example": "b.example", "b.example": "c.example" },
      expected: {
        addresses: "2.2.2.2 8449",
        hostHeader: "b.example",
        tlsName: "b.example",
        step: "well-known-srv",
      },
      asks: ["a.example", FED("b.example")],
    },
    {
      why: "3.4: delegated to a name with the deprecated SRV",
      name: "a.example",
      zone: { "a.example": HOME, "_matrix._tcp.b.example": srv(8449, "target.example"), "target.example": B },
      delegations: { "a.example": "b.example" },
      expected: {
        addresses: "2.2.2.2 8449",
        hostHeader: "b.example",
        tlsName: "b.example",
        step: "well-known-srv-deprecated",
      },
      asks: ["a.example", FED("b.example"), OLD("b.example")],
    },
    {
      why: "3.5: delegated to a plain name",
      name: "a.example",
      zone: { "a.example": HOME, "b.example": B },
      delegations: { "a.example": "b.example" },
      expected: {
        addresses: "2.2.2.2 8448",
        hostHeader: "b.example",
        tlsName: "b.example",
        step: "well-known-default",
      },
      asks: ["a.example", FED("b.example"), OLD("b.example")],
    },
    {
      why: "3.5: delegated to itself",
      name: "a.example",
      zone: { "a.example": HOME },
      delegations: { "a.example": "a.example" },
      expected: {
        addresses: "127.0.0.1 8448",
        hostHeader: "a.example",
        tlsName: "a.example",
        step: "well-known-default",
      },
      asks: ["a.example", FED("a.example"), OLD("a.example")],
    },
    {
      why: "4: SRV, the name before it stays",
      name: "a.example",
      zone: {
        "a.example": HOME,
        "_matrix-fed._tcp.a.example": srv(8449, "Target.Example"),
        "_matrix._tcp.a.example": srv(1, "x.example"),
        "target.example": B,
      },
      expected: { addresses: "2.2.2.2 8449", hostHeader: "a.example", tlsName: "a.example", step: "srv" },
      asks: ["a.example", FED("a.example")],
    },
    {
      why: "5: the deprecated SRV",
      name: "a.example",
      zone: { "a.example": HOME, "_matrix._tcp.a.example": srv(443, "target.example"), "target.example": B },
      expected: {
        addresses: "2.2.2.2 443",
        hostHeader: "a.example",
        tlsName: "a.example",
        step: "srv-deprecated",
      },
      asks: ["a.example", FED("a.example"), OLD("a.example")],
    },
    {
      why: "6: the name itself",
      name: "a.example",
      zone: { "a.example": HOME },
      expected: {
        addresses: "127.0.0.1 8448",
        hostHeader: "a.example",
        tlsName: "a.example",
        step: "default",
      },
      asks: ["a.example", FED("a.example"), OLD("a.example")],
    },
    {
      why: "4: a host that has nothing but SRV",
      name: "a.example",
      zone: { "_matrix-fed._tcp.a.example": srv(8449, "target.example"), "target.example": B },
      expected: { addresses: "2.2.2.2 8449", hostHeader: "a.example", tlsName: "a.example", step: "srv" },
      asks: [FED("a.example")],
    },
    {
      why: "6: behind a CNAME the name stays",
      name: "a.example",
      zone: { "a.example": { CNAME: "cdn.example" }, "cdn.example": HOME },
      expected: {
        addresses: "127.0.0.1 8448",
        hostHeader: "a.example",
        tlsName: "a.example",
        step: "default",
      },
    },
    {
      why: "2: an allowed IPv4-mapped address, as it came",
      name: "a.example:443",
      zone: { "a.example": { AAAA: ["::ffff:127.0.0.1"] } },
      expected: {
        addresses: "::ffff:127.0.0.1 443",
        hostHeader: "a.example:443",
        tlsName: "a.example",
        step: "port",
      },
    },
    {
      why: "2: a trailing dot is no part of the name",
      name: "A.Example.:443",
      zone: { "a.example": A },
      expected: { addresses: "1.1.1.1 443", hostHeader: "a.example:443", tlsName: "a.example", step: "port" },
    },
  ])("$why", async (row) => bench.check(row));
});

describe("a plain host", () => {
  it.each([
    {
      why: "a name",
      host: "a.example",
      port: 80,
      expected: { addresses: "1.1.1.1 80", hostHeader: "a.example:80", tlsName: "a.example", step: "host" },
    },
    {
      why: "IPv4",
      host: "1.1.1.1",
      port: 443,
      expected: { addresses: "1.1.1.1 443", hostHeader: "1.1.1.1:443", tlsName: "1.1.1.1", step: "host" },
    },
    {
      why: "IPv6",
      host: "[2606:4700::1]",
      port: 443,
      expected: {
        addresses: "2606:4700::1 443",
        hostHeader: "[2606:4700::1]:443",
        tlsName: "2606:4700::1",
        step: "host",
      },
    },
    { why: "a private address", host: "10.0.0.1", port: 80, expected: "TARGET_REFUSED address" },
    { why: "a name that leads inside", host: "inside.example", port: 80, expected: "TARGET_REFUSED address" },
    { why: "a port that is not allowed", host: "a.example", port: 22, expected: "TARGET_REFUSED port" },
    { why: "no such name", host: "nothing.example", port: 80, expected: "DISCOVERY_FAILED no-address" },
  ])("$why: no .well-known, no SRV", async ({ host, port, expected }) => {
    bench.dnsServer.setZone({
      "a.example": A,
      "inside.example": { A: ["10.0.0.1"] },
      "_matrix-fed._tcp.a.example": srv(1, "b.example"),
    });
    bench.dnsServer.takeQueries();
    bench.web.takeRequests();
    expect(brief(await bench.start().host(host, port))).toEqual(expected);
    expect(bench.web.takeRequests()).toEqual([]);
    expect(bench.dnsServer.takeQueries().filter((query) => query.startsWith("SRV"))).toEqual([]);
  });
});
