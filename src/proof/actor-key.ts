/**
 * The key with a certain id, from the document that its URL leads to.
 *
 * Forms: an ActivityPub actor with `publicKey: {id, owner, publicKeyPem}`, one or a list (https://w3id.org/security/v1, what Mastodon
 * shows), also one cut down to its key (GoToSocial, at `/users/x/main-key`); and `assertionMethod` with Multikeys of Ed25519 (FEP-521a,
 * https://www.w3.org/TR/controller-document/#Multikey).
 * The actor must be of the host that the key's id is of, and the key must name it, letter for letter, as its owner: the server behind takes
 * the owner for the sender, and it must not be another server's than the one that is proven here. That the document is the host's own is
 * known by how it was fetched (fetch-keys.ts).
 * Not here: keys by themselves, outside an actor. Such a key says itself whose it is, and only the owner's own document could confirm it
 * (FEP-fe34, reciprocal claims): a second fetch for a form that few use (activitypub.bot).
 */

import type { JsonWebKey, KeyObject } from "node:crypto";
import { parseUrlServer } from "../peer/server-name.ts";
import { loadCrypto } from "./crypto.ts";
import { type KeyRefusal, refuseKey } from "./signature-scheme.ts";

/**
 * Why there is no key. "json": no JSON object; "missing": no actor's key with that id; "owner": the document is of another host, or of none,
 * or the key's owner is not the document; "encoding": the key can't be read.
 */
export type ActorKeyRefusal = "json" | "missing" | "owner" | "encoding" | KeyRefusal;

type JsonObject = Readonly<Record<string, unknown>>;

/** Of one list. Actors have one key, or two while one replaces the other. */
const KEYS_MAX = 16;
/** RSA of 8192 bits has 1.4 kB. */
const PEM_LENGTH_MAX = 4096;
/** Public keys alone: node:crypto would take a private key and a certificate as well. */
const PUBLIC_KEY_PEM = /^-----BEGIN ((?:RSA )?PUBLIC KEY)-----[A-Za-z0-9+/=\s]+-----END \1-----\s*$/;
/** Of Ed25519 in base58: `z`, a prefix that always begins `6Mk`, and 44 characters more. */
const MULTIBASE = /^z6Mk[1-9A-HJ-NP-Za-km-z]{44}$/;
const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/** The prefix of an Ed25519 key, ed01, and its 32 bytes, in hex. */
const ED25519_MULTICODEC = /^ed01([0-9a-f]{64})$/;

/** @param body of the document at `keyId` @param keyId a URL, in the very letters of the signature. Never throws. */
export function readActorKey(body: string, keyId: string): KeyObject | ActorKeyRefusal {
  const document = parseObject(body);
  if (document === undefined) return "json";
  const found = [...objectsOf(document["publicKey"]), ...objectsOf(document["assertionMethod"])].find(
    (key) => key["id"] === keyId && ("publicKeyPem" in key || "publicKeyMultibase" in key),
  );
  if (found === undefined) return "missing";
  const { id } = document;
  const host = parseUrlServer(keyId)?.name;
  if (host === undefined || serverOf(id) !== host) return "owner";
  const owners = [found["owner"], found["controller"]].filter((owner) => owner !== undefined);
  if (owners.length === 0 || owners.some((owner) => owner !== id)) return "owner";
  const key = readKey(found);
  return key === undefined ? "encoding" : (refuseKey(key) ?? key);
}

function parseObject(body: string): JsonObject | undefined {
  try {
    const json: unknown = JSON.parse(body);
    return isObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

/** One object or a list of them; a text is a reference to a key that stands elsewhere, and isn't followed. */
function objectsOf(value: unknown): readonly JsonObject[] {
  const list: readonly unknown[] = Array.isArray(value) ? value.slice(0, KEYS_MAX) : [value];
  return list.filter(isObject);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function serverOf(url: unknown): string | undefined {
  return typeof url === "string" ? parseUrlServer(url)?.name : undefined;
}

function readKey({ publicKeyPem, publicKeyMultibase }: JsonObject): KeyObject | undefined {
  try {
    if (typeof publicKeyPem === "string") return readPem(publicKeyPem.trim());
    return typeof publicKeyMultibase === "string" ? readMultibase(publicKeyMultibase) : undefined;
  } catch {
    return undefined; // What OpenSSL says of bytes that are no key.
  }
}

/** @throws what OpenSSL says */
function readPem(pem: string): KeyObject | undefined {
  if (pem.length > PEM_LENGTH_MAX || !PUBLIC_KEY_PEM.test(pem)) return undefined;
  return loadCrypto().createPublicKey(pem);
}

function readMultibase(text: string): KeyObject | undefined {
  if (!MULTIBASE.test(text)) return undefined;
  let number = 0n;
  for (const digit of text.slice(1)) number = number * 58n + BigInt(BASE58.indexOf(digit));
  const [, hex] = ED25519_MULTICODEC.exec(number.toString(16)) ?? [];
  if (hex === undefined) return undefined;
  const key: JsonWebKey = { kty: "OKP", crv: "Ed25519", x: Buffer.from(hex, "hex").toString("base64url") };
  return loadCrypto().createPublicKey({ key, format: "jwk" });
}
