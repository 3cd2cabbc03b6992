/**
 * What a proxy does with one row, and whether that is safe.
 *
 * A request is handled safely where all personalities of the lenient upstream find the same requests in what was
 * forwarded, none of them has bytes left over that would stand before somebody's next request, and the client was answered
 * exactly those requests. A response is, where the client gets one answer and nothing behind it, framed in one way; where
 * it can see that an answer is cut; and where the next request is answered with its own answer.
 */

import { setTimeout as pause } from "node:timers/promises";
import { readAnswers } from "../http1/conformance/client-view.ts";
import { beliefsOf, type LenientUpstream } from "../http1/conformance/lenient-upstream.ts";
import { PERSONALITIES, STRICT } from "../http1/conformance/personalities.ts";
import { requestOf, SECOND_REQUEST, seenBy } from "../http1/conformance/response-view.ts";
import type { RequestRow } from "../http1/conformance/row.ts";
import type { ResponseRow } from "../http1/conformance/response-row.ts";
import { methodsOf } from "../http1/conformance/run-row.ts";
import type { ScriptedUpstream } from "../http1/conformance/scripted-upstream.ts";
import { type RawClient, rawClient } from "../support/wire.ts";

export interface Verdict {
  readonly word: "refused" | "normalised" | "as is" | "passed" | "cut";
  readonly isSafe: boolean;
}

/** A proxy that waits for more is given this long; those that answer take a millisecond or two. */
const SILENCE_MS = 400;
/** Behind what was waited for: an answer too many would come at once. */
const AFTERMATH_MS = 15;

export async function judgeRequest(
  port: number,
  upstream: LenientUpstream,
  row: RequestRow,
): Promise<Verdict> {
  upstream.forget();
  const methods = methodsOf(row.reaches);
  const awaited = row.reaches.length + (row.refusal === undefined ? 0 : 1);
  const client = await rawClient(port);
  const answers = () => readAnswers(client.received(), methods).answers;
  client.send(row.bytes);
  await settle(client, () => answers().length >= awaited);
  client.socket.destroy();

  const received = upstream.received();
  const meant = beliefsOf(received, STRICT);
  const believed = PERSONALITIES.map((quirks) => beliefsOf(received, quirks));
  const answered = answers().flatMap(({ answers: belief }) => (belief === undefined ? [] : [belief]));
  const isSafe =
    String(answered) === String(meant.whole) &&
    believed.every(
      ({ whole, rest }) => String(whole) === String(meant.whole) && (meant.rest !== "" || rest === ""),
    );
  if (believed.every(({ whole }) => whole.length === 0)) return { word: "refused", isSafe };
  return { word: arrivesAsIs(row, received.join("")) ? "as is" : "normalised", isSafe };
}

export async function judgeResponse(
  port: number,
  upstream: ScriptedUpstream,
  row: ResponseRow,
): Promise<Verdict> {
  upstream.script = { sends: row.sends, closing: row.closing ?? "open" };
  const client = await rawClient(port);
  client.send(requestOf(row, "Connection: close\r\n"));
  let isReset = false;
  void client.closed().then((end) => {
    ({ isReset } = end);
  });
  await settle(client, () => false);
  const seen = seenBy(row, client.received(), isReset || !client.socket.closed);
  client.socket.destroy();

  if (row.late !== undefined) {
    const socket = upstream.connectionOf("/row");
    if (socket?.writable === true) socket.write(row.late, "latin1");
    await pause(AFTERMATH_MS);
  }
  const next = await rawClient(port);
  next.send(SECOND_REQUEST);
  await settle(next, () => readAnswers(next.received()).answers.length > 0);
  next.socket.destroy();
  const isNextSafe =
    readAnswers(next.received())
      .answers.map(({ body }) => body)
      .join() === "second";

  const isRefused = seen.status >= 500 || seen.head === "";
  // A proxy may read a malformed response its own way and write it anew; what did not come it can't know.
  const isFooled = row.closing !== undefined && row.seen.end === "cut" && seen.end === "whole" && !isRefused;
  const isSafe = isNextSafe && !isFooled && seen.behind === "" && isFramedOnce(seen.head);
  return { word: isRefused ? "refused" : seen.end === "cut" ? "cut" : "passed", isSafe };
}

/** Whether one line at most says where the body ends, and no byte is a line's end to some only. */
function isFramedOnce(head: string): boolean {
  const framing = head.match(/^(?:content-length|transfer-encoding)[ \t]*:/gim) ?? [];
  return framing.length <= 1 && !/\0|[^\r]\n|\r(?!\n)/.test(head);
}

/** Waits until there is enough, the connection has closed, or time is up; then for what may come at once behind it. */
async function settle(client: RawClient, isEnough: () => boolean): Promise<void> {
  // One that ends without enough is rejected, and its close is on its way.
  const enough = client.until(isEnough).catch(() => client.closed());
  await Promise.race([enough, pause(SILENCE_MS)]);
  await pause(AFTERMATH_MS);
}

/** Whether each line of the row's first request stands in what arrived; names' case, Host and hop-by-hop lines aside. */
function arrivesAsIs(row: RequestRow, received: string): boolean {
  const arrived = new Set(linesOf(received));
  const end = row.reaches.length > 1 ? row.bytes.lastIndexOf("GET /next") : -1;
  return linesOf(end === -1 ? row.bytes : row.bytes.slice(0, end))
    .filter((line) => line !== "" && !/^(?:connection|host|keep-alive|proxy-connection|te):/.test(line))
    .every((line) => arrived.has(line));
}

/** With names in small letters: haproxy writes them so, and they have no case. */
function linesOf(text: string): readonly string[] {
  return text.split("\r\n").map((line) => line.replace(/^[^:]*:/, (name) => name.toLowerCase()));
}
