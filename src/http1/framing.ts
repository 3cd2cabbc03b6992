/**
 * How long a body is, as one number: 0 or more bytes, `CHUNKED`, or `UNTIL_CLOSE`.
 *
 * Source: RFC 9112 section 6.3, read strictly: whatever it lets a recipient repair is refused here, since the
 * next recipient may repair it another way.
 */

export const CHUNKED = -1;
/** Responses only: the body ends where the connection does. */
export const UNTIL_CLOSE = -2;

/** 999,999,999,999,999 bytes: below 2^53, so the number is exact. */
const LENGTH_DIGITS_MAX = 15;

/** Codings of one value that are looked at; a list has no good outcome, so its rest is not read. */
const CODINGS_READ_MAX = 16;

/** Content-Length's value, or undefined where it isn't 1 to 15 decimal digits. Signs, lists and 0x are not. */
export function parseContentLength(value: string): number | undefined {
  if (value.length === 0 || value.length > LENGTH_DIGITS_MAX) return undefined;
  let length = 0;
  for (let index = 0; index < value.length; index++) {
    const digit = value.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    length = length * 10 + digit;
  }
  return length;
}

/**
 * Whether a valid Content-Length line stands as every server reads it: one space, and a number without zeros before it
 * (octal to some) or white space behind it. Such a line passes as it came; any other is written anew.
 *
 * @param colon and `next`: as in a mark (fields.ts)
 */
export function isPlainLength(text: string, colon: number, next: number): boolean {
  const first = text.charCodeAt(colon + 2);
  const last = text.charCodeAt(next - 3);
  const isAlone = next - colon === ": 0\r\n".length;
  const isNumber =
    last >= 0x30 && last <= 0x39 && first <= 0x39 && (first > 0x30 || (first === 0x30 && isAlone));
  return isNumber && text.charCodeAt(colon + 1) === 0x20;
}

/** The same for Transfer-Encoding: a server that compares " chunked" byte by byte sees no body behind "\tChunked ". */
export function isPlainCoding(text: string, colon: number, next: number): boolean {
  return next - colon === ": chunked\r\n".length && text.startsWith(" chunked", colon + 1);
}

/** "chunked" alone is known; a list that ends in it may be valid HTTP, but its other codings are not known. */
export function parseTransferEncoding(value: string): "chunked" | "unknown" | "malformed" {
  if (value.toLowerCase() === "chunked") return "chunked";
  const codings = value.split(",", CODINGS_READ_MAX).map((coding) => coding.trim().toLowerCase());
  if (codings.includes("") || codings.filter((coding) => coding === "chunked").length > 1) return "malformed";
  return "unknown";
}
