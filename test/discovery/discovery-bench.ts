/**
 * What the tests of createDiscovery share: DNS and .well-known on loopback, a clock that stands still, and rows that say
 * what a name must lead to and what it may ask on the way.
 */

import { expect } from "vitest";
import type { Destination, Found } from "../../src/discovery/destination.ts";
import { createDns, type Dns } from "../../src/discovery/dns.ts";
import {
  createDiscovery,
  type Discovery,
  type DiscoveryOptions,
} from "../../src/discovery/server-discovery.ts";
import { createFetchWellKnown } from "../../src/discovery/well-known.ts";
import { parseServerName, type ServerName } from "../../src/peer/server-name.ts";
import { createAllowedTargets } from "../../src/proxy/allowed-targets.ts";
import { fakeClock } from "../support/clock.ts";
import { type DnsRecords, type DnsServer, type DnsZone, startDnsServer } from "../support/dns-server.ts";
import { answerDelegations, CA, dialTo, startWeb, type Web } from "./web.ts";

const allowed = createAllowedTargets(["127.0.0.0/8"]);
const isAllowed = (address: string): boolean => allowed.isAllowed(address);

export interface Bench {
  readonly dnsServer: DnsServer;
  readonly dns: Dns;
  readonly web: Web;
  /** A new one, that knows nothing; its clock is the last argument's or stands still. Port 22 is not allowed. */
  start(options?: Partial<DiscoveryOptions>): Discovery;
  /** Runs a row against a new discovery, and looks at what went over the wire. */
  check(row: Row): Promise<void>;
  /** SRV queries and hosts asked for .well-known, since the last call. */
  takeAsked(): readonly string[];
  stop(): void;
}

export async function startBench(): Promise<Bench> {
  const dnsServer = await startDnsServer();
  const dns = createDns({ resolver: dnsServer.resolver, timeoutMs: 5000 });
  const web = await startWeb();
  const tls = await dialTo(CA);

  function start(options: Partial<DiscoveryOptions> = {}): Discovery {
    const clock = options.clock ?? fakeClock();
    const isPortAllowed = (port: number): boolean => port !== 22;
    const wellKnownPort = web.port;
    return createDiscovery({
      dns,
      fetchWellKnown: createFetchWellKnown({
        dns,
        isAllowed,
        isPortAllowed,
        tls: () => tls,
        clock,
        wellKnownPort,
      }),
      isAllowed,
      isPortAllowed,
      clock,
      random: { fraction: () => 0 },
      ...options,
    });
  }

  function takeAsked(): readonly string[] {
    return [
      ...web.takeRequests().map((request) => request.split(" ")[0] ?? ""),
      ...dnsServer.takeQueries().filter((query) => query.startsWith("SRV")),
    ];
  }

  return {
    dnsServer,
    dns,
    web,
    start,
    takeAsked,
    async check({ name, zone = {}, delegations = {}, expected, asks }) {
      dnsServer.setZone(zone);
      answerDelegations(web, delegations);
      takeAsked();
      expect(brief(await start().server(serverName(name)))).toEqual(expected);
      const asked = takeAsked();
      if (asks !== undefined) expect(asked).toEqual(asks);
    },
    stop() {
      web.stop();
      dnsServer.stop();
    },
  };
}

export interface Row {
  readonly why: string;
  readonly name: string;
  readonly zone?: DnsZone;
  readonly delegations?: Readonly<Record<string, string>>;
  readonly expected: (Omit<Destination, "addresses"> & { readonly addresses: string }) | string;
  /** SRV queries and requests for .well-known that it takes, in their order; not looked at where left out. */
  readonly asks?: readonly string[];
}

export function serverName(text: string): ServerName {
  const name = parseServerName(text);
  if (name === undefined) throw new Error(`${text} is no server name`);
  return name;
}

/** `ADDRESS PORT` of each, in their order. */
export function brief(found: Found): unknown {
  if ("code" in found) return `${found.code} ${found.reason}`;
  return { ...found, addresses: found.addresses.map(({ host, port }) => `${host} ${port}`).join(", ") };
}

export const HOME: DnsRecords = { A: ["127.0.0.1"] };
export const A: DnsRecords = { A: ["1.1.1.1"] };
export const B: DnsRecords = { A: ["2.2.2.2"] };
export const SERVFAIL: DnsRecords = { fails: { A: "SERVFAIL", AAAA: "SERVFAIL", SRV: "SERVFAIL" } };
export const srv = (port: number, target: string): DnsRecords => ({ SRV: [[0, 0, port, target]] });

export const FED = (host: string): string => `SRV _matrix-fed._tcp.${host}`;
export const OLD = (host: string): string => `SRV _matrix._tcp.${host}`;
