/** Whom the workers have met, as one book: a peer's requests are spread over all of them. */

import type { KnownPeer } from "../peer/peer-book.ts";
import type { Worker } from "./crew.ts";

/** Beyond it the table is shown without the worker. */
const TIMEOUT_MS = 2000;

export interface MetPeers {
  /** Met last first. */
  readonly all: readonly Readonly<KnownPeer>[];
  readonly forgotten: number;
  /** Workers whose peers are not among them, a sentence each. */
  readonly missing: readonly string[];
}

export async function mergePeers(workers: readonly Worker[]): Promise<MetPeers> {
  const merged = new Map<string, KnownPeer>();
  const missing: string[] = [];
  let forgotten = 0;
  await Promise.all(
    workers.map(async (worker) => {
      const reason = await worker.ask("peers", undefined, {
        timeoutMs: TIMEOUT_MS,
        onPart(part) {
          forgotten += part.forgotten;
          for (const peer of part.peers) addPeer(merged, peer);
        },
      });
      if (reason !== undefined) missing.push(`worker ${worker.number}: ${reason}`);
    }),
  );
  const all = [...merged.values()].toSorted((left, right) => lastContactMs(right) - lastContactMs(left));
  return { all, forgotten, missing };
}

/** A name that came with enough proof and the same name without it stay two, as in one process's book. */
function addPeer(merged: Map<string, KnownPeer>, peer: Readonly<KnownPeer>): void {
  const key = `${peer.isWhitelisted} ${peer.name}`;
  const known = merged.get(key);
  if (known === undefined) {
    merged.set(key, peer); // A copy already: it came over a channel.
    return;
  }
  if (lastContactMs(peer) > lastContactMs(known)) known.proof = peer.proof;
  for (const direction of ["inbound", "outbound"] as const) addTraffic(known[direction], peer[direction]);
  for (const [reason, refusal] of peer.refusals) {
    const counted = known.refusals.get(reason);
    if (counted === undefined) known.refusals.set(reason, refusal);
    else counted.count += refusal.count;
  }
}

function addTraffic(sum: KnownPeer["inbound"], traffic: KnownPeer["inbound"]): void {
  sum.requests += traffic.requests;
  sum.failed += traffic.failed;
  sum.lastContactMs = Math.max(sum.lastContactMs, traffic.lastContactMs);
  sum.headersRemoved += traffic.headersRemoved;
  sum.bodyContexts += traffic.bodyContexts;
  for (const state of Object.keys(sum.contexts) as (keyof typeof sum.contexts)[]) {
    sum.contexts[state] += traffic.contexts[state];
  }
}

function lastContactMs({ inbound, outbound }: Readonly<KnownPeer>): number {
  return Math.max(inbound.lastContactMs, outbound.lastContactMs);
}
