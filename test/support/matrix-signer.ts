/**
 * A Matrix server as far as its signatures go: the document of its keys, and Authorization lines for requests.
 *
 * Source: https://spec.matrix.org/v1.16/server-server-api/#request-authentication. Written apart from what the sidecar verifies with; its
 * documents have keys in ASCII, integers, and no characters that JSON may write in two ways.
 */

import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export interface MatrixSigner {
  readonly name: string;
  readonly keyId: string;
  /** What it publishes at `/_matrix/key/v2/server`. @param validForMs from now */
  keyDocument(validForMs?: number): string;
  /** A document with this key's signature too: of another server, as a notary hands it out, or of its own with a second key. */
  certify(keyDocument: string): string;
  /** The value of an Authorization line. @param request `content` is the body, as JSON or the value that it stands for */
  authorize(request: SignedParts): string;
}

interface SignedParts {
  readonly method: string;
  readonly uri: string;
  readonly destination: string;
  readonly content?: unknown;
  /** Whose name stands there; the signer's own unless said. */
  readonly origin?: string;
}

const DAY_MS = 24 * 3_600_000;

export function createMatrixSigner(name: string, keyId = "ed25519:test"): MatrixSigner {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    name,
    keyId,
    keyDocument(validForMs = DAY_MS) {
      const document = {
        server_name: name,
        verify_keys: { [keyId]: { key: publicBase64(publicKey) } },
        old_verify_keys: {},
        valid_until_ts: Math.floor(Date.now() + validForMs),
      };
      return JSON.stringify({
        ...document,
        signatures: { [name]: { [keyId]: signed(document, privateKey) } },
      });
    },
    certify(keyDocument) {
      const { signatures, ...document } = JSON.parse(keyDocument) as { signatures: Record<string, object> };
      const own = { [name]: { ...signatures[name], [keyId]: signed(document, privateKey) } };
      return JSON.stringify({ ...document, signatures: { ...signatures, ...own } });
    },
    authorize({ method, uri, destination, content, origin = name }) {
      const parts = { method, uri, origin, destination, ...(content === undefined ? {} : { content }) };
      const signature = signed(parts, privateKey);
      return `X-Matrix origin="${origin}",key="${keyId}",sig="${signature}",destination="${destination}"`;
    },
  };
}

function publicBase64(key: KeyObject): string {
  const { x = "" } = key.export({ format: "jwk" });
  return unpadded(Buffer.from(x, "base64url"));
}

function signed(document: unknown, key: KeyObject): string {
  return unpadded(sign(null, Buffer.from(sortedJson(document)), key));
}

function sortedJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(",")}]`;
  const members = Object.entries(value)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${sortedJson(member)}`);
  return `{${members.join(",")}}`;
}

function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replaceAll("=", "");
}
