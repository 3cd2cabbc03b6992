/** `/api/fedtrace/peers`, read like the traces: what is missing or of another type is empty or zero. */

import { fieldOf, listOf, numberOf, textOf } from "./jaeger-model.ts";
import type { SortKey } from "./hash-route.ts";

export interface PeerSide {
  readonly requests: number;
  readonly failed: number;
  readonly lastContactMs: number | undefined;
  readonly extracted: number;
  readonly restarted: number;
  readonly refused: number;
  readonly headersRemoved: number;
}

export interface Peer {
  /** Empty: no name was given. */
  readonly name: string;
  readonly isWhitelisted: boolean;
  readonly entry: string | undefined;
  readonly proof: string;
  readonly reason: string;
  readonly inbound: PeerSide;
  readonly outbound: PeerSide;
  /** Why contexts of a whitelisted peer were not taken: `w3c length` → 3. */
  readonly refusals: readonly { readonly why: string; readonly count: number }[];
}

export interface Peers {
  readonly serverName: string;
  readonly service: string;
  readonly authenticate: string;
  readonly peers: readonly Peer[];
  /** Peers that were there and are no longer kept. */
  readonly forgotten: number;
}

export function parsePeers(answer: unknown): Peers {
  return {
    serverName: textOf(fieldOf(answer, "server_name")),
    service: textOf(fieldOf(answer, "service")),
    authenticate: textOf(fieldOf(answer, "authenticate")),
    peers: listOf(fieldOf(answer, "peers")).map(parsePeer),
    forgotten: numberOf(fieldOf(answer, "forgotten")),
  };
}

/** A friend and whoever borrows its name are two rows of one name. */
export function peerKey({ name, isWhitelisted }: Peer): string {
  return `${isWhitelisted ? "friend" : "stranger"} ${name}`;
}

export function verdictOf({ isWhitelisted, entry }: Peer): string {
  if (isWhitelisted) return "whitelisted";
  return entry === undefined ? "not whitelisted" : "name not proven";
}

function parsePeer(peer: unknown): Peer {
  const entry = fieldOf(peer, "entry");
  return {
    name: textOf(fieldOf(peer, "name")),
    isWhitelisted: fieldOf(peer, "whitelisted") === true,
    entry: typeof entry === "string" ? entry : undefined,
    proof: textOf(fieldOf(peer, "proof")) || "none",
    reason: textOf(fieldOf(peer, "reason")),
    inbound: parseSide(fieldOf(peer, "inbound")),
    outbound: parseSide(fieldOf(peer, "outbound")),
    refusals: listOf(fieldOf(peer, "refused")).map((refusal) => ({
      why: `${textOf(fieldOf(refusal, "format"))} ${textOf(fieldOf(refusal, "reason"))}`.trim(),
      count: numberOf(fieldOf(refusal, "count")),
    })),
  };
}

function parseSide(side: unknown): PeerSide {
  const contexts = fieldOf(side, "contexts");
  const lastContactMs = Date.parse(textOf(fieldOf(side, "last_contact")));
  return {
    requests: numberOf(fieldOf(side, "requests")),
    failed: numberOf(fieldOf(side, "failed")),
    lastContactMs: Number.isNaN(lastContactMs) ? undefined : lastContactMs,
    extracted: numberOf(fieldOf(contexts, "extracted")),
    restarted: numberOf(fieldOf(contexts, "restarted")),
    refused: numberOf(fieldOf(contexts, "refused")),
    headersRemoved: numberOf(fieldOf(side, "headers_removed")),
  };
}

/** The border in three numbers. Of the outbound side only headers count: contexts there are the own server's. */
export interface BorderTotals {
  readonly taken: number;
  readonly stopped: number;
  readonly refused: number;
  readonly removed: number;
}

export function totalsOf(peers: readonly Peer[]): BorderTotals {
  const sum = (value: (peer: Peer) => number): number =>
    peers.reduce((total, peer) => total + value(peer), 0);
  return {
    taken: sum(({ inbound }) => inbound.extracted),
    stopped: sum(({ inbound }) => inbound.restarted),
    refused: sum(({ inbound }) => inbound.refused),
    removed: sum(removedOf),
  };
}

export function removedOf({ inbound, outbound }: Peer): number {
  return inbound.headersRemoved + outbound.headersRemoved;
}

/** Milliseconds since 1970; 0: never. */
function lastContactOf({ inbound, outbound }: Peer): number {
  return Math.max(inbound.lastContactMs ?? 0, outbound.lastContactMs ?? 0);
}

const SORT_VALUES: Readonly<Record<SortKey, (peer: Peer) => number | string>> = {
  name: ({ name }) => name.toLowerCase(),
  verdict: ({ isWhitelisted }) => Number(isWhitelisted),
  inbound: ({ inbound }) => inbound.requests,
  outbound: ({ outbound }) => outbound.requests,
  contexts: ({ inbound }) => inbound.extracted + inbound.restarted + inbound.refused,
  removed: removedOf,
  contact: lastContactOf,
};

/** Equal ones by name, so that a refresh moves nothing. */
export function sortPeers(peers: readonly Peer[], key: SortKey, isDescending: boolean): readonly Peer[] {
  const valueOf = SORT_VALUES[key];
  const sign = isDescending ? -1 : 1;
  return [...peers].sort((left, right) => {
    const [a, b] = [valueOf(left), valueOf(right)];
    if (a !== b) return a < b ? -sign : sign;
    return left.name < right.name ? -1 : 1;
  });
}
