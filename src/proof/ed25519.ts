/**
 * Ed25519 as Matrix has it: key ids, keys and signatures in Base64 with or without padding, and the verification by
 * node:crypto.
 *
 * Source: https://spec.matrix.org/v1.16/appendices/#signing-details and #unpadded-base64; RFC 8032.
 * Not here: what is signed. A weak key (one of small order, with which anybody's signature verifies) is taken: whoever
 * publishes it lends his own name, and nobody else's.
 */

import type { KeyObject } from "node:crypto";

/** A public key, ready to verify with; made once and kept, since making one costs a tenth of a verification. */
export type VerifyKey = KeyObject;

export interface Ed25519 {
  /** @param text Base64 of 32 bytes; undefined for anything else. Never throws */
  readonly readVerifyKey: (text: string) => VerifyKey | undefined;
  /** @param signed bytes, or a text for its UTF-8 @param signature 64 bytes. Never throws */
  readonly verify: (signed: string | Uint8Array, signature: Uint8Array, key: VerifyKey) => boolean;
}

/** The specification names none; the longest seen has 10. It is a key of maps that outlive the request. */
const KEY_ID = /^ed25519:[A-Za-z0-9_.-]{1,128}$/;
// One text for each value: the bits that 64 or 32 bytes leave over in the last letter are 0.
const SIGNATURE = /^[A-Za-z0-9+/]{85}[AQgw](?:==)?$/;
const VERIFY_KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=?$/;

export function isKeyId(text: string): boolean {
  return KEY_ID.test(text);
}

/** @returns the 64 bytes, or undefined for a text that is not their Base64. Never throws. */
export function readSignature(text: string): Uint8Array | undefined {
  return SIGNATURE.test(text) ? Buffer.from(text, "base64") : undefined;
}

/** node:crypto takes its share of the start-up time, and all commands are in one file: only those pay who verify. */
export async function loadEd25519(): Promise<Ed25519> {
  const { createPublicKey, verify } = await import("node:crypto");
  return {
    readVerifyKey(text) {
      if (!VERIFY_KEY.test(text)) return undefined;
      const x = Buffer.from(text, "base64").toString("base64url");
      return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    },
    verify: (signed, signature, key) =>
      verify(null, typeof signed === "string" ? Buffer.from(signed) : signed, key, signature),
  };
}
