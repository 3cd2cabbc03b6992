/**
 * DNS: the addresses of a name, and its SRV records, each within a time limit.
 *
 * "There is none" and "it can't be said" are different answers: after the first, discovery goes on to its next step,
 * after the second it must not, or a failing DNS server would lead a server's traffic to another port.
 * Source: RFC 1035, RFC 2782; https://nodejs.org/api/dns.html. node:dns is loaded with the first look-up.
 * Not here: caching (lookup-cache.ts), checks of addresses (addresses.ts), CNAMEs (the resolver follows them).
 */

import type { promises, SrvRecord } from "node:dns";
import { formatHostPort } from "../core/host.ts";

/** "none": no such name, or no record of the kind. "failed", "timeout": not known. */
export type DnsFault = "none" | "failed" | "timeout";

interface AddressAnswer {
  /** At least one, IPv4 and IPv6 as they came, not checked. */
  readonly addresses: readonly string[];
  /** From 10 s to 10 min. */
  readonly ttlMs: number;
}

/** Of an SRV record: `name` is its target, not checked in any way. */
export type Service = Pick<SrvRecord, "name" | "port" | "priority" | "weight">;

interface ServiceAnswer {
  /** None where the only record says that the service is not there: a target of ".". */
  readonly services: readonly Service[];
  readonly ttlMs: number;
}

/** Neither function rejects. */
export interface Dns {
  addresses(host: string): Promise<AddressAnswer | DnsFault>;
  /** @param name with service and protocol: `_matrix-fed._tcp.example.org` */
  services(name: string): Promise<ServiceAnswer | DnsFault>;
}

export interface DnsOptions {
  /** `host` is an IP address. Undefined: the system's resolver for addresses (with its hosts file), its DNS servers for SRV. */
  readonly resolver: { readonly host: string; readonly port: number } | undefined;
  /** Of one look-up with all its queries and repetitions; 5 s. */
  readonly timeoutMs?: number;
}

/** A user waits for it, and glibc's resolver gives a server as long. */
const TIMEOUT_MS = 5000;

/** Under this a name is asked for with almost every request; above it a server that moved is out of reach for too long. */
const TTL_MIN_MS = 10_000;
const TTL_MAX_MS = 600_000;
/** getaddrinfo tells no ttl. Short, as it also reads the hosts file. */
const SYSTEM_TTL_MS = 30_000;
/** node:dns tells no ttl of SRV records. */
const SERVICE_TTL_MS = 300_000;

/** c-ares doubles its wait with each try: a third of the limit and two thirds make the whole. */
const TRIES = 2;
const TRIES_WAIT = 3;

/** No such name, no such record, and names that can't stand in a DNS message (a label above 63 bytes). */
const NONE_CODES: ReadonlySet<unknown> = new Set(["ENOTFOUND", "ENODATA", "EBADNAME"]);
const TIMEOUT_CODES: ReadonlySet<unknown> = new Set(["ETIMEOUT", "ECANCELLED"]);

interface Loaded {
  readonly lookup: typeof promises.lookup;
  readonly resolver: promises.Resolver;
}

export function createDns(options: DnsOptions): Dns {
  const { resolver, timeoutMs = TIMEOUT_MS } = options;
  let loading: Promise<Loaded> | undefined;
  const load = (): Promise<Loaded> => (loading ??= loadDns(resolver, timeoutMs));

  return {
    async addresses(host) {
      if (resolver === undefined) {
        const found = await within(timeoutMs, async () => {
          const { lookup } = await load();
          return lookup(host, { all: true, verbatim: true });
        });
        return typeof found === "string" ? found : toAnswer(found, SYSTEM_TTL_MS);
      }
      return joinFamilies(
        await Promise.all([
          within(timeoutMs, async () => (await load()).resolver.resolve6(host, { ttl: true })),
          within(timeoutMs, async () => (await load()).resolver.resolve4(host, { ttl: true })),
        ]),
      );
    },
    async services(name) {
      const found = await within(timeoutMs, async () => (await load()).resolver.resolveSrv(name));
      if (typeof found === "string") return found;
      if (found.length === 0) return "none";
      // The target "." says that the service is decidedly not there (RFC 2782); c-ares shows it as an empty name.
      const services = found
        .filter((service) => !/^\.?$/.test(service.name))
        .map(({ name: target, port, priority, weight }) => ({ name: target, port, priority, weight }));
      return { services, ttlMs: SERVICE_TTL_MS };
    },
  };
}

async function loadDns(resolver: DnsOptions["resolver"], timeoutMs: number): Promise<Loaded> {
  const { promises: dns } = await import("node:dns");
  const own = new dns.Resolver({ timeout: Math.max(1, Math.floor(timeoutMs / TRIES_WAIT)), tries: TRIES });
  if (resolver !== undefined) own.setServers([formatHostPort(resolver)]);
  return { lookup: dns.lookup, resolver: own };
}

interface AddressRecord {
  readonly address: string;
  /** Seconds. */
  readonly ttl: number;
}

/** One family may fail where the other answers; nothing of either is "none" only where neither failed. */
function joinFamilies(families: readonly (readonly AddressRecord[] | DnsFault)[]): AddressAnswer | DnsFault {
  const records = families.flatMap((family) => (typeof family === "string" ? [] : family));
  if (records.length > 0) {
    const ttlMs = Math.min(...records.map((record) => record.ttl)) * 1000;
    return toAnswer(records, Math.min(Math.max(ttlMs, TTL_MIN_MS), TTL_MAX_MS));
  }
  return families.find((family) => family === "failed" || family === "timeout") ?? "none";
}

function toAnswer(found: readonly { readonly address: string }[], ttlMs: number): AddressAnswer | DnsFault {
  return found.length === 0 ? "none" : { addresses: found.map(({ address }) => address), ttlMs };
}

function faultOf(error: unknown): DnsFault {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (NONE_CODES.has(code)) return "none";
  return TIMEOUT_CODES.has(code) ? "timeout" : "failed";
}

/** The limit is kept here as well: c-ares keeps one a server and query, getaddrinfo none at all. */
async function within<T>(timeoutMs: number, ask: () => Promise<T>): Promise<T | DnsFault> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<DnsFault>((resolve) => {
    timer = setTimeout(() => resolve("timeout"), timeoutMs).unref();
  });
  try {
    return await Promise.race([ask(), late]);
  } catch (error) {
    return faultOf(error);
  } finally {
    clearTimeout(timer);
  }
}
