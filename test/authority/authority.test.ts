/** Which authorities can be used, and that what they issue is taken: by OpenSSL, on real sockets, and as node:crypto reads it. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type Authority, type Leaf, loadAuthority } from "../../src/authority/authority.ts";
import { createAuthorityCertificate } from "../../src/authority/authority-certificate.ts";
import { type Clock, createSystemClock } from "../../src/core/clock.ts";
import { fakeClock } from "../support/clock.ts";
import { askServer, fixture } from "./client.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const clock = createSystemClock();

async function load(files: ReturnType<typeof fixture>, by: Clock = clock): Promise<Authority> {
  const loaded = await loadAuthority(files, by);
  if ("faults" in loaded) throw new Error(JSON.stringify(loaded.faults));
  return loaded.value;
}

async function issue(authority: Authority, name: string): Promise<Leaf> {
  const leaf = await authority.issueLeaf(name);
  if ("refused" in leaf) throw new Error(leaf.refused);
  return leaf.value;
}

function pemBlocks(pem: string): readonly string[] {
  return pem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? [];
}

describe.each([
  { authority: "p256", why: "EC on P-256" },
  { authority: "p384", why: "EC on P-384" },
  { authority: "rsa", why: "RSA" },
  { authority: "chained", why: "two below its root" },
  { authority: "bare", why: "without key identifiers" },
  { authority: "odd-name", why: "with a name of many kinds" },
])("an authority $why ($authority)", ({ authority }) => {
  it.each(["hs1.example", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "localhost"])(
    "issues what a client takes for %s, and for no other name",
    async (name) => {
      const files = fixture(authority);
      const { certificatePem: cert, privateKeyPem: key } = await issue(await load(files), name);
      const root = pemBlocks(files.certificatePem).at(-1) ?? "";
      expect(await askServer({ cert, key }, name, root)).toBe("authorized");
      expect(await askServer({ cert, key }, "other.example", root)).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
      expect(await askServer({ cert, key }, name, fixture("constrained").certificatePem)).toMatch(
        /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|DEPTH_ZERO)/,
      );
    },
  );
});

it("writes each name as what it is, and nothing besides", async () => {
  const files = fixture("p256");
  const authority = await load(files);
  const issuer = new X509Certificate(files.certificatePem);
  for (const [name, alternative] of [
    ["HS1.Example.", "DNS:hs1.example"],
    ["192.0.2.1", "IP Address:192.0.2.1"],
    ["2001:db8::1", "IP Address:2001:DB8:0:0:0:0:0:1"],
  ] as const) {
    const { certificatePem, privateKeyPem } = await issue(authority, name);
    const leaf = new X509Certificate(certificatePem);
    expect(leaf.subjectAltName).toBe(alternative);
    expect(leaf.subject).toBeFalsy();
    expect(leaf.ca).toBe(false);
    expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]); // extendedKeyUsage: serverAuth.
    expect(leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey)).toBe(true);
    expect(leaf.checkPrivateKey(createPrivateKey(privateKeyPem))).toBe(true);
  }
});

describe("names its issuer as OpenSSL reads the name, whatever it is written in", () => {
  it.each([
    { tag: 0x14, byte: 0xe9, why: "TeletexString, in Latin-1" },
    { tag: 0x13, byte: 0xff, why: "PrintableString with a byte that is none of its letters" },
    { tag: 0x16, byte: 0xe9, why: "IA5String beyond ASCII" },
    { tag: 0x1e, byte: 0x41, why: "BMPString" },
  ])("$why", async ({ tag, byte }) => {
    const files = fixture("p256");
    const der = Buffer.from(new X509Certificate(files.certificatePem).raw);
    for (let at = der.indexOf("p256.fed"); at !== -1; at = der.indexOf("p256.fed", at)) {
      der[at - 2] = tag;
      der[at] = byte;
    }
    const certificatePem = `-----BEGIN CERTIFICATE-----\n${der.toString("base64")}\n-----END CERTIFICATE-----\n`;
    const authority = await load({ ...files, certificatePem });
    const leaf = new X509Certificate((await issue(authority, "hs1.example")).certificatePem);
    expect(leaf.checkIssued(new X509Certificate(certificatePem))).toBe(true);
  });
});

it("names RSA with NULL for parameters, twice: strict readers take nothing else (RFC 4055, section 5)", async () => {
  const { certificatePem } = await issue(await load(fixture("rsa")), "hs1.example");
  const der = new X509Certificate(certificatePem).raw.toString("hex");
  expect(der.split("300d06092a864886f70d01010b0500")).toHaveLength(3);
});

it("gives every certificate a positive serial number of 16 bytes that no other has", async () => {
  const authority = await load(fixture("p256"));
  const serials = new Set<string>();
  for (let index = 0; index < 100; index++) {
    serials.add(new X509Certificate((await issue(authority, "hs1.example")).certificatePem).serialNumber);
  }
  expect(serials.size).toBe(100);
  for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
});

describe("the chain that is sent", () => {
  it.each([
    { authority: "p256", length: 1, why: "a root that the client has is not sent" },
    { authority: "chained", length: 3, why: "leaf, authority and its issuer, without the root" },
    { authority: "below-constrained", length: 2, why: "leaf and authority" },
  ])("has $length certificates for $authority: $why", async ({ authority, length }) => {
    const name = authority === "below-constrained" ? "a.example.net" : "hs1.example";
    const { certificatePem } = await issue(await load(fixture(authority)), name);
    expect(pemBlocks(certificatePem)).toHaveLength(length);
  });
});

describe("can't be used", () => {
  const p256 = fixture("p256");
  const p384 = fixture("p384");
  const encrypted = createPrivateKey(p256.privateKeyPem)
    .export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "x" })
    .toString();
  const certificate = (words: RegExp) => [
    { about: "certificate", message: expect.stringMatching(words) as string },
  ];
  const key = (words: RegExp) => [{ about: "private key", message: expect.stringMatching(words) as string }];
  it.each([
    { files: fixture("not-ca"), faults: certificate(/^is no authority; /), why: "CA:FALSE" },
    {
      files: fixture("no-sign"),
      faults: certificate(/^may not sign; /),
      why: "keyUsage without keyCertSign",
    },
    { files: fixture("for-clients"), faults: certificate(/^is not for servers; /), why: "clientAuth alone" },
    {
      files: fixture("rsa-1024"),
      faults: certificate(/^has another kind of key; /),
      why: "RSA of 1024 bits",
    },
    { files: fixture("ed25519"), faults: certificate(/^has another kind of key; /), why: "Ed25519" },
    { files: fixture("p521"), faults: certificate(/^has another kind of key; /), why: "P-521" },
    {
      files: fixture("gap-mask"),
      faults: certificate(/^has extensions that can't be read; /),
      why: "a mask with a gap",
    },
    {
      files: fixture("distance"),
      faults: certificate(/^has extensions that can't be read; /),
      why: "a subtree with a minimum, which OpenSSL refuses",
    },
    {
      files: fixture("too-deep"),
      faults: certificate(/^has a chain whose number 2 allows no authority/),
      why: "its issuer allows none below",
    },
    {
      files: fixture("no-chain"),
      faults: certificate(/number 2 did not issue number 1; /),
      why: "certificates that are no chain",
    },
    {
      files: { ...p256, privateKeyPem: p384.privateKeyPem },
      faults: key(/^is not the key of the certificate; /),
      why: "another one's key",
    },
    {
      files: { ...p256, privateKeyPem: fixture("constrained").privateKeyPem },
      faults: key(/^is not the key of the certificate; /),
      why: "another key of the same kind",
    },
    { files: { ...p256, privateKeyPem: "" }, faults: key(/^has no readable key; /), why: "no key" },
    {
      files: { ...p256, privateKeyPem: encrypted },
      faults: key(/^has no readable key; /),
      why: "a passphrase",
    },
    {
      files: { ...p256, certificatePem: "" },
      faults: certificate(/^has no certificate; /),
      why: "no certificate",
    },
    {
      files: {
        ...p256,
        certificatePem: p256.certificatePem.replace(/\nMII.{20}/, "\nMIIAAAAAAAAAAAAAAAAAAAA"),
      },
      faults: certificate(/^is damaged; /),
      why: "a damaged certificate",
    },
    {
      files: { ...p256, certificatePem: p256.certificatePem.repeat(11) },
      faults: certificate(/^has over 10 certificates; /),
      why: "11 certificates",
    },
    {
      files: { certificatePem: fixture("not-ca").certificatePem, privateKeyPem: p256.privateKeyPem },
      faults: [...key(/^is not the key/), ...certificate(/^is no authority/)],
      why: "two faults, both told",
    },
    {
      files: { certificatePem: "", privateKeyPem: "" },
      faults: [...certificate(/^has no certificate/), ...key(/^has no readable key/)],
      why: "nothing at all",
    },
  ])("$why", async ({ files, faults }) => {
    expect(await loadAuthority(files, clock)).toEqual({ faults });
  });
});

describe("refuses a name", () => {
  it.each([
    { name: "", refused: "empty", why: "that is none" },
    { name: "a".repeat(300), refused: "too-long", why: "of 300 characters" },
    { name: "hs1.example\0.test", refused: "malformed", why: "with a NUL" },
    { name: "*.example", refused: "malformed", why: "that stands for others" },
    { name: "other.example", refused: "outside-constraints", why: "that the authority may not vouch for" },
    { name: "bad.example.net", refused: "outside-constraints", why: "that it must not vouch for" },
  ])("$why: $refused", async ({ name, refused }) => {
    expect(await (await load(fixture("constrained"))).issueLeaf(name)).toEqual({ refused });
  });
});

describe("by the clock", () => {
  async function madeFor(days: number) {
    const fake = fakeClock();
    const made = await createAuthorityCertificate({ commonName: "test", permitted: [], days, clock: fake });
    if ("refused" in made) throw new Error(JSON.stringify(made.refused));
    return { fake, authority: await load(made.value, fake) };
  }

  it("a leaf begins an hour ago, ends in seven days and is renewed when one is left", async () => {
    const { fake, authority } = await madeFor(100);
    fake.advance(12_345);
    const leaf = await issue(authority, "hs1.example");
    const { validFrom, validTo } = new X509Certificate(leaf.certificatePem);
    const secondMs = Math.floor(fake.unixMs() / 1000) * 1000;
    expect(Date.parse(validFrom)).toBe(secondMs - HOUR_MS);
    expect(Date.parse(validTo)).toBe(secondMs + 7 * DAY_MS);
    expect(leaf).toMatchObject({
      notAfterUnixMs: secondMs + 7 * DAY_MS,
      renewAtUnixMs: secondMs + 6 * DAY_MS,
    });
  });

  it("a leaf never outlives its authority, and is not renewed for nothing", async () => {
    const { fake, authority } = await madeFor(100);
    fake.advance(99.5 * DAY_MS);
    const leaf = await issue(authority, "hs1.example");
    expect(Date.parse(new X509Certificate(leaf.certificatePem).validTo)).toBe(authority.notAfterUnixMs);
    expect(leaf.renewAtUnixMs).toBe(authority.notAfterUnixMs);
  });

  it("a leaf does not outlive the issuer of its authority either", async () => {
    const { notAfterUnixMs } = await load(fixture("chained"));
    expect(notAfterUnixMs).toBe(Date.UTC(2100, 0, 1));
  });

  it.each([
    { day: -1, warning: "not-yet-valid", refused: "authority-out-of-date", why: "a day before" },
    { day: 0, warning: undefined, refused: undefined, why: "at its beginning" },
    { day: 69.9, warning: undefined, refused: undefined, why: "more than 30 days before its end" },
    { day: 70, warning: "expires-soon", refused: undefined, why: "30 days before its end" },
    { day: 99.99, warning: "expires-soon", refused: undefined, why: "right before its end" },
    { day: 100, warning: "expired", refused: "authority-out-of-date", why: "at its end" },
  ])("an authority for 100 days on day $day: $warning ($why)", async ({ day, warning, refused }) => {
    const { fake, authority } = await madeFor(100);
    fake.advance(day * DAY_MS);
    expect(authority.warning()).toBe(warning);
    const leaf = await authority.issueLeaf("hs1.example");
    expect("refused" in leaf ? leaf.refused : undefined).toBe(refused);
  });

  it("one that is over is loaded, with a warning, so that the operator hears of it in one place", async () => {
    const authority = await load(fixture("expired"));
    expect(authority.warning()).toBe("expired");
    expect(await authority.issueLeaf("hs1.example")).toEqual({ refused: "authority-out-of-date" });
  });
});

it("has the fingerprint that node:crypto prints", async () => {
  const files = fixture("chained");
  expect((await load(files)).fingerprint).toBe(new X509Certificate(files.certificatePem).fingerprint256);
});
