/** `host[:port]`, as it stands in Host and in an absolute-form target (RFC 3986 section 3.2). */

import { isIPv6 } from "node:net";
import type { Endpoint } from "../span/conventions.ts";

const AUTHORITY = /^(\[[0-9A-Fa-f:.]+\]|[^:@[\]]+)(?::([0-9]{1,5}))?$/;
const PORT_MAX = 65_535;

/**
 * What an origin server is asked for in the place of an absolute-form target (RFC 9112 sections 3.2.1 and 3.2.4).
 *
 * @param path what follows the authority: starts with "/" or "?", or is empty
 */
export function toOriginForm(method: string, path: string): string {
  if (path === "" && method === "OPTIONS") return "*";
  return path.startsWith("/") ? path : `/${path}`;
}

/** @returns host without brackets and port, or undefined where the text is neither; user names are refused, and `[127.0.0.1]` */
export function parseAuthority(text: string): Endpoint | undefined {
  const [, host, digits] = AUTHORITY.exec(text) ?? [];
  if (host === undefined) return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && port > PORT_MAX) return undefined;
  if (!host.startsWith("[")) return { address: host, port };
  const address = host.slice(1, -1);
  return isIPv6(address) ? { address, port } : undefined;
}
