/**
 * How many connections each client address has open, so that none takes them all.
 *
 * An IPv6 client is its /64: that is what one subscriber is given, and any address of it costs him nothing (RFC 6177,
 * section 2). Not here: who the peer is by name (peer/), which only a request tells.
 */

import { unmapped } from "../core/host.ts";

/** Open connections by client; undefined is a client that is not counted. As large as the number of connections, at most. */
export interface PeerCounts {
  countOf(key: string | undefined): number;
  enter(key: string | undefined): void;
  leave(key: string | undefined): void;
}

export function createPeerCounts(): PeerCounts {
  const counts = new Map<string, number>();
  return {
    countOf: (key) => (key === undefined ? 0 : (counts.get(key) ?? 0)),
    enter(key) {
      if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    leave(key) {
      if (key === undefined) return;
      const count = (counts.get(key) ?? 0) - 1;
      if (count > 0) counts.set(key, count);
      else counts.delete(key);
    },
  };
}

const GROUPS = 8;
const GROUPS_OF_NETWORK = 4;

/**
 * What one client's addresses have in common: an IPv4 address, or the first 64 bits of an IPv6 one.
 *
 * @param address as node:net shows it, in the short form
 * @returns undefined for a unix socket and for loopback, where a proxy in front stands for all its clients
 */
export function peerKeyOf(address: string): string | undefined {
  const plain = unmapped(address);
  if (!plain.includes(":")) return plain === "" || plain.startsWith("127.") ? undefined : plain;
  if (plain === "::1") return undefined;
  const [head = "", tail] = plain.split("::");
  const groups = head.split(":"); // An address that begins with "::" has an empty first group: as good a name for zero.
  if (tail !== undefined) {
    const zeros = GROUPS - groups.length - tail.split(":").length;
    for (let index = 0; index < zeros; index++) groups.push("0");
    groups.push(...tail.split(":"));
  }
  return groups.slice(0, GROUPS_OF_NETWORK).join(":");
}
