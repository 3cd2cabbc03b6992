/**
 * The .well-known of a host: which server it delegates to.
 *
 * It is the only thing here that speaks to whatever host a name leads to, so all is bounded: time, bytes, redirects. Every
 * hop goes to addresses that were checked, over verified TLS. No cookies, no credentials, no second try.
 * Source: https://spec.matrix.org/v1.16/server-server-api/#getwell-knownmatrixserver.
 * Not here: caching and back-off (delegations.ts). The Content-Type isn't looked at, since many hosts send none.
 */

import { isIP } from "node:net";
import type { Clock } from "../core/clock.ts";
import { withoutBrackets } from "../core/host.ts";
import { parseServerName, type ServerName } from "../peer/server-name.ts";
import { resolveChecked } from "./addresses.ts";
import { withDeadline } from "./deadline.ts";
import { isFault } from "./destination.ts";
import type { Dns } from "./dns.ts";
import { type DialTo, get, type Reply } from "./https-get.ts";
import { readLifetime } from "./well-known-lifetime.ts";

/** The host delegates to `server`. */
interface Delegated {
  readonly server: ServerName;
  /** As the headers say, from 5 min to 48 h; undefined where they say nothing. */
  readonly lifetimeMs: number | undefined;
}

/**
 * The host doesn't delegate. A lasting fault is the host's answer, and the same tomorrow; the others may be over soon.
 *
 * "address": an address is not allowed; "dns": none was found; "connect": no connection, TLS fault or broken answer;
 * "status": 5xx; "timeout": 10 s were not enough. Lasting: "missing": any other status than 200; "invalid": no
 * `m.server` that is a server name; "too-large": more than 50 KiB; "redirect": to http, to a port that is not allowed,
 * to no host at all, or more than 5 of them.
 */
interface NotDelegated {
  readonly reason:
    "address" | "dns" | "connect" | "status" | "timeout" | "missing" | "invalid" | "too-large" | "redirect";
  readonly isLasting: boolean;
}

export type WellKnown = Delegated | NotDelegated;

/** @param host a DNS name in lower case. Never rejects. */
export type FetchWellKnown = (host: string) => Promise<WellKnown>;

export interface WellKnownOptions {
  readonly dns: Dns;
  readonly isAllowed: (address: string) => boolean;
  /** For the ports of redirects; 443 needs no leave. */
  readonly isPortAllowed: (port: number) => boolean;
  /**
   * Whom to trust; loaded with the first request, or before. A failure rejects. Without pins: those are for where a name leads after
   * delegation, and its web server may well show another certificate.
   */
  readonly tls: () => DialTo | Promise<DialTo>;
  readonly clock: Clock;
  /** The port of a URL without one, 443; tests have another. */
  readonly wellKnownPort?: number;
  /** Of the whole, with DNS and redirects; 10 s. */
  readonly timeoutMs?: number;
}

/** It stands before the first request to a server; who hasn't answered by then goes without. */
const TIMEOUT_MS = 10_000;
/** Hosts need one, from the bare domain to www; Synapse follows 20. Also what ends a loop. */
const REDIRECTS_MAX = 5;
/** A .well-known has about 40 bytes; Synapse's bound as well. */
const BODY_BYTES_MAX = 50 * 1024;
const HTTPS_PORT = 443;
const PATH = "/.well-known/matrix/server";
const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

const lasting = (reason: NotDelegated["reason"]): NotDelegated => ({ reason, isLasting: true });
const passing = (reason: NotDelegated["reason"]): NotDelegated => ({ reason, isLasting: false });

export function createFetchWellKnown(options: WellKnownOptions): FetchWellKnown {
  const outcomes = { late: passing("timeout"), failed: passing("connect") };
  return (host) =>
    withDeadline<WellKnown>(options.timeoutMs ?? TIMEOUT_MS, outcomes, (signal) =>
      follow(host, options, signal),
    );
}

async function follow(host: string, options: WellKnownOptions, signal: AbortSignal): Promise<WellKnown> {
  let url: URL | undefined = new URL(`https://${host}${PATH}`);
  for (let redirects = 0; url !== undefined && redirects <= REDIRECTS_MAX; redirects++) {
    const reply: Reply | NotDelegated = await request(url, options, signal);
    if ("reason" in reply) return reply;
    if (!REDIRECT_STATUSES.has(reply.status)) return read(reply, options.clock.unixMs());
    url = redirectTarget(reply.headers.location, url, options.isPortAllowed);
  }
  return lasting("redirect");
}

async function request(
  url: URL,
  options: WellKnownOptions,
  signal: AbortSignal,
): Promise<Reply | NotDelegated> {
  const { dns, isAllowed } = options;
  const name = withoutBrackets(url.hostname);
  const resolved =
    isIP(name) === 0 ? (await resolveChecked(dns, name, isAllowed)).value : isAllowed(name) && [name];
  if (resolved === false) return passing("address");
  if (isFault(resolved)) return passing(resolved.code === "TARGET_REFUSED" ? "address" : "dns");
  const tls = await options.tls();
  if (signal.aborted) return passing("timeout");

  const defaultPort = options.wellKnownPort ?? HTTPS_PORT;
  const port = url.port === "" ? defaultPort : Number(url.port);
  return get({
    endpoints: resolved.map((address) => ({ host: address, port })),
    tls: tls(name),
    hostHeader: port === defaultPort ? url.hostname : `${url.hostname}:${port}`,
    path: url.pathname + url.search,
    accept: "application/json",
    bodyBytesMax: BODY_BYTES_MAX,
    signal,
  });
}

/**
 * By `URL`, since it may be relative: what that makes of the text is used alone, for the dialling, the Host header and
 * the certificate, so nobody sees another host in it.
 *
 * @returns undefined for what is not followed. Never throws
 */
export function redirectTarget(
  location: string | undefined,
  from: URL,
  isPortAllowed: WellKnownOptions["isPortAllowed"],
): URL | undefined {
  if (location === undefined || !URL.canParse(location, from.href)) return undefined;
  const url = new URL(location, from);
  if (url.protocol !== "https:" || url.username !== "" || url.password !== "") return undefined;
  // Server names are the hosts that can be dialled at all; this leaves out what is too long, or not ASCII.
  const server = parseServerName(url.hostname);
  if (server === undefined) return undefined;
  url.hostname = server.host;
  return url.port === "" || isPortAllowed(Number(url.port)) ? url : undefined;
}

function read(reply: Reply, unixMs: number): WellKnown {
  if (reply.status >= 500) return passing("status");
  if (reply.status !== 200) return lasting("missing");
  if (typeof reply.body === "string") return lasting("too-large"); // No other refusal was asked for.
  const server = readDelegate(reply.body.text);
  return server === undefined
    ? lasting("invalid")
    : { server, lifetimeMs: readLifetime(reply.headers, unixMs) };
}

/** @returns the `m.server` of a body, or undefined where there is none that is a server name. Never throws. */
export function readDelegate(body: string): ServerName | undefined {
  try {
    const json: unknown = JSON.parse(body);
    if (typeof json !== "object" || json === null || !("m.server" in json)) return undefined;
    const name = json["m.server"];
    return typeof name === "string" ? parseServerName(name) : undefined;
  } catch {
    return undefined;
  }
}
