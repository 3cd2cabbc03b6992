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
  readonly body_contexts: number;
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

/** The line of turns that readers of the admin listener share (store/turns.ts), as far as it is needed here. */
interface Turns {
  take(): Promise<void>;
  isOver(): boolean;
}

/** Some 20 KB. */
const ROWS_PER_PIECE = 64;

/**
 * The report as JSON, in pieces: two thousand names, each asked of a whitelist of a thousand patterns that has just been
 * reloaded, are half a second of work. Names that come meanwhile are not in it.
 *
 * @param head what stands before the peers; at least one key
 */
export async function* encodePeers(
  book: Pick<PeerBook, "peers" | "forgotten">,
  rules: DecisionRules,
  head: Readonly<Record<string, unknown>>,
  turns: Turns,
): AsyncGenerator<string, void, undefined> {
  await turns.take();
  let piece = `${JSON.stringify(head).slice(0, -1)},"peers":[`;
  for (const [index, peer] of book.peers().entries()) {
    if (turns.isOver()) await turns.take();
    piece += `${index === 0 ? "" : ","}${JSON.stringify(reportPeer(peer, rules))}`;
    if ((index + 1) % ROWS_PER_PIECE !== 0) continue;
    yield piece;
    await turns.take();
    piece = "";
  }
  // Names that were let go for lack of room.
  yield `${piece}],"forgotten":${book.forgotten}}\n`;
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
  const { requests, failed, lastContactMs, contexts, headersRemoved, bodyContexts } = traffic;
  return {
    requests,
    failed,
    last_contact: lastContactMs === 0 ? null : new Date(lastContactMs).toISOString(),
    contexts,
    headers_removed: headersRemoved,
    body_contexts: bodyContexts,
  };
}
