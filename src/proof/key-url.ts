/**
 * Key ids of ActivityPub actors: URLs that may be asked for.
 *
 * Anybody can write one, so what is wrong with its form is found before it costs a fetch or a place among the keys.
 * Not by `URL`, which repairs what it reads: the host must be the one that was named for the signature, and the path must be the
 * same to whoever serves it. Hence no path with dot segments, or one that can be decoded twice. Nothing of Matrix's either: what its users upload
 * (`/_matrix/media/v3/download/…`) is served from the server's own name, with the Content-Type that they gave.
 * Source: https://spec.matrix.org/v1.16/client-server-api/#content-repository.
 * Not here: whether its host may be dialled (discovery), and what is found there (answer-head.ts, actor-key.ts).
 */

import { parseUrlServer, type ServerName } from "../peer/server-name.ts";

export interface KeyUrl {
  readonly server: ServerName;
  /** Path and query, as they stand in the id; the fragment says which key of the document. */
  readonly path: string;
}

/** Real ones have fewer than 150 characters. Thousands are kept, and each is looked up with every request that has it. */
const KEY_ID_LENGTH_MAX = 512;

/** What can stand in a request line as it is. */
const VISIBLE = /^[\x21-\x7e]+$/;
const HTTPS_URL = /^https:\/\/[^/?#]+(([^?#]*)[^#]*)/i;
/** Servers and proxies differ on which of them separate segments. */
const SEPARATOR = /[/\\]/;
/** In lower case. The first two lead elsewhere; the third is where Matrix serves uploads, behind whatever prefix. */
const REFUSED_SEGMENTS: ReadonlySet<string> = new Set([".", "..", "_matrix"]);

/** @param keyId as the signature has it @returns undefined where it can't be asked for. Never throws. */
export function parseKeyUrl(keyId: string): KeyUrl | undefined {
  if (keyId.length > KEY_ID_LENGTH_MAX || !VISIBLE.test(keyId)) return undefined;
  const server = parseUrlServer(keyId);
  const [, target, path] = HTTPS_URL.exec(keyId) ?? [];
  if (server === undefined || target === undefined || path === undefined || !isPlain(path)) return undefined;
  return { server, path: target.startsWith("/") ? target : `/${target}` };
}

function isPlain(path: string): boolean {
  try {
    const decoded = decodeURIComponent(path).toLowerCase();
    return (
      !decoded.includes("%") && !decoded.split(SEPARATOR).some((segment) => REFUSED_SEGMENTS.has(segment))
    );
  } catch {
    return false; // `%` and no hex digits behind it, or bytes that are no UTF-8.
  }
}
