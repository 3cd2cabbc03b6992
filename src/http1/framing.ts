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

/** "chunked" alone is known; a list that ends in it may be valid HTTP, but its other codings are not known. */
export function parseTransferEncoding(value: string): "chunked" | "unknown" | "malformed" {
  if (value.toLowerCase() === "chunked") return "chunked";
  const codings = value.split(",", CODINGS_READ_MAX).map((coding) => coding.trim().toLowerCase());
  if (codings.includes("") || codings.filter((coding) => coding === "chunked").length > 1) return "malformed";
  return "unknown";
}
