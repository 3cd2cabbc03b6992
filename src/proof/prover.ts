/**
 * Whether a request was signed by the server that it names: the signature that speaks for that name, checked with a key that is at
 * hand.
 *
 * Nothing here waits: `open` looks at the head, and says what must be known of the body, if anything; a key that is not at hand is
 * fetched behind the request's back, and that request is not proven. What is proven is the sender of these bytes; X-Matrix has no date,
 * so a request that was caught on its way proves its sender again (SECURITY.md).
 * Not here: which names need proof (proxy/), holding a body (proxy/held-request.ts), the fetching of keys (fetch-keys.ts).
 */

import type { KeyObject } from "node:crypto";
import { findFieldValues } from "../http1/fields.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { parseHttpSignatureHost } from "../peer/http-signature.ts";
import type { ServerName } from "../peer/server-name.ts";
import type { SignatureLines } from "../peer/signature-reader.ts";
import { canonicalOf } from "./canonical-json.ts";
import type { ForgeryDebt } from "./forgery-debt.ts";
import { openHttpSignature, type SignatureRefusal as HttpRefusal } from "./http-signature.ts";
import type { KeyCache, KeyRefusal } from "./key-cache.ts";
import { parseKeyUrl } from "./key-url.ts";
import type { SignedMessage } from "./signed-message.ts";
import {
  readXMatrixSignatures,
  requestSigningText,
  type SignedRequest,
  type SignatureRefusal as XMatrixRefusal,
} from "./x-matrix-signature.ts";

/**
 * Why a request's signature proves nothing. "absent": none speaks for that name; "malformed": it can't be read, or its key id can't be asked
 * for; "destination": it was made for another server; "wrong": the key at hand did not make it; "uncovered": it leaves out what must be
 * signed; "outdated": its time is too far from now; "body": the body is not what can be signed; "body-size", "body-room", "expect": the body
 * was not waited for (proxy/held-request.ts); the others are the key cache's.
 */
export type ProofRefusal = (typeof PROOF_REFUSALS)[number];

export const PROOF_REFUSALS = [
  "absent",
  "malformed",
  "destination",
  "wrong",
  "uncovered",
  "outdated",
  "body",
  "body-size",
  "body-room",
  "expect",
  "fetching",
  "unknown",
  "busy",
] as const;

/** Finishes a check once the body is there. @param body without any coding; empty where there is none @returns undefined: proven */
export type BodyCheck = (body: Buffer) => ProofRefusal | undefined;

/** What is asked of a request's head. */
interface ProofClaim {
  /** Whom it claims to be from, as peer/identify.ts names it. */
  readonly name: string;
  /** Whether the whitelist spells it out, rather than taking it by a pattern. */
  readonly isListed: boolean;
  readonly head: RequestHead;
  readonly fields: SignatureLines;
  /** Path and query, as sent. */
  readonly path: string;
  /** As the sender spoke it, to whatever ends TLS. */
  readonly scheme: "http" | "https";
}

export interface Prover {
  /** Never throws, never waits. */
  open(claim: ProofClaim): BodyCheck | ProofRefusal;
}

/** A server's public key, as what it is for. @param signature 64 bytes */
export type VerifyServerKey = (signed: Uint8Array, signature: Uint8Array) => boolean;

export interface ProverOptions {
  /** This server, for which signatures must be made. */
  readonly own: ServerName;
  /** By server name, and key id. */
  readonly servers: KeyCache<VerifyServerKey>;
  /** By key id alone: it is the URL of the key. */
  readonly actors: KeyCache<KeyObject>;
  readonly unixMs: () => number;
  readonly forgeries: ForgeryDebt;
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
    open: (claim) => openXMatrix(claim, options) ?? openHttp(claim, options) ?? "absent",
  };
}

type Opened = BodyCheck | ProofRefusal;

/** As a line writes them. */
type SignedNames = Pick<SignedRequest, "origin" | "destination">;

/** @returns undefined where no X-Matrix line speaks for that name */
function openXMatrix(
  { name, isListed, head, fields, path }: ProofClaim,
  options: ProverOptions,
): Opened | undefined {
  const { own, servers } = options;
  const read = readXMatrixSignatures(fields.authorization, own);
  if (read === "absent") return undefined;
  if (typeof read === "string") return X_MATRIX_REFUSALS[read];
  if (read.origin.name !== name) return undefined;

  if (options.forgeries.isOver(head.bodyLength)) return "busy";
  const checks: { readonly names: SignedNames; readonly isBy: (signed: Uint8Array) => boolean }[] = [];
  let missing: KeyRefusal = "unknown";
  for (const { keyId, signature, origin, destination } of read.signatures) {
    const verify = servers.get(name, keyId, isListed);
    if (typeof verify === "string") {
      missing = verify;
      continue;
    }
    // As it was signed: the config knows its own name in lower case only, and a server's may have capitals.
    const names = { origin: origin.text, destination: destination?.text ?? own.name };
    checks.push({ names, isBy: (signed) => verify(signed, signature) });
  }
  if (checks.length === 0) return missing;
  return (body) => {
    const content = body.length === 0 ? undefined : canonicalOf(body);
    if (typeof content === "string") {
      options.forgeries.note(body.length);
      return "body";
    }
    // Made once for all signatures: the lines write both names, most often in one way.
    const texts = new Map<string, Uint8Array>();
    const textFor = (names: SignedNames): Uint8Array => {
      const way = `${names.origin} ${names.destination}`;
      const known = texts.get(way);
      if (known !== undefined) return known;
      const made = Buffer.from(
        requestSigningText({ method: head.method, uri: path, ...names, content: content?.text }),
      );
      texts.set(way, made);
      return made;
    };
    if (checks.some(({ names, isBy }) => isBy(textFor(names)))) return undefined;
    options.forgeries.note(body.length);
    servers.doubt(name); // A server that was set up anew may have another key under the same id.
    return "wrong";
  };
}

/** The same of HTTP signatures; what is not here is "malformed". */
const HTTP_REFUSALS: Readonly<Partial<Record<HttpRefusal, ProofRefusal>>> = {
  absent: "absent",
  destination: "destination",
  uncovered: "uncovered",
  time: "malformed",
  window: "outdated",
  expired: "outdated",
  signature: "wrong",
  digest: "wrong",
};

/** @returns undefined where no HTTP signature speaks for that name */
function openHttp(
  { name, isListed, head, fields, path, scheme }: ProofClaim,
  options: ProverOptions,
): Opened | undefined {
  const named = parseHttpSignatureHost(fields);
  if (named === "absent" || (typeof named !== "string" && named.host.name !== name)) return undefined;
  const message: SignedMessage = {
    method: head.method,
    target: path,
    scheme,
    authority: head.host,
    header: (field) => findFieldValues(head.text, head.fieldsAt, field),
    // Its port is left aside: behind another proxy a server is called by one that it doesn't know.
    isOwn: ({ host }) => host === options.own.host,
  };
  const opened = openHttpSignature(fields, message, options.unixMs());
  if (typeof opened === "string") return HTTP_REFUSALS[opened] ?? "malformed";
  const { keyId } = opened;
  if (parseKeyUrl(keyId) === undefined) return "malformed"; // No key can be there: it costs no fetch, and no place.
  const key = options.actors.get(keyId, keyId, isListed);
  if (typeof key === "string") return key;
  return (body) => {
    const outcome = opened.finish(key, body);
    if (outcome === "verified") return undefined;
    if (outcome === "signature") options.actors.doubt(keyId); // Actors change their key under the same id.
    return HTTP_REFUSALS[outcome] ?? "malformed";
  };
}
