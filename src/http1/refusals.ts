/**
 * Why a request is refused before anything of it is forwarded: one row a reason, with the answer's status
 * (by the error code) and its sentence.
 *
 * Each row is something that RFC 9112 calls invalid, or that two parsers on one connection could read
 * differently (request smuggling: CWE-444). The connection is closed after each of them, because the bytes
 * that follow can't be trusted to start a request.
 */

import type { ErrorCode } from "../core/errors.ts";

interface RefusalRow {
  readonly code: ErrorCode;
  readonly sentence: string;
}

export const REQUEST_REFUSALS = {
  "bare-line-end": {
    code: "REQUEST_MALFORMED",
    sentence: "a line ends in LF or CR alone; lines end in CRLF (RFC 9112 section 2.2)",
  },
  "request-line": {
    code: "REQUEST_MALFORMED",
    sentence: "the request line is not METHOD SP target SP HTTP/1.1 (RFC 9112 section 3)",
  },
  version: {
    code: "REQUEST_MALFORMED",
    sentence: "the protocol version is not HTTP/1.0 or HTTP/1.1 (RFC 9112 section 2.3)",
  },
  target: {
    code: "REQUEST_MALFORMED",
    sentence: "the request target has a form or a character that is not allowed (RFC 9112 section 3.2)",
  },
  field: {
    code: "REQUEST_MALFORMED",
    sentence:
      "a header line is not name:value with a token as name and no control character (RFC 9112 section 5)",
  },
  "folded-field": {
    code: "REQUEST_MALFORMED",
    sentence: "a header line is folded; obs-fold is not allowed (RFC 9112 section 5.2)",
  },
  "host-missing": { code: "REQUEST_MALFORMED", sentence: "there is no Host (RFC 9112 section 3.2)" },
  "host-repeated": {
    code: "REQUEST_MALFORMED",
    sentence: "there is more than one Host (RFC 9112 section 3.2)",
  },
  host: { code: "REQUEST_MALFORMED", sentence: "Host is not host or host:port (RFC 9110 section 7.2)" },
  "host-differs": {
    code: "REQUEST_MALFORMED",
    sentence: "Host differs from the authority of the target (RFC 9112 section 3.2.2)",
  },
  "content-length": {
    code: "REQUEST_MALFORMED",
    sentence: "Content-Length is not one decimal number (RFC 9112 section 6.3)",
  },
  "content-length-repeated": {
    code: "REQUEST_MALFORMED",
    sentence: "there is more than one Content-Length (RFC 9112 section 6.3)",
  },
  "length-and-coding": {
    code: "REQUEST_MALFORMED",
    sentence: "Content-Length stands beside Transfer-Encoding (RFC 9112 section 6.1)",
  },
  "coding-repeated": {
    code: "REQUEST_MALFORMED",
    sentence: "Transfer-Encoding is repeated, empty or applies chunked twice (RFC 9112 section 6.1)",
  },
  "coding-version": {
    code: "REQUEST_MALFORMED",
    sentence: "Transfer-Encoding in an HTTP/1.0 request (RFC 9112 section 6.1)",
  },
  "body-version": {
    code: "REQUEST_MALFORMED",
    sentence: "a body in an HTTP/1.0 GET, HEAD or DELETE, where it has no meaning (RFC 1945 section 8)",
  },
  coding: {
    code: "TRANSFER_CODING_UNKNOWN",
    sentence: "the only transfer coding known here is chunked (RFC 9112 section 6.1)",
  },
  connection: {
    code: "REQUEST_MALFORMED",
    sentence: "Connection names a header that a proxy must not drop, or too many (RFC 9110 section 7.6.1)",
  },
  chunk: {
    code: "REQUEST_MALFORMED",
    sentence: "a chunk's size, extension or end is malformed (RFC 9112 section 7.1)",
  },
  trailer: { code: "REQUEST_MALFORMED", sentence: "a trailer line is malformed (RFC 9112 section 7.1.2)" },
  "head-size": { code: "HEAD_TOO_LARGE", sentence: "the head or trailer is larger than limits.head" },
  "head-lines": { code: "HEAD_TOO_LARGE", sentence: "there are more header lines than limits.headers" },
} as const satisfies Record<string, RefusalRow>;

export type RequestRefusal = keyof typeof REQUEST_REFUSALS;
