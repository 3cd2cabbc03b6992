/**
 * What `Authorization: X-Matrix …` lines bring to prove: signatures with the ids of their keys, and the text that they
 * must be over.
 *
 * Source: https://spec.matrix.org/v1.16/server-server-api/#request-authentication, and Synapse's authenticate_request
 * (synapse/federation/transport/server/_base.py). Lines are read as peer/x-matrix.ts reads them, by the same code, so that
 * what is proven is what is claimed.
 *
 * `key` or `sig` twice in one line: the last counts, as with Synapse. One key in several lines: each signature is tried.
 * Neither can be abused: whatever stands beside it, a signature over this request that verifies with a key of the origin
 * was made by the origin, and whoever adds others only makes his own request fail, or cost up to SIGNATURES_MAX
 * verifications. Two origins are refused all the same, in one line or in several.
 *
 * Not here: whose keys verify it (server-keys.ts), and the verification (ed25519.ts).
 */

import { detach } from "../core/text.ts";
import type { ServerName } from "../peer/server-name.ts";
import {
  isXMatrix,
  readXMatrixName,
  readXMatrixParameters,
  unquoteXMatrix,
  type XMatrixName,
  type XMatrixRefusal,
} from "../peer/x-matrix.ts";
import { isKeyId, readSignature } from "./ed25519.ts";

/**
 * Why there is nothing to verify: those of peer/x-matrix.ts; `destination`: it is for somebody else; and, where no line
 * is any better, of the first: `unsigned`: without key or sig; `key`: none of ed25519; `signature`: not Base64 of 64 bytes.
 */
export type SignatureRefusal = XMatrixRefusal | "destination" | "unsigned" | "key" | "signature";

/** A server signs with one key; with two while it changes them. */
export const SIGNATURES_MAX = 4;

/** One line's. */
export interface XMatrixSignature {
  /** `ed25519:…`. */
  readonly keyId: string;
  /** 64 bytes. */
  readonly signature: Uint8Array;
  /** As it stands in the line, which is what was signed; by name the same in all lines. */
  readonly origin: XMatrixName;
  /** By name it is us; undefined where the line has none, as of servers before v1.3 of the specification. */
  readonly destination: XMatrixName | undefined;
}

export interface XMatrixSignatures {
  readonly origin: ServerName;
  /** 1 to SIGNATURES_MAX of them; any one that verifies is proof. */
  readonly signatures: readonly XMatrixSignature[];
  /** Signatures beyond SIGNATURES_MAX, which nobody looks at. */
  readonly dropped: number;
}

/**
 * @param lines values of all Authorization lines; other schemes are passed over
 * @param own this server's name, by which it is called
 * @returns what can be verified, or why nothing can. Never throws. Linear in the lines.
 */
export function readXMatrixSignatures(
  lines: readonly string[],
  own: ServerName,
): XMatrixSignatures | SignatureRefusal {
  const signatures: XMatrixSignature[] = [];
  let origin: ServerName | undefined;
  let fault: SignatureRefusal | undefined;
  let dropped = 0;
  for (const line of lines) {
    if (!isXMatrix(line)) continue;
    const read = readLine(line, own);
    if (typeof read === "string") return read;
    if (origin !== undefined && origin.name !== read.origin.server.name) return "origins";
    origin = read.origin.server;
    const signature = readLineSignature(read);
    if (typeof signature === "string") fault ??= signature;
    else if (signatures.length === SIGNATURES_MAX) dropped++;
    else signatures.push(signature);
  }
  if (origin === undefined) return "absent";
  return signatures.length === 0 ? (fault ?? "unsigned") : { origin, signatures, dropped };
}

interface Line {
  readonly origin: XMatrixName;
  readonly destination: XMatrixName | undefined;
  /** With their quotes. */
  readonly key: string | undefined;
  readonly sig: string | undefined;
}

function readLine(line: string, own: ServerName): Line | SignatureRefusal {
  let origin: XMatrixName | undefined;
  let destination: XMatrixName | undefined;
  let key: string | undefined;
  let sig: string | undefined;
  const refusal = readXMatrixParameters<SignatureRefusal>(line, (name, value) => {
    if (name === "key") key = value;
    if (name === "sig") sig = value;
    if (name !== "origin" && name !== "destination") return undefined;
    const read = readXMatrixName(value);
    if (name === "destination") {
      if (typeof read === "string" || read.server.name !== own.name) return "destination";
      destination = read;
      return undefined;
    }
    if (typeof read === "string") return read;
    if (origin !== undefined && origin.server.name !== read.server.name) return "origins";
    origin = read;
    return undefined;
  });
  if (refusal !== undefined) return refusal;
  return origin === undefined ? "syntax" : { origin, destination, key, sig };
}

function readLineSignature(line: Line): XMatrixSignature | "unsigned" | "key" | "signature" {
  if (line.key === undefined || line.sig === undefined) return "unsigned";
  const keyId = unquoteXMatrix(line.key);
  if (keyId === undefined || !isKeyId(keyId)) return "key";
  const signature = readSignature(unquoteXMatrix(line.sig) ?? "");
  if (signature === undefined) return "signature";
  return { keyId: detach(keyId), signature, origin: line.origin, destination: line.destination };
}

/** What X-Matrix signs of a request. */
export interface SignedRequest {
  readonly method: string;
  /** The path and the query as they came: percent-encoding and order are signed too. */
  readonly uri: string;
  /** As it stands in the signature's own line. */
  readonly origin: string;
  /** This server's name: as it stands in the line, which is read as one of ours only, or where it stands in none, our own. */
  readonly destination: string;
  /** The body's canonical text; undefined for a request without, and with Synapse for every method but PUT and POST. */
  readonly content: string | undefined;
}

/** The text that a signature of this request is over: canonical JSON, put together in the order of its keys. */
export function requestSigningText(request: SignedRequest): string {
  const { method, uri, origin, destination, content } = request;
  const first = content === undefined ? "" : `"content":${content},`;
  return (
    `{${first}"destination":${JSON.stringify(destination)},"method":${JSON.stringify(method)},` +
    `"origin":${JSON.stringify(origin)},"uri":${JSON.stringify(uri)}}`
  );
}
