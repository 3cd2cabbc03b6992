/**
 * Whom this server has met: one entry a name, with what was decided about it and how often, for the peers' table. A name
 * that came with enough proof and the same name without it are two entries, so that nobody who borrows a friend's name
 * changes what is told of the friend.
 *
 * Names that nobody proved are in it too, so their number is bounded: strangers are forgotten first, those met longest ago
 * before others, a quarter of the book at a time, so that a flood of names costs no search each. How many were forgotten is
 * counted. Not here: what the whitelist says about a name today (proxy/peer-report.ts), and metrics, whose labels are never names.
 */

import { detach } from "../core/text.ts";
import type { Proof } from "./proof.ts";

/** Names kept; some 500 bytes each. A busy homeserver meets a few thousand in a month, and looks at the last. */
const PEERS_MAX = 2000;
const FORGOTTEN_SHARE = 1 / 4;
/** Formats times reasons, both from tables of this program; more could only be a fault of ours. */
const REFUSALS_MAX = 100;

type Direction = "inbound" | "outbound";
type ContextState = "extracted" | "restarted" | "refused" | "absent";

/** One request from or to a peer, once it is over. */
export interface Meeting {
  readonly direction: Direction;
  /** By the whitelist and the proof together. */
  readonly isWhitelisted: boolean;
  readonly proof: Proof;
  readonly contextState: ContextState;
  /** Its contexts that were malformed; empty for a sender whose contexts aren't read. */
  readonly refusals: readonly { readonly format: string; readonly reason: string }[];
  readonly headersRemoved: number;
  /** Trace contexts that were seen in its body. */
  readonly bodyContexts: number;
  readonly hasFailed: boolean;
  readonly unixMs: number;
}

/** What was seen of a peer in one direction. */
interface Traffic {
  requests: number;
  failed: number;
  /** Unix milliseconds; 0: never. */
  lastContactMs: number;
  headersRemoved: number;
  bodyContexts: number;
  readonly contexts: Record<ContextState, number>;
}

interface RefusalCount {
  readonly format: string;
  readonly reason: string;
  count: number;
}

/** An entry of the book. */
export interface KnownPeer {
  /** Empty: those that gave no name. */
  readonly name: string;
  readonly isWhitelisted: boolean;
  /** At the last meeting. */
  proof: Proof;
  readonly inbound: Traffic;
  readonly outbound: Traffic;
  /** By format and reason. */
  readonly refusals: Map<string, RefusalCount>;
}

export interface PeerBook {
  /** @param name undefined: none was given @returns whether these are the first trace contexts in bodies that it is known for */
  note(name: string | undefined, meeting: Meeting): boolean;
  /** Met last first. */
  peers(): readonly Readonly<KnownPeer>[];
  /** Entries that were let go for lack of room. */
  readonly forgotten: number;
}

/** @param peersMax names kept */
export function createPeerBook(peersMax = PEERS_MAX): PeerBook {
  const friends = new Map<string, KnownPeer>();
  const strangers = new Map<string, KnownPeer>();
  const all = (): KnownPeer[] => [...friends.values(), ...strangers.values()];
  let forgotten = 0;

  function enter(name: string, isWhitelisted: boolean): KnownPeer {
    if (friends.size + strangers.size >= peersMax) {
      const least = all()
        .sort(byWorth)
        .slice(0, Math.ceil(peersMax * FORGOTTEN_SHARE));
      for (const peer of least) (peer.isWhitelisted ? friends : strangers).delete(peer.name);
      forgotten += least.length;
    }
    const peer = newPeer(detach(name), isWhitelisted);
    (isWhitelisted ? friends : strangers).set(peer.name, peer);
    return peer;
  }

  return {
    note(name = "", meeting) {
      const { isWhitelisted } = meeting;
      const peer = (isWhitelisted ? friends : strangers).get(name) ?? enter(name, isWhitelisted);
      peer.proof = meeting.proof;
      const traffic = peer[meeting.direction];
      const isNews = meeting.bodyContexts > 0 && peer.inbound.bodyContexts + peer.outbound.bodyContexts === 0;
      traffic.bodyContexts += meeting.bodyContexts;
      traffic.requests++;
      if (meeting.hasFailed) traffic.failed++;
      traffic.lastContactMs = meeting.unixMs;
      traffic.headersRemoved += meeting.headersRemoved;
      traffic.contexts[meeting.contextState]++;
      for (const { format, reason } of meeting.refusals) {
        const key = `${format} ${reason}`;
        const counted = peer.refusals.get(key);
        if (counted !== undefined) counted.count++;
        else if (peer.refusals.size < REFUSALS_MAX) peer.refusals.set(key, { format, reason, count: 1 });
      }
      return isNews;
    },
    peers: () => all().sort((left, right) => lastContact(right) - lastContact(left)),
    get forgotten() {
      return forgotten;
    },
  };
}

function newPeer(name: string, isWhitelisted: boolean): KnownPeer {
  return {
    name,
    isWhitelisted,
    proof: "none",
    inbound: newTraffic(),
    outbound: newTraffic(),
    refusals: new Map(),
  };
}

function newTraffic(): Traffic {
  return {
    requests: 0,
    failed: 0,
    lastContactMs: 0,
    headersRemoved: 0,
    bodyContexts: 0,
    contexts: { extracted: 0, restarted: 0, refused: 0, absent: 0 },
  };
}

/** Those to forget come first. */
function byWorth(left: KnownPeer, right: KnownPeer): number {
  if (left.isWhitelisted !== right.isWhitelisted) return left.isWhitelisted ? 1 : -1;
  return lastContact(left) - lastContact(right);
}

function lastContact({ inbound, outbound }: KnownPeer): number {
  return Math.max(inbound.lastContactMs, outbound.lastContactMs);
}
