/**
 * What a row of the conformance tables is, and the requests they are made of.
 *
 * A row is data: the same rows run against the sidecar in this process (requests.test.ts) and against real nginx and
 * haproxy (test/real/conformance.test.ts), and stand in docs/conformance.md.
 */

/** One thing that a client sends, and all that may come of it. */
export interface RequestRow {
  /** Unique; a row of docs/conformance.md. */
  readonly name: string;
  /** What goes wrong where this is let through. */
  readonly why: string;
  /** The RFC's section, and the advisory where there is one. */
  readonly source: string;
  /** As sent, latin1. */
  readonly bytes: string;
  /** Requests that reach the upstream, as "METHOD path", in order; each is answered 200. */
  readonly reaches: readonly string[];
  /** The sidecar's own answer, after those; the connection closes with it. */
  readonly refusal?: number;
  /** It stays open behind the refusal: what follows is beyond doubt. */
  readonly isOpen?: true;
  /** The connection closes though nothing was refused. */
  readonly isLast?: true;
  /** Bytes that must reach the upstream as they stand here. */
  readonly arrives?: string;
  /** Bytes that must not reach the upstream; letter case aside. */
  readonly never?: string;
}

export const HOST = "Host: own.test\r\n";

/** What an attacker would like the upstream to take for a request of its own. */
export const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`;

/** The request that follows in honest rows. */
export const NEXT = `GET /next HTTP/1.1\r\n${HOST}\r\n`;

/** `POST /x` with more header lines, and what follows its head. */
export function post(lines: readonly string[], rest = ""): string {
  return `POST /x HTTP/1.1\r\n${HOST}${lines.map((line) => `${line}\r\n`).join("")}\r\n${rest}`;
}

/** `GET /x` with more header lines. */
export function get(...lines: readonly string[]): string {
  return `GET /x HTTP/1.1\r\n${HOST}${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

/** `POST /x` whose chunked body is these bytes. */
export function chunked(body: string): string {
  return post(["Transfer-Encoding: chunked"], body);
}
