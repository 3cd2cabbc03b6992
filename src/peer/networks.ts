/**
 * Which servers an address may speak for: `inbound.networks`, server name → address ranges.
 *
 * node:net's BlockList does the matching. To it an IPv4 address and its mapped form `::ffff:10.1.2.3`, which is how a
 * dual-stack listener shows an IPv4 peer, are one, in a range as in an address and however they are written; so `::/0` is
 * everybody. It takes 2 µs a range list, so the answer is kept per address.
 */

import { BlockList, isIP } from "node:net";
import { FedtraceError } from "../core/errors.ts";
import { createBoundedCache } from "../core/bounded-cache.ts";
import { parseServerName } from "./server-name.ts";

export interface Networks {
  /**
   * Names whose ranges contain the address, in the order of the config.
   *
   * @param address as node:net shows it; what is no address (a unix socket's) is in no range. Never throws.
   */
  namesOf(address: string): readonly string[];
}

const CIDR = /^([^/]+?)(?:\/([0-9]{1,3}))?$/;
const PREFIX_MAX = { 4: 32, 6: 128 } as const;
/** Addresses whose names are kept: about 1 MB at most. */
const ADDRESSES_MAX = 10_000;

/** A range of addresses, as node:net's BlockList takes it. */
export interface Range {
  readonly address: string;
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
}

/** @returns what is wrong with a range and what is allowed, or undefined */
export function checkNetwork(cidr: string): string | undefined {
  if (parseCidr(cidr) !== undefined) return undefined;
  return `${JSON.stringify(cidr)} is not an address range: write 10.1.0.0/16, fd00::/8 or one address`;
}

/**
 * @param networks server name → ranges; a name without port stands for every port
 * @throws FedtraceError CONFIG_INVALID with every fault
 */
export function createNetworks(networks: Readonly<Record<string, readonly string[]>>): Networks {
  const faults: string[] = [];
  const lists = Object.entries(networks).map(([text, cidrs]) => {
    const name = parseServerName(text)?.name;
    if (name === undefined) faults.push(`networks: ${JSON.stringify(text)} is not a server name`);
    const list = new BlockList();
    for (const cidr of cidrs) {
      const range = parseCidr(cidr);
      if (range === undefined) faults.push(`networks: ${text}: ${checkNetwork(cidr) ?? ""}`);
      else list.addSubnet(range.address, range.prefix, range.family);
    }
    return { name: name ?? "", list };
  });
  if (faults.length > 0)
    throw new FedtraceError("CONFIG_INVALID", faults.join("\n"), { faults: faults.length });

  const cache = createBoundedCache<readonly string[]>(ADDRESSES_MAX);
  return {
    namesOf(address) {
      if (lists.length === 0) return [];
      const known = cache.get(address);
      if (known !== undefined) return known;
      const version = isIP(address);
      if (version === 0) return [];
      const family = version === 4 ? "ipv4" : "ipv6";
      const names = lists.filter(({ list }) => list.check(address, family)).map(({ name }) => name);
      cache.set(address, names);
      return names;
    },
  };
}

/** @returns the range of `10.1.0.0/16`, `fd00::/8` or one address; undefined for anything else */
export function parseCidr(cidr: string): Range | undefined {
  const [, address, prefixText] = CIDR.exec(cidr) ?? [];
  if (address === undefined || address.includes("%")) return undefined;
  const version = isIP(address);
  if (version !== 4 && version !== 6) return undefined;
  const prefix = prefixText === undefined ? PREFIX_MAX[version] : Number(prefixText);
  if (prefix > PREFIX_MAX[version]) return undefined;
  return { address, prefix, family: version === 4 ? "ipv4" : "ipv6" };
}
