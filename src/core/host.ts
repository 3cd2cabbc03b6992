/** The host of an address or a name, in the forms that it is written in. */

/** `host:port`, an IPv6 address in brackets (RFC 3986 section 3.2.2). */
export function formatHostPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${inBrackets(host)}:${port}`;
}

/** As a URL and a Matrix server name have it: IPv6 in brackets, all else as it is. @param host without brackets */
export function inBrackets(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** As sockets and certificates have it. */
export function withoutBrackets(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1) : host;
}

/**
 * The same for all spellings of a DNS name, and in certificates the one that counts: in lower case, without the dot of the root
 * (RFC 6066 section 3).
 */
export function foldName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

/** How a dual-stack listener shows an IPv4 client (RFC 4291 section 2.5.5.2). */
const MAPPED = "::ffff:";

/** The IPv4 address in a mapped one, so that a client has one name however it came; all else as it is. @param address as node:net shows it */
export function unmapped(address: string): string {
  return address.startsWith(MAPPED) && address.includes(".") ? address.slice(MAPPED.length) : address;
}
