/** Contexts by name: issued once, kept, renewed, bounded. */

import { X509Certificate } from "node:crypto";
import type { SecureContext } from "node:tls";
import { describe, expect, it } from "vitest";
import { type Authority, loadAuthority } from "../../src/authority/authority.ts";
import { createLeafCache, type KeptLeaf } from "../../src/authority/leaf-cache.ts";
import { type Clock, createSystemClock } from "../../src/core/clock.ts";
import { createBoundedCache } from "../../src/core/bounded-cache.ts";
import { fakeClock } from "../support/clock.ts";
import { askContext, fixture } from "./client.ts";

const DAY_MS = 24 * 3_600_000;
const TLS = { minVersion: "TLSv1.2" } as const;

async function load(name: string, clock: Clock): Promise<Authority> {
  const loaded = await loadAuthority(fixture(name), clock);
  if ("faults" in loaded) throw new Error(JSON.stringify(loaded.faults));
  return loaded.value;
}

async function cacheOf(authority: Authority, clock: Clock, entriesMax = 100) {
  const store = createBoundedCache<KeptLeaf>(entriesMax);
  const cache = await createLeafCache(authority, { store, clock, tls: TLS });
  async function contextOf(name: string): Promise<SecureContext> {
    const answer = await cache.contextOf(name);
    if ("refused" in answer) throw new Error(answer.refused);
    return answer.value;
  }
  return { cache, contextOf };
}

it("gives what a client takes, for a name and for an address", async () => {
  const clock = createSystemClock();
  const { contextOf } = await cacheOf(await load("p256", clock), clock);
  const { certificatePem } = fixture("p256");
  for (const name of ["hs1.example", "192.0.2.1", "2001:db8::1"]) {
    expect(await askContext(await contextOf(name), name, certificatePem)).toBe("authorized");
  }
  expect(await askContext(await contextOf("hs1.example"), "hs2.example", certificatePem)).toBe(
    "ERR_TLS_CERT_ALTNAME_INVALID",
  );
});

it("takes versions and suites as they are given", async () => {
  const clock = createSystemClock();
  const authority = await load("p256", clock);
  const store = createBoundedCache<KeptLeaf>(10);
  const options = { store, clock, tls: { minVersion: "TLSv1.3", ciphers: "nonsense" } } as const;
  const cache = await createLeafCache(authority, options);
  await expect(cache.contextOf("hs1.example")).rejects.toThrow(/cipher/);
  // And a failure leaves nothing behind that others would wait for.
  await expect(cache.contextOf("hs1.example")).rejects.toThrow(/cipher/);
});

it("issues once for a name in all its forms", async () => {
  const clock = fakeClock();
  const { cache, contextOf } = await cacheOf(await load("p256", clock), clock);
  const first = await contextOf("hs1.example");
  for (const form of ["hs1.example", "HS1.Example", "hs1.example."])
    expect(await contextOf(form)).toBe(first);
  const address = await contextOf("2001:db8::1");
  expect(await contextOf("2001:DB8:0::0:1")).toBe(address);
  expect(cache.counters()).toEqual({ issued: 2, hits: 4, joined: 0, refused: 0, size: 2 });
});

it("issues once for many who ask at the same time, and beside it for another name", async () => {
  const clock = fakeClock();
  const { cache, contextOf } = await cacheOf(await load("p256", clock), clock);
  const asked = [...Array<string>(20).fill("hs1.example"), "HS1.example", "hs2.example"];
  const contexts = await Promise.all(asked.map(contextOf));
  expect(new Set(contexts).size).toBe(2);
  expect(cache.counters()).toEqual({ issued: 2, hits: 0, joined: 20, refused: 0, size: 2 });
});

it("issues again when a day is left", async () => {
  const clock = fakeClock();
  const { cache, contextOf } = await cacheOf(await load("p256", clock), clock);
  const first = await contextOf("hs1.example");
  clock.advance(6 * DAY_MS - 1);
  expect(await contextOf("hs1.example")).toBe(first);
  clock.advance(1);
  const second = await contextOf("hs1.example");
  expect(second).not.toBe(first);
  expect(await contextOf("hs1.example")).toBe(second);
  expect(cache.counters()).toEqual({ issued: 2, hits: 2, joined: 0, refused: 0, size: 1 });
});

it("issues again when the clock is set back to before it", async () => {
  const clock = fakeClock();
  const { contextOf } = await cacheOf(await load("p256", clock), clock);
  clock.advance(3_600_001);
  const ahead = await contextOf("hs1.example");
  clock.advance(-3_600_000); // Certificates are dated back by as much.
  expect(await contextOf("hs1.example")).toBe(ahead);
  clock.advance(-1000);
  expect(await contextOf("hs1.example")).not.toBe(ahead);
});

describe("refuses", () => {
  it.each([
    { name: "", refused: "empty", why: "no name" },
    { name: "a".repeat(300), refused: "too-long", why: "300 characters" },
    { name: "hs1.example\0", refused: "malformed", why: "a NUL" },
    { name: "*.example.net", refused: "malformed", why: "a wildcard" },
    { name: "example.org", refused: "outside-constraints", why: "a name beyond the authority's constraints" },
  ])("$why, counts it and keeps nothing", async ({ name, refused }) => {
    const clock = fakeClock();
    const { cache } = await cacheOf(await load("constrained", clock), clock);
    expect(await cache.contextOf(name)).toEqual({ refused });
    expect(cache.counters()).toEqual({ issued: 0, hits: 0, joined: 0, refused: 1, size: 0 });
  });

  it("the 101st name while a hundred are being issued, and none of them", async () => {
    const clock = fakeClock();
    const authority = await load("p256", clock);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow: Authority = {
      ...authority,
      issueLeaf: async (name) => {
        await held;
        return authority.issueLeaf(name);
      },
    };
    const { cache } = await cacheOf(slow, clock);
    const running = Array.from({ length: 100 }, (_, index) => cache.contextOf(`hs${index}.example`));
    expect(await cache.contextOf("hs100.example")).toEqual({ refused: "busy" });
    const joined = cache.contextOf("hs99.example");
    release();
    expect((await Promise.all([...running, joined])).every((answer) => "value" in answer)).toBe(true);
    expect(cache.counters()).toEqual({ issued: 100, hits: 0, joined: 1, refused: 1, size: 100 });
    expect(await cache.contextOf("hs100.example")).toHaveProperty("value");
  });
});

it("never keeps more than its store, whatever names it is asked for", async () => {
  const clock = fakeClock();
  const { cache, contextOf } = await cacheOf(await load("p256", clock), clock, 50);
  for (let index = 0; index < 150; index++) {
    await contextOf(`hs${index}.example`);
    expect(cache.counters().size).toBeLessThanOrEqual(50);
  }
  expect(cache.counters()).toMatchObject({ issued: 150, hits: 0 });
  await contextOf("hs149.example");
  await contextOf("hs0.example");
  expect(cache.counters()).toMatchObject({ issued: 151, hits: 1 });
});

it("has certificates of one key, which is the authority's own for leafs and not its key", async () => {
  const clock = fakeClock();
  const authority = await load("p256", clock);
  const leafs = await Promise.all(["hs1.example", "hs2.example"].map((name) => authority.issueLeaf(name)));
  const keys = leafs.map((leaf) => ("value" in leaf ? leaf.value.privateKeyPem : ""));
  expect(keys[0]).toBe(keys[1]);
  expect(keys[0]).not.toBe(fixture("p256").privateKeyPem);
  const other = await (await load("p256", clock)).issueLeaf("hs1.example");
  expect("value" in other && other.value.privateKeyPem).not.toBe(keys[0]);
  const [leaf] = leafs;
  expect(leaf !== undefined && "value" in leaf && new X509Certificate(leaf.value.certificatePem).ca).toBe(
    false,
  );
});
