/**
 * The server whose key signed a request, from the key's id.
 *
 * Sources: draft-cavage-http-signatures-12 §2.1 and §4.1 (`Signature: keyId="…"`, `Authorization: Signature
 * keyId="…"`, what ActivityPub servers send) and RFC 9421 §4.1 (`Signature-Input: sig1=("@method");keyid="…"`).
 * A key id is an http or https URL, or `acct:user@host`; anything else names nobody.
 * Not here: the signature itself. Until it is verified this is a claim.
 */

import { parseServerName, parseUrlServer, type ServerName } from "./server-name.ts";

export interface SignatureLines {
  readonly authorization: readonly string[];
  readonly signature: readonly string[];
  readonly signatureInput: readonly string[];
}

/**
 * Why there is no host. `absent`: no key id was sent; `length`: a line over the bound; `syntax`: not readable;
 * `name`: a key id that names no server; `hosts`: key ids of different servers.
 */
export type HttpSignatureRefusal = "absent" | "length" | "syntax" | "name" | "hosts";

/** Real lines have 300 to 900 characters; an RSA-4096 signature alone has 684. */
const LINE_LENGTH_MAX = 8192;

const AUTHORIZATION_SCHEME = /^signature[ \t]+/i;
const ACCOUNT = /^acct:[^@]+@([^@]+)$/i;
const BLANKS = /[ \t]*/y;
/** Up to what can end an unquoted value: a number, a token, `:base64:`. */
const BARE_ITEM = /[^ \t;,"()]*/y;
const PARAMETER_NAME = /[A-Za-z*][A-Za-z0-9_.*-]*/y;

/** @returns the one server of all key ids, or why there is none. Never throws. Linear in the lines. */
export function parseHttpSignatureHost(
  lines: SignatureLines,
): { readonly host: ServerName } | HttpSignatureRefusal {
  const keyIds: string[] = [];
  for (const line of lines.authorization) {
    const scheme = AUTHORIZATION_SCHEME.exec(line)?.[0];
    if (scheme === undefined) continue;
    const fault = collect(line.slice(scheme.length), readCavage, keyIds);
    if (fault !== undefined) return fault;
  }
  for (const line of lines.signature) {
    const fault = collect(line, readCavage, keyIds);
    if (fault !== undefined) return fault;
  }
  for (const line of lines.signatureInput) {
    const fault = collect(line, readSignatureInput, keyIds);
    if (fault !== undefined) return fault;
  }
  return agree(keyIds);
}

/** Reads key ids from one line; false: the line can't be read. */
type Reader = (line: string, keyIds: string[]) => boolean;

function collect(line: string, read: Reader, keyIds: string[]): HttpSignatureRefusal | undefined {
  if (line.length > LINE_LENGTH_MAX) return "length";
  return read(line, keyIds) ? undefined : "syntax";
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

/** `name=value, name="value"`. `Signature: sig1=:…:` of RFC 9421 has this form too, and no keyId. */
const readCavage: Reader = (line, keyIds) => {
  for (let at = skip(BLANKS, line, 0); ; at = skip(BLANKS, line, at + 1)) {
    const equals = skip(PARAMETER_NAME, line, at);
    if (equals === at || line[equals] !== "=") return false;
    const end = valueEnd(line, equals + 1);
    if (end === -1) return false;
    takeKeyId(line.slice(at, equals), line.slice(equals + 1, end), keyIds);
    at = skip(BLANKS, line, end);
    if (line[at] !== ",") return at === line.length;
  }
};

/** A dictionary (RFC 8941 §3.2) of inner lists with parameters; only the parameters are looked at. */
const readSignatureInput: Reader = (line, keyIds) => {
  for (let at = skip(BLANKS, line, 0); ; at = skip(BLANKS, line, at + 1)) {
    const equals = skip(PARAMETER_NAME, line, at);
    if (equals === at || line[equals] !== "=" || line[equals + 1] !== "(") return false;
    at = innerListEnd(line, equals + 2);
    if (at === -1) return false;
    while (line[at] === ";") {
      const nameAt = skip(BLANKS, line, at + 1);
      const nameEnd = skip(PARAMETER_NAME, line, nameAt);
      if (nameEnd === nameAt) return false;
      const end = line[nameEnd] === "=" ? valueEnd(line, nameEnd + 1) : nameEnd;
      if (end === -1) return false;
      takeKeyId(line.slice(nameAt, nameEnd), line.slice(nameEnd + 1, end), keyIds);
      at = end;
    }
    at = skip(BLANKS, line, at);
    if (line[at] !== ",") return at === line.length;
  }
};

/** Behind the `)` that ends the inner list; -1 without one. A `)` inside a string ends nothing. */
function innerListEnd(line: string, from: number): number {
  for (let at = from; at < line.length; at++) {
    if (line[at] === ")") return at + 1;
    if (line[at] !== '"') continue;
    at = valueEnd(line, at) - 1;
    if (at < from) return -1;
  }
  return -1;
}

/** Any case of the name: what another program might read as a key id must agree with the others. */
function takeKeyId(name: string, value: string, keyIds: string[]): void {
  if (name.toLowerCase() !== "keyid") return;
  keyIds.push(value.startsWith('"') ? value.slice(1, -1).replaceAll(/\\(.)/g, "$1") : value);
}

/** Behind the value that begins at `at`: a quoted string with its quotes, or a bare item. -1: no end. */
function valueEnd(line: string, at: number): number {
  if (line[at] !== '"') return skip(BARE_ITEM, line, at);
  for (let end = at + 1; end < line.length; end++) {
    if (line[end] === "\\") end++;
    else if (line[end] === '"') return end + 1;
  }
  return -1;
}

/** Behind what the sticky pattern matches at `at`; `at` itself where it matches nothing. */
function skip(pattern: RegExp, line: string, at: number): number {
  pattern.lastIndex = at;
  return at + (pattern.exec(line)?.[0].length ?? 0);
}
