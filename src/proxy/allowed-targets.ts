/**
 * Addresses that the way out may lead to: public ones, and the networks that the operator lists.
 *
 * Everything that is not globally reachable is refused unless listed: loopback, private, link-local (with the
 * clouds' metadata services), multicast, reserved, and IPv4 addresses dressed as IPv6.
 *
 * Source: the IANA special-purpose address registries (RFC 6890),
 * https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry.
 */

import { BlockList, isIPv4, isIPv6 } from "node:net";
import { parseCidr } from "../peer/networks.ts";

const REFUSED_IPV4: readonly (readonly [network: string, prefix: number])[] = [
  ["0.0.0.0", 8], // this network
  ["10.0.0.0", 8], // private
  ["100.64.0.0", 10], // carrier-grade NAT
  ["127.0.0.0", 8], // loopback
  // Azure's host: public by its number, and only ever the machine's own
  // (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
  ["168.63.129.16", 32],
  ["169.254.0.0", 16], // link-local; cloud metadata
  ["172.16.0.0", 12], // private
  ["192.0.0.0", 24], // protocol assignments
  ["192.0.2.0", 24], // documentation
  ["192.88.99.0", 24], // 6to4 relays
  ["192.168.0.0", 16], // private
  ["198.18.0.0", 15], // benchmarks
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0", 24], // documentation
  ["224.0.0.0", 4], // multicast
  ["240.0.0.0", 4], // reserved, broadcast
];

/** Of IPv6 only global unicast is reachable; within it, these are not or lead back to IPv4. */
const GLOBAL_IPV6 = ["2000::", 3] as const;
const REFUSED_IPV6: readonly (readonly [network: string, prefix: number])[] = [
  ["2001::", 23], // protocol assignments, Teredo
  ["2001:db8::", 32], // documentation
  ["2002::", 16], // 6to4: an IPv4 address inside
  ["3fff::", 20], // documentation
];

export interface AllowedTargets {
  /** @param address an IP literal; anything else is refused */
  isAllowed(address: string): boolean;
}

/** @param networks `outbound.allow_networks`, checked by the config */
export function createAllowedTargets(networks: readonly string[]): AllowedTargets {
  const allowed = new BlockList();
  for (const network of networks) {
    const range = parseCidr(network);
    if (range !== undefined) allowed.addSubnet(range.address, range.prefix, range.family);
  }
  const refused = new BlockList();
  for (const [address, prefix] of REFUSED_IPV4) refused.addSubnet(address, prefix, "ipv4");
  for (const [address, prefix] of REFUSED_IPV6) refused.addSubnet(address, prefix, "ipv6");
  const global = new BlockList();
  global.addSubnet(...GLOBAL_IPV6, "ipv6");

  return {
    isAllowed(address) {
      // BlockList reads ::ffff:10.1.2.3 as 10.1.2.3, so a mapped address is allowed just where its IPv4 is listed.
      if (isIPv4(address)) return allowed.check(address, "ipv4") || !refused.check(address, "ipv4");
      if (!isIPv6(address)) return false;
      if (allowed.check(address, "ipv6")) return true;
      return global.check(address, "ipv6") && !refused.check(address, "ipv6");
    },
  };
}
