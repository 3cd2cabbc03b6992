/**
 * A response's head: from one latin1 string to offsets and a framing, or to nothing.
 *
 * As strict as for requests: a response that two parsers could read differently lets one client's answer
 * become another's (response splitting, queue poisoning: CWE-113, CWE-444), so it is refused and the
 * upstream's connection is closed.
 *
 * Source: RFC 9112 sections 4 and 6.3.
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
import { CHUNKED, parseContentLength, parseTransferEncoding, UNTIL_CLOSE } from "./framing.ts";

export interface ResponseHead {
  /** All of the head as received, with the empty line. */
  readonly text: string;
  readonly status: number;
  readonly isHttp10: boolean;
  readonly fieldsAt: number;
  readonly marks: Marks;
  /** Bytes, `CHUNKED` or `UNTIL_CLOSE`; 0 where the status or the request's method allows no body. */
  readonly bodyLength: number;
  readonly connection: ConnectionOptions;
  /** Seconds that the upstream keeps an idle connection, where `Keep-Alive: timeout=` says so. */
  readonly keepAliveSeconds: number | undefined;
}

const HEAD_START = "HTTP/1.";
/** That, behind the empty lines that are let through (head-buffer.ts). */
const BEGINNING_BYTES = HEAD_START.length + 4;

/** The reason phrase may be missing with its space, as some servers send it (RFC 9112 section 4). */
const RESPONSE_HEAD = new RegExp(
  `^HTTP/1\\.[01] [1-9][0-9]{2}(?: [\\t\\x20-\\x7e\\x80-\\xff]*)?\\r\\n${FIELD_LINES}$`,
);
const KEEP_ALIVE_TIMEOUT = /(?:^|[,; ])timeout=([0-9]{1,6})/i;

/**
 * @param text one head that ends in CRLF CRLF
 * @param method of the request: the answer to HEAD has no body
 * @param linesMax `limits.headers`
 */
export function parseResponseHead(
  text: string,
  method: string,
  table: FieldTable,
  linesMax: number,
): ResponseHead | undefined {
  if (!RESPONSE_HEAD.test(text)) return undefined;
  const fieldsAt = text.indexOf("\r") + 2;
  const marks: Marks = [];
  if (scanFields(text, fieldsAt, table, marks) > linesMax) return undefined;
  const status = Number(text.slice(9, 12));
  const isHttp10 = text.charCodeAt(7) === 0x30;

  let length: number | undefined;
  let isChunked = false;
  let connection: string[] | undefined;
  let keepAliveSeconds: number | undefined;
  for (let index = 0; index < marks.length; index += MARK_SIZE) {
    switch (marks[index]) {
      case FIELD.CONTENT_LENGTH:
        if (length !== undefined) return undefined;
        length = parseContentLength(fieldValue(text, marks, index));
        if (length === undefined) return undefined;
        break;
      case FIELD.TRANSFER_ENCODING:
        if (isChunked || isHttp10) return undefined;
        if (parseTransferEncoding(fieldValue(text, marks, index)) !== "chunked") return undefined;
        isChunked = true;
        break;
      case FIELD.CONNECTION:
        (connection ??= []).push(fieldValue(text, marks, index));
        break;
      case FIELD.KEEP_ALIVE:
        keepAliveSeconds = parseKeepAlive(fieldValue(text, marks, index));
        break;
    }
  }
  if (isChunked && length !== undefined) return undefined;
  if (isNeverFramed(status) && (isChunked || (length ?? 0) > 0)) return undefined;
  const options = connection === undefined ? NO_OPTIONS : parseConnection(connection);
  if (options === undefined) return undefined;
  return {
    text,
    status,
    isHttp10,
    fieldsAt,
    marks,
    bodyLength: isBodiless(status, method) ? 0 : isChunked ? CHUNKED : (length ?? UNTIL_CLOSE),
    connection: options,
    keepAliveSeconds,
  };
}

/**
 * Whether what begins at `from` may yet become the head of a response. What speaks another protocol (a TLS alert, a greeting)
 * never sends a head's end, and would hold its client until the time limit.
 */
export function mayBeResponseHead(bytes: Buffer, from: number): boolean {
  const text = bytes.toString("latin1", from, from + BEGINNING_BYTES).replace(/^(?:\r\n)*\r?/, "");
  return HEAD_START.startsWith(text.slice(0, HEAD_START.length));
}

/** RFC 9112 section 6.3, rule 1. */
function isBodiless(status: number, method: string): boolean {
  return isNeverFramed(status) || status === 304 || method === "HEAD";
}

/**
 * Neither Content-Length nor Transfer-Encoding may stand in these (RFC 9110 section 8.6, RFC 9112 section 6.1), and
 * a client that believes them waits for a body that never comes, or takes the next answer for it. The length 0,
 * which some servers send with a 204, says nothing else.
 */
function isNeverFramed(status: number): boolean {
  return status < 200 || status === 204;
}

function parseKeepAlive(value: string): number | undefined {
  const seconds = KEEP_ALIVE_TIMEOUT.exec(value)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}
