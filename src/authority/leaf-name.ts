/**
 * The name that a certificate is asked for: what a client wrote into CONNECT or into its ClientHello, so anything at all.
 *
 * What is let through is what a certificate can hold and a client compares (RFC 9525, section 6.3): a DNS name in letters,
 * digits, hyphens and underscores, or an IP address. An internationalized name has its A-labels (`xn--`) by then.
 */

import { type Address, parseAddress } from "./addresses.ts";

/** One name has one form: it is the key of a cache. */
export type LeafName =
  | { readonly kind: "dns"; /** Lower case, without the last dot. */ readonly text: string }
  | { readonly kind: "ip"; /** As `address.text`. */ readonly text: string; readonly address: Address };

/** In words that are as few as a metric's series. */
export type NameRefusal = "empty" | "too-long" | "malformed";

/** RFC 1035, section 2.3.4: 255 bytes on the wire, which is 253 characters. No address is as long. */
const NAME_LENGTH_MAX = 253;
/** Underscores stand in names that exist, though no host name should have one; certificates and clients take them. */
const LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const DNS_NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
/** Parsers of URLs take a name that ends so for an address (https://url.spec.whatwg.org/#ends-in-a-number-checker). */
const ENDS_IN_NUMBER = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;

/** @param text IPv6 without brackets */
export function parseLeafName(
  text: string,
): { readonly value: LeafName } | { readonly refused: NameRefusal } {
  const name = text.length <= NAME_LENGTH_MAX + 1 ? text.replace(/\.$/, "") : text;
  if (name === "") return { refused: "empty" };
  if (name.length > NAME_LENGTH_MAX) return { refused: "too-long" };
  const address = parseAddress(name);
  if (address !== undefined) return { value: { kind: "ip", text: address.text, address } };
  const lower = name.toLowerCase();
  // Before toLowerCase, which makes a "k" of the Kelvin sign.
  if (!/^[\x21-\x7e]+$/.test(name) || !DNS_NAME.test(lower) || ENDS_IN_NUMBER.test(lower)) {
    return { refused: "malformed" };
  }
  return { value: { kind: "dns", text: lower } };
}
