/**
 * A request's head: from one latin1 string to offsets and a framing, or to the reason why it is refused.
 *
 * One regular expression checks every byte of the head (method, target, names, values, line ends); only then
 * are lines looked at, so the code below never meets a malformed one. The expression has no ambiguity between
 * neighbours, so it is linear in the head. A head that fails is read again, slowly, to name the fault.
 *
 * Source: RFC 9112 sections 2 to 7, RFC 9110 sections 5 to 7.
 * Not here: trust, tracing and forwarding, which see a head only through its marks.
 */

import { type ConnectionOptions, NO_OPTIONS, parseConnection } from "./connection-options.ts";
import {
  FIELD,
  FIELD_LINES,
  type FieldTable,
  fieldValue,
  MARK_SIZE,
  type Marks,
  scanFields,
} from "./fields.ts";
import { TOKEN_CLASS } from "./fields.ts";
import { CHUNKED, parseContentLength, parseTransferEncoding } from "./framing.ts";
import type { RequestRefusal } from "./refusals.ts";

export interface RequestHead {
  /** All of the head as received, with the empty line; latin1, one character a byte. */
  readonly text: string;
  readonly method: string;
  /** As received. */
  readonly target: string;
  readonly isHttp10: boolean;
  /** Where the first header line starts in `text`. */
  readonly fieldsAt: number;
  readonly marks: Marks;
  /** As received; "" only in HTTP/1.0 requests without one. */
  readonly host: string;
  /** Bytes, or `CHUNKED`. */
  readonly bodyLength: number;
  readonly connection: ConnectionOptions;
  /**
   * There are a body and an Expect line, whatever it says. A server that knows Expect badly may answer at once and take the body for
   * the next request, as which it would be answered to somebody else (0.CL, https://portswigger.net/research/http1-must-die).
   */
  readonly hasExpectedBody: boolean;
}

/** RFC 9110 section 9.1 sets no bound; the longest registered method has 17 letters. */
const METHOD_LENGTH_MAX = 32;

/** Visible ASCII but "#": a fragment never travels, and parsers differ on it (CVE-2023-45539). */
const TARGET = "[!\\x22\\x24-\\x7e]+";
const REQUEST_HEAD = new RegExp(
  `^[${TOKEN_CLASS}]{1,${METHOD_LENGTH_MAX}} ${TARGET} HTTP/1\\.[01]\\r\\n${FIELD_LINES}$`,
);
const REQUEST_LINE = new RegExp(`^[${TOKEN_CLASS}]{1,${METHOD_LENGTH_MAX}} ${TARGET} HTTP/1\\.[01]$`);
/** A request line that is as it should be but for its target. */
const TARGET_AT_FAULT = new RegExp(`^[${TOKEN_CLASS}]{1,${METHOD_LENGTH_MAX}} [^ ]+ HTTP/1\\.[01]$`);
/** An IPv6 literal in brackets, or a name (RFC 3986 section 3.2.2, without percent-encoding). */
const NAME = "(?:[A-Za-z0-9._~-]+|\\[[0-9A-Fa-f:.]+\\])";
export const HOST = new RegExp(`^${NAME}(?::[0-9]{1,5})?$`);
/** CONNECT names its port (RFC 9110 section 9.3.6). */
const AUTHORITY_FORM = new RegExp(`^${NAME}:[0-9]{1,5}$`);
/** Old servers take the body of these for the next request where the version is 1.0 (haproxy refuses it too). */
const BODILESS_IN_HTTP10: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE"]);
const ABSOLUTE_FORM = new RegExp(`^[A-Za-z][A-Za-z0-9+.-]*://${NAME}(?::[0-9]{1,5})?(?:[/?]|$)`);

/**
 * @param text one head that ends in CRLF CRLF, and holds no CRLF CRLF before
 * @param linesMax `limits.headers`
 * @returns the head, or the word of the table in refusals.ts. Never throws.
 */
export function parseRequestHead(
  text: string,
  table: FieldTable,
  linesMax: number,
): RequestHead | RequestRefusal {
  if (!REQUEST_HEAD.test(text)) return explainRefusal(text);
  const methodEnd = text.indexOf(" ");
  const targetEnd = text.indexOf(" ", methodEnd + 1);
  const fieldsAt = text.indexOf("\r", targetEnd) + 2;
  const marks: Marks = [];
  if (scanFields(text, fieldsAt, table, marks) > linesMax) return "head-lines";
  const method = text.slice(0, methodEnd);
  const target = text.slice(methodEnd + 1, targetEnd);
  if (!isTargetFor(method, target)) return "target";
  return withFraming({
    text,
    method,
    target,
    fieldsAt,
    marks,
    isHttp10: text.charCodeAt(fieldsAt - 3) === 0x30,
  });
}

type Lines = Pick<RequestHead, "text" | "method" | "target" | "fieldsAt" | "marks" | "isHttp10">;

/** Reads the few fields that decide where the body ends and what becomes of the connection. */
function withFraming(lines: Lines): RequestHead | RequestRefusal {
  const { text, marks, isHttp10 } = lines;
  let host: string | undefined;
  let length: number | undefined;
  let isChunked = false;
  let hasExpectation = false;
  let connection: string[] | undefined;
  for (let index = 0; index < marks.length; index += MARK_SIZE) {
    switch (marks[index]) {
      case FIELD.HOST:
        if (host !== undefined) return "host-repeated";
        host = fieldValue(text, marks, index);
        if (!HOST.test(host)) return "host";
        break;
      case FIELD.CONTENT_LENGTH:
        if (length !== undefined) return "content-length-repeated";
        length = parseContentLength(fieldValue(text, marks, index));
        if (length === undefined) return "content-length";
        break;
      case FIELD.TRANSFER_ENCODING: {
        if (isHttp10) return "coding-version";
        if (isChunked) return "coding-repeated";
        const coding = parseTransferEncoding(fieldValue(text, marks, index));
        if (coding !== "chunked") return coding === "unknown" ? "coding" : "coding-repeated";
        isChunked = true;
        break;
      }
      case FIELD.CONNECTION:
        (connection ??= []).push(fieldValue(text, marks, index));
        break;
      case FIELD.EXPECT:
        hasExpectation = true;
        break;
    }
  }
  if (isChunked && length !== undefined) return "length-and-coding";
  if (host === undefined && !isHttp10) return "host-missing";
  if (isHttp10 && length !== undefined && length > 0 && BODILESS_IN_HTTP10.has(lines.method))
    return "body-version";
  const options = connection === undefined ? NO_OPTIONS : parseConnection(connection);
  if (options === undefined) return "connection";
  return {
    text,
    method: lines.method,
    target: lines.target,
    isHttp10,
    fieldsAt: lines.fieldsAt,
    marks,
    host: host ?? "",
    bodyLength: isChunked ? CHUNKED : (length ?? 0),
    connection: options,
    hasExpectedBody: hasExpectation && (isChunked || (length ?? 0) > 0),
  };
}

/**
 * RFC 9112 section 3.2: authority-form is for CONNECT alone, asterisk-form for OPTIONS alone. An absolute-form's
 * authority is a Host's: user information is an error in a request (RFC 9110 section 4.2.4), and parsers differ on
 * where it ends.
 */
function isTargetFor(method: string, target: string): boolean {
  if (method === "CONNECT") return AUTHORITY_FORM.test(target);
  if (target.charCodeAt(0) === 0x2f) return true;
  return (target === "*" && method === "OPTIONS") || ABSOLUTE_FORM.test(target);
}

/** Which rule a head breaks that `REQUEST_HEAD` did not take. */
function explainRefusal(text: string): RequestRefusal {
  if (/(?:^|[^\r])\n|\r(?!\n)/.test(text)) return "bare-line-end";
  const lineEnd = text.indexOf("\r\n");
  const line = text.slice(0, lineEnd);
  if (!REQUEST_LINE.test(line)) {
    if (/ HTTP\/[0-9]+(?:\.[0-9]+)?$/.test(line) && !/ HTTP\/1\.[01]$/.test(line)) return "version";
    return TARGET_AT_FAULT.test(line) ? "target" : "request-line";
  }
  return /\r\n[ \t]/.test(text) ? "folded-field" : "field";
}
