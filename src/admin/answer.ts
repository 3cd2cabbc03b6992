/** What a path of the admin listener is asked and what it answers; the words that its routes and its server share. */

/** One request, as far as a route needs it. */
export interface AdminRequest {
  /** What stood at each `{name}` of the route's pattern, percent-decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Of the request's header lines; names in lower case. */
  readonly header: (name: string) => string | undefined;
}

/** What of it is there before a route is found. */
export interface Asked extends Omit<AdminRequest, "parameters"> {
  /** Without its query. */
  readonly path: string;
}

export interface AdminAnswer {
  readonly status: number;
  readonly type: string;
  /**
   * Pieces are written as they come, each waiting for the reader: what is long must not be held, or made, at once. An array is all of
   * it, text in UTF-8: joining a megabyte of strings would hold the event loop for some milliseconds. A buffer is not text.
   */
  readonly body: string | Buffer | readonly Buffer[] | AsyncIterable<string>;
  /** Beside those that every answer has; names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AdminRoute {
  /** `/api/traces/{id}`: a `{name}` is one whole segment, and not empty. */
  readonly pattern: string;
  /** Never throws or rejects for what is in the request. */
  readonly answer: (request: AdminRequest) => AdminAnswer | Promise<AdminAnswer>;
}

/** What the pieces of a body reject with when the rest of it is no more to be had; no fault: the reader was too slow. */
export class AnswerGone extends Error {}

/** @param sentence what is wrong, and what is allowed */
export function refusal(status: number, sentence: string): AdminAnswer {
  return jsonAnswer(status, { error: sentence });
}

export function jsonAnswer(status: number, value: unknown): AdminAnswer {
  return { status, type: "application/json", body: `${JSON.stringify(value)}\n` };
}
