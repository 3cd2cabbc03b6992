/** openHttpSignature's second step: every reason for which a request is not verified with its key at hand; both ends of each bound. */

import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  BODY,
  cavage,
  type CavageOptions,
  check,
  digestOf,
  ED25519,
  getRequest,
  postRequest,
  RSA,
  signedByDraft,
  signEd25519,
  signPss,
  withLine,
} from "./requests.ts";
import { rsaPair } from "../support/rsa-keys.ts";

const POST = postRequest();
const GET = getRequest();
const GET_HEADERS = "(request-target) host date";

describe("refused with the key at hand", () => {
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  const pssType = generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey;
  /** A modulus of that many bits, and no factors that anybody knows. */
  const keyOf = (bits: number, e: bigint): KeyObject => {
    const n = (1n << BigInt(bits - 1)) + 1n;
    const encode = (number: bigint): string => {
      const hex = number.toString(16);
      return Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex").toString("base64url");
    };
    return createPublicKey({ key: { kty: "RSA", n: encode(n), e: encode(e) }, format: "jwk" });
  };

  it.each<{ why: string; key: KeyObject; options?: CavageOptions; refusal: string }>([
    { why: "an elliptic curve", key: ec, refusal: "key-type" },
    { why: "RSA for PSS alone", key: pssType, refusal: "key-type" },
    { why: "a private key", key: RSA.privateKey, refusal: "key-type" },
    { why: "RSA-1024", key: rsaPair("short").publicKey, refusal: "key-size" },
    { why: "a bit too short", key: keyOf(2047, 65_537n), refusal: "key-size" },
    { why: "as short as may be", key: keyOf(2048, 65_537n), refusal: "signature" },
    { why: "as long as may be", key: keyOf(8192, 65_537n), refusal: "signature" },
    { why: "a bit too long", key: keyOf(8193, 65_537n), refusal: "key-size" },
    { why: "an exponent of 1", key: keyOf(2048, 1n), refusal: "key-size" },
    { why: "an exponent of 3", key: keyOf(2048, 3n), refusal: "signature" },
    { why: "the largest exponent", key: keyOf(2048, 2n ** 31n - 1n), refusal: "signature" },
    { why: "one past it", key: keyOf(2048, 2n ** 31n + 1n), refusal: "key-size" },
    { why: "a huge one", key: keyOf(2048, 2n ** 2000n + 1n), refusal: "key-size" },
    { why: "the right type of another key", key: rsaPair("two").publicKey, refusal: "signature" },
    {
      why: "ed25519 said of RSA",
      key: RSA.publicKey,
      options: { more: ',algorithm="ed25519"' },
      refusal: "algorithm",
    },
    {
      why: "rsa-sha256 said of Ed25519",
      key: ED25519.publicKey,
      options: { more: ',algorithm="rsa-sha256"', sign: signEd25519 },
      refusal: "algorithm",
    },
    {
      why: "rsa-sha256 said of PSS",
      key: RSA.publicKey,
      options: { more: ',algorithm="rsa-sha256"', sign: signPss },
      refusal: "signature",
    },
    {
      why: "SHA-1 not told",
      key: RSA.publicKey,
      options: { sign: (base) => sign("sha1", base, RSA.privateKey) },
      refusal: "signature",
    },
    {
      why: "SHA-512 with v1.5",
      key: RSA.publicKey,
      options: { sign: (base) => sign("sha512", base, RSA.privateKey) },
      refusal: "signature",
    },
    {
      why: "a few bytes",
      key: RSA.publicKey,
      options: { sign: () => Buffer.from("abc") },
      refusal: "signature",
    },
    {
      why: "a few bytes for Ed25519",
      key: ED25519.publicKey,
      options: { sign: () => Buffer.from("abc") },
      refusal: "signature",
    },
    {
      why: "another base",
      key: RSA.publicKey,
      options: { base: "(request-target): post /" },
      refusal: "signature",
    },
  ])("$why", ({ key, options, refusal }) => {
    expect(check(signedByDraft(POST, options), { key })).toBe(refusal);
  });

  it("a body where none was announced", () => {
    expect(check(signedByDraft(GET, { headers: GET_HEADERS }), { body: "x" })).toBe("uncovered");
  });

  it("no body where one was signed", () => {
    expect(check(signedByDraft(POST), { body: "" })).toBe("digest");
  });

  it("a signed digest of a request without body", () => {
    const request = withLine(GET, "Digest", `SHA-256=${digestOf("x")}`);
    expect(check(signedByDraft(request))).toBe("digest");
  });

  it.each([
    {
      why: "a line put before the one that is signed",
      values: ["SHA-256=YQ==", `SHA-256=${digestOf(BODY)}`],
      verdict: "signature",
    },
    { why: "MD5 alone", values: ["MD5=YQ=="], verdict: "digest-weak" },
  ])("a Digest: $why", ({ values, verdict }) => {
    const signature = verdict === "signature" ? cavage(POST) : cavage(withLine(POST, "Digest", ...values));
    const request = withLine(withLine(POST, "Digest", ...values), "Signature", signature);
    expect(check(request)).toBe(verdict === "signature" ? "digest" : verdict);
  });
});
