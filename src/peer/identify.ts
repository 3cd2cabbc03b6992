/**
 * Who is calling, and with what proof: the first way of `inbound.identify` that gives a name gives the name;
 * the proof is the best that was reached for that name, whatever gave it.
 *
 * A way that was not used, or whose text can't be read, gives none, and the next is asked. A way that names two
 * servers ends the search: the caller has no name, because the server behind might believe either
 * (contract, section 9).
 * Not here: verifying signatures, so nothing reaches `signature` yet; and the whitelist (peer/whitelist.ts).
 */

import { parseHttpSignatureHost } from "./http-signature.ts";
import type { Networks } from "./networks.ts";
import type { Proof } from "./proof.ts";
import { isNamedIn, parseServerName, type ServerName } from "./server-name.ts";
import { parseXMatrixOrigin } from "./x-matrix.ts";

/** Where a name can come from; the values of `inbound.identify`. */
export type Way = "x-matrix" | "http-signature" | "mtls" | "address";

/** What one request, and the connection it came on, say about the caller. Lines as received, unparsed. */
export interface Evidence {
  readonly authorization: readonly string[];
  readonly signature: readonly string[];
  readonly signatureInput: readonly string[];
  /** Of the client certificate, if it was verified (parseCertificateNames); otherwise empty. */
  readonly certificateNames: readonly string[];
  /** The connection's remote address; "" where it has none. */
  readonly address: string;
}

export interface Peer {
  /** Lower case, with its port where it came with one; undefined exactly when the proof is `none`. */
  readonly name: string | undefined;
  readonly proof: Proof;
}

export interface IdentifyOptions {
  readonly order: readonly Way[];
  readonly networks: Networks;
}

const NOBODY: Peer = { name: undefined, proof: "none" };

/** @returns the function that names a request's caller. It never throws: all it reads is the caller's. */
export function createIdentify(options: IdentifyOptions): (evidence: Evidence) => Peer {
  const { networks } = options;
  const ways = options.order.map((way) => WAYS[way]);

  return (evidence) => {
    for (const nameBy of ways) {
      const server = nameBy(evidence, networks);
      if (server === "ambiguous") return NOBODY;
      if (server !== undefined) return { name: server.name, proof: proofOf(server, evidence, networks) };
    }
    return NOBODY;
  };
}

function proofOf(server: ServerName, evidence: Evidence, networks: Networks): Proof {
  if (isNamedIn(evidence.certificateNames, server)) return "mtls";
  return isNamedIn(networks.namesOf(evidence.address), server) ? "network" : "claimed";
}

type Named = ServerName | "ambiguous" | undefined;

const WAYS: Readonly<Record<Way, (evidence: Evidence, networks: Networks) => Named>> = {
  "x-matrix": ({ authorization }) => {
    const read = parseXMatrixOrigin(authorization);
    if (typeof read === "object") return read.origin;
    return read === "origins" ? "ambiguous" : undefined;
  },
  "http-signature": (evidence) => {
    const read = parseHttpSignatureHost(evidence);
    if (typeof read === "object") return read.host;
    return read === "hosts" ? "ambiguous" : undefined;
  },
  // Several names of one certificate are all its holder's: the first is as good as any.
  mtls: ({ certificateNames: [first] }) => (first === undefined ? undefined : parseServerName(first)),
  address: ({ address }, networks) => {
    const [first] = networks.namesOf(address);
    return first === undefined ? undefined : parseServerName(first);
  },
};
