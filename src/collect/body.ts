/** A request's body as one piece of bytes: with a bound, and a time by which it must be there. */

import type { IncomingMessage, ServerResponse } from "node:http";

/** `aborted`: the sender went away, and nobody waits for an answer. */
export type BodyRefusal = "size" | "slow" | "aborted";

export interface BodyLimits {
  readonly bytesMax: number;
  readonly withinMs: number;
}

/** @param response told to ask for the body, where the sender waits for that */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  { bytesMax, withinMs }: BodyLimits,
): Promise<Uint8Array | BodyRefusal> {
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) return Promise.resolve("size");
  // https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1: HTTP/1.0 has no such answer.
  if (request.headers.expect !== undefined && request.httpVersion !== "1.0") response.writeContinue();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = setTimeout(() => end("slow"), withinMs);

    function end(result: Uint8Array | BodyRefusal): void {
      clearTimeout(timer);
      request.off("data", take).off("end", finish).off("close", abort);
      resolve(result);
    }
    function take(chunk: Buffer): void {
      length += chunk.length;
      if (length > bytesMax) end("size");
      else chunks.push(chunk);
    }
    const finish = (): void => end(Buffer.concat(chunks));
    const abort = (): void => end("aborted");
    request.on("data", take).once("end", finish).once("close", abort);
  });
}
