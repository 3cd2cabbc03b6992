/** createNetworks and checkNetwork: which address is whose, and every way to write a range wrong. */

import { describe, expect, it } from "vitest";
import { FedtraceError } from "../../src/core/errors.ts";
import { checkNetwork, createNetworks } from "../../src/peer/networks.ts";

const networks = createNetworks({
  "Relay.example": ["10.1.0.0/16", "fd00::/8"],
  "one.example:8448": ["192.0.2.7"],
  "mapped.example": ["::ffff:198.51.100.0/120"],
  "wide.example": ["10.0.0.0/8"],
});

describe("namesOf", () => {
  it.each([
    { why: "the first address of a range", address: "10.1.0.0", names: ["relay.example", "wide.example"] },
    { why: "the last", address: "10.1.255.255", names: ["relay.example", "wide.example"] },
    { why: "one past it, in a wider range", address: "10.2.0.0", names: ["wide.example"] },
    { why: "past both", address: "11.0.0.0", names: [] },
    { why: "IPv4 as a dual-stack listener shows it", address: "::ffff:10.2.0.1", names: ["wide.example"] },
    { why: "the same in hexadecimal", address: "::ffff:a02:1", names: ["wide.example"] },
    { why: "IPv6", address: "fd12::1", names: ["relay.example"] },
    { why: "IPv6 with a zone", address: "fd12::1%eth0", names: ["relay.example"] },
    { why: "one address", address: "192.0.2.7", names: ["one.example:8448"] },
    { why: "the address beside it", address: "192.0.2.8", names: [] },
    { why: "IPv4 in a range written as IPv6", address: "198.51.100.9", names: ["mapped.example"] },
    { why: "no address: a unix socket's", address: "", names: [] },
    { why: "a name", address: "relay.example", names: [] },
  ])("$why", ({ address, names }) => {
    expect(networks.namesOf(address)).toEqual(names);
    expect(networks.namesOf(address)).toEqual(names); // From the cache.
  });

  it("is nobody without networks", () => {
    expect(createNetworks({}).namesOf("10.1.2.3")).toEqual([]);
  });
});

describe("checkNetwork", () => {
  it.each(["10.0.0.0/0", "10.0.0.0/32", "10.1.2.3/16", "::/0", "::1/128", "10.0.0.1"])(
    "allows %s",
    (cidr) => {
      expect(checkNetwork(cidr)).toBeUndefined();
    },
  );

  it.each([
    { why: "past the longest IPv4 prefix", cidr: "10.0.0.0/33" },
    { why: "past the longest IPv6 prefix", cidr: "::/129" },
    { why: "an empty prefix", cidr: "10.0.0.0/" },
    { why: "a negative prefix", cidr: "10.0.0.0/-1" },
    { why: "a mask", cidr: "10.0.0.0/255.0.0.0" },
    { why: "a name", cidr: "relay.example" },
    { why: "a short address", cidr: "10.1/16" },
    { why: "a zone", cidr: "fe80::1%eth0/64" },
    { why: "nothing", cidr: "" },
  ])("refuses $why", ({ cidr }) => {
    expect(checkNetwork(cidr)).toContain(JSON.stringify(cidr));
  });

  it("reports every fault of a config at once", () => {
    const create = (): unknown =>
      createNetworks({ "a b": ["10.0.0.0/8"], "c.example": ["10.0.0.0/99", "x"] });
    expect(create).toThrow(FedtraceError);
    expect(create).toThrow(/"a b".*\n.*"10\.0\.0\.0\/99".*\n.*"x"/);
  });
});
