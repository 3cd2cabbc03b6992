/**
 * Keys over the network: of actors at the URL that is their id, and of Matrix servers at their own address or a notary's.
 *
 * A stranger chooses what is asked here, so: https alone; addresses and ports as discovery allows them, checked and then dialled as
 * checked; 10 s in all; a bound on bytes; JSON alone, by its Content-Type, so that what a site lets its users upload is no key; no
 * cookies, no credentials, no second try. No redirects either: a key has one URL, which its owner wrote into the signature, and each hop would be a request
 * more that a stranger can make us send (and a hop to another host would let that one speak for this one).
 * Sources: https://spec.matrix.org/v1.16/server-server-api/#retrieving-server-keys, and actor-key.ts.
 * Not here: what a body of server keys says, caching, and how many are asked at a time. Requests for actors are not signed, so servers
 * that show actors to nobody else (Mastodon's AUTHORIZED_FETCH) have no keys here.
 */

import type { KeyObject } from "node:crypto";
import { withDeadline } from "../discovery/deadline.ts";
import { type Found, isFault } from "../discovery/destination.ts";
import { type DialTo, get, type Reply } from "../discovery/https-get.ts";
import type { Discovery } from "../discovery/server-discovery.ts";
import { parseUrlServer, type ServerName } from "../peer/server-name.ts";
import { type ActorKeyRefusal, readActorKey } from "./actor-key.ts";

/**
 * Why no document was got. "address", "port": not allowed; "dns": not found; "connect": no connection, TLS fault or broken answer; "timeout"; "redirect";
 * "status": any other but 200; "media-type": not JSON; "too-large".
 */
type FetchRefusal =
  "address" | "port" | "dns" | "connect" | "timeout" | "redirect" | "status" | "media-type" | "too-large";

/** "key-id": not an https URL that can be asked for. */
type ActorKeyFetchRefusal = FetchRefusal | ActorKeyRefusal | "key-id";

/** Never rejects. @param keyId as the signature has it */
export type FetchActorKey = (keyId: string) => Promise<KeyObject | ActorKeyFetchRefusal>;

/**
 * Never rejects. `body` is as it came, not read yet.
 *
 * @param notary who is asked for the server's keys; undefined: the server itself
 */
export type FetchServerKeys = (
  server: ServerName,
  notary?: ServerName,
) => Promise<{ readonly body: string } | FetchRefusal>;

interface FetchOptions {
  /** Whom to trust, pins included. A failure is "connect". */
  readonly tls: () => DialTo | Promise<DialTo>;
  /** Of the whole, with discovery; 10 s. */
  readonly timeoutMs?: number;
}

export interface FetchActorKeyOptions extends FetchOptions {
  readonly discovery: Pick<Discovery, "host">;
}

export interface FetchServerKeysOptions extends FetchOptions {
  readonly discovery: Pick<Discovery, "server">;
}

/** Nobody waits for it, but each holds a connection. */
const TIMEOUT_MS = 10_000;
/** Actors have 2 to 10 kB; some show long lists of what they are called elsewhere. */
const ACTOR_BYTES_MAX = 256 * 1024;
/** A Matrix server shows 600 bytes, with some old keys 2 kB. */
const SERVER_KEYS_BYTES_MAX = 64 * 1024;
const KEY_ID_LENGTH_MAX = 2048;
const HTTPS_PORT = 443;

/** What can stand in a request line as it is. */
const VISIBLE = /^[\x21-\x7e]+$/;
const HTTPS_URL = /^https:\/\/[^/?#]+([^#]*)/i;
const REDIRECT = /^3/;

const ACTOR_ACCEPT =
  'application/activity+json, application/ld+json; profile="https://www.w3.org/ns/activitystreams"';
const ACTOR_TYPES: ReadonlySet<string> = new Set([
  "application/activity+json",
  "application/ld+json",
  "application/json",
]);
const JSON_ALONE: ReadonlySet<string> = new Set(["application/json"]);

export function createFetchActorKey(options: FetchActorKeyOptions): FetchActorKey {
  return async (keyId) => {
    const url = readKeyUrl(keyId);
    if (url === undefined) return "key-id";
    const { server, path } = url;
    const fetched = await fetchDocument(options, {
      locate: () => options.discovery.host(server.host, server.port ?? HTTPS_PORT),
      hostHeader: server.name,
      path,
      accept: ACTOR_ACCEPT,
      mediaTypes: ACTOR_TYPES,
      bodyBytesMax: ACTOR_BYTES_MAX,
    });
    return typeof fetched === "string" ? fetched : readActorKey(fetched.body, keyId);
  };
}

export function createFetchServerKeys(options: FetchServerKeysOptions): FetchServerKeys {
  return (server, notary) =>
    fetchDocument(options, {
      locate: () => options.discovery.server(notary ?? server),
      hostHeader: undefined,
      path:
        notary === undefined
          ? "/_matrix/key/v2/server"
          : `/_matrix/key/v2/query/${encodeURIComponent(server.name)}`,
      accept: "application/json",
      mediaTypes: JSON_ALONE,
      bodyBytesMax: SERVER_KEYS_BYTES_MAX,
    });
}

interface KeyUrl {
  readonly server: ServerName;
  /** Path and query, as they stand in the id; the fragment says which key of the document. */
  readonly path: string;
}

/** Not by `URL`, which repairs what it reads: the host must be the one that was named for the signature. */
function readKeyUrl(keyId: string): KeyUrl | undefined {
  if (keyId.length > KEY_ID_LENGTH_MAX || !VISIBLE.test(keyId)) return undefined;
  const server = parseUrlServer(keyId);
  const [, path] = HTTPS_URL.exec(keyId) ?? [];
  if (server === undefined || path === undefined) return undefined;
  return { server, path: path.startsWith("/") ? path : `/${path}` };
}

interface Document {
  readonly locate: () => Found | Promise<Found>;
  /** Undefined: what discovery says. */
  readonly hostHeader: string | undefined;
  readonly path: string;
  readonly accept: string;
  readonly mediaTypes: ReadonlySet<string>;
  readonly bodyBytesMax: number;
}

type Fetched = { readonly body: string } | FetchRefusal;

function fetchDocument(
  { tls, timeoutMs = TIMEOUT_MS }: FetchOptions,
  { locate, hostHeader, ...asked }: Document,
): Promise<Fetched> {
  const outcomes = { late: "timeout", failed: "connect" } as const;
  return withDeadline<Fetched>(timeoutMs, outcomes, async (signal) => {
    const found = await locate();
    if (isFault(found)) return found.code === "TARGET_REFUSED" ? found.reason : "dns";
    const dialTo = await tls();
    return read(
      await get({
        endpoints: found.addresses,
        tls: dialTo(found.tlsName),
        hostHeader: hostHeader ?? found.hostHeader,
        signal,
        ...asked,
      }),
    );
  });
}

function read({ status, body }: Reply): Fetched {
  if (REDIRECT.test(String(status))) return "redirect";
  if (status !== 200) return "status";
  return typeof body === "string" ? body : { body: body.text };
}
