/**
 * The server whose key signed a request, from the key's id.
 *
 * Sources: draft-cavage-http-signatures-12 §2.1 and §4.1 (`Signature: keyId="…"`, `Authorization: Signature
 * keyId="…"`, what ActivityPub servers send) and RFC 9421 §4.1 (`Signature-Input: sig1=("@method");keyid="…"`).
 * A key id is an http or https URL, or `acct:user@host`; anything else names nobody.
 * Not here: the signature itself (proof/http-signature.ts). Until it is verified this is a claim.
 */

import { parseServerName, parseUrlServer, type ServerName } from "./server-name.ts";
import {
  LINE_LENGTH_MAX,
  readParameters,
  readSignatureInput,
  signatureCredentials,
  type SignatureLines,
  unquote,
} from "./signature-reader.ts";

/**
 * Why there is no host. `absent`: no key id was sent; `length`: a line over the bound; `syntax`: not readable;
 * `name`: a key id that names no server; `hosts`: key ids of different servers.
 */
export type HttpSignatureRefusal = "absent" | "length" | "syntax" | "name" | "hosts";

const ACCOUNT = /^acct:[^@]+@([^@]+)$/i;

/** @returns the one server of all key ids, or why there is none. Never throws. Linear in the lines. */
export function parseHttpSignatureHost(
  lines: SignatureLines,
): { readonly host: ServerName } | HttpSignatureRefusal {
  const keyIds: string[] = [];
  for (const line of lines.authorization) {
    const credentials = signatureCredentials(line);
    if (credentials === undefined) continue;
    const fault = collect(credentials, readCavage, keyIds);
    if (fault !== undefined) return fault;
  }
  for (const line of lines.signature) {
    // `sig1=:…:` of RFC 9421 has the draft's form too, and no keyId.
    const fault = collect(line, readCavage, keyIds);
    if (fault !== undefined) return fault;
  }
  for (const line of lines.signatureInput) {
    const fault = collect(line, readInput, keyIds);
    if (fault !== undefined) return fault;
  }
  return agree(keyIds);
}

/** Reads key ids from one line; false: the line can't be read. */
type Reader = (line: string, keyIds: string[]) => boolean;

const readCavage: Reader = (line, keyIds) =>
  readParameters(line, (name, value) => takeKeyId(name, value, keyIds));

const readInput: Reader = (line, keyIds) =>
  readSignatureInput(line, {
    onSignature: () => undefined,
    onParameter: (name, value) => takeKeyId(name, value, keyIds),
  });

function collect(line: string, read: Reader, keyIds: string[]): HttpSignatureRefusal | undefined {
  if (line.length > LINE_LENGTH_MAX) return "length";
  return read(line, keyIds) ? undefined : "syntax";
}

/** Any case of the name: what another program might read as a key id must agree with the others. */
function takeKeyId(name: string, value: string | undefined, keyIds: string[]): void {
  if (name.toLowerCase() === "keyid") keyIds.push(unquote(value ?? ""));
}

function agree(keyIds: readonly string[]): { readonly host: ServerName } | HttpSignatureRefusal {
  let host: ServerName | undefined;
  for (const keyId of keyIds) {
    const server = keyIdServer(keyId);
    if (server === undefined) return "name";
    if (host !== undefined && host.name !== server.name) return "hosts";
    host = server;
  }
  return host === undefined ? "absent" : { host };
}

function keyIdServer(keyId: string): ServerName | undefined {
  const accountHost = ACCOUNT.exec(keyId)?.[1];
  return accountHost === undefined ? parseUrlServer(keyId) : parseServerName(accountHost);
}
