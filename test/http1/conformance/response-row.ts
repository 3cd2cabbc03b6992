/** What a row about responses is, and what many of them share. */

export interface ResponseRow {
  readonly name: string;
  readonly why: string;
  readonly source: string;
  /** GET unless said otherwise. */
  readonly method?: "HEAD";
  /** The client's version; HTTP/1.1 unless said otherwise. */
  readonly isHttp10?: true;
  /** What the upstream sends, one piece after the other, latin1. */
  readonly sends: readonly string[];
  /** What it does then; it keeps the connection open unless said otherwise. */
  readonly closing?: "end" | "reset";
  /** Sent when the response is over and its connection rests. */
  readonly late?: string;
  readonly seen: Seen;
  /** Whether the upstream's connection serves the next request. */
  readonly isReused: boolean;
}

export interface Seen {
  readonly status: number;
  /** As it stands on the wire, framing included; a cut one as far as it must have come. */
  readonly body?: string;
  /** A cut answer must not look whole: by its framing, or by a reset where it has none. */
  readonly end: "whole" | "cut";
}

export const OK = "HTTP/1.1 200 OK\r\n";

/** What an attacker would like the next client to get. */
export const POISON = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";

/** The sidecar's own answer in the upstream's place. */
export const REFUSED: Seen = { status: 502, end: "whole" };
