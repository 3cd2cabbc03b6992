/**
 * Proof of who sends, as the config wants it: the caches of keys, how keys are fetched, and who checks signatures with them.
 * A part of the composition root (app.ts). What is fetched is kept through reloads; where it is fetched from may change with one.
 *
 * Discovery here is apart from that of the way out: names that strangers claim must not push out the addresses that the own
 * server sends to.
 */

import type { Config } from "./config/merge.ts";
import type { Clock } from "./core/clock.ts";
import type { Log } from "./core/log.ts";
import type { Random } from "./core/random.ts";
import { createProofMetrics } from "./metrics/proof-metrics.ts";
import type { Registry } from "./metrics/registry.ts";
import { parseServerName, type ServerName } from "./peer/server-name.ts";
import { createFetchLimit } from "./proof/fetch-limit.ts";
import { createKeyCache, type FetchedKeys } from "./proof/key-cache.ts";
import { createProver, type Prover, type VerifyServerKey } from "./proof/prover.ts";
import { createServerKeySource } from "./proof/server-key-source.ts";
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
  const limit = createFetchLimit(first.inbound?.keys.fetchesPerSecond ?? 1);
  const held = createHeldRequests();
  let serverKeys: ((name: string) => Promise<FetchedKeys<VerifyServerKey> | string>) | undefined;

  const servers = createKeyCache<VerifyServerKey>({
    fetch: async (name) => serverKeys?.(name) ?? "closed",
    limit,
    onFetched: (name, refusal) => noteFetch("server", name, refusal),
    clock,
    fraction: () => random.fraction(),
  });
  const metrics = createProofMetrics(registry, {
    keys: { server: () => servers.counters() },
    heldBytes: () => held.bytes,
  });

  function noteFetch(kind: "server" | "actor", holder: string, refusal: string | undefined): void {
    metrics.fetched(kind, refusal ?? "fetched");
    if (refusal !== undefined) log.info("a peer's keys can't be had", { kind, holder, reason: refusal });
  }

  return {
    held,
    notes: createProofNotes((outcome) => metrics.checked(outcome), { clock, log }),
    learn: async (serverName) => (await servers.learn(serverName)) !== undefined,
    use(config) {
      const own = parseServerName(config.serverName);
      const { fetchServerKeys } = tools;
      if (own === undefined || fetchServerKeys === undefined || !isSignatureNeeded(config)) return undefined;
      serverKeys = createServerKeySource({
        fetchDocument: async (server) => {
          const body = await fetchServerKeys(server);
          return body === undefined ? { refused: "missing" } : { body };
        },
        queryNotary: () => Promise.resolve({ refused: "missing" }),
        notary: undefined,
        unixMs: () => clock.unixMs(),
      });
      return createProver({ own, servers });
    },
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
