/**
 * Who sends a report or wants to read, by the connection and by what a trusted proxy says of it.
 *
 * Only X-Forwarded-For is believed, and of it the entries that trusted proxies wrote, which are the last ones: a proxy passes on
 * what else its client wrote. Any other header of a proxy only shows that somebody stands between.
 */

import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";
import { unmapped } from "../core/host.ts";
import { readXForwarded } from "../peer/forwarded.ts";
import { createTrustedProxies } from "../peer/trusted-proxies.ts";

export interface Client {
  /** As well as it is known: the client's, else the connection's. */
  readonly address: string;
  /** From this machine, with no sign of a proxy between. */
  readonly isDirect: boolean;
}

export type FindClient = (
  request: Pick<IncomingMessage, "headers" | "headersDistinct" | "httpVersion" | "socket">,
) => Client;

const LOOPBACK = ["127.0.0.0/8", "::1"];
/** What proxies write of those they speak for, or of themselves. */
const PROXY_HEADERS = [
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-server",
  "x-real-ip",
];
/** A host on the Internet most often has as many IPv6 addresses as it likes, of one /64. */
const IPV6_NETWORK_GROUPS = 4;
const IPV6_GROUPS = 8;

/** @param trustedProxies ranges, checked, beside loopback */
export function createFindClient(trustedProxies: readonly string[]): FindClient {
  const loopback = createTrustedProxies(LOOPBACK);
  const trusted = createTrustedProxies([...LOOPBACK, ...trustedProxies]);
  return ({ headers, headersDistinct, httpVersion, socket }) => {
    const address = unmapped(socket.remoteAddress ?? "");
    // nginx writes none of them unless it is told to, but by default speaks HTTP/1.0 to those behind it, which nobody else does.
    const isBetween = httpVersion === "1.0" || PROXY_HEADERS.some((name) => headers[name] !== undefined);
    if (!isBetween && loopback?.isTrusted(address) === true) return { address, isDirect: true };
    const lines = headersDistinct["x-forwarded-for"] ?? [];
    if (trusted === undefined || lines.length === 0 || !trusted.isTrusted(address))
      return { address, isDirect: false };
    const said = readXForwarded({ for: lines, proto: [], host: [] }, trusted);
    const client = typeof said === "object" ? said.client : undefined;
    return { address: typeof client === "object" ? client.address : address, isDirect: false };
  };
}

/** @returns what stands for all addresses that one client may come from */
export function sourceOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [before = [], after = []] = (address.split("%")[0] ?? "")
    .split("::")
    .map((half) => (half === "" ? [] : half.split(":")));
  const zeros = Array.from({ length: Math.max(0, IPV6_GROUPS - before.length - after.length) }, () => "0");
  return `${[...before, ...zeros, ...after].slice(0, IPV6_NETWORK_GROUPS).join(":")}::/64`;
}
