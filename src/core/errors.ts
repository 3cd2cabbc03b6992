/**
 * Every error this program raises on purpose, and the only file that names one.
 *
 * Callers branch on `code`, never on `message`. A code is public: it is the `errcode` of the JSON body that
 * a peer gets (with the prefix `FEDTRACE_`), the `error.type` attribute of the span and a section of
 * docs/errors.md; test/architecture.test.ts fails when one of these lists has what another lacks.
 */

/** Code, and the HTTP status that the client gets (0: no answer can be given, or none is owed). */
export const ERROR_STATUS = {
  BODY_TIMEOUT: 408,
  CLIENT_ABORTED: 0,
  COLLECTOR_BUSY: 503,
  COLLECTOR_FULL: 507,
  CONFIG_INVALID: 0,
  CONNECTIONS_FULL: 503,
  DISCOVERY_FAILED: 502,
  DRAINING: 503,
  FORM_UNSUPPORTED: 501,
  HEAD_TIMEOUT: 408,
  HEAD_TOO_LARGE: 431,
  INTERNAL: 500,
  LISTEN_FAILED: 0,
  METHOD_REFUSED: 405,
  PATH_UNKNOWN: 404,
  PEER_CONNECTIONS_FULL: 503,
  PROXY_SECRET_WRONG: 407,
  QUERY_MALFORMED: 400,
  RATE_LIMITED: 429,
  READER_REFUSED: 403,
  REPORT_MALFORMED: 400,
  REPORT_TOO_LARGE: 413,
  REPORT_TYPE_UNKNOWN: 415,
  REQUEST_MALFORMED: 400,
  STORAGE_AWAY: 503,
  TARGET_REFUSED: 403,
  TOKEN_WRONG: 401,
  TRANSFER_CODING_UNKNOWN: 501,
  TUNNEL_IDLE: 0,
  UPSTREAM_CLOSED: 502,
  UPSTREAM_FULL: 503,
  UPSTREAM_MALFORMED: 502,
  UPSTREAM_REFUSED: 502,
  UPSTREAM_TIMEOUT: 504,
  UPSTREAM_TLS_FAILED: 502,
  UPSTREAM_UNTRUSTED: 502,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

/** Names, sizes and durations only: no header value, no query string, no key. */
export type Facts = Readonly<Record<string, string | number>>;

export class FedtraceError extends Error {
  override readonly name = "FedtraceError";
  readonly code: ErrorCode;
  /** For the log line. */
  readonly facts: Facts;

  constructor(code: ErrorCode, message: string, facts: Facts = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.facts = facts;
  }
}
