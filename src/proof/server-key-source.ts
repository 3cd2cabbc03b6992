/**
 * A Matrix server's keys: asked of itself, and where it can't be reached, of the notary.
 *
 * Source: https://spec.matrix.org/v1.16/server-server-api/#retrieving-server-keys. The origin goes first, other than with Synapse,
 * since it knows of a new key before anybody else does.
 * Not here: the requests (fetch-keys.ts), reading the documents (server-keys.ts), keeping what they say (key-cache.ts).
 */

import { parseServerName, type ServerName } from "../peer/server-name.ts";
import { loadEd25519 } from "./ed25519.ts";
import type { FetchedKeys } from "./key-cache.ts";
import type { VerifyServerKey } from "./prover.ts";
import { createServerKeyReader, type ServerKeys, type VerifyKeys } from "./server-keys.ts";

/** A document's bytes, or in a word why there is none. Must not reject. */
export type Document = { readonly body: Uint8Array | string } | { readonly refused: string };

export interface NotaryOptions {
  readonly server: ServerName;
  /** By key id, in Base64; none: they are asked of itself. */
  readonly verifyKeys: Readonly<Record<string, string>>;
}

export interface ServerKeySourceOptions {
  /** Of `/_matrix/key/v2/server`. */
  readonly fetchDocument: (server: ServerName) => Promise<Document>;
  /** Of `/_matrix/key/v2/query/{serverName}` of a notary. */
  readonly queryNotary: (notary: ServerName, about: ServerName) => Promise<Document>;
  readonly notary: NotaryOptions | undefined;
  readonly unixMs: () => number;
}

const NO_KEYS: VerifyKeys = new Map();

type Keys = FetchedKeys<VerifyServerKey> | string;

/** @returns the function that a cache of keys fetches with. It never rejects. */
export function createServerKeySource(options: ServerKeySourceOptions): (name: string) => Promise<Keys> {
  let loading: Promise<(server: ServerName) => Promise<Keys>> | undefined;
  return async (name) => {
    const server = parseServerName(name);
    if (server === undefined) return "name";
    loading ??= loadSource(options);
    const fetchKeys = await loading;
    return fetchKeys(server);
  };
}

/** With node:crypto, which is not waited for at the start. */
async function loadSource(options: ServerKeySourceOptions): Promise<(server: ServerName) => Promise<Keys>> {
  const { notary, unixMs } = options;
  const ed25519 = await loadEd25519();
  const reader = createServerKeyReader(ed25519);
  /** The notary's own, where it was asked for them. */
  let asked: ServerKeys | undefined;

  function toFetched(read: ServerKeys | string): Keys {
    if (typeof read === "string") return read;
    const keys = new Map<string, VerifyServerKey>();
    for (const [id, key] of read.keys) {
      keys.set(id, (signed, signature) => ed25519.verify(signed, signature, key));
    }
    return { keys, ttlMs: read.validUntilMs - unixMs() };
  }

  async function ownKeys(server: ServerName): Promise<ServerKeys | string> {
    const document = await options.fetchDocument(server);
    if ("refused" in document) return document.refused;
    return reader.readServerKeys(document.body, server.name, unixMs());
  }

  async function notaryKeys({ server, verifyKeys }: NotaryOptions): Promise<VerifyKeys> {
    const pinned = Object.entries(verifyKeys).flatMap(([id, text]) => {
      const key = ed25519.readVerifyKey(text);
      return key === undefined ? [] : [[id, key] as const];
    });
    if (pinned.length > 0) return new Map(pinned);
    if (asked === undefined || asked.validUntilMs <= unixMs()) {
      const read = await ownKeys(server);
      asked = typeof read === "string" ? undefined : read;
    }
    return asked?.keys ?? NO_KEYS;
  }

  async function fromNotary(known: NotaryOptions, about: ServerName): Promise<ServerKeys | string> {
    const [keys, document] = await Promise.all([notaryKeys(known), options.queryNotary(known.server, about)]);
    if ("refused" in document) return document.refused;
    return reader.readNotaryKeys(document.body, about.name, unixMs(), {
      serverName: known.server.name,
      keys,
    });
  }

  return async (server) => {
    const own = await ownKeys(server);
    if (typeof own !== "string" || notary === undefined) return toFetched(own);
    const certified = await fromNotary(notary, server);
    return toFetched(typeof certified === "string" ? own : certified); // What the server itself did wrong is told.
  };
}
