/**
 * Whether a request was signed with the key whose id it tells, in two steps: what can be seen without the key, so that no key is
 * fetched for nothing, and then the rest.
 *
 * A signature counts only for this very request: it covers method, whole target, host and a time, and the digest of a body, and that
 * digest is the body's (cavage.ts and message-signature.ts say which names those are, and why). The host must be ours.
 *
 * Of several signatures the first counts of which nothing is wrong so far: those of Signature-Input, then those of Authorization, then,
 * without a Signature-Input, that of Signature; four are looked at. Nobody gains by adding one. All must name the same host, else there is no name; so
 * another one that is chosen in the place of the sender's is either of a key of the same host, and then that host signed, or it is
 * wrong, and then the request has no proof, which its forger had without it. Only one key is looked for, and used.
 *
 * A replay within the window is not noticed: what it gets is a span in a trace that its sender began. Notes of all signatures of ten
 * minutes would be a store that strangers fill.
 * Not here: the key (fetch-keys.ts), and what follows from a proof.
 */

import type { KeyObject } from "node:crypto";
import { type HttpSignatureRefusal, parseHttpSignatureHost } from "../peer/http-signature.ts";
import type { ServerName } from "../peer/server-name.ts";
import { signatureCredentials, type SignatureLines } from "../peer/signature-reader.ts";
import { readCavage } from "./cavage.ts";
import { type DigestRefusal, refuseBody } from "./digest.ts";
import { readInputs, readMessageSignature, readSignatureValues } from "./message-signature.ts";
import { isAlgorithmKnown, isSignedBy, type KeyRefusal, refuseKey, schemesOf } from "./signature-scheme.ts";
import {
  fieldOf,
  hasBody,
  isSentToUs,
  type ReadRefusal,
  type ReadSignature,
  type SignedMessage,
} from "./signed-message.ts";

/**
 * Why a request has no signature that could be checked. "destination": its Host is not ours; "uncovered": not all that must be signed is; "time": when it was
 * made, or expires, can't be read; "window": made too long ago, or in the future; "expired"; "algorithm": none that is known.
 */
type OpenRefusal =
  HttpSignatureRefusal | ReadRefusal | "destination" | "uncovered" | "time" | "window" | "expired";

/** Why it is not proven. "algorithm": the one named contradicts the key; "signature": it is not one of this key and this request. */
type FinishRefusal = KeyRefusal | DigestRefusal | "algorithm" | "uncovered" | "signature";

/** Each is counted by its word. */
export type SignatureRefusal = OpenRefusal | FinishRefusal;

export interface OpenedSignature {
  /** As sent; the key must be the one with exactly this id. */
  readonly keyId: string;
  /** The server that the key id names, and then the one that is proven. */
  readonly host: ServerName;
  /**
   * @param key with that id
   * @param body all of it; undefined for none. Where one was announced, undefined is another body than the one that was signed
   */
  finish(key: KeyObject, body: Uint8Array | undefined): "verified" | FinishRefusal;
}

/**
 * How far the time of a signature may be from ours, both ways: servers sign moments before they send, and again for each retry, so this
 * is for clocks alone. 300 s is what the draft's security audit recommends (https://web-payments.org/specs/source/http-signatures-audit/)
 * and its first library takes (joyent's http-signature), so a server whose clock is further off is shut out by others already.
 * Mastodon takes an hour; but who is outside of this is forwarded as ever, and only begins a new trace.
 */
export const WINDOW_MS = 300_000;
/** Servers that are unsure what others read send one of each kind. */
const SIGNATURES_MAX = 4;

const NO_BODY = new Uint8Array();

/** @returns what only the key can tell, or why no key is needed. Never throws. Linear in the lines and in the message. */
export function openHttpSignature(
  lines: SignatureLines,
  message: SignedMessage,
  nowMs: number,
): OpenedSignature | OpenRefusal {
  const named = parseHttpSignatureHost(lines);
  if (typeof named === "string") return named;
  if (!isSentToUs(message)) return "destination";
  let first: OpenRefusal | undefined;
  let count = 0;
  for (const read of readSignatures(lines, message)) {
    if (++count > SIGNATURES_MAX) break;
    const refusal = typeof read === "string" ? read : refuseUnproven(read, message, nowMs);
    if (typeof read !== "string" && refusal === undefined) {
      return {
        keyId: read.keyId,
        host: named.host,
        finish: (key, body = NO_BODY) => finish(read, message, { key, body }),
      };
    }
    first ??= refusal;
  }
  return first ?? "absent";
}

/** One after the other, since most often the first is the one. The lines are known to be readable. */
function* readSignatures(
  { authorization, signature, signatureInput }: SignatureLines,
  message: SignedMessage,
): Generator<ReadSignature | ReadRefusal> {
  if (signatureInput.length > 0) {
    const inputs = readInputs(signatureInput);
    const values = readSignatureValues(signature);
    if (inputs === undefined || values === undefined) return;
    for (const input of inputs) yield readMessageSignature(input, values, message);
  }
  for (const line of authorization) {
    const credentials = signatureCredentials(line);
    if (credentials !== undefined) yield readCavage(credentials, message);
  }
  if (signatureInput.length > 0) return;
  for (const line of signature) yield readCavage(line, message);
}

function refuseUnproven(
  { isBound, digests, madeMs, expiresMs, algorithm }: ReadSignature,
  message: SignedMessage,
  nowMs: number,
): OpenRefusal | undefined {
  if (!isBound || (digests.length === 0 && hasBody(message))) return "uncovered";
  for (const ms of madeMs) {
    if (ms === undefined || Number.isNaN(ms)) return "time";
    if (Math.abs(nowMs - ms) > WINDOW_MS) return "window";
  }
  if (Number.isNaN(expiresMs)) return "time";
  if (expiresMs !== undefined && expiresMs < nowMs) return "expired";
  return isAlgorithmKnown(algorithm) ? undefined : "algorithm";
}

interface Material {
  readonly key: KeyObject;
  readonly body: Uint8Array;
}

/** What costs least comes first. */
function finish(
  { algorithm, digests, base, signature }: ReadSignature,
  message: SignedMessage,
  { key, body }: Material,
): "verified" | FinishRefusal {
  const keyRefusal = refuseKey(key);
  if (keyRefusal !== undefined) return keyRefusal;
  const schemes = schemesOf(key, algorithm);
  if (schemes.length === 0) return "algorithm";
  // Where no body was announced there is none; if there is, nobody signed it.
  if (body.length > 0 && digests.length === 0) return "uncovered";
  for (const name of digests) {
    const refusal = refuseBody(fieldOf(message, name) ?? "", body);
    if (refusal !== undefined) return refusal;
  }
  const signed = Buffer.from(base, "latin1");
  return schemes.some((scheme) => isSignedBy(key, scheme, signed, signature)) ? "verified" : "signature";
}
