/**
 * Whether a request was meant for this listener, by the names that stand in it. It has no password, so it must not be reached by
 * a web page through its reader's browser (DNS rebinding: CWE-350), nor be asked by one for what it can't read but can time.
 */

import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

/** https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2 */
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)(.*)$/i;
const ORIGIN = /^https?:\/\/([^/?#]*)$/i;

/** What is looked at; without `headersDistinct` there is one line of each. */
type Request = Pick<IncomingMessage, "headers" | "url"> & Partial<Pick<IncomingMessage, "headersDistinct">>;

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
  { headers, headersDistinct, url = "" }: Request,
  hosts: readonly string[],
): "Host" | "Origin" | "Sec-Fetch-Site" | undefined {
  // Node takes the first of two; whatever stands in front may take the last (RFC 9112 section 3.2).
  if ((headersDistinct?.["host"]?.length ?? 0) > 1) return "Host";
  const host = nameOf(headers.host);
  if (!isOwnName(host, hosts)) return "Host";
  const { authority } = readTarget(url);
  const asked = authority === undefined ? host : nameOf(authority);
  if (!isOwnName(asked, hosts)) return "Host";
  if (headers.origin === undefined) return isOfForeignPage(headers) ? "Sec-Fetch-Site" : undefined;
  const origin = nameOf(ORIGIN.exec(headers.origin)?.[1]);
  return origin !== "" && (origin === asked || hosts.includes(origin)) ? undefined : "Origin";
}

/**
 * What a browser says of a request that a page of another site made without an Origin: an image, a script, a frame. A link that
 * was followed is its reader's own doing, and is shown in no frame. Programs send none of it (https://www.w3.org/TR/fetch-metadata/).
 */
function isOfForeignPage(headers: IncomingMessage["headers"]): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== "cross-site" && site !== "same-site") return false;
  return headers["sec-fetch-mode"] !== "navigate" || headers["sec-fetch-dest"] !== "document";
}

function isOwnName(name: string, hosts: readonly string[]): boolean {
  return name === "localhost" || name.endsWith(".localhost") || isIP(name) !== 0 || hosts.includes(name);
}

/** @returns of `host[:port]`, in lower case and without brackets; empty for what is none */
function nameOf(authority = ""): string {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/.exec(authority) ?? [];
  return (bracketed ?? plain ?? "").toLowerCase();
}
