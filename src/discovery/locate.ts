/**
 * The steps from a server name to a destination, in the specification's order, each named in the result.
 *
 * Source: https://spec.matrix.org/v1.16/server-server-api/#resolving-server-names. Each answer ends with the first of
 * the parts that it is made of: a .well-known is good for a day, an address for seconds.
 * Not here: caching of the whole (server-discovery.ts), of the parts (given), and the wire.
 */

import { isIP } from "node:net";
import type { Clock } from "../core/clock.ts";
import { foldName, withoutBrackets } from "../core/host.ts";
import type { Random } from "../core/random.ts";
import type { ServerName } from "../peer/server-name.ts";
import { REFUSED_TTL_MS } from "./addresses.ts";
import type { Delegation } from "./delegations.ts";
import {
  ADDRESS_REFUSED,
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
import type { Service } from "./dns.ts";
import type { Kept, LookupCache } from "./lookup-cache.ts";
import { orderServices } from "./service-order.ts";

/** What the steps are made of. */
export interface Parts {
  /** By host. */
  readonly delegations: LookupCache<string, Delegation | Fault>;
  /** By name with service and protocol; empty where there is no record. */
  readonly services: LookupCache<string, readonly Service[] | Fault>;
  /** By host; checked. */
  readonly addresses: LookupCache<string, readonly string[] | Fault>;
  readonly isAllowed: (address: string) => boolean;
  readonly isPortAllowed: (port: number) => boolean;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
}

/** Targets that are used of one SRV answer; each is a look-up, and an answer may hold hundreds. */
export const SERVICES_MAX = 8;
const DEFAULT_PORT = 8448;

const FEDERATION_SERVICE = "_matrix-fed._tcp.";
const DEPRECATED_SERVICE = "_matrix._tcp.";

/** The name that stays when SRV records lead elsewhere, and the steps that may follow it. */
interface Named {
  readonly host: string;
  readonly steps: readonly [service: Step, deprecated: Step, fallback: Step];
}

/** What the caller tells the server that it reaches, whatever its addresses. */
type Identity = Omit<Destination, "addresses">;

/** Steps 2 to 6; a literal is `locateLiteral`'s. */
export async function locateServer(parts: Parts, server: ServerName): Promise<Kept<Found>> {
  const { host, port, name } = server;
  if (port !== undefined) return atHost(parts, port, { hostHeader: name, tlsName: host, step: "port" });

  const { value: delegation, untilMs } = await parts.delegations.get(host, host);
  if (isFault(delegation)) return { value: delegation, untilMs };
  const found =
    delegation.server === undefined
      ? await byService(parts, { host, steps: ["srv", "srv-deprecated", "default"] })
      : await atDelegated(parts, delegation.server);
  return endingWith(found, untilMs);
}

/** A plain name with its port; a literal is `locateLiteral`'s. */
export async function locateHost(parts: Parts, host: string, port: number): Promise<Kept<Found>> {
  return atHost(parts, port, { hostHeader: `${host}:${port}`, tlsName: host, step: "host" });
}

/** Needs no look-up. @param server its host is an IP literal, IPv6 in brackets */
export function locateLiteral(parts: Parts, server: ServerName, step: Step): Found {
  const { host, port = DEFAULT_PORT, name } = server;
  const address = withoutBrackets(host);
  if (!parts.isPortAllowed(port)) return PORT_REFUSED;
  if (!parts.isAllowed(address)) return ADDRESS_REFUSED;
  return { addresses: at([address], port), hostHeader: name, tlsName: address, step };
}

/** Whether a server name's host is an IP address; IPv6 has brackets. */
export function isLiteral(host: string): boolean {
  return isIP(withoutBrackets(host)) !== 0;
}

/** Step 3. The .well-known of the delegated name isn't asked for. */
async function atDelegated(parts: Parts, server: ServerName): Promise<Kept<Found>> {
  const { host, port, name } = server;
  if (isLiteral(host)) return unasked(parts, locateLiteral(parts, server, "well-known-literal"));
  if (port !== undefined) {
    return atHost(parts, port, { hostHeader: name, tlsName: host, step: "well-known-port" });
  }
  const steps = ["well-known-srv", "well-known-srv-deprecated", "well-known-default"] as const;
  return byService(parts, { host, steps });
}

/**
 * SRV, or 8448 where there is none. A fault of DNS ends it: that there is no record must be known before the next step
 * may be taken. (Synapse does so too.)
 */
async function byService(parts: Parts, { host, steps }: Named): Promise<Kept<Found>> {
  const [service, deprecated, fallback] = steps;
  const tries = [
    [FEDERATION_SERVICE, service],
    [DEPRECATED_SERVICE, deprecated],
  ] as const;
  let soonestMs = Infinity;
  for (const [prefix, step] of tries) {
    const { value, untilMs } = await parts.services.renew(prefix + host, prefix + host);
    soonestMs = Math.min(soonestMs, untilMs);
    if (isFault(value)) return { value, untilMs: soonestMs };
    if (value.length === 0) continue;
    return endingWith(await atServices(parts, value, { hostHeader: host, tlsName: host, step }), soonestMs);
  }
  const identity = { hostHeader: host, tlsName: host, step: fallback };
  return endingWith(await atHost(parts, DEFAULT_PORT, identity), soonestMs);
}

/** Targets without address are passed over where another has one; a single one that is not allowed refuses all. */
async function atServices(
  parts: Parts,
  records: readonly Service[],
  identity: Identity,
): Promise<Kept<Found>> {
  if (!records.every(({ port }) => parts.isPortAllowed(port))) return unasked(parts, PORT_REFUSED);
  const chosen = orderServices(records, () => parts.random.fraction()).slice(0, SERVICES_MAX);
  const targets = await Promise.all(
    chosen.map(async ({ name, port }) => {
      const host = foldName(name);
      const { value, untilMs } = await parts.addresses.renew(host, host);
      return { value, untilMs, port };
    }),
  );
  const untilMs = Math.min(...targets.map((target) => target.untilMs));
  const addresses = targets.flatMap(({ value, port }) => (isFault(value) ? [] : at(value, port)));
  const faults = targets.map(({ value }) => value).filter(isFault);
  const refused = faults.find((fault) => fault.code === "TARGET_REFUSED");
  if (refused === undefined && addresses.length > 0) return { value: { addresses, ...identity }, untilMs };
  return { value: refused ?? faults.find(isPassing) ?? NO_ADDRESS, untilMs };
}

/** The addresses of the name that TLS is for. */
async function atHost(parts: Parts, port: number, identity: Identity): Promise<Kept<Found>> {
  if (!parts.isPortAllowed(port)) return unasked(parts, PORT_REFUSED);
  const { tlsName } = identity;
  const { value, untilMs } = await parts.addresses.renew(tlsName, tlsName);
  return { value: isFault(value) ? value : { addresses: at(value, port), ...identity }, untilMs };
}

/** What no look-up was needed for: a refusal ends some time, as all refusals do, a literal with what led to it. */
function unasked({ clock }: Parts, value: Found): Kept<Found> {
  return { value, untilMs: isFault(value) ? clock.monotonicMs() + REFUSED_TTL_MS : Infinity };
}

function endingWith(found: Kept<Found>, untilMs: number): Kept<Found> {
  return { value: found.value, untilMs: Math.min(found.untilMs, untilMs) };
}

function at(addresses: readonly string[], port: number): readonly Endpoint[] {
  return addresses.map((host) => ({ host, port }));
}
