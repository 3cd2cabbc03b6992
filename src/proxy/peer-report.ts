/** The peers' table: whom this server has met, and what its rules say about each; the answer of `/api/fedtrace/peers`. */

import type { KnownPeer, PeerBook } from "../peer/peer-book.ts";
import { type DecisionRules, reportDecision } from "./decision-report.ts";

interface TrafficReport {
  readonly requests: number;
  readonly failed: number;
  /** ISO 8601; null: never. */
  readonly last_contact: string | null;
  readonly contexts: Readonly<KnownPeer["inbound"]["contexts"]>;
  readonly headers_removed: number;
}

interface PeerRow {
  /** Empty: those that gave no name. */
  readonly name: string;
  /** At the last contact: by the whitelist and the proof together. */
  readonly whitelisted: boolean;
  /** The entry that names it today, whether its proof is enough or not. */
  readonly entry: string | null;
  readonly proof: string;
  readonly reason: string;
  readonly inbound: TrafficReport;
  readonly outbound: TrafficReport;
  readonly refused: readonly { readonly format: string; readonly reason: string; readonly count: number }[];
}

export interface PeersReport {
  readonly peers: readonly PeerRow[];
  /** Names that were let go for lack of room. */
  readonly forgotten: number;
}

export function reportPeers(book: PeerBook, rules: DecisionRules): PeersReport {
  return { peers: book.peers().map((peer) => reportPeer(peer, rules)), forgotten: book.forgotten };
}

function reportPeer(peer: Readonly<KnownPeer>, rules: DecisionRules): PeerRow {
  const { name, isWhitelisted, proof, inbound, outbound, refusals } = peer;
  const { entry, reason } = reportDecision(rules, lastDirection(peer), name);
  return {
    name,
    whitelisted: isWhitelisted,
    entry,
    proof,
    reason: name === "" ? NAMELESS : entry !== null && !isWhitelisted ? `${reason}; it was ${proof}` : reason,
    inbound: reportTraffic(inbound),
    outbound: reportTraffic(outbound),
    refused: [...refusals.values()],
  };
}

const NAMELESS = "no name was given, and nobody is whitelisted without one";

function lastDirection({ inbound, outbound }: Readonly<KnownPeer>): "inbound" | "outbound" {
  return inbound.lastContactMs >= outbound.lastContactMs ? "inbound" : "outbound";
}

function reportTraffic(traffic: Readonly<KnownPeer["inbound"]>): TrafficReport {
  const { requests, failed, lastContactMs, contexts, headersRemoved } = traffic;
  return {
    requests,
    failed,
    last_contact: lastContactMs === 0 ? null : new Date(lastContactMs).toISOString(),
    contexts,
    headers_removed: headersRemoved,
  };
}
