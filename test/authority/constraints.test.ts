/**
 * Which names an authority may vouch for: our answer in each row is OpenSSL's too, which is asked with a certificate
 * that the constraints are not applied to when it is written.
 */

import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createAuthorityCertificate } from "../../src/authority/authority-certificate.ts";
import { loadAuthority } from "../../src/authority/authority.ts";
import { describePermitted, parsePermitted } from "../../src/authority/constraints.ts";
import { parseLeafName } from "../../src/authority/leaf-name.ts";
import { createSerial } from "../../src/authority/serial.ts";
import { readAuthorityFacts } from "../../src/authority/x509-read.ts";
import { createLeafWriter } from "../../src/authority/x509-write.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { askServer, fixture } from "./client.ts";

const clock = createSystemClock();

/** A leaf for any name, whatever the constraints say. */
async function issueAnyway(certificatePem: string, privateKeyPem: string, name: string) {
  const facts = readAuthorityFacts(new X509Certificate(certificatePem));
  const parsed = parseLeafName(name);
  if (facts === undefined || "refused" in parsed) throw new Error(`no leaf for ${name}`);
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = { subject: facts.subject, key: createPrivateKey(privateKeyPem) };
  const write = createLeafWriter(issuer, facts.keyIdentifier ?? new Uint8Array(20), pair.publicKey);
  const leaf = await write({
    name: parsed.value,
    serial: createSerial(),
    notBeforeUnixMs: clock.unixMs() - 60_000,
    notAfterUnixMs: clock.unixMs() + 60_000,
  });
  const [, ...rest] = certificatePem.split(/(?=-----BEGIN)/);
  const [own = ""] = certificatePem.split(/(?=-----BEGIN)/);
  const isBelow = rest.length > 0;
  return {
    shown: {
      cert: leaf + (isBelow ? own : ""),
      key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    },
    root: rest.at(-1) ?? certificatePem,
  };
}

async function expectBoth(
  files: { readonly certificatePem: string; readonly privateKeyPem: string },
  name: string,
  isAllowed: boolean,
): Promise<void> {
  const loaded = await loadAuthority(files, clock);
  if ("faults" in loaded) throw new Error(JSON.stringify(loaded.faults));
  const ours = await loaded.value.issueLeaf(name);
  const { shown, root } = await issueAnyway(files.certificatePem, files.privateKeyPem, name);
  const theirs = await askServer(shown, name, root);
  expect({ ours: "refused" in ours ? ours.refused : "issued", theirs }).toEqual(
    isAllowed
      ? { ours: "issued", theirs: "authorized" }
      : {
          ours: "outside-constraints",
          theirs: expect.stringMatching(/^(permitted|excluded) subtree violation$/) as string,
        },
  );
}

describe.each(["constrained", "below-constrained"])("of %s, made by OpenSSL", (authority) => {
  it.each([
    { name: "example.net", isAllowed: true, why: "permitted itself" },
    { name: "a.b.example.net", isAllowed: true, why: "below it" },
    { name: "badexample.net", isAllowed: false, why: "only ends like it" },
    { name: "example.org", isAllowed: false, why: "not named" },
    { name: "net", isAllowed: false, why: "above it" },
    { name: "a.below.test", isAllowed: true, why: "below a subtree that begins with a dot" },
    { name: "below.test", isAllowed: false, why: "which does not cover itself" },
    { name: "bad.example.net", isAllowed: false, why: "excluded" },
    { name: "x.bad.example.net", isAllowed: false, why: "below what is excluded" },
    { name: "notbad.example.net", isAllowed: true, why: "only ends like what is excluded" },
    { name: "10.1.2.3", isAllowed: true, why: "in a permitted network" },
    { name: "11.1.2.3", isAllowed: false, why: "next to it" },
    { name: "10.9.255.255", isAllowed: false, why: "in an excluded one, its last" },
    { name: "10.10.0.0", isAllowed: true, why: "the first after it" },
    { name: "fdff::1", isAllowed: true, why: "in a permitted IPv6 network" },
    { name: "fe00::1", isAllowed: false, why: "next to it" },
    { name: "::ffff:10.1.2.3", isAllowed: false, why: "an IPv6 address, whatever it stands for" },
  ])("$name: $isAllowed ($why)", async ({ name, isAllowed }) => {
    await expectBoth(fixture(authority), name, isAllowed);
  });
});

const INSIDE = { dns: "hs.example.net", v4: "10.1.2.3", v6: "fd00::1" };
const OUTSIDE = { dns: "example.com", v4: "192.0.2.1", v6: "2001:db8::1" };

describe("of our own, which leave no hole", () => {
  it.each([
    {
      permitted: [],
      allowed: [...Object.values(INSIDE), ...Object.values(OUTSIDE)],
      why: "nothing is constrained",
    },
    { permitted: ["example.net"], allowed: [INSIDE.dns], why: "a DNS name excludes every address" },
    { permitted: ["10.0.0.0/8"], allowed: [INSIDE.v4], why: "IPv4 excludes every name and IPv6" },
    { permitted: ["fd00::/8"], allowed: [INSIDE.v6], why: "IPv6 excludes every name and IPv4" },
    {
      permitted: ["10.0.0.0/8", "fd00::/8"],
      allowed: [INSIDE.v4, INSIDE.v6],
      why: "both exclude every name",
    },
    { permitted: ["example.net", "fd00::/8"], allowed: [INSIDE.dns, INSIDE.v6], why: "no IPv4 is left" },
    { permitted: ["10.1.2.3", "fd00::1"], allowed: [INSIDE.v4, INSIDE.v6], why: "single addresses" },
    {
      permitted: ["Example.NET.", "10.1.2.3/8", "fd00::/8"],
      allowed: Object.values(INSIDE),
      why: "each in any form",
    },
    {
      permitted: ["0.0.0.0/0", "::/0"],
      allowed: [INSIDE.v4, INSIDE.v6, OUTSIDE.v4, OUTSIDE.v6],
      why: "every address, no name",
    },
  ])("$permitted: $why", async ({ permitted, allowed }) => {
    const made = await createAuthorityCertificate({ commonName: "test", permitted, days: 1, clock });
    if ("refused" in made) throw new Error(JSON.stringify(made.refused));
    for (const name of [...Object.values(INSIDE), ...Object.values(OUTSIDE)]) {
      await expectBoth(made.value, name, allowed.includes(name));
    }
  });
});

describe("permitted names that can't be read", () => {
  it.each([
    {
      text: "*.example.net",
      message: /is written example\.net: it covers all names below/,
      why: "a wildcard",
    },
    { text: ".example.net", message: /is written example\.net/, why: "a dot at the beginning" },
    { text: "", message: /is no DNS name/, why: "nothing" },
    { text: "10.0.0.0/33", message: /is no DNS name/, why: "a prefix beyond the address" },
    { text: "fd00::/129", message: /is no DNS name/, why: "in IPv6 too" },
    { text: "10.0.0.0/", message: /is no DNS name/, why: "half a network" },
    { text: "https://example.net", message: /is no DNS name/, why: "a URL" },
    { text: "example.net:8448", message: /is no DNS name/, why: "a port" },
  ])("$text: $why", ({ text, message }) => {
    const parsed = parsePermitted(["good.example", text]);
    expect(parsed).toEqual({ refused: [expect.stringMatching(message) as string] });
  });

  it("are all told", () => {
    expect(parsePermitted(["a b", "good.example", "c d"])).toMatchObject({
      refused: [expect.stringContaining("a b"), expect.stringContaining("c d")],
    });
  });

  it("are bounded in number", () => {
    const names = Array.from({ length: 101 }, (_, index) => `hs${index}.example`);
    expect(parsePermitted(names.slice(1))).toHaveProperty("value");
    expect(parsePermitted(names)).toEqual({ refused: ["are over 100 names"] });
  });
});

it("says what is permitted, networks without the bits beyond their prefix", () => {
  const parsed = parsePermitted(["Example.net", "10.1.2.3/8", "192.0.2.7", "FD00:1::5/8"]);
  expect("value" in parsed && describePermitted(parsed.value)).toEqual([
    "example.net and all names below",
    "10.0.0.0/8",
    "192.0.2.7/32",
    "fd00::/8",
  ]);
});
