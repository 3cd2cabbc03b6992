/**
 * Which keys are taken, and how a signature is checked with one: by the key's type, whatever the sender says.
 *
 * What a sender calls the algorithm can only choose among those of the key's type, or contradict it and be refused (RFC 9421
 * section 7.3.6). SHA-1 is nowhere.
 * Sources: RFC 9421 section 3.3; draft-cavage-http-signatures-12 appendix E.2, where "hs2019" is what the key says.
 */

import type { KeyObject } from "node:crypto";
import { loadCrypto } from "./crypto.ts";

/** "key-type": not RSA or Ed25519; "key-size": RSA with a modulus or an exponent outside the bounds. */
export type KeyRefusal = "key-type" | "key-size";

/** NIST SP 800-131A: what is shorter can be broken by those who have a use for it. */
const MODULUS_BITS_MIN = 2048;
/** A check takes four times as long for each doubling; 8192 bits take 16 times as long as 2048. */
const MODULUS_BITS_MAX = 8192;
/** With 1 every text is its own signature. */
const EXPONENT_MIN = 3n;
/** A check takes as long as the exponent: of 8192 bits it takes seconds (CVE-2006-2940). Go's crypto/rsa has this bound. */
const EXPONENT_MAX = 2n ** 31n - 1n;

type Scheme = "rsa-v1_5-sha256" | "rsa-pss-sha512" | "ed25519";
type KeyType = "rsa" | "ed25519";

/** RSA: what ActivityPub servers mean first, and then what the specifications do. */
const RSA_UNSAID: readonly Scheme[] = ["rsa-v1_5-sha256", "rsa-pss-sha512"];
const UNSAID = "";

/** Key type → what the sender may call it → what to try. */
const SCHEMES: Readonly<Record<KeyType, ReadonlyMap<string, readonly Scheme[]>>> = {
  rsa: new Map([
    [UNSAID, RSA_UNSAID],
    ["hs2019", RSA_UNSAID],
    ["rsa-sha256", ["rsa-v1_5-sha256"]],
    ["rsa-v1_5-sha256", ["rsa-v1_5-sha256"]],
    ["rsa-pss-sha512", ["rsa-pss-sha512"]],
  ]),
  ed25519: new Map([
    [UNSAID, ["ed25519"]],
    ["hs2019", ["ed25519"]],
    ["ed25519", ["ed25519"]],
  ]),
};

/** Whether there is a type of key for it; no look at a key is needed to refuse all others. */
export function isAlgorithmKnown(algorithm: string | undefined): boolean {
  return Object.values(SCHEMES).some((schemes) => schemes.has(algorithm ?? UNSAID));
}

/** Asked of each key before it is kept, and before it is used. */
export function refuseKey(key: KeyObject): KeyRefusal | undefined {
  if (key.type !== "public") return "key-type";
  if (key.asymmetricKeyType === "ed25519") return undefined;
  if (key.asymmetricKeyType !== "rsa") return "key-type";
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  const isModulusTaken = modulusLength >= MODULUS_BITS_MIN && modulusLength <= MODULUS_BITS_MAX;
  const isExponentTaken = publicExponent >= EXPONENT_MIN && publicExponent <= EXPONENT_MAX;
  return isModulusTaken && isExponentTaken ? undefined : "key-size";
}

/** @returns what to try, one after the other; none where the sender's word contradicts the key. @param key not refused */
export function schemesOf(key: KeyObject, algorithm: string | undefined): readonly Scheme[] {
  const type: KeyType = key.asymmetricKeyType === "ed25519" ? "ed25519" : "rsa";
  return SCHEMES[type].get(algorithm ?? UNSAID) ?? [];
}

export function isSignedBy(key: KeyObject, scheme: Scheme, base: Buffer, signature: Buffer): boolean {
  const { constants, verify } = loadCrypto();
  switch (scheme) {
    case "ed25519":
      return verify(null, base, key, signature);
    case "rsa-v1_5-sha256":
      return verify("sha256", base, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
    case "rsa-pss-sha512": {
      // RFC 9421 section 3.3.1 says 64 bytes; others sign with as many as fit (http-message-signatures), which is no weaker.
      const saltLength = constants.RSA_PSS_SALTLEN_AUTO;
      return verify("sha512", base, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }, signature);
    }
  }
}
