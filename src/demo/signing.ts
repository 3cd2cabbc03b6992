/**
 * Ed25519 signatures as Matrix servers make them: over canonical JSON, in unpadded Base64.
 *
 * Source: https://spec.matrix.org/v1.16/appendices/#signing-json and
 * https://spec.matrix.org/v1.16/server-server-api/#request-authentication.
 */

import { canonicalJson } from "../proof/canonical-json.ts";

type Json = string | number | readonly Json[] | { readonly [key: string]: Json };

export interface Signing {
  createKey(id: string): SigningKey;
  isSignedBy(document: Json, signature: string, verifyKey: string): boolean;
}

interface SigningKey {
  readonly id: string;
  /** The public key, unpadded Base64. */
  readonly verifyKey: string;
  /** Signs the canonical form; unpadded Base64. */
  sign(document: Json): string;
}

/** node:crypto takes its share of the start-up time, and all commands are in one file: only the demo waits for it. */
export async function loadSigning(): Promise<Signing> {
  const { createPublicKey, generateKeyPairSync, sign, verify } = await import("node:crypto");
  return {
    createKey(id) {
      const { privateKey, publicKey } = generateKeyPairSync("ed25519");
      const { x = "" } = publicKey.export({ format: "jwk" });
      return {
        id,
        verifyKey: unpadded(Buffer.from(x, "base64url")),
        sign: (document) => unpadded(sign(null, Buffer.from(canonicalJson(document)), privateKey)),
      };
    },
    isSignedBy(document, signature, verifyKey) {
      const x = Buffer.from(verifyKey, "base64").toString("base64url");
      const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
      return verify(null, Buffer.from(canonicalJson(document)), key, Buffer.from(signature, "base64"));
    },
  };
}

/** What X-Matrix signs of a request. */
export interface SignedRequest {
  readonly method: string;
  readonly uri: string;
  readonly origin: string;
  readonly destination: string;
  readonly content?: Json;
}

export function signedForm({ method, uri, origin, destination, content }: SignedRequest): Json {
  const form = { method, uri, origin, destination };
  return content === undefined ? form : { ...form, content };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replaceAll("=", "");
}
