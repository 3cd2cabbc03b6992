/** Keys that sign as a Matrix server does, for tests: over the canonical form, in Base64 without padding. */

import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import { canonicalJson } from "../../src/proof/canonical-json.ts";

export interface Signer {
  readonly keyId: string;
  /** The public key, Base64. */
  readonly verifyKey: string;
  sign(text: string): string;
  /** The document with a signature of `name` more; `signatures` and `unsigned` aren't signed. */
  signDocument(document: Document, name: string): Document;
}

type Document = Readonly<Record<string, unknown>>;

/** PKCS #8 of an Ed25519 key, up to its 32 bytes (RFC 8410 section 7). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** @param seed 32 bytes, or their Base64 */
export function createSigner(keyId: string, seed: Uint8Array | string): Signer {
  const bytes = typeof seed === "string" ? Buffer.from(seed, "base64") : seed;
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, bytes]), format: "der", type: "pkcs8" });
  const { x = "" } = createPublicKey(key).export({ format: "jwk" });
  const signText = (text: string): string => unpadded(sign(null, Buffer.from(text), key));
  return {
    keyId,
    verifyKey: unpadded(Buffer.from(x, "base64url")),
    sign: signText,
    signDocument(document, name) {
      const { signatures = {}, unsigned, ...signed } = document;
      const own = (signatures as Record<string, Document>)[name];
      const more = { [name]: { ...own, [keyId]: signText(canonicalJson(signed)) } };
      return {
        ...signed,
        ...(unsigned === undefined ? {} : { unsigned }),
        signatures: { ...(signatures as Document), ...more },
      };
    },
  };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replaceAll("=", "");
}
