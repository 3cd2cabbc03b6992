/**
 * The parameters of HTTP signatures, read from their lines: the only reader of them, so that who is named (http-signature.ts) and
 * what is verified (proof/) can't be read differently.
 *
 * Sources: draft-cavage-http-signatures-12 section 4.1 (`keyId="…",signature="…"`) and RFC 8941 section 3.2, as far as RFC 9421
 * section 4.1 uses it (`sig1=("@method");keyid="…"`).
 * Not here: what the parameters mean, and which may stand twice.
 */

export interface SignatureLines {
  readonly authorization: readonly string[];
  readonly signature: readonly string[];
  readonly signatureInput: readonly string[];
}

/** Real lines have 300 to 900 characters; an RSA-4096 signature alone has 684. */
export const LINE_LENGTH_MAX = 8192;

const AUTHORIZATION_SCHEME = /^signature[ \t]+/i;
const BLANKS = /[ \t]*/y;
/** Up to what can end an unquoted value: a number, a token, `:base64:`. */
const BARE_ITEM = /[^ \t;,"()]*/y;
const PARAMETER_NAME = /[A-Za-z*][A-Za-z0-9_.*-]*/y;

/** @param value as it stands, with its quotes; undefined for a parameter without one */
type OnParameter = (name: string, value: string | undefined) => void;

interface InputVisitor {
  /** A new signature. @param list its inner list, with the parentheses; not looked into */
  readonly onSignature: (label: string, list: string) => void;
  /** Of the signature before it. */
  readonly onParameter: OnParameter;
}

/** @returns what stands behind the scheme of an Authorization line; undefined for other schemes */
export function signatureCredentials(line: string): string | undefined {
  const scheme = AUTHORIZATION_SCHEME.exec(line)?.[0];
  return scheme === undefined ? undefined : line.slice(scheme.length);
}

/**
 * `name=value, name="value"`: the draft's parameters, and the dictionary in RFC 9421's Signature.
 *
 * @returns false: the line can't be read, and what was visited counts for nothing. Linear in the line.
 */
export function readParameters(line: string, onParameter: OnParameter): boolean {
  for (let at = skip(BLANKS, line, 0); ; at = skip(BLANKS, line, at + 1)) {
    const equals = skip(PARAMETER_NAME, line, at);
    if (equals === at || line[equals] !== "=") return false;
    const end = valueEnd(line, equals + 1);
    if (end === -1) return false;
    onParameter(line.slice(at, equals), line.slice(equals + 1, end));
    at = skip(BLANKS, line, end);
    if (line[at] !== ",") return at === line.length;
  }
}

/**
 * RFC 9421's Signature-Input: a dictionary of inner lists with parameters.
 *
 * @returns false: the line can't be read, and what was visited counts for nothing. Linear in the line.
 */
export function readSignatureInput(line: string, { onSignature, onParameter }: InputVisitor): boolean {
  for (let at = skip(BLANKS, line, 0); ; at = skip(BLANKS, line, at + 1)) {
    const equals = skip(PARAMETER_NAME, line, at);
    if (equals === at || line[equals] !== "=" || line[equals + 1] !== "(") return false;
    const listEnd = innerListEnd(line, equals + 2);
    if (listEnd === -1) return false;
    onSignature(line.slice(at, equals), line.slice(equals + 1, listEnd));
    at = listEnd;
    while (line[at] === ";") {
      const nameAt = skip(BLANKS, line, at + 1);
      const nameEnd = skip(PARAMETER_NAME, line, nameAt);
      if (nameEnd === nameAt) return false;
      const hasValue = line[nameEnd] === "=";
      const end = hasValue ? valueEnd(line, nameEnd + 1) : nameEnd;
      if (end === -1) return false;
      onParameter(line.slice(nameAt, nameEnd), hasValue ? line.slice(nameEnd + 1, end) : undefined);
      at = end;
    }
    at = skip(BLANKS, line, at);
    if (line[at] !== ",") return at === line.length;
  }
}

/** The text of a value: of a quoted string without quotes and escapes, of all else as it stands. */
export function unquote(value: string): string {
  if (!isQuoted(value)) return value;
  const text = value.slice(1, -1);
  return text.includes("\\") ? text.replaceAll(/\\(.)/g, "$1") : text;
}

/** @param value as the reader gives it, so a quote at its start has a partner at its end */
export function isQuoted(value: string): boolean {
  return value.startsWith('"');
}

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

/** Behind the value that begins at `at`: a quoted string with its quotes, or a bare item. -1: no end. */
function valueEnd(line: string, at: number): number {
  if (line[at] !== '"') return skip(BARE_ITEM, line, at);
  // Hardly any string has an escape, and most of a line is one: a signature.
  const quote = line.indexOf('"', at + 1);
  if (quote === -1 || !line.slice(at + 1, quote).includes("\\")) return quote === -1 ? -1 : quote + 1;
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
