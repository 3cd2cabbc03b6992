/** Actors' documents as servers show them, and keys in the forms that stand in them. */

import type { KeyObject } from "node:crypto";
import { ED25519, KEY_ID, RSA } from "./requests.ts";

export const ACTOR = "https://own.example/actor";
const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

export function pemOf(key: KeyObject, type: "spki" | "pkcs1" = "spki"): string {
  return key.export({ type, format: "pem" }).toString();
}

/** Base58 of any bytes that don't begin with 0, with its `z`. */
export function multibaseOf(bytes: Uint8Array): string {
  let number = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  let text = "";
  for (; number > 0n; number /= 58n) text = `${BASE58[Number(number % 58n)]}${text}`;
  return `z${text}`;
}

/** @param prefix of the key's type; 0xed01 is Ed25519 */
export function multikeyOf(key: KeyObject, prefix: readonly number[] = [0xed, 0x01]): string {
  const { x = "" } = key.export({ format: "jwk" });
  return multibaseOf(Buffer.concat([Uint8Array.from(prefix), Buffer.from(x, "base64url")]));
}

export const RSA_PEM = pemOf(RSA.publicKey);
export const PUBLIC_KEY = { id: KEY_ID, owner: ACTOR, publicKeyPem: RSA_PEM };
export const MULTIKEY = {
  id: KEY_ID,
  type: "Multikey",
  controller: ACTOR,
  publicKeyMultibase: multikeyOf(ED25519.publicKey),
};

/** What Mastodon shows, as far as it matters. */
export function actorOf(members: Readonly<Record<string, unknown>> = { publicKey: PUBLIC_KEY }): string {
  return JSON.stringify({
    "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"],
    id: ACTOR,
    type: "Person",
    inbox: `${ACTOR}/inbox`,
    ...members,
  });
}
