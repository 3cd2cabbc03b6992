/**
 * One hop as a proxy names it: an address, with or without a port, or a word that hides it.
 *
 * Source: RFC 7239, section 6 (node identifiers). X-Forwarded-For has no source, so what is met there is taken: addresses with a
 * port too, and IPv6 with brackets or without.
 */

import { isIPv4, isIPv6, SocketAddress } from "node:net";
import { unmapped } from "../core/host.ts";
import { detach } from "../core/text.ts";

/** An IP address as node:net shows it, IPv4 never in its mapped form; or that the hop is not told. */
export type ForwardedNode = { readonly address: string } | "hidden";

/** Section 6.1 to 6.3: a port may be hidden too. */
const PORT = "(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?";
const HIDDEN = new RegExp(`^(?:unknown|_[A-Za-z0-9._-]+)${PORT}$`, "i");
const IPV4 = new RegExp(`^([0-9.]+)${PORT}$`);
const IPV6 = new RegExp(`^\\[([0-9A-Fa-f:.]+)\\]${PORT}$`);
const BARE_IPV6 = /^[0-9A-Fa-f:.]+$/;

/** @param text the value of `for`, without its quotes @returns undefined for what is no node. Never throws. */
export function parseForwardedNode(text: string): ForwardedNode | undefined {
  if (HIDDEN.test(text)) return "hidden";
  const ipv4 = IPV4.exec(text)?.[1];
  if (ipv4 !== undefined) return isIPv4(ipv4) ? { address: detach(ipv4) } : undefined;
  return toNode(IPV6.exec(text)?.[1]);
}

/** @param text one item of X-Forwarded-For */
export function parseForwardedForItem(text: string): ForwardedNode | undefined {
  if (isIPv4(text)) return { address: detach(text) }; // As nearly always.
  return (BARE_IPV6.test(text) ? toNode(text) : undefined) ?? parseForwardedNode(text);
}

function toNode(ipv6: string | undefined): ForwardedNode | undefined {
  if (ipv6 === undefined || !isIPv6(ipv6)) return undefined;
  const { address } = new SocketAddress({ address: ipv6, family: "ipv6" });
  return { address: unmapped(address) };
}
