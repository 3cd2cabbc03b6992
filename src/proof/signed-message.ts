/**
 * What a signature is checked against: a request as it arrived, and its parts in the forms that both specifications sign.
 *
 * Sources: draft-cavage-http-signatures-12 section 2.3 and RFC 9421 section 2.1 (fields), RFC 9110 section 5.6.7 (dates).
 * Not here: which parts must be signed (cavage.ts, message-signature.ts), and the signature (http-signature.ts).
 */

import { parseServerName, type ServerName } from "../peer/server-name.ts";

/** Texts are latin1, as they arrived. */
export interface SignedMessage {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  /** By which the sender reached this server: behind a proxy that ends TLS still "https". */
  readonly scheme: "http" | "https";
  /** Value of Host, as sent. */
  readonly authority: string;
  /** Values of all lines of that name, as they came. @param name in lower case */
  header(name: string): readonly string[];
  /**
   * Whether a Host names this server. Without that, whoever was ever sent a signed request could hand it on to this server, and
   * be taken for its sender.
   */
  isOwn(host: ServerName): boolean;
}

/** One signature, as far as it can be read without its key. */
export interface ReadSignature {
  readonly keyId: string;
  /** As sent; undefined where nothing is said. */
  readonly algorithm: string | undefined;
  /** Whether it covers what makes it a signature of this request: method, whole target, host, and a time. */
  readonly isBound: boolean;
  /** Names of the digests that it covers: "digest", "content-digest". */
  readonly digests: readonly string[];
  /** When it was made, as each part that says so and is covered has it; undefined: can't be read. Milliseconds. */
  readonly madeMs: readonly (number | undefined)[];
  /** Undefined: nothing is said. NaN: can't be read. */
  readonly expiresMs: number | undefined;
  /** The text that is signed, latin1. */
  readonly base: string;
  readonly signature: Buffer;
}

/**
 * Why one signature can't be read. "syntax": a parameter is missing or unreadable; "duplicate": a parameter, a label or a component
 * stands twice; "component": one that this message lacks, that is unknown, or one too many; "algorithm": parameters that the
 * algorithm forbids.
 */
export type ReadRefusal = "syntax" | "duplicate" | "component" | "algorithm";

/** Components of one signature. Real ones cover 3 to 8; a head has at most 200 lines. */
export const COMPONENTS_MAX = 32;

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** Seconds since 1970, up to the year 33658: more can't be added to without loss. */
const UNIX_SECONDS = /^[0-9]{1,12}$/;
const IMF_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT$/;

/** All lines of a field as one value: each without blanks around it, joined by ", ". @returns undefined without a line */
export function fieldOf(message: SignedMessage, name: string): string | undefined {
  const lines = message.header(name);
  return lines.length === 0 ? undefined : lines.map(trimBlanks).join(", ");
}

/** By hand: `trim` takes U+00A0 away too, which is a byte of a value here, and an expression looks twice at each blank. */
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text[start])) start++;
  while (end > start && isBlank(text[end - 1])) end--;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === " " || character === "\t";
}

/** Whether a body is announced; a length that can't be read counts as one. */
export function hasBody(message: SignedMessage): boolean {
  if (message.header("transfer-encoding").length > 0) return true;
  return message.header("content-length").some((length) => !/^[ \t]*0+[ \t]*$/.test(length));
}

/** Host in one form for all its spellings: in lower case, without the port that the scheme means anyway (RFC 9421 section 2.2.3). */
export function authorityOf({ authority, scheme }: SignedMessage): string {
  return authority.toLowerCase().replace(scheme === "https" ? /:443$/ : /:80$/, "");
}

export function isSentToUs(message: SignedMessage): boolean {
  const host = parseServerName(authorityOf(message));
  return host !== undefined && message.isOwn(host);
}

/** @returns undefined for what is not Base64 with or without its padding */
export function readBase64(text: string): Buffer | undefined {
  return BASE64.test(text) ? Buffer.from(text, "base64") : undefined;
}

/** @returns milliseconds; NaN for what is no whole number of seconds since 1970 */
export function readUnixSeconds(text: string): number {
  return UNIX_SECONDS.test(text) ? Number(text) * 1000 : Number.NaN;
}

/** The one form that servers may send (RFC 9110 section 5.6.7). @returns milliseconds, or undefined */
export function readDate(text: string): number | undefined {
  const ms = IMF_DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
