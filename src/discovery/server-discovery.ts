/**
 * Server discovery: from a server name to the addresses to dial, the Host header and the name for TLS.
 *
 * Source: https://spec.matrix.org/v1.16/server-server-api/#resolving-server-names, all steps in its order, each named in
 * the result. A server that was found is returned at once from then on; its parts are kept as well, each for its own
 * time, since a .well-known is good for a day and an address for seconds.
 * Not here: the wire (dns.ts, well-known.ts), what is allowed (given), dialling and TLS.
 */

import { isIP } from "node:net";
import type { Clock } from "../core/clock.ts";
import type { Random } from "../core/random.ts";
import type { ServerName } from "../peer/server-name.ts";
import { dnsFault, REFUSED_TTL_MS, resolveChecked } from "./addresses.ts";
import { createDelegations } from "./delegations.ts";
import {
  ADDRESS_REFUSED,
  BUSY,
  type Destination,
  type Endpoint,
  type Fault,
  type Found,
  isFault,
  isPassing,
  NO_ADDRESS,
  PORT_REFUSED,
  type Step,
} from "./destination.ts";
import type { Dns, Service } from "./dns.ts";
import { createLookupCache, type Kept, type Loaded, type LookupCounters } from "./lookup-cache.ts";
import { orderServices } from "./service-order.ts";
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
  /** Where a homeserver is. Never rejects; at once where it is known. At worst 25 s: .well-known 10 s, three times DNS 5 s. */
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

/** Of each cache. A big homeserver federates with some thousands; about 5 MB. */
export const ENTRIES_MAX = 8192;
/** Servers, and hosts, looked up at a time: a restart after a long outage sends to hundreds at once. */
export const IN_FLIGHT_MAX = 256;
/** Targets that are used of one SRV answer; each is a look-up, and an answer may hold hundreds. */
const SERVICES_MAX = 8;
const DEFAULT_PORT = 8448;
/** That there is no SRV record is the usual answer, not a fault: kept as long as a record is. */
const NO_SERVICE_TTL_MS = 300_000;

/** The services asked for, with the step that each is. */
const FEDERATION_SERVICE = "_matrix-fed._tcp.";
const DEPRECATED_SERVICE = "_matrix._tcp.";

/** The name that stays when SRV records lead elsewhere, and the steps that may follow it. */
interface Named {
  readonly host: string;
  readonly steps: readonly [service: Step, deprecated: Step, fallback: Step];
}

/** What the caller tells the server that it reaches, whatever its addresses. */
type Identity = Omit<Destination, "addresses">;

interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

export function createDiscovery(options: DiscoveryOptions): Discovery {
  const { dns, isAllowed, clock, random } = options;
  const isPortAllowed = (port: number): boolean => port > 0 && options.isPortAllowed(port);
  const bounds = { entriesMax: ENTRIES_MAX, clock };

  const servers = createLookupCache<ServerName, Found>({
    load: async (server) => toLoaded(await locate(server)),
    busy: BUSY,
    inFlightMax: IN_FLIGHT_MAX,
    ...bounds,
  });
  const hosts = createLookupCache<HostAndPort, Found>({
    load: async ({ host, port }) => toLoaded(await atHost(host, port, hostIdentity(host, port))),
    busy: BUSY,
    inFlightMax: IN_FLIGHT_MAX,
    ...bounds,
  });
  // What these are asked is bounded above; the bounds here can't be reached by it.
  const delegations = createDelegations({
    fetchWellKnown: options.fetchWellKnown,
    inFlightMax: 2 * IN_FLIGHT_MAX,
    random,
    ...bounds,
  });
  const services = createLookupCache<string, readonly Service[] | Fault>({
    load: loadServices,
    busy: BUSY,
    inFlightMax: IN_FLIGHT_MAX,
    ...bounds,
  });
  const addresses = createLookupCache<string, readonly string[] | Fault>({
    load: async (host) => withFailure(await resolveChecked(dns, host, isAllowed)),
    busy: BUSY,
    inFlightMax: (SERVICES_MAX + 1) * IN_FLIGHT_MAX,
    ...bounds,
  });

  async function loadServices(name: string): Promise<Loaded<readonly Service[] | Fault>> {
    const answer = await dns.services(name);
    if (answer === "none") return { value: [], ttlMs: NO_SERVICE_TTL_MS, isFailure: false };
    if (typeof answer === "string") return withFailure(dnsFault(answer));
    return { value: answer.services, ttlMs: answer.ttlMs, isFailure: false };
  }

  function toLoaded({ value, untilMs }: Kept<Found>): Loaded<Found> {
    return withFailure({ value, ttlMs: untilMs - clock.monotonicMs() });
  }

  async function locate(server: ServerName): Promise<Kept<Found>> {
    const { host, port } = server;
    if (port !== undefined)
      return atHost(host, port, { hostHeader: server.name, tlsName: host, step: "port" });

    const { value: delegation, untilMs } = await delegations.get(host, host);
    if (isFault(delegation)) return { value: delegation, untilMs };
    const found =
      delegation.server === undefined
        ? await byService({ host, steps: ["srv", "srv-deprecated", "default"] })
        : await atDelegated(delegation.server);
    return { value: found.value, untilMs: Math.min(found.untilMs, untilMs) };
  }

  /** Never with another .well-known: that of the delegated name isn't asked for. */
  async function atDelegated(server: ServerName): Promise<Kept<Found>> {
    const { host, port, name } = server;
    if (isLiteral(host)) return refusedSoon(atLiteral(server, "well-known-literal"));
    if (port !== undefined)
      return atHost(host, port, { hostHeader: name, tlsName: host, step: "well-known-port" });
    return byService({
      host,
      steps: ["well-known-srv", "well-known-srv-deprecated", "well-known-default"],
    });
  }

  /** A fault of DNS ends it: that there is no record must be known before the next step may be taken. */
  async function byService({ host, steps }: Named): Promise<Kept<Found>> {
    const [service, deprecated, fallback] = steps;
    const tries = [
      [FEDERATION_SERVICE, service],
      [DEPRECATED_SERVICE, deprecated],
    ] as const;
    let soonestMs = Infinity;
    for (const [prefix, step] of tries) {
      const { value, untilMs } = await services.renew(prefix + host, prefix + host);
      soonestMs = Math.min(soonestMs, untilMs);
      if (isFault(value)) return { value, untilMs: soonestMs };
      if (value.length === 0) continue;
      const found = await atServices(value, { hostHeader: host, tlsName: host, step });
      return { value: found.value, untilMs: Math.min(found.untilMs, soonestMs) };
    }
    const found = await atHost(host, DEFAULT_PORT, { hostHeader: host, tlsName: host, step: fallback });
    return { value: found.value, untilMs: Math.min(found.untilMs, soonestMs) };
  }

  async function atServices(records: readonly Service[], identity: Identity): Promise<Kept<Found>> {
    if (!records.every(({ port }) => isPortAllowed(port))) return refusedSoon(PORT_REFUSED);
    const chosen = orderServices(records, () => random.fraction()).slice(0, SERVICES_MAX);
    const targets = await Promise.all(
      chosen.map(async ({ name, port }) => {
        const host = toHost(name);
        const { value, untilMs } = await addresses.renew(host, host);
        return { value, untilMs, port };
      }),
    );
    const untilMs = Math.min(...targets.map((target) => target.untilMs));
    const endpoints = targets.flatMap(({ value, port }) => (isFault(value) ? [] : at(value, port)));
    const faults = targets.map(({ value }) => value).filter(isFault);
    const refused = faults.find((fault) => fault.code === "TARGET_REFUSED");
    // Targets without address are passed over where another has one.
    if (refused === undefined && endpoints.length > 0)
      return { value: { addresses: endpoints, ...identity }, untilMs };
    return { value: refused ?? faults.find(isPassing) ?? NO_ADDRESS, untilMs };
  }

  async function atHost(host: string, port: number, identity: Identity): Promise<Kept<Found>> {
    if (!isPortAllowed(port)) return refusedSoon(PORT_REFUSED);
    const { value, untilMs } = await addresses.renew(host, host);
    return { value: isFault(value) ? value : { addresses: at(value, port), ...identity }, untilMs };
  }

  function atLiteral({ host, port = DEFAULT_PORT, name }: ServerName, step: Step): Found {
    const address = withoutBrackets(host);
    if (!isPortAllowed(port)) return PORT_REFUSED;
    if (!isAllowed(address)) return ADDRESS_REFUSED;
    return { addresses: at([address], port), hostHeader: name, tlsName: address, step };
  }

  /** For what needs no look-up: only a refusal has an end, as the rules may change with a reload. */
  function refusedSoon(value: Found): Kept<Found> {
    return { value, untilMs: isFault(value) ? clock.monotonicMs() + REFUSED_TTL_MS : Infinity };
  }

  return {
    // A literal needs no look-up, so it isn't kept either.
    server: (name) =>
      isLiteral(name.host) ? atLiteral(name, "literal") : valueOf(servers.get(name.name, name)),
    host(host, port) {
      const identity = hostIdentity(host, port);
      return isLiteral(host)
        ? atLiteral({ host, port, name: identity.hostHeader }, "host")
        : valueOf(hosts.get(identity.hostHeader, { host, port }));
    },
    counters: () => ({
      servers: servers.counters(),
      hosts: hosts.counters(),
      delegations: delegations.counters(),
      services: services.counters(),
      addresses: addresses.counters(),
    }),
  };
}

function valueOf(kept: Kept<Found> | Promise<Kept<Found>>): Found | Promise<Found> {
  return kept instanceof Promise ? kept.then(({ value }) => value) : kept.value;
}

function withFailure<V extends object>(loaded: { readonly value: V; readonly ttlMs: number }): Loaded<V> {
  return { ...loaded, isFailure: isFault(loaded.value) && isPassing(loaded.value) };
}

function at(addresses: readonly string[], port: number): readonly Endpoint[] {
  return addresses.map((host) => ({ host, port }));
}

function hostIdentity(host: string, port: number): Identity {
  return { hostHeader: `${host}:${port}`, tlsName: withoutBrackets(host), step: "host" };
}

/** The target of an SRV record, as a cache's key. */
function toHost(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

function withoutBrackets(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1) : host;
}

function isLiteral(host: string): boolean {
  return isIP(withoutBrackets(host)) !== 0;
}
