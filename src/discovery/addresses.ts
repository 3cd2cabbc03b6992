/**
 * The addresses of a name that may be dialled: resolved once, all of them checked, ordered.
 *
 * What is returned is what was checked, and nothing is resolved again behind it. So a name that shows a public address
 * at the check and a private one at the dialling (DNS rebinding, CWE-350, CWE-918) leads nowhere.
 * Not here: caching (server-discovery.ts), and which addresses are allowed (given).
 */

import { isIPv6 } from "node:net";
import { ADDRESS_REFUSED, DNS_FAILED, DNS_TIMEOUT, type Fault, NO_ADDRESS } from "./destination.ts";
import type { Dns, DnsFault } from "./dns.ts";

/** Of one host. Public hosts show up to four of a family; nobody tries more before giving up. */
const ADDRESSES_MAX = 8;

/** A refused name, or one that isn't there: long enough to make a flood cheap, short enough to correct a mistake. */
export const REFUSED_TTL_MS = 30_000;
/** A DNS server that failed is asked again soon: a whole federation may hang on it. */
const DNS_FAILED_TTL_MS = 5000;

const FAULT_OF: Readonly<Record<DnsFault, Fault>> = {
  none: NO_ADDRESS,
  failed: DNS_FAILED,
  timeout: DNS_TIMEOUT,
};

export interface Resolved {
  /** Allowed addresses, at most 8, in the order to try them; or why there is none. */
  readonly value: readonly string[] | Fault;
  readonly ttlMs: number;
}

/** @returns addresses only if all that the name has are allowed. Never rejects. */
export async function resolveChecked(
  dns: Dns,
  host: string,
  isAllowed: (address: string) => boolean,
): Promise<Resolved> {
  const answer = await dns.addresses(host);
  if (typeof answer === "string") return dnsFault(answer);
  if (!answer.addresses.every(isAllowed)) return { value: ADDRESS_REFUSED, ttlMs: REFUSED_TTL_MS };
  return { value: byTurns(answer.addresses).slice(0, ADDRESSES_MAX), ttlMs: answer.ttlMs };
}

/** What a fault of DNS means for who asked, and for how long. */
export function dnsFault(fault: DnsFault): { readonly value: Fault; readonly ttlMs: number } {
  return { value: FAULT_OF[fault], ttlMs: fault === "none" ? REFUSED_TTL_MS : DNS_FAILED_TTL_MS };
}

/** The families by turns, IPv6 first, so that a broken one costs one try (RFC 8305, section 4). */
function byTurns(addresses: readonly string[]): readonly string[] {
  const v6 = addresses.filter((address) => isIPv6(address));
  const v4 = addresses.filter((address) => !isIPv6(address));
  return Array.from({ length: Math.max(v6.length, v4.length) }, (_, index) => [v6[index], v4[index]])
    .flat()
    .filter((address) => address !== undefined);
}
