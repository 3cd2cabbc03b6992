/**
 * Keys over the network: of actors at the URL that is their id, and of Matrix servers at their own address or a notary's.
 *
 * A stranger chooses what is asked here, so: https alone; addresses and ports as discovery allows them, checked and then dialled as
 * checked; 10 s in all; a bound on bytes; of an actor only what can't be a user's upload, by its URL and its head; no cookies, no
 * credentials, no second try. No redirects either: a key has one URL, which its owner wrote into the signature, and each hop would be a
 * request more that a stranger can make us send (and a hop to another host would let that one speak for this one).
 * Sources: https://spec.matrix.org/v1.16/server-server-api/#retrieving-server-keys, key-url.ts, answer-head.ts and
 * actor-key.ts.
 * Not here: what a body of server keys says, caching, and how many are asked at a time. Requests for actors are not signed, so servers
 * that show actors to nobody else (Mastodon's AUTHORIZED_FETCH) have no keys here.
 */

import type { KeyObject } from "node:crypto";
import { withDeadline } from "../discovery/deadline.ts";
import { type Found, isFault } from "../discovery/destination.ts";
import { type DialTo, get, type HeadFields, type HeadRefusal, type Reply } from "../discovery/https-get.ts";
import type { Discovery } from "../discovery/server-discovery.ts";
import type { ServerName } from "../peer/server-name.ts";
import { type ActorKeyRefusal, readActorKey } from "./actor-key.ts";
import { refuseActorAnswer, refuseJsonAnswer } from "./answer-head.ts";
import { parseKeyUrl } from "./key-url.ts";

/**
 * Why no document was got. "address", "port": not allowed; "dns": not found; "connect": no connection, TLS fault or broken answer; "timeout"; "redirect";
 * "status": any other but 200; "too-large"; "media-type", "attachment": by its head it may be a user's upload, or is no JSON (answer-head.ts).
 */
type FetchRefusal =
  "address" | "port" | "dns" | "connect" | "timeout" | "redirect" | "status" | "too-large" | HeadRefusal;

/** "key-id": not a URL that may be asked for (key-url.ts). */
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
const HTTPS_PORT = 443;

const REDIRECT = /^3/;

const ACTOR_ACCEPT =
  'application/activity+json, application/ld+json; profile="https://www.w3.org/ns/activitystreams"';

export function createFetchActorKey(options: FetchActorKeyOptions): FetchActorKey {
  return async (keyId) => {
    const url = parseKeyUrl(keyId);
    if (url === undefined) return "key-id";
    const { server, path } = url;
    const fetched = await fetchDocument(options, {
      locate: () => options.discovery.host(server.host, server.port ?? HTTPS_PORT),
      hostHeader: server.name,
      path,
      accept: ACTOR_ACCEPT,
      refuse: refuseActorAnswer,
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
      refuse: refuseJsonAnswer,
      bodyBytesMax: SERVER_KEYS_BYTES_MAX,
    });
}

interface Document {
  readonly locate: () => Found | Promise<Found>;
  /** Undefined: what discovery says. */
  readonly hostHeader: string | undefined;
  readonly path: string;
  readonly accept: string;
  readonly refuse: (fields: HeadFields) => HeadRefusal | undefined;
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
