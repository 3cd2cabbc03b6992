/**
 * Server discovery: from a server name to the addresses to dial, the Host header and the name for TLS.
 *
 * What was found is returned at once from then on: no promise, no query, no request. The parts that it is made of are
 * kept as well, each for its own time, so that an address that ends after seconds doesn't ask for the .well-known again.
 * Source: https://spec.matrix.org/v1.16/server-server-api/#resolving-server-names.
 * Not here: the steps (locate.ts), the wire (dns.ts, well-known.ts), what is allowed (given), dialling and TLS.
 */

import type { Clock } from "../core/clock.ts";
import type { Random } from "../core/random.ts";
import type { ServerName } from "../peer/server-name.ts";
import { dnsFault, resolveChecked } from "./addresses.ts";
import { createDelegations } from "./delegations.ts";
import { BUSY, NO_ADDRESS, type Fault, type Found, isFault, isPassing } from "./destination.ts";
import type { Dns, Service } from "./dns.ts";
import { isLiteral, locateHost, locateLiteral, locateServer, type Parts, SERVICES_MAX } from "./locate.ts";
import { createLookupCache, type Kept, type Loaded, type LookupCounters } from "./lookup-cache.ts";
import type { FetchWellKnown } from "./well-known.ts";

export interface DiscoveryOptions {
  readonly dns: Dns;
  readonly fetchWellKnown: FetchWellKnown;
  /** @param address an IP literal without brackets */
  readonly isAllowed: (address: string) => boolean;
  /** @param port from 1 to 65535, of a name, a .well-known, an SRV record or the default */
  readonly isPortAllowed: (port: number) => boolean;
  readonly clock: Clock;
  /** For the weights of SRV records, and jitter. */
  readonly random: Pick<Random, "fraction">;
}

export interface Discovery {
  /**
   * Where a homeserver is. Never rejects; at once where it is known. At worst it takes 25 s: 10 for the .well-known, 5 for
   * each of three steps of DNS.
   */
  server(name: ServerName): Found | Promise<Found>;
  /**
   * Where a plain host is, for targets that name their port (URLs, CONNECT). Never rejects; at once where it is known. The
   * Host header has the port, always: a URL without one has its own authority for it.
   *
   * @param host in lower case, as parseServerName gives it
   */
  host(host: string, port: number): Found | Promise<Found>;
  counters(): DiscoveryCounters;
}

/** `servers` and `hosts` are what was asked for, the others what it took. */
type DiscoveryCounters = Readonly<
  Record<"servers" | "hosts" | "delegations" | "services" | "addresses", LookupCounters>
>;

/** Of each cache. A big homeserver federates with some thousands. All of them full hold 14 MB (measured, two addresses each). */
export const ENTRIES_MAX = 8192;
/** Servers, and hosts, looked up at a time: a restart after a long outage sends to hundreds at once. */
export const IN_FLIGHT_MAX = 256;
/** That there is no SRV record is the usual answer, not a fault: kept as long as a record is. */
const NO_SERVICE_TTL_MS = 300_000;

export function createDiscovery(options: DiscoveryOptions): Discovery {
  const { clock } = options;
  const parts = createParts(options);
  const bounds = { busy: BUSY, entriesMax: ENTRIES_MAX, inFlightMax: IN_FLIGHT_MAX, clock };
  const toLoaded = ({ value, untilMs }: Kept<Found>): Loaded<Found> =>
    withFailure({ value, ttlMs: untilMs - clock.monotonicMs() });

  const servers = createLookupCache<ServerName, Found>({
    load: async (server) => toLoaded(await locateServer(parts, server)),
    ...bounds,
  });
  const hosts = createLookupCache<{ readonly host: string; readonly port: number }, Found>({
    load: async ({ host, port }) => toLoaded(await locateHost(parts, host, port)),
    ...bounds,
  });

  return {
    // A literal needs no look-up, so it isn't kept either.
    server: (name) =>
      isLiteral(name.host) ? locateLiteral(parts, name, "literal") : valueOf(servers.get(name.name, name)),
    host(host, port) {
      const name = `${host}:${port}`;
      return isLiteral(host)
        ? locateLiteral(parts, { host, port, name }, "host")
        : valueOf(hosts.get(name, { host, port }));
    },
    counters: () => ({
      servers: servers.counters(),
      hosts: hosts.counters(),
      delegations: parts.delegations.counters(),
      services: parts.services.counters(),
      addresses: parts.addresses.counters(),
    }),
  };
}

/** What parts are asked is bounded by the servers and hosts that are looked up; their own bounds can't be reached by it. */
function createParts(options: DiscoveryOptions): Parts {
  const { dns, fetchWellKnown, isAllowed, clock, random } = options;
  const bounds = { entriesMax: ENTRIES_MAX, clock };
  return {
    delegations: createDelegations({ fetchWellKnown, inFlightMax: 2 * IN_FLIGHT_MAX, random, ...bounds }),
    services: createLookupCache<string, readonly Service[] | Fault>({
      load: async (name) => loadServices(dns, name),
      busy: BUSY,
      inFlightMax: IN_FLIGHT_MAX,
      ...bounds,
    }),
    addresses: createLookupCache<string, readonly string[] | Fault>({
      load: async (host) => withFailure(await resolveChecked(dns, host, isAllowed)),
      busy: BUSY,
      inFlightMax: (SERVICES_MAX + 1) * IN_FLIGHT_MAX,
      ...bounds,
    }),
    isAllowed,
    isPortAllowed: (port) => port > 0 && options.isPortAllowed(port),
    clock,
    random,
  };
}

async function loadServices(dns: Dns, name: string): Promise<Loaded<readonly Service[] | Fault>> {
  const answer = await dns.services(name);
  if (answer === "none") return { value: [], ttlMs: NO_SERVICE_TTL_MS, isFailure: false };
  if (typeof answer === "string") return withFailure(dnsFault(answer));
  // As Synapse has it: a service that is decidedly not there ends discovery, it does not fall through to 8448.
  const value = answer.services.length === 0 ? NO_ADDRESS : answer.services;
  return { value, ttlMs: answer.ttlMs, isFailure: false };
}

function valueOf(kept: Kept<Found> | Promise<Kept<Found>>): Found | Promise<Found> {
  return kept instanceof Promise ? kept.then(({ value }) => value) : kept.value;
}

function withFailure<V extends object>(loaded: { readonly value: V; readonly ttlMs: number }): Loaded<V> {
  return { ...loaded, isFailure: isFault(loaded.value) && isPassing(loaded.value) };
}
