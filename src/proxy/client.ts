/**
 * Who the client is where a proxy stands in front: by the PROXY protocol, then by what trusted proxies wrote into the request.
 *
 * ```
 *   whose connection? ─ announced, else the socket's address ─► in trusted_proxies? ─ no ─► that is the client
 *                                                                 │ yes
 *                         Forwarded and X-Forwarded-* ◄───────────┘   one kind, or both saying the same: that is the client
 *                                                                     none, hidden, malformed, disagreeing: nobody is
 * ```
 * Where both kinds are there, a client may have written one of them itself, since many proxies set one and pass the other; so only
 * what both say is believed, and where they differ nothing is. A proxy's own address is nobody's proof: all its clients have it.
 * Nor is anything believed where `Connection` nominates one of these lines: haproxy passes a client's nomination on, and with it
 * a client could take away what the proxy wrote, so that only his own line is left. Names with `_` for `-` are not these names.
 */

import { fieldValue, MARK_SIZE } from "../http1/fields.ts";
import { HOST, type RequestHead } from "../http1/request-head.ts";
import type { ServerConnection } from "../http1/server-connection.ts";
import {
  type ForwardedRefusal,
  readForwarded,
  readXForwarded,
  type Said,
  type XForwardedLines,
} from "../peer/forwarded.ts";
import type { TrustedProxies } from "../peer/trusted-proxies.ts";
import { TAG } from "./field-tags.ts";
import { findNominated } from "./nominated.ts";

/** A client whose connection is a proxy's. */
export interface Client {
  /** As well as it is known: the client's, else the proxy's; "" on a unix socket. */
  readonly address: string;
  /** The client's, or "": then its address proves no name. */
  readonly ownAddress: string;
  /** What the client spoke to the first proxy; undefined where none says it. */
  readonly scheme: "http" | "https" | undefined;
  /** The Host that the client sent, where a proxy says another than it passes on. */
  readonly host: string | undefined;
}

/**
 * Why nothing is believed that the proxies wrote. `disagree`: Forwarded says one thing, X-Forwarded-* another; `nominated`: one of
 * these lines is named by `Connection`.
 */
type ClientRefusal = ForwardedRefusal | "disagree" | "nominated";

export interface FindClientOptions {
  /** Undefined: nobody is, and no request is looked at. */
  readonly trusted: TrustedProxies | undefined;
  /** @param proxy the address of the proxy that passed it on */
  readonly onForwardedRefused: (reason: ClientRefusal, proxy: string) => void;
}

type FindClient = (head: RequestHead, connection: ServerConnection) => Client | undefined;

export function createFindClient({ trusted, onForwardedRefused }: FindClientOptions): FindClient {
  if (trusted === undefined) return () => undefined;
  return (head, { announcement, clientAddress }) => {
    // Who announces a connection, but not whose it is, does not vouch for what comes on it.
    if (announcement !== undefined && announcement.address === undefined) return nobody(clientAddress);
    if (!trusted.isTrusted(clientAddress)) return undefined;
    const said = readSaid(head, trusted);
    if (said === undefined) return nobody(clientAddress);
    if (typeof said === "string") {
      onForwardedRefused(said, clientAddress);
      return nobody(clientAddress);
    }
    const { client, scheme, host } = said;
    if (client === undefined || client === "hidden") {
      return { address: clientAddress, ownAddress: "", scheme, host };
    }
    return { address: client.address, ownAddress: client.address, scheme, host };
  };
}

function nobody(address: string): Client {
  return { address, ownAddress: "", scheme: undefined, host: undefined };
}

function readSaid(head: RequestHead, trusted: TrustedProxies): Said | ClientRefusal | undefined {
  const lines = collectLines(head);
  if (lines === undefined || lines === "nominated") return lines;
  const { forwarded } = lines;
  const hasX = lines.for.length + lines.proto.length + lines.host.length > 0;
  const byRfc = forwarded.length === 0 ? undefined : readForwarded(forwarded, trusted);
  const byX = hasX ? readXForwarded(lines, trusted) : undefined;
  if (typeof byRfc === "string") return byRfc;
  if (typeof byX === "string") return byX;
  const said = byRfc !== undefined && byX !== undefined ? agree(byRfc, byX) : (byRfc ?? byX);
  if (typeof said !== "object") return said;
  return said.host === undefined || HOST.test(said.host) ? said : "syntax";
}

/** What both say; a client that only one of them tells is a disagreement, since the other should have. */
function agree(one: Said, other: Said): Said | "disagree" {
  const isSame =
    addressOf(one) === addressOf(other) &&
    (one.client === undefined) === (other.client === undefined) &&
    isAgreed(one.scheme, other.scheme) &&
    isAgreed(one.host?.toLowerCase(), other.host?.toLowerCase());
  if (!isSame) return "disagree";
  return {
    client: one.client,
    scheme: other.scheme === undefined ? undefined : one.scheme,
    host: other.host === undefined ? undefined : one.host,
  };
}

function addressOf({ client }: Said): string | undefined {
  return typeof client === "object" ? client.address : client;
}

function isAgreed(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other;
}

interface Lines extends XForwardedLines {
  readonly forwarded: readonly string[];
}

/** One in which `_` stands for `-` is none of them. */
const KINDS: ReadonlyMap<string, keyof Lines> = new Map([
  ["forwarded", "forwarded"],
  ["x-forwarded-for", "for"],
  ["x-forwarded-proto", "proto"],
  ["x-forwarded-host", "host"],
]);

/** @returns undefined where there is none of them */
function collectLines(head: RequestHead): Lines | "nominated" | undefined {
  const { text, marks } = head;
  let lines: Record<keyof Lines, string[]> | undefined;
  const nominated = findNominated(head);
  for (let index = 0; index < marks.length; index += MARK_SIZE) {
    const start = marks[index + 1] ?? 0;
    if (marks[index] !== TAG.FORWARDED) continue;
    const kind = KINDS.get(text.slice(start, marks[index + 2]).toLowerCase());
    const value = fieldValue(text, marks, index);
    if (kind === undefined || value === "") continue;
    if (nominated?.has(start) === true) return "nominated";
    lines ??= { forwarded: [], for: [], proto: [], host: [] };
    lines[kind].push(value);
  }
  return lines;
}
