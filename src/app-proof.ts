/**
 * Proof of who sends, as the config wants it: the caches of keys, how keys are fetched, and who checks signatures with them.
 * A part of the composition root (app.ts). What is fetched is kept through reloads; where it is fetched from may change with one.
 *
 * Discovery here is apart from that of the way out: names that strangers claim must not push out the addresses that the own
 * server sends to.
 */

import type { KeyObject } from "node:crypto";
import { createCheckedDiscovery } from "./app-discovery.ts";
import { createOutgoingTls, type OutgoingTls } from "./app-roots.ts";
import type { Config } from "./config/merge.ts";
import type { Clock } from "./core/clock.ts";
import type { Log } from "./core/log.ts";
import type { Random } from "./core/random.ts";
import { createDns, type Dns } from "./discovery/dns.ts";
import { createProofMetrics } from "./metrics/proof-metrics.ts";
import type { Registry } from "./metrics/registry.ts";
import { parseServerName, parseUrlServer, type ServerName } from "./peer/server-name.ts";
import { createFetchActorKey, createFetchServerKeys } from "./proof/fetch-keys.ts";
import { createFetchLimit } from "./proof/fetch-limit.ts";
import { createForgeryDebt } from "./proof/forgery-debt.ts";
import { createKeyCache, type FetchedKeys } from "./proof/key-cache.ts";
import { createProver, type Prover, type VerifyServerKey } from "./proof/prover.ts";
import { createServerKeySource, type Document, type NotaryOptions } from "./proof/server-key-source.ts";
import { createHeldRequests, type HeldRequests } from "./proxy/held-request.ts";
import { createProofNotes, type ProofNotes } from "./proxy/standing.ts";

/** In the place of the network: a server's key document, or undefined. Must not reject. */
export type FetchServerKeys = (name: ServerName) => Promise<string | undefined>;

export interface ProofTools {
  readonly clock: Clock;
  readonly random: Random;
  /** Throttled. */
  readonly log: Log;
  readonly registry: Registry;
  /** As the way out trusts. */
  readonly outboundTls: OutgoingTls;
  /** In the place of DNS, for tests and the demo. */
  readonly dns: Dns | undefined;
  /** In the place of the network, for the demo: a server's key document. */
  readonly fetchServerKeys: FetchServerKeys | undefined;
}

export interface Proofs {
  readonly notes: ProofNotes;
  readonly held: HeldRequests;
  /** Takes a config over. @returns who checks signatures from now on; undefined where no name needs one */
  use(config: Config): Prover | undefined;
  /** Asks a server for its keys unless they are known. @returns whether they are */
  learn(serverName: string): Promise<boolean>;
}

/** Made once. Nothing is read, loaded or asked before a signature needs it. */
export function createProofs(first: Config, tools: ProofTools): Proofs {
  const { clock, random, log, registry } = tools;
  const settings = settingsOf(first);
  const dns = tools.dns ?? createDns({ resolver: settings.resolver });
  const tls =
    settings.caFile === undefined
      ? tools.outboundTls
      : createOutgoingTls({ systemRootsFile: first.systemRootsFile, caFile: settings.caFile, pins: {} });
  const held = createHeldRequests();
  const forgeries = createForgeryDebt(() => clock.monotonicMs());
  let sources: KeySources | undefined;

  const shared = {
    limit: createFetchLimit(settings.fetchesPerSecond),
    clock,
    fraction: () => random.fraction(),
  };
  const servers = createKeyCache<VerifyServerKey>({
    fetch: async (name) => sources?.serverKeys(name) ?? "closed",
    hostOf: (name) => name.replace(/:\d+$/, ""),
    onFetched: (name, refusal) => noteFetch("server", name, refusal),
    ...shared,
  });
  const actors = createKeyCache<KeyObject>({
    fetch: async (keyId) => sources?.actorKeys(keyId) ?? "closed",
    hostOf: (keyId) => parseUrlServer(keyId)?.host ?? "",
    onFetched: (keyId, refusal) => noteFetch("actor", keyId, refusal),
    ...shared,
  });
  const metrics = createProofMetrics(registry, {
    keys: { server: () => servers.counters(), actor: () => actors.counters() },
    heldBytes: () => held.bytes,
  });

  const tell = createFetchLog(log, clock);
  function noteFetch(kind: "server" | "actor", holder: string, refusal: string | undefined): void {
    metrics.fetched(kind, refusal ?? "fetched");
    if (refusal === undefined) return;
    // Of an actor the host alone: which of a server's users wrote to whom is nobody's to read in a log.
    tell(kind, kind === "actor" ? (parseUrlServer(holder)?.name ?? "") : holder, refusal);
  }

  return {
    held,
    notes: createProofNotes((outcome) => metrics.checked(outcome), { clock, log }),
    learn: async (serverName) => (await servers.learn(serverName)) !== undefined,
    use(config) {
      const own = parseServerName(config.serverName);
      if (own === undefined || !isSignatureNeeded(config)) return undefined;
      sources = createKeySources(settingsOf(config), { ...tools, dns, tls });
      return createProver({ own, servers, actors, forgeries, unixMs: () => clock.unixMs() });
    },
  };
}

const LINE_EVERY_MS = 60_000;

/** One line a minute for each reason, of which there are a few: the names are whatever somebody wrote. */
function createFetchLog(log: Log, clock: Clock): (kind: string, holder: string, reason: string) => void {
  const told = new Map<string, { atMs: number; suppressed: number }>();
  return (kind, holder, reason) => {
    const nowMs = clock.monotonicMs();
    const last = told.get(reason);
    if (last !== undefined && nowMs - last.atMs < LINE_EVERY_MS) {
      last.suppressed++;
      return;
    }
    const others = last === undefined || last.suppressed === 0 ? {} : { suppressed: last.suppressed };
    told.set(reason, { atMs: nowMs, suppressed: 0 });
    log.info("a peer's keys can't be had", { kind, holder, reason, ...others });
  };
}

/** Where keys are fetched from. Neither function rejects. */
interface KeySources {
  serverKeys(name: string): Promise<FetchedKeys<VerifyServerKey> | string>;
  actorKeys(keyId: string): Promise<FetchedKeys<KeyObject> | string>;
}

/** An actor's key says nothing of its life; one that was replaced is found out by the first signature that is wrong. */
const ACTOR_KEY_TTL_MS = 24 * 3_600_000;

function createKeySources(
  settings: KeySettings,
  tools: ProofTools & { readonly dns: Dns; readonly tls: OutgoingTls },
): KeySources {
  const { clock, tls, fetchServerKeys } = tools;
  const discovery = createCheckedDiscovery(settings, tools);
  const fetchKeys = createFetchServerKeys({ discovery, tls: tls.pinned });
  const fetchActorKey = createFetchActorKey({ discovery, tls: tls.pinned });
  const toDocument = (fetched: { readonly body: string } | string): Document =>
    typeof fetched === "string" ? { refused: fetched } : fetched;

  return {
    serverKeys: createServerKeySource({
      fetchDocument: async (server) => {
        const given = await fetchServerKeys?.(server);
        return given === undefined ? toDocument(await fetchKeys(server)) : { body: given };
      },
      queryNotary: async (asked, about) => toDocument(await fetchKeys(about, asked)),
      notary: settings.notary,
      unixMs: () => clock.unixMs(),
    }),
    async actorKeys(keyId) {
      const key = await fetchActorKey(keyId);
      return typeof key === "string" ? key : { keys: new Map([[keyId, key]]), ttlMs: ACTOR_KEY_TTL_MS };
    },
  };
}

interface KeySettings {
  readonly fetchesPerSecond: number;
  /** Undefined: as the way out trusts. */
  readonly caFile: string | undefined;
  readonly allowNetworks: readonly string[];
  readonly allowPorts: readonly number[];
  readonly resolver: { readonly host: string; readonly port: number } | undefined;
  readonly notary: NotaryOptions | undefined;
}

/** What `inbound.keys` leaves out is the way out's. */
function settingsOf({ inbound, outbound }: Config): KeySettings {
  const { keys } = inbound ?? {};
  const { notary } = keys ?? {};
  const server = notary && parseServerName(notary.serverName);
  return {
    fetchesPerSecond: keys?.fetchesPerSecond ?? 1,
    caFile: keys?.caFile,
    allowNetworks: keys?.allowNetworks ?? outbound?.allowNetworks ?? [],
    allowPorts: outbound?.allowPorts ?? [],
    resolver: keys?.resolver ?? outbound?.resolver,
    notary: server && { server, verifyKeys: notary.verifyKeys },
  };
}

/** Whether some name needs more than to be claimed. */
function isSignatureNeeded({ inbound, whitelist }: Config): boolean {
  if (inbound === undefined || whitelist.length === 0) return false;
  return (
    inbound.authenticate !== "claimed" ||
    whitelist.some(({ authenticate = "claimed" }) => authenticate !== "claimed")
  );
}
