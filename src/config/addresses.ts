/**
 * Names and addresses as a config writes them: listeners, upstreams, networks, server names, URLs.
 *
 * Server names follow https://spec.matrix.org/v1.16/appendices/#server-name, which is the authority of a URL.
 * Nothing is looked up: names are resolved when they are used.
 */

import { isIP, isIPv4, isIPv6 } from "node:net";
import { formatHostPort } from "../core/host.ts";
import type { Parsed } from "./fault.ts";

/** Where to listen or connect. The host has no brackets: node:net takes it as it is. */
export interface HostPort {
  readonly host: string;
  /** 0 to 65535; 0, where it is allowed, lets the system choose. */
  readonly port: number;
}

/** Where a side listens: a TCP address or the absolute path of a Unix socket. */
export type Listen =
  HostPort | { readonly path: string; readonly host?: undefined; readonly port?: undefined };

/** The server behind: a TCP address or the absolute path of a Unix socket. */
export type Upstream =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** RFC 1035, section 2.3.4; the bound of a Matrix server name too. */
const NAME_LENGTH_MAX = 255;
const PORT_MAX = 65_535;
/** sun_path of Linux has 108 bytes with its end; a longer path fails only when it is used. */
const SOCKET_PATH_LENGTH_MAX = 107;

/** What stands before the path of a Unix socket. */
const UNIX = "unix:";
const AUTHORITY = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:/?#@\s]+))(?::(\d{1,5}))?$/;
const DNS_NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/;

/** `host:port` or `[::1]:port`. The port is needed. */
export function parseHostPort(text: string): Parsed<HostPort> {
  const parsed = parseAuthority(text);
  if (parsed === undefined) {
    if (/^:\d+$/.test(text)) return { refused: "has no host (0.0.0.0 or [::] is every address)" };
    return { refused: isIPv6(text.replace(/:\d+$/, "")) ? "needs brackets around IPv6" : "is not host:port" };
  }
  if (parsed.port === undefined) return { refused: "has no port" };
  return { value: { host: parsed.host, port: parsed.port } };
}

/** `host:port` or `unix:/path`. */
export function parseListen(text: string): Parsed<Listen> {
  if (!text.startsWith(UNIX)) return parseHostPort(text);
  const path = parseSocketPath(text.slice(UNIX.length));
  return "value" in path ? { value: { path: path.value } } : path;
}

function parseSocketPath(path: string): Parsed<string> {
  if (!path.startsWith("/")) return { refused: "names a socket by a relative path" };
  if (Buffer.byteLength(path) > SOCKET_PATH_LENGTH_MAX || path.includes("\0")) {
    return { refused: `names a socket by a path over ${SOCKET_PATH_LENGTH_MAX} bytes` };
  }
  return { value: path };
}

/** `http://host[:port]`, port 80 if left out, or `unix:/path`. No path, query or user: nothing is rewritten. */
export function parseUpstream(text: string): Parsed<Upstream> {
  if (text.startsWith(UNIX)) {
    const path = parseSocketPath(text.slice(UNIX.length));
    return "value" in path ? { value: { kind: "unix", path: path.value } } : path;
  }
  if (text.startsWith("https://"))
    return { refused: "is https, and the server behind is spoken to in plain http" };
  const [, authority, rest] = /^http:\/\/([^/?#]*)(.*)$/s.exec(text) ?? [];
  if (authority === undefined) return { refused: "is neither http:// nor unix:" };
  if (rest !== "" && rest !== "/") return { refused: "has a path or a query, and paths pass unchanged" };
  const parsed = parseAuthority(authority);
  if (parsed === undefined || parsed.port === 0) return { refused: "has no valid host and port" };
  return { value: { kind: "tcp", host: parsed.host, port: parsed.port ?? 80 } };
}

/** As a config writes it. */
export function formatUpstream(upstream: Upstream): string {
  return upstream.kind === "unix" ? `unix:${upstream.path}` : `http://${formatHostPort(upstream)}`;
}

/** `10.1.0.0/16`, `fd00::/8`, or one address; as it was written. No zone: it would mean this machine's. */
export function parseNetwork(text: string): Parsed<string> {
  const [, address = "", digits] = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  if (family === 0) return { refused: "is not an address or a network" };
  const width = family === 4 ? 32 : 128;
  return Number(digits ?? width) > width ? { refused: `has a prefix over ${width}` } : { value: text };
}

/** A federation name, `host[:port]`, in lower case: names are compared without regard to it. */
export function parseServerName(text: string): Parsed<string> {
  const parsed = parseAuthority(text);
  return parsed === undefined ? { refused: "is not a server name" } : { value: text.toLowerCase() };
}

/** A host alone, in lower case: a DNS name or an address, IPv6 without brackets. */
export function parseHostName(text: string): Parsed<string> {
  if (isIPv6(text) || parseAuthority(text)?.port === undefined) {
    const host = isIPv6(text) ? text : parseAuthority(text)?.host;
    if (host !== undefined) return { value: host.toLowerCase() };
  }
  return { refused: "is not a host name" };
}

/** An http:// or https:// URL, as it was written. No user or fragment: neither would be sent. */
export function parseHttpUrl(text: string): Parsed<string> {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text))
    return { refused: "is not an http:// or https:// URL" };
  const { username, password, hash } = new URL(text);
  if (username !== "" || password !== "") return { refused: "has a user in it (use headers)" };
  if (hash !== "") return { refused: "has a #fragment" };
  return { value: text };
}

function parseAuthority(text: string): { host: string; port: number | undefined } | undefined {
  if (text.length > NAME_LENGTH_MAX) return undefined;
  const [, bracketed, name, digits] = AUTHORITY.exec(text) ?? [];
  const host = bracketed ?? name;
  if (host === undefined) return undefined;
  if (bracketed === undefined ? !isName(host) : !isIPv6(bracketed)) return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  return port !== undefined && port > PORT_MAX ? undefined : { host, port };
}

/** A DNS name or an IPv4 address; what has only digits and dots must be an address. */
function isName(host: string): boolean {
  if (/^[\d.]+$/.test(host)) return isIPv4(host);
  return DNS_NAME.test(host) && !host.includes("..");
}
