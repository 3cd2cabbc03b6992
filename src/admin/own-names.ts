/**
 * Whether a request was meant for this listener, by the names that stand in it. It has no password, so it must not be reached by
 * a web page through its reader's browser (DNS rebinding: CWE-350).
 */

import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

/** https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2 */
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)(.*)$/i;
const ORIGIN = /^https?:\/\/([^/?#]*)$/i;

interface Target {
  /** Of a target in absolute form; undefined for `/path?query`. */
  readonly authority: string | undefined;
  /** With its query. */
  readonly path: string;
}

export function readTarget(url: string): Target {
  const [, authority, rest = ""] = ABSOLUTE_FORM.exec(url) ?? [];
  if (authority === undefined) return { authority, path: url };
  return { authority, path: rest.startsWith("/") ? rest : `/${rest}` };
}

/**
 * Host and the target's authority must be a loopback name, an IP literal or one of `admin.hosts`; Origin one of
 * `admin.hosts`, or the very name that the request is for. Ports are not compared: there are port mappings, and proxies.
 *
 * @param hosts `admin.hosts`, in lower case
 * @returns what is not its own; undefined: nothing
 */
export function findForeignName(
  { headers, url = "" }: Pick<IncomingMessage, "headers" | "url">,
  hosts: readonly string[],
): "Host" | "Origin" | undefined {
  const host = nameOf(headers.host);
  if (!isOwnName(host, hosts)) return "Host";
  const { authority } = readTarget(url);
  const asked = authority === undefined ? host : nameOf(authority);
  if (!isOwnName(asked, hosts)) return "Host";
  if (headers.origin === undefined) return undefined;
  const origin = nameOf(ORIGIN.exec(headers.origin)?.[1]);
  return origin !== "" && (origin === asked || hosts.includes(origin)) ? undefined : "Origin";
}

function isOwnName(name: string, hosts: readonly string[]): boolean {
  return name === "localhost" || name.endsWith(".localhost") || isIP(name) !== 0 || hosts.includes(name);
}

/** @returns of `host[:port]`, in lower case and without brackets; empty for what is none */
function nameOf(authority = ""): string {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/.exec(authority) ?? [];
  return (bracketed ?? plain ?? "").toLowerCase();
}
