/** The requests of the response rows, and what a client makes of their answers. */

import { readAnswers } from "./client-view.ts";
import { HOST } from "./row.ts";
import type { ResponseRow } from "./response-row.ts";

/** Answered with `second`, whatever came before it. */
export const SECOND_REQUEST = `GET /second HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`;

/** The row's request; its answer is the script's. */
export function requestOf({ method, isHttp10 }: ResponseRow, more = ""): string {
  return `${method ?? "GET"} /row HTTP/1.${isHttp10 === true ? "0" : "1"}\r\n${HOST}${more}\r\n`;
}

interface SeenResponse {
  /** 0 where there is none. */
  readonly status: number;
  /** Up to the body; "" where none came. */
  readonly head: string;
  readonly body: string;
  readonly end: "whole" | "cut";
  /** What came behind the answer: nothing may. */
  readonly behind: string;
}

/**
 * What a client that reads to the connection's end sees of one answer.
 *
 * @param isReset whether the connection broke instead of ending
 */
export function seenBy(row: ResponseRow, received: string, isReset: boolean): SeenResponse {
  const { answers, rest } = readAnswers(received, [row.method ?? "GET"]);
  const [answer] = answers;
  if (answer !== undefined) {
    const { status, head, body } = answer;
    const more = answers.slice(1).map((extra) => extra.head + extra.body);
    return { status, head, body, end: "whole", behind: more.join("") + rest };
  }
  const headEnd = rest.indexOf("\r\n\r\n") + 4;
  const head = headEnd === 3 ? "" : rest.slice(0, headEnd);
  const isFramed = /^(?:content-length|transfer-encoding):/im.test(head);
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? 0);
  const end = isReset || isFramed || head === "" ? "cut" : "whole";
  return { status, head, body: rest.slice(head.length), end, behind: "" };
}
