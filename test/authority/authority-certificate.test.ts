/** A new authority, as node:crypto reads it; its name constraints are tested with OpenSSL in constraints.test.ts. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  type AuthorityOrder,
  checkAuthorityOrder,
  createAuthorityCertificate,
} from "../../src/authority/authority-certificate.ts";
import { loadAuthority } from "../../src/authority/authority.ts";
import { createSerial } from "../../src/authority/serial.ts";
import { readAuthorityFacts } from "../../src/authority/x509-read.ts";
import { fakeClock } from "../support/clock.ts";

const DAY_MS = 24 * 3_600_000;
const clock = fakeClock();
const ORDER: AuthorityOrder = { commonName: "test authority", permitted: ["example.net"], days: 825, clock };

async function make(changes: Partial<AuthorityOrder> = {}) {
  const made = await createAuthorityCertificate({ ...ORDER, ...changes });
  if ("refused" in made) throw new Error(JSON.stringify(made.refused));
  return { ...made.value, certificate: new X509Certificate(made.value.certificatePem) };
}

it("signs itself, by a key on P-256 that is given with it", async () => {
  const { certificate, privateKeyPem } = await make();
  expect(certificate.verify(certificate.publicKey) && certificate.checkIssued(certificate)).toBe(true);
  expect(certificate.checkPrivateKey(createPrivateKey(privateKeyPem))).toBe(true);
  expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
  expect(certificate.subject).toBe("CN=test authority");
});

it("may issue for servers, and to no other authority", async () => {
  const { certificate } = await make();
  expect(certificate.ca).toBe(true);
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  expect(readAuthorityFacts(certificate)).toMatchObject({ isAuthority: true, maySign: true, pathLength: 0 });
});

it("is valid since an hour ago, for the days that were asked for", async () => {
  const { certificate } = await make({ days: 3 });
  expect(Date.parse(certificate.validFrom)).toBe(clock.unixMs() - 3_600_000);
  expect(Date.parse(certificate.validTo)).toBe(clock.unixMs() + 3 * DAY_MS);
});

it("can be valid beyond 2049, where dates are written in another way", async () => {
  const late = { monotonicMs: () => 0, unixMs: () => Date.UTC(2049, 11, 31) };
  const { certificate, ...files } = await make({ days: 10, clock: late });
  expect(Date.parse(certificate.validTo)).toBe(Date.UTC(2050, 0, 10));
  const loaded = await loadAuthority(files, late);
  expect("value" in loaded && loaded.value.notAfterUnixMs).toBe(Date.UTC(2050, 0, 10));
});

it("can be loaded, and says nothing of itself that it does not keep", async () => {
  const { certificate, ...files } = await make();
  const loaded = await loadAuthority(files, clock);
  expect("value" in loaded && loaded.value.fingerprint).toBe(certificate.fingerprint256);
  expect("value" in loaded && (await loaded.value.issueLeaf("hs.example.net"))).toHaveProperty("value");
  expect("value" in loaded && (await loaded.value.issueLeaf("example.org"))).toEqual({
    refused: "outside-constraints",
  });
});

describe("a serial number", () => {
  it.each([
    { byte: 0x00, first: 0x40, why: "no zero at the beginning" },
    { byte: 0xff, first: 0x7f, why: "positive" },
    { byte: 0x80, first: 0x40, why: "positive and no zero" },
  ])("of bytes $byte begins with $first: $why", async ({ byte, first }) => {
    const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(byte);
    expect([...createSerial(random)]).toEqual([first, ...Array<number>(15).fill(byte)]);
    const { certificate } = await make({ random });
    expect(certificate.serialNumber).toBe(
      Buffer.from([first, ...Array<number>(15).fill(byte)])
        .toString("hex")
        .toUpperCase(),
    );
  });
});

describe("an order", () => {
  it.each([
    { change: {}, parts: [], why: "as it should be" },
    { change: { commonName: "x".repeat(64) }, parts: [], why: "a name of 64 characters" },
    { change: { commonName: "Föderation 🔒" }, parts: [], why: "a name in any script" },
    { change: { days: 1 }, parts: [], why: "a day" },
    { change: { days: 3650 }, parts: [], why: "ten years" },
    { change: { permitted: [] }, parts: [], why: "for every name" },
    { change: { commonName: "" }, parts: ["commonName"], why: "no name" },
    { change: { commonName: "x".repeat(65) }, parts: ["commonName"], why: "a name of 65 characters" },
    { change: { commonName: "a\nb" }, parts: ["commonName"], why: "a line's end" },
    { change: { days: 0 }, parts: ["days"], why: "no day" },
    { change: { days: 3651 }, parts: ["days"], why: "a day more than ten years" },
    { change: { days: 1.5 }, parts: ["days"], why: "half a day" },
    { change: { days: Number.NaN }, parts: ["days"], why: "no number" },
    { change: { permitted: ["*.a.test", "b c"] }, parts: ["permitted", "permitted"], why: "two bad names" },
    { change: { commonName: "", days: 0 }, parts: ["commonName", "days"], why: "two faults, both told" },
  ])("with $parts refused: $why", async ({ change, parts }) => {
    const order = { ...ORDER, ...change };
    expect(checkAuthorityOrder(order).map(({ part }) => part)).toEqual(parts);
    expect("refused" in (await createAuthorityCertificate(order))).toBe(parts.length > 0);
  });
});

it("writes a name in any script", async () => {
  const { certificate } = await make({ commonName: "Föderation 🔒" });
  expect(certificate.toLegacyObject().subject.CN).toBe("Föderation 🔒");
});
