/**
 * Whose word about a client counts: `inbound.trusted_proxies`, address ranges, and `unix:` for the clients of a unix socket.
 *
 * Not here: what they say (proxy-header.ts of http1/, forwarded.ts), and what follows for a client (proxy/client.ts).
 */

import { BlockList, isIP } from "node:net";
import { createBoundedCache } from "../core/bounded-cache.ts";
import { parseCidr } from "./networks.ts";

export interface TrustedProxies {
  /** @param address as node:net shows it; "" is a unix socket's client. Never throws. */
  isTrusted(address: string): boolean;
}

/** The entry that stands for clients of a unix socket, which have no address. */
const UNIX_ENTRY = "unix:";

/** Clients' addresses are asked for too, so the answers have a bound: about 1 MB at most. */
const ADDRESSES_MAX = 10_000;

/** @param entries checked by the config @returns undefined for none: nobody is trusted, and nobody has to be asked for */
export function createTrustedProxies(entries: readonly string[]): TrustedProxies | undefined {
  if (entries.length === 0) return undefined;
  const hasUnix = entries.includes(UNIX_ENTRY);
  const ranges = new BlockList();
  for (const entry of entries) {
    const range = parseCidr(entry);
    if (range !== undefined) ranges.addSubnet(range.address, range.prefix, range.family);
  }
  const cache = createBoundedCache<boolean>(ADDRESSES_MAX);

  return {
    isTrusted(address) {
      if (address === "") return hasUnix;
      const known = cache.get(address);
      if (known !== undefined) return known;
      const version = isIP(address);
      if (version === 0) return false;
      const isTrusted = ranges.check(address, version === 4 ? "ipv4" : "ipv6");
      cache.set(address, isTrusted);
      return isTrusted;
    },
  };
}
