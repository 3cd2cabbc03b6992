/**
 * Who the client is by what proxies wrote into a request: `Forwarded`, or `X-Forwarded-For`, `-Proto` and `-Host`.
 *
 * Each proxy adds at the right whom it was called by. So the list is walked from there, over proxies that are trusted; the first
 * that is not is the client, and what stands left of it may be of its own making. Where all are trusted the leftmost is the client.
 *
 * Source: RFC 7239, sections 4 and 5; X-Forwarded-* has none, and is read as nginx (`real_ip_recursive`), Envoy and Apache do.
 * Not here: whether the connection is a trusted proxy's, without which none of this may be asked (proxy/client.ts).
 */

import { type ForwardedNode, parseForwardedForItem, parseForwardedNode } from "./forwarded-node.ts";
import { parseForwardedElements } from "./forwarded-elements.ts";
import type { TrustedProxies } from "./trusted-proxies.ts";

/** What one kind of header says of the first hop that is not a trusted proxy. */
export interface Said {
  /** Undefined where nothing is said of it. */
  readonly client: ForwardedNode | undefined;
  /** What the client spoke to the proxy. */
  readonly scheme: "http" | "https" | undefined;
  /** As the client wrote it to the proxy; not checked. */
  readonly host: string | undefined;
}

/** `syntax`: some part of it can't be read, so none of it is believed. `bound`: it is too long, or has too many hops. */
export type ForwardedRefusal = "syntax" | "bound";

/** All lines of one kind together. Ten proxies take about 1 KiB. */
const TEXT_MAX = 4096;
const HOPS_MAX = 32;

const SCHEMES: ReadonlyMap<string, "http" | "https"> = new Map([
  ["http", "http"],
  ["https", "https"],
  // As Traefik writes it for upgrades.
  ["ws", "http"],
  ["wss", "https"],
]);

/** @param lines of `Forwarded`, at least one. Never throws. */
export function readForwarded(lines: readonly string[], trusted: TrustedProxies): Said | ForwardedRefusal {
  const text = lines.join(",");
  if (text.length > TEXT_MAX) return "bound";
  const elements = parseForwardedElements(text);
  if (elements === undefined) return "syntax";
  if (elements.length > HOPS_MAX) return "bound";
  const nodes: ForwardedNode[] = [];
  for (const element of elements) {
    const written = element.get("for");
    // A proxy that does not say by whom it was called hides it.
    const node = written === undefined ? "hidden" : parseForwardedNode(written);
    if (node === undefined) return "syntax";
    nodes.push(node);
  }
  const at = findClient(nodes, trusted);
  const element = elements[at];
  const proto = element?.get("proto");
  const scheme = proto === undefined ? undefined : SCHEMES.get(proto.toLowerCase());
  if (proto !== undefined && scheme === undefined) return "syntax";
  return { client: nodes[at], scheme, host: element?.get("host") };
}

/** Lines as they came. */
export interface XForwardedLines {
  readonly for: readonly string[];
  readonly proto: readonly string[];
  readonly host: readonly string[];
}

/** Never throws. */
export function readXForwarded(lines: XForwardedLines, trusted: TrustedProxies): Said | ForwardedRefusal {
  const length = [...lines.for, ...lines.proto, ...lines.host].reduce((sum, line) => sum + line.length, 0);
  if (length > TEXT_MAX) return "bound";
  const nodes: ForwardedNode[] = [];
  for (const item of itemsOf(lines.for)) {
    const node = parseForwardedForItem(item);
    if (node === undefined) return "syntax";
    nodes.push(node);
  }
  if (nodes.length > HOPS_MAX) return "bound";
  const at = findClient(nodes, trusted);
  const hopsFromRight = Math.max(0, nodes.length - 1 - at);
  const proto = itemOf(lines.proto, hopsFromRight);
  const scheme = proto === undefined ? undefined : SCHEMES.get(proto.toLowerCase());
  if (proto !== undefined && scheme === undefined) return "syntax";
  return { client: nodes[at], scheme, host: itemOf(lines.host, hopsFromRight) };
}

/** @returns the index of the client's node; -1 where there are none */
function findClient(nodes: readonly ForwardedNode[], trusted: TrustedProxies): number {
  let at = nodes.length - 1;
  for (; at > 0; at--) {
    const node = nodes[at];
    if (node === undefined || node === "hidden" || !trusted.isTrusted(node.address)) break;
  }
  return at;
}

/** Of several, the one beside the client's node: most proxies write one, others add theirs at the right. */
function itemOf(lines: readonly string[], hopsFromRight: number): string | undefined {
  const items = itemsOf(lines);
  return items[Math.max(0, items.length - 1 - hopsFromRight)];
}

/** Most often one line with one item, without blanks around it. */
function itemsOf(lines: readonly string[]): readonly string[] {
  const items: string[] = [];
  for (const line of lines) {
    if (!line.includes(",")) items.push(line);
    else for (const item of line.split(",")) items.push(item.replaceAll(BLANKS, ""));
  }
  return items.includes("") ? items.filter((item) => item !== "") : items;
}

/** At both ends; linear, since no run of blanks is tried from its middle twice. */
const BLANKS = /^[ \t]+|(?<![ \t])[ \t]+$/g;
