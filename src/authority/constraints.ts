/**
 * Name constraints: which names an authority may vouch for (RFC 5280, section 4.2.1.10), the part of them that concerns
 * servers. Who checks certificates applies them anyway; here they say early, and in a word, what he would refuse.
 *
 * DNS names and IP addresses only: a certificate for a server has no other names. How a base with or without a dot at
 * its beginning is read differs between the standard and practice; this is OpenSSL's reading (crypto/x509/v3_ncons.c),
 * which is Go's too. Not here: how they stand in a certificate (x509-read.ts, x509-write.ts).
 */

import { type AddressRange, isInRange, parseRange } from "./addresses.ts";
import { type LeafName, parseLeafName } from "./leaf-name.ts";

/** One side of the constraints. */
interface Subtrees {
  /** Lower case. `example.net` is it and all below, `.example.net` what is below, the empty one every name. */
  readonly dns: readonly string[];
  readonly ranges: readonly AddressRange[];
}

/** A list that is empty constrains nothing. */
export interface NameConstraints {
  readonly permitted: Subtrees;
  readonly excluded: Subtrees;
}

/** In `permitted`, one name of a kind forbids all others of that kind: IPv4 and IPv6 are one kind. */
export function isAllowed({ permitted, excluded }: NameConstraints, name: LeafName): boolean {
  if (name.kind === "dns") {
    const isUnder = (base: string): boolean => isBelow(name.text, base);
    return (permitted.dns.length === 0 || permitted.dns.some(isUnder)) && !excluded.dns.some(isUnder);
  }
  const isWithin = (range: AddressRange): boolean => isInRange(range, name.address);
  return (
    (permitted.ranges.length === 0 || permitted.ranges.some(isWithin)) && !excluded.ranges.some(isWithin)
  );
}

function isBelow(name: string, base: string): boolean {
  if (base === "" || name === base) return true;
  return name.endsWith(base.startsWith(".") ? base : `.${base}`);
}

/** The system's limit for a command line is far above; each subtree is compared with every name, in every client. */
const PERMITTED_MAX = 100;
const EVERY_ADDRESS = ["0.0.0.0/0", "::/0"].flatMap((text) => parseRange(text) ?? []);

/**
 * What an operator permits, as constraints that leave no hole.
 *
 * A permitted subtree constrains names of its own kind alone: an authority for `example.net` might still sign for every
 * IP address, and one for `10.0.0.0/8` for every DNS name. So the kind of which nothing is permitted is excluded as a
 * whole. IPv4 and IPv6 are one kind by the standard; the family of which nothing is permitted is excluded as well, for
 * those who take them for two.
 *
 * @param names DNS names, addresses and networks, at least one
 * @returns what is wrong with each that can't be read
 */
export function parsePermitted(
  names: readonly string[],
): { readonly value: NameConstraints } | { readonly refused: readonly string[] } {
  if (names.length > PERMITTED_MAX) return { refused: [`are over ${PERMITTED_MAX} names`] };
  const dns: string[] = [];
  const ranges: AddressRange[] = [];
  const refused: string[] = [];
  for (const text of names) {
    const range = parseRange(text);
    const name = parseLeafName(text);
    if (range !== undefined) ranges.push(range);
    else if ("value" in name) dns.push(name.value.text);
    else refused.push(`${JSON.stringify(text)} ${adviceFor(text)}`);
  }
  if (refused.length > 0) return { refused };
  const unmentioned = EVERY_ADDRESS.filter(
    ({ base }) => !ranges.some((range) => range.base.length === base.length),
  );
  return {
    value: {
      permitted: { dns, ranges },
      excluded: { dns: dns.length === 0 ? [""] : [], ranges: unmentioned },
    },
  };
}

function adviceFor(text: string): string {
  const bare = text.replace(/^\*?\.+/, "");
  if (bare !== text && "value" in parseLeafName(bare)) return `is written ${bare}: it covers all names below`;
  return "is no DNS name, address or network, such as example.net, 192.0.2.1 or 10.0.0.0/8";
}

/** For people: `example.net and all names below`, `10.0.0.0/8`. */
export function describePermitted({ permitted }: NameConstraints): readonly string[] {
  return [
    ...permitted.dns.map((name) => `${name} and all names below`),
    ...permitted.ranges.map(({ text }) => text),
  ];
}
