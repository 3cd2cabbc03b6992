/**
 * Who may read what was collected. With a token: who sends it. Without one: whoever sits at this machine, and no web page through
 * his browser; a client that a proxy speaks for is not at this machine, whatever its connection says.
 */

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { findForeignName } from "../admin/own-names.ts";
import type { ErrorCode } from "../core/errors.ts";
import type { Client } from "./client.ts";

/** Fewer can be tried out; more is no token. */
export const TOKEN_LENGTH = { least: 16, most: 512 } as const;

interface ReadingRefusal {
  readonly code: ErrorCode;
  readonly sentence: string;
}

/** @returns why it may not; undefined: it may */
export type CheckReader = (request: IncomingMessage, client: Client) => ReadingRefusal | undefined;

/** @param token undefined: none is configured */
export function createCheckReader(token: string | undefined): CheckReader {
  return token === undefined ? checkPlace : createCheckToken(token);
}

function createCheckToken(token: string): CheckReader {
  const wanted = digestOf(token);
  return ({ headers }) => {
    const [, given] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "") ?? [];
    if (given === undefined)
      return { code: "TOKEN_WRONG", sentence: "reading needs the header Authorization: Bearer TOKEN" };
    // Digests have one length, and take as long to compare wherever they differ.
    if (timingSafeEqual(digestOf(given), wanted)) return undefined;
    return { code: "TOKEN_WRONG", sentence: "the token is not this collector's" };
  };
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

const HOW = "to read from elsewhere, start it with --token-file";

function checkPlace(request: IncomingMessage, { isDirect }: Client): ReadingRefusal | undefined {
  if (!isDirect)
    return {
      code: "READER_REFUSED",
      sentence: `this collector has no token, so only a client on its own machine may read, without a proxy between; ${HOW}`,
    };
  const foreign = findForeignName(request, []);
  if (foreign === undefined) return undefined;
  return {
    code: "READER_REFUSED",
    sentence: `this collector has no token, so it is read under a loopback name or an IP address alone; ${foreign} says otherwise; ${HOW}`,
  };
}
