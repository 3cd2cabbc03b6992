/**
 * Whether a request was signed by the server that it names: the signature that speaks for that name, checked with a key that is at
 * hand.
 *
 * Nothing here waits: `open` looks at the head, and says what must be known of the body, if anything; a key that is not at hand is
 * fetched behind the request's back, and that request is not proven. What is proven is the sender of these bytes; X-Matrix has no date,
 * so a request that was caught on its way proves its sender again (SECURITY.md).
 * Not here: which names need proof (proxy/), holding a body (proxy/held-request.ts), the fetching of keys (fetch-keys.ts).
 */

import type { RequestHead } from "../http1/request-head.ts";
import type { SignatureLines } from "../peer/http-signature.ts";
import type { ServerName } from "../peer/server-name.ts";
import { canonicalOf } from "./canonical-json.ts";
import type { KeyCache, KeyRefusal } from "./key-cache.ts";
import {
  readXMatrixSignatures,
  requestSigningText,
  type SignatureRefusal as XMatrixRefusal,
} from "./x-matrix-signature.ts";

/**
 * Why a request's signature proves nothing. "absent": none speaks for that name; "malformed": it can't be read; "destination": it was made
 * for another server; "wrong": the key at hand did not make it; "uncovered": it leaves out what must be signed; "outdated": its time is too
 * far from now; "body": the body is not what can be signed; "body-size", "body-room", "expect": the body was not waited for (proxy/held-request.ts); the
 * others are the key cache's.
 */
export type ProofRefusal =
  | "absent"
  | "malformed"
  | "destination"
  | "wrong"
  | "uncovered"
  | "outdated"
  | "body"
  | "body-size"
  | "body-room"
  | "expect"
  | KeyRefusal;

/** Finishes a check once the body is there. @param body without any coding; empty where there is none @returns undefined: proven */
export type BodyCheck = (body: Buffer) => ProofRefusal | undefined;

/** What is asked of a request's head. */
export interface ProofClaim {
  /** Whom it claims to be from, as peer/identify.ts names it. */
  readonly name: string;
  readonly head: RequestHead;
  readonly fields: SignatureLines;
  readonly target: { readonly path: string; readonly scheme: "http" | "https" };
}

export interface Prover {
  /** Never throws, never waits. */
  open(claim: ProofClaim): BodyCheck | ProofRefusal;
}

/** A server's public key, as what it is for. @param signature 64 bytes */
export type VerifyServerKey = (text: string, signature: Uint8Array) => boolean;

export interface ProverOptions {
  /** This server, for which signatures must be made. */
  readonly own: ServerName;
  /** By server name, and key id. */
  readonly servers: KeyCache<VerifyServerKey>;
}

/** What the readers of X-Matrix say, in the words of a proof. */
const X_MATRIX_REFUSALS: Readonly<Record<XMatrixRefusal, ProofRefusal>> = {
  absent: "absent",
  destination: "destination",
  unsigned: "absent",
  origins: "malformed",
  syntax: "malformed",
  name: "malformed",
  key: "malformed",
  signature: "malformed",
};

export function createProver(options: ProverOptions): Prover {
  return {
    open: (claim) => openXMatrix(claim, options) ?? "absent",
  };
}

type Opened = BodyCheck | ProofRefusal;

/** @returns undefined where no X-Matrix line speaks for that name */
function openXMatrix({ name, head, fields, target }: ProofClaim, options: ProverOptions): Opened | undefined {
  const { own, servers } = options;
  const read = readXMatrixSignatures(fields.authorization, own);
  if (read === "absent") return undefined;
  if (typeof read === "string") return X_MATRIX_REFUSALS[read];
  if (read.origin.name !== name) return undefined;

  const checks: ((content: string | undefined) => boolean)[] = [];
  let missing: KeyRefusal = "unknown";
  for (const { keyId, signature, origin } of read.signatures) {
    const verify = servers.get(name, keyId);
    if (typeof verify === "string") {
      missing = verify;
      continue;
    }
    const signed = { method: head.method, uri: target.path, origin: origin.text, destination: own.name };
    checks.push((content) => verify(requestSigningText({ ...signed, content }), signature));
  }
  if (checks.length === 0) return missing;
  return (body) => {
    const content = body.length === 0 ? undefined : canonicalOf(body);
    if (typeof content === "string") return "body";
    if (checks.some((isSigned) => isSigned(content?.text))) return undefined;
    servers.doubt(name); // A server that was set up anew may have another key under the same id.
    return "wrong";
  };
}
