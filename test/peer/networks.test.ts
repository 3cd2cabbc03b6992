/**
 * createNetworks and checkNetwork: which address is whose, and every way to write a range wrong.
 *
 * What must hold: an IPv4 address and its mapped IPv6 form (RFC 4291, section 2.5.5.2) are one, in a range as in an address,
 * however either is written. node:net's BlockList does so on Node 20, 22 and 24; the arithmetic here is a second opinion.
 */

import { isIPv4 } from "node:net";
import fc from "fast-check";
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

/** Two groups of 16 bits in hexadecimal, as an IPv6 address may end. */
function inHex(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

/** Every way to write an IPv4 address. */
const FORMS = {
  plain: (address: string) => address,
  mapped: (address: string) => `::ffff:${address}`,
  "mapped, in hexadecimal": (address: string) => `::ffff:${inHex(address)}`,
  "mapped, in capitals": (address: string) => `::FFFF:${inHex(address).toUpperCase()}`,
  "mapped, with all zeros": (address: string) => `0000:0000:0000:0000:0000:ffff:${address}`,
  "mapped, in hexadecimal with all zeros": (address: string) => `0:0:0:0:0:FFFF:${inHex(address)}`,
} as const;
type Form = keyof typeof FORMS;
const ALL_FORMS = Object.keys(FORMS) as Form[];

describe.each(ALL_FORMS)("a range that is written %s", (rangeForm) => {
  const range = FORMS[rangeForm]("10.1.0.0");
  const inForm = createNetworks({ "a.example": [`${range}/${isIPv4(range) ? 16 : 112}`] });

  it.each(ALL_FORMS)("has the addresses of it that are written %s, and no other", (form) => {
    for (const address of ["10.1.0.0", "10.1.2.3", "10.1.255.255"]) {
      expect(inForm.namesOf(FORMS[form](address))).toEqual(["a.example"]);
    }
    for (const address of ["10.0.255.255", "10.2.0.0", "0.0.10.1"]) {
      expect(inForm.namesOf(FORMS[form](address))).toEqual([]);
    }
  });

  it.each([
    { why: "IPv4-compatible, which is deprecated", address: "::10.1.2.3" },
    { why: "IPv4-translated (SIIT)", address: "::ffff:0:10.1.2.3" },
    { why: "NAT64", address: "64:ff9b::10.1.2.3" },
    { why: "6to4", address: "2002:a01:203::" },
    { why: "mapped one bit off", address: "::fffe:10.1.2.3" },
  ])("has no address that only carries one of it: $why", ({ address }) => {
    expect(inForm.namesOf(address)).toEqual([]);
  });
});

it("counts an address in a range as the bits of both say, whatever the prefix", () => {
  const ipv4 = fc.tuple(fc.constantFrom(10, 11, 0, 255), fc.nat(2), fc.nat(255), fc.nat(255));
  const address = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(ipv4, fc.constantFrom(...ALL_FORMS)) },
    fc.constantFrom("fd00::1", "2001:db8::1", "::1", "::", "::fffe:a01:203", "8000::1", "::8000:a01:203"),
  );
  const written = address.map((drawn) =>
    typeof drawn === "string" ? drawn : FORMS[drawn[1]](drawn[0].join(".")),
  );
  fc.assert(
    fc.property(written, written, fc.nat(128), (range, other, drawn) => {
      const width = isIPv4(range) ? 32 : 128;
      const prefix = drawn % (width + 1);
      const shift = BigInt(width - prefix);
      const names = createNetworks({ "a.example": [`${range}/${prefix}`] }).namesOf(other);
      expect(names.length === 1).toBe(bitsOf(range) >> shift === bitsOf(other) >> shift);
    }),
    { numRuns: 2000 },
  );
});

/** As 128 bits; IPv4 as its mapped form. */
function bitsOf(address: string): bigint {
  const dotted = /[^:]*\.[^:]*$/.exec(address)?.[0];
  const text = dotted === undefined ? address : address.replace(dotted, inHex(dotted));
  const [head = "", tail] = (isIPv4(address) ? `::ffff:${text}` : text).split("::");
  const groups = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - groups.length - last.length }, () => "0");
  return [...groups, ...zeros, ...last].reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}

it("is in the order of the config where ranges are shared or one is inside another", () => {
  const narrow = { "narrow.example": ["10.1.0.0/16"] };
  const wide = { "wide.example": ["10.0.0.0/8"] };
  const also = { "also.example:8448": ["::ffff:10.1.0.0/112"] };
  expect(createNetworks({ ...narrow, ...wide, ...also }).namesOf("10.1.2.3")).toEqual([
    "narrow.example",
    "wide.example",
    "also.example:8448",
  ]);
  expect(createNetworks({ ...also, ...wide, ...narrow }).namesOf("::ffff:a01:203")).toEqual([
    "also.example:8448",
    "wide.example",
    "narrow.example",
  ]);
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
