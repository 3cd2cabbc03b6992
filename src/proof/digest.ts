/**
 * Whether a body is the one whose digest was signed.
 *
 * Sources: RFC 3230 with RFC 5843 (`Digest: SHA-256=…`, algorithms in any case) and RFC 9530 (`Content-Digest: sha-256=:…:`).
 * SHA-256 and SHA-512 count; others are passed over, so a header of them alone proves nothing.
 */

import { loadCrypto } from "./crypto.ts";
import { readBase64 } from "./signed-message.ts";

/** "digest": not readable, or of another body; "digest-weak": no algorithm in it that counts. */
export type DigestRefusal = "digest" | "digest-weak";

/** Every algorithm that was ever registered is fewer. */
const ENTRIES_MAX = 16;
/** No two parts of it can take the same character, so it takes linear time. */
const ENTRY = /^[ \t]*([A-Za-z0-9-]+)=(:?)([A-Za-z0-9+/=]*)\2[ \t]*$/;
const HASHES: ReadonlyMap<string, "sha256" | "sha512"> = new Map([
  ["sha-256", "sha256"],
  ["sha-512", "sha512"],
]);

/**
 * All digests that count must be the body's, so that two readers can't go by two of them.
 *
 * @param field value of Digest or Content-Digest, all its lines
 */
export function refuseBody(field: string, body: Uint8Array): DigestRefusal | undefined {
  const entries = field.split(",", ENTRIES_MAX + 1);
  if (entries.length > ENTRIES_MAX) return "digest";
  const { createHash } = loadCrypto();
  const hashes = new Map<string, Buffer>(); // A body is hashed once for each algorithm, however often it is named.
  for (const entry of entries) {
    const [, algorithm, , value = ""] = ENTRY.exec(entry) ?? [];
    if (algorithm === undefined) return "digest";
    const name = HASHES.get(algorithm.toLowerCase());
    if (name === undefined) continue;
    const hash = hashes.get(name) ?? createHash(name).update(body).digest();
    hashes.set(name, hash);
    if (readBase64(value)?.equals(hash) !== true) return "digest";
  }
  return hashes.size > 0 ? undefined : "digest-weak";
}
