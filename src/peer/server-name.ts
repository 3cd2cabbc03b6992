/**
 * Server names: `matrix.org`, `hs1.test:8448`, `10.0.0.1`, `[::1]:8448`.
 *
 * Grammar: https://spec.matrix.org/v1.16/appendices/#server-name, read as Synapse reads it
 * (synapse/util/stringutils.py): labels may not be empty. One trailing dot is taken off, which Synapse would
 * refuse, because a whitelist must not be passed, or missed, by a dot.
 * Not here: whether the name exists (discovery), and whether the caller may use it (peer/identify.ts).
 */

import { isIPv6 } from "node:net";
import { detach } from "../core/text.ts";

export interface ServerName {
  /** Lower case, without trailing dot, with its port where it had one, as written. */
  readonly name: string;
  /** The name without its port; an IPv6 literal keeps its brackets. */
  readonly host: string;
  readonly port: number | undefined;
}

/** Longest host: a domain name has at most 253 characters, the grammar says 255. */
const HOST_LENGTH_MAX = 255;
const PORT_MAX = 65_535;
/** Longest text that can be a server name: the host, a trailing dot, and `:65535`. */
export const SERVER_NAME_LENGTH_MAX = HOST_LENGTH_MAX + 1 + 6;

// Both cases by hand: lower-casing first, or the i flag with u, would let U+212A (Kelvin) in as "k".
const DNS_NAME = /^[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*\.?$/;
/** `:` and the port, which may be all that stands behind a host. */
const PORT_SUFFIX = /^:[0-9]{1,5}$/;
const IPV6_LITERAL = /^[0-9A-Fa-f:.]+$/;

/** @returns the name's parts, or undefined for what is not a server name. Never throws: peers send it. */
export function parseServerName(text: string): ServerName | undefined {
  if (text.length > SERVER_NAME_LENGTH_MAX) return undefined;
  const hostEnd = text.startsWith("[") ? text.indexOf("]") + 1 : text.indexOf(":");
  const host = readHost(hostEnd === -1 ? text : text.slice(0, hostEnd));
  if (host === undefined) return undefined;
  if (hostEnd === -1 || hostEnd === text.length) return { name: host, host, port: undefined };

  const suffix = text.slice(hostEnd);
  if (!PORT_SUFFIX.test(suffix)) return undefined;
  const port = Number(suffix.slice(1));
  return port > PORT_MAX ? undefined : { name: host + suffix, host, port };
}

function readHost(text: string): string | undefined {
  if (text.startsWith("[")) {
    const address = text.slice(1, -1);
    // isIPv6 alone would take a zone (`fe80::1%eth0`), which means nothing on another machine.
    return IPV6_LITERAL.test(address) && isIPv6(address) ? detach(text.toLowerCase()) : undefined;
  }
  if (!DNS_NAME.test(text)) return undefined;
  const host = text.endsWith(".") ? text.slice(0, -1) : text;
  return host.length > HOST_LENGTH_MAX ? undefined : detach(host.toLowerCase());
}

const HTTP_URL = /^(https?):\/\/([^/?#]*)/i;
const DEFAULT_PORT = { http: 80, https: 443 } as const;

/**
 * The server that an http or https URL names: its host, with the port unless it is the scheme's own.
 *
 * Not by `URL`: that repairs what it reads (backslashes, tabs, `0x7f.1`, percent-encoded hosts), so that two
 * programs can see two hosts in one text. Here only a server name is one; user information is refused.
 */
export function parseUrlServer(url: string): ServerName | undefined {
  const [, scheme, authority] = HTTP_URL.exec(url) ?? [];
  if (scheme === undefined || authority === undefined) return undefined;
  const server = parseServerName(authority);
  if (server === undefined) return undefined;
  const defaultPort = scheme.length === "https".length ? DEFAULT_PORT.https : DEFAULT_PORT.http;
  return server.port === defaultPort ? { name: server.host, host: server.host, port: undefined } : server;
}

/**
 * Whether one of `names` means this server: its whole name, or its host, which stands for every port of it
 * (certificates carry no ports, and few people write one into a config).
 */
export function isNamedIn(names: readonly string[], server: ServerName): boolean {
  return names.includes(server.name) || (server.port !== undefined && names.includes(server.host));
}
