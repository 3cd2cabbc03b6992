/**
 * What the sidecar itself answers: one line of JSON with the error's public code and a sentence.
 *
 * The form is Matrix's standard error response
 * (https://spec.matrix.org/v1.11/client-server-api/#standard-error-response), so that a homeserver logs it as it
 * logs its peers' errors. No answer names a trace: whoever reads it may be a stranger.
 */

import { ERROR_STATUS, type ErrorCode } from "../core/errors.ts";

const REASON: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  413: "Content Too Large",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** The sentence of each code that needs no more said. */
const SENTENCE: Partial<Record<ErrorCode, string>> = {
  BODY_TIMEOUT: "no byte of the request's body came within limits.body_timeout",
  CONNECTIONS_FULL: "as many connections are open as limits.connections allows",
  DISCOVERY_FAILED: "the target could not be found",
  DRAINING: "the sidecar is stopping",
  HEAD_TIMEOUT: "the request's head did not come within limits.head_timeout",
  INTERNAL: "the sidecar met a fault of its own",
  PEER_CONNECTIONS_FULL: "as many connections of this client are open as limits.connections_per_peer allows",
  PROXY_SECRET_WRONG: "Proxy-Authorization does not carry outbound.shared_secret as a Bearer token",
  UPSTREAM_CLOSED: "the upstream closed the connection before it answered",
  UPSTREAM_FULL:
    "the upstream has as many connections as limits.upstream_connections allows, and none came free",
  UPSTREAM_MALFORMED: "the upstream's answer is not valid HTTP/1.1",
  UPSTREAM_REFUSED: "the upstream can't be reached",
  UPSTREAM_TIMEOUT: "the upstream did not answer in time",
  UPSTREAM_TLS_FAILED: "no TLS connection to the target could be made",
  UPSTREAM_UNTRUSTED: "the target's certificate is not trusted or not for its name",
};

/** Of the body in what `formatAnswer` made. */
export function answerBytes(text: string): number {
  return text.length - text.indexOf("\r\n\r\n") - 4;
}

/** Room is a matter of moments; a client that is told so need not guess. */
const RETRY_AFTER: ReadonlySet<ErrorCode> = new Set(["CONNECTIONS_FULL", "PEER_CONNECTIONS_FULL"]);

export interface Answer {
  readonly code: ErrorCode;
  /** Where the code's own sentence would say too little. */
  readonly sentence?: string | undefined;
  /** A word about the failure, for the log alone. */
  readonly detail?: string | undefined;
}

/**
 * A whole response as latin1 text.
 *
 * @param isLast whether the connection closes behind it
 * @param isHead whether it answers HEAD, so that its body stays away
 */
export function formatAnswer(answer: Answer, isLast: boolean, isHead: boolean): string {
  const status = ERROR_STATUS[answer.code] || ERROR_STATUS.INTERNAL;
  const error = answer.sentence ?? SENTENCE[answer.code] ?? REASON[status] ?? "";
  const body = JSON.stringify({ errcode: `FEDTRACE_${answer.code}`, error });
  return (
    `HTTP/1.1 ${status} ${REASON[status] ?? "Error"}\r\n` +
    "content-type: application/json\r\n" +
    `content-length: ${body.length}\r\n` +
    (status === ERROR_STATUS.PROXY_SECRET_WRONG
      ? 'proxy-authenticate: Bearer\r\nproxy-authenticate: Basic realm="fedtrace"\r\n'
      : "") +
    (RETRY_AFTER.has(answer.code) ? "retry-after: 1\r\n" : "") +
    (isLast ? "connection: close\r\n" : "") +
    `\r\n${isHead ? "" : body}`
  );
}
