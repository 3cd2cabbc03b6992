/**
 * Forwarded and X-Forwarded-*: who is the client by each, from the right over trusted proxies, and what can't be read.
 *
 * Source of the examples: RFC 7239, sections 4, 6 and 7; for X-Forwarded-For what nginx, Apache, Traefik, Azure and squid write.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readForwarded, readXForwarded } from "../../src/peer/forwarded.ts";
import { createTrustedProxies } from "../../src/peer/trusted-proxies.ts";

const trusted = createTrustedProxies(["10.0.0.0/8", "fd00::/8", "unix:"]);
if (trusted === undefined) throw new Error("somebody is trusted here");

/** Client, scheme and host in short. */
function shown(said: ReturnType<typeof readForwarded>): unknown {
  if (typeof said === "string") return said;
  const client = typeof said.client === "object" ? said.client.address : said.client;
  return [client, said.scheme, said.host];
}

const forwarded = (...lines: string[]): unknown => shown(readForwarded(lines, trusted));
const xForwarded = (lines: { for?: string[]; proto?: string[]; host?: string[] }): unknown =>
  shown(readXForwarded({ for: [], proto: [], host: [], ...lines }, trusted));

describe("Forwarded", () => {
  it.each([
    { lines: ["for=192.0.2.43"], said: ["192.0.2.43", undefined, undefined], why: "one hop" },
    {
      lines: ["for=192.0.2.60;proto=http;by=203.0.113.43"],
      said: ["192.0.2.60", "http", undefined],
      why: "the RFC's own example",
    },
    {
      lines: ['For="[2001:db8:cafe::17]:4711";HOST="own.test:8448";Proto=HTTPS'],
      said: ["2001:db8:cafe::17", "https", "own.test:8448"],
      why: "names and schemes in any case, IPv6 with a port",
    },
    {
      lines: ['for="192.0.2.43:47011"'],
      said: ["192.0.2.43", undefined, undefined],
      why: "IPv4 with a port",
    },
    { lines: ['for="192.0.2.43:_p"'], said: ["192.0.2.43", undefined, undefined], why: "with a hidden port" },
    { lines: ['for="\\192.0.2.43"'], said: ["192.0.2.43", undefined, undefined], why: "with an escape" },
    {
      lines: ['for="[::FFFF:192.0.2.43]"'],
      said: ["192.0.2.43", undefined, undefined],
      why: "mapped IPv4 is IPv4",
    },
    { lines: ["for=unknown;proto=https"], said: ["hidden", "https", undefined], why: "unknown" },
    { lines: ["for=_gazonk"], said: ["hidden", undefined, undefined], why: "an obfuscated name" },
    { lines: ['for="_SEVKISEK:99"'], said: ["hidden", undefined, undefined], why: "with a port" },
    { lines: ["proto=https;host=own.test"], said: ["hidden", "https", "own.test"], why: "no for" },
    {
      lines: ["for=192.0.2.1;proto=http, for=198.51.100.2;proto=https"],
      said: ["198.51.100.2", "https", undefined],
      why: "the rightmost, and its own scheme: what is left of it the client may have sent",
    },
    {
      lines: ["for=192.0.2.1, for=198.51.100.2;proto=https, for=10.0.0.2;proto=http"],
      said: ["198.51.100.2", "https", undefined],
      why: "over a trusted proxy",
    },
    {
      lines: ["for=192.0.2.1", "for=198.51.100.2;host=own.test", 'for="[fd00::1]"', "for=10.0.0.2"],
      said: ["198.51.100.2", undefined, "own.test"],
      why: "over several, in lines of their own",
    },
    {
      lines: ["for=10.0.0.1, for=10.0.0.2"],
      said: ["10.0.0.1", undefined, undefined],
      why: "all are trusted: the leftmost",
    },
    {
      lines: ["for=192.0.2.1, for=unknown, for=10.0.0.2"],
      said: ["hidden", undefined, undefined],
      why: "not over a hidden one",
    },
    {
      lines: ["for=192.0.2.1, proto=https, for=10.0.0.2"],
      said: ["hidden", "https", undefined],
      why: "nor over one that does not say",
    },
    {
      lines: [" for=192.0.2.1 ; proto=https ,, "],
      said: ["192.0.2.1", "https", undefined],
      why: "blanks and empty elements",
    },
    {
      lines: ["for=192.0.2.1;;ext=1;"],
      said: ["192.0.2.1", undefined, undefined],
      why: "empty pairs and other names",
    },
    {
      lines: ['for=192.0.2.1;x="a,b;for=10.0.0.1"'],
      said: ["192.0.2.1", undefined, undefined],
      why: "what separates, in quotes",
    },
    {
      lines: ["for=192.0.2.1;proto=wss"],
      said: ["192.0.2.1", "https", undefined],
      why: "an upgrade's scheme",
    },
    { lines: [",", ""], said: [undefined, undefined, undefined], why: "no element" },
  ])("$why", ({ lines, said }) => {
    expect(forwarded(...lines)).toEqual(said);
  });

  it.each([
    { line: 'for="192.0.2.1, for=198.51.100.2', why: "a quote that swallows what the proxy adds" },
    { line: 'for=192.0.2.1"x", for=198.51.100.2', why: "a quote inside a value" },
    { line: "for=192.0.2.1;for=192.0.2.2", why: "a name twice" },
    { line: "for=192.0.2.1;For=192.0.2.1", why: "twice in another case" },
    { line: "for=[::1]", why: "IPv6 without quotes" },
    { line: 'for="2001:db8::1"', why: "IPv6 without brackets" },
    { line: 'for="[fe80::1%eth0]"', why: "a zone" },
    { line: "for=192.0.2.1:80", why: "a port without quotes" },
    { line: "for=192.0.2.256", why: "no address" },
    { line: "for=192.0.2.01", why: "an address that readers take for two" },
    { line: "for=client.example", why: "a name" },
    { line: "for=", why: "nothing" },
    { line: "for = 192.0.2.1", why: "blanks around the equals sign" },
    { line: "192.0.2.1", why: "a value alone" },
    { line: "for=192.0.2.1;proto=gopher", why: "another scheme" },
    { line: "for=192.0.2.1 proto=https", why: "two pairs without what separates them" },
    { line: 'for="192.0.2.1\\', why: "an escape of nothing" },
    { line: "for=oops, for=198.51.100.2", why: "a bad one left of a good one" },
  ])("is malformed as a whole: $why", ({ line }) => {
    expect(forwarded(line)).toBe("syntax");
  });

  it("has 32 hops in 4 KiB, and not one more", () => {
    const hops = (count: number): string => Array.from({ length: count }, () => "for=10.0.0.1").join(",");
    expect(forwarded(hops(32))).toEqual(["10.0.0.1", undefined, undefined]);
    expect(forwarded(hops(33))).toBe("bound");
    const long = (length: number): string => `for=192.0.2.1;x=${"y".repeat(length - 16)}`;
    expect(forwarded(long(4096))).toEqual(["192.0.2.1", undefined, undefined]);
    expect(forwarded(long(4097))).toBe("bound");
    expect(forwarded(long(2048), long(2048))).toBe("bound");
  });

  it("is linear in what it reads", () => {
    for (const run of [" ", "\t", ";", "a", '"', "\\", "=", ',x="']) {
      const begin = performance.now();
      forwarded(run.repeat(4096 / run.length));
      expect(performance.now() - begin).toBeLessThan(50);
    }
  });
});

describe("X-Forwarded-For", () => {
  it.each([
    { items: ["192.0.2.1"], client: "192.0.2.1", why: "one" },
    { items: ["203.0.113.9, 192.0.2.1"], client: "192.0.2.1", why: "the rightmost" },
    { items: ["203.0.113.9,192.0.2.1 ,  10.0.0.1"], client: "192.0.2.1", why: "over a trusted proxy" },
    {
      items: ["203.0.113.9", "192.0.2.1", "10.0.0.1, fd00::1"],
      client: "192.0.2.1",
      why: "several lines join",
    },
    { items: ["10.0.0.1, 10.0.0.2"], client: "10.0.0.1", why: "all are trusted" },
    { items: ["192.0.2.1:4711"], client: "192.0.2.1", why: "with a port, as Azure writes it" },
    { items: ["2001:DB8::1"], client: "2001:db8::1", why: "IPv6 alone" },
    { items: ["[2001:db8::1]"], client: "2001:db8::1", why: "IPv6 in brackets" },
    { items: ["[2001:db8::1]:4711"], client: "2001:db8::1", why: "and with a port" },
    { items: ["::ffff:192.0.2.1"], client: "192.0.2.1", why: "mapped, as a dual-stack proxy writes it" },
    { items: ["203.0.113.9, ::ffff:a00:1"], client: "203.0.113.9", why: "over a mapped one" },
    { items: ["unknown"], client: "hidden", why: "as squid hides it" },
    { items: ["192.0.2.1,,"], client: "192.0.2.1", why: "empty items" },
    { items: [], client: undefined, why: "none" },
  ])("$why", ({ items, client }) => {
    expect(xForwarded({ for: items })).toEqual([client, undefined, undefined]);
  });

  it.each([
    "client.example",
    "192.0.2.1.",
    "192.0.2.1 10.0.0.1",
    "192.0.2.01",
    "::1%lo",
    "1",
    '"192.0.2.1"',
    "[192.0.2.1]",
    "for=192.0.2.1",
    "192.0.2.1:port",
  ])("is malformed as a whole with %s, wherever it stands", (item) => {
    expect(xForwarded({ for: [`${item}, 192.0.2.1`] })).toBe("syntax");
    expect(xForwarded({ for: [`192.0.2.1, ${item}`] })).toBe("syntax");
  });

  it.each([
    { proto: ["https"], host: ["a.test"], said: ["https", "a.test"], why: "one for the whole way" },
    {
      proto: ["HTTP, https"],
      host: ["c.test, b.test, a.test"],
      said: ["http", "b.test"],
      why: "the one beside the client",
    },
    { proto: ["http", "https", "https"], host: [], said: ["https", undefined], why: "in lines of their own" },
  ])("-Proto and -Host: $why", ({ proto, host, said }) => {
    expect(xForwarded({ for: ["203.0.113.9, 192.0.2.1, 10.0.0.1"], proto, host })).toEqual([
      "192.0.2.1",
      ...said,
    ]);
  });

  it("-Proto and -Host count without it: the rightmost, which the nearest proxy wrote", () => {
    expect(xForwarded({ proto: ["http, https"], host: ["evil.test, a.test"] })).toEqual([
      undefined,
      "https",
      "a.test",
    ]);
  });

  it("has 32 hops in 4 KiB together, and not one more", () => {
    const hops = (count: number): string => Array.from({ length: count }, () => "10.0.0.1").join();
    expect(xForwarded({ for: [hops(32)] })).toEqual(["10.0.0.1", undefined, undefined]);
    expect(xForwarded({ for: [hops(33)] })).toBe("bound");
    expect(xForwarded({ host: ["h".repeat(4096)] })).toEqual([undefined, undefined, "h".repeat(4096)]);
    expect(xForwarded({ proto: ["http"], host: ["h".repeat(4093)] })).toBe("bound");
  });
});

it("says the same by either header, for any way through proxies", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom("10.0.0.1", "10.9.9.9", "fd00::2"));
  fc.assert(
    fc.property(fc.array(address, { minLength: 1, maxLength: 8 }), (hops) => {
      const inQuotes = hops.map((hop) => (hop.includes(":") ? `for="[${hop}]"` : `for=${hop}`));
      expect(forwarded(inQuotes.join(", "))).toEqual(xForwarded({ for: [hops.join(", ")] }));
    }),
  );
});

describe("trusted proxies", () => {
  it.each([
    { address: "10.1.2.3", isTrusted: true, why: "in a range" },
    { address: "::ffff:10.1.2.3", isTrusted: true, why: "as a dual-stack listener shows it" },
    { address: "11.0.0.0", isTrusted: false, why: "past it" },
    { address: "", isTrusted: true, why: "on a unix socket" },
    { address: "proxy.example", isTrusted: false, why: "a name" },
  ])("$why: $isTrusted", ({ address, isTrusted }) => {
    expect(trusted.isTrusted(address)).toBe(isTrusted);
    expect(trusted.isTrusted(address)).toBe(isTrusted); // From the cache.
  });

  it("are no clients of a unix socket unless it says so, and nobody without entries", () => {
    expect(createTrustedProxies(["0.0.0.0/0"])?.isTrusted("")).toBe(false);
    expect(createTrustedProxies([])).toBeUndefined();
  });
});
