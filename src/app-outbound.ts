/**
 * The way out, as the config wants it: discovery, TLS to targets, the side itself, and who looks into tunnels.
 * A part of the composition root (app.ts). What a reload may change is made anew by `createLive`, with caches of its own:
 * addresses that were allowed before may not be any more.
 */

import { constants } from "node:crypto";
import { BlockList, isIP, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { readAuthority } from "./app-authority.ts";
import { createCheckedDiscovery } from "./app-discovery.ts";
import type { OutgoingTls } from "./app-roots.ts";
import type { Listen } from "./config/addresses.ts";
import type { Config } from "./config/merge.ts";
import type { KeptLeaf } from "./authority/leaf-cache.ts";
import type { Clock } from "./core/clock.ts";
import { FedtraceError } from "./core/errors.ts";
import { inBrackets, withoutBrackets } from "./core/host.ts";
import type { Log } from "./core/log.ts";
import type { Random } from "./core/random.ts";
import { createDns, type Dns } from "./discovery/dns.ts";
import type { Discovery } from "./discovery/server-discovery.ts";
import { CIPHERS } from "./http1/tls-suites.ts";
import { createDiscoveryMetrics, createInterceptMetrics } from "./metrics/outbound-metrics.ts";
import type { ProxyMetrics } from "./metrics/proxy-metrics.ts";
import type { Registry } from "./metrics/registry.ts";
import { createBoundedCache } from "./core/bounded-cache.ts";
import { createWhitelist } from "./peer/whitelist.ts";
import { createInterceptor, type Interceptor, type InterceptOptions } from "./proxy/intercept.ts";
import { createLocate, createOutbound, type OutboundOptions } from "./proxy/outbound.ts";
import type { Side } from "./proxy/side.ts";

type OutboundConfig = NonNullable<Config["outbound"]>;

export interface OutboundTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: ProxyMetrics;
  readonly registry: Registry;
  readonly tls: OutgoingTls;
  /** In the place of DNS, for tests; without it names are looked up as the config says. */
  readonly dns: Dns | undefined;
  /** `host:port` of the outbound listener, once it is there. */
  readonly ownAddress: () => string | undefined;
}

export interface LiveOutbound {
  readonly side: Side;
  readonly locate: Side["locate"];
}

export interface WayOut {
  /** For a config whose restart keys are those of the first. */
  createLive(config: OutboundConfig): Promise<LiveOutbound>;
  /** Does what the first https target would wait for (some 40 ms: reading all roots). */
  warmUp(): void;
}

/** Made once; nothing is read or loaded before it is needed. */
export function createWayOut(config: OutboundConfig, tools: OutboundTools): WayOut {
  const { pinned: tls } = tools.tls;
  const dns = tools.dns ?? createDns({ resolver: config.resolver });
  let newest: Discovery | undefined;
  createDiscoveryMetrics(tools.registry, () => newest?.counters() ?? {});
  const isOwnListener = createIsOwn(config.listen, tools.ownAddress);

  return {
    warmUp: () => void Promise.resolve(tls()).catch(() => undefined), // Told by the first request that needs it.
    async createLive(live) {
      const discovery = createCheckedDiscovery(live, { ...tools, dns });
      newest = discovery;
      const options: OutboundOptions = {
        sharedSecret: live.sharedSecret,
        discovery,
        tls,
        isOwnListener,
        onTargetRefused: (reason) => tools.metrics.targetRefused(reason),
      };
      const locate = createLocate(options);
      return { locate, side: await createOutbound(options, locate) };
    },
  };
}

/**
 * A wildcard listener is reached by every address of this machine, and the unspecified address, as a target, by whatever
 * listens. Not by comparing texts: `::ffff:127.0.0.1` and `0::1` are dialled as 127.0.0.1 and ::1.
 */
function createIsOwn(
  listen: Listen,
  ownAddress: () => string | undefined,
): (host: string, port: number) => boolean {
  if ("path" in listen) return () => false;
  const isWildcard = listen.host === "0.0.0.0" || listen.host === "::";
  return (host, port) => {
    const own = ownAddress();
    const ownPort =
      own === undefined || own === "" ? listen.port : Number(own.slice(own.lastIndexOf(":") + 1));
    if (port !== ownPort) return false;
    const addresses = new BlockList();
    const texts = ["0.0.0.0", "::", listen.host, withoutBrackets(own?.replace(/:\d+$/, "") ?? "")];
    if (isWildcard) {
      addresses.addSubnet("127.0.0.0", 8);
      const interfaces = Object.values(networkInterfaces()).flatMap((found = []) => found);
      texts.push(...interfaces.map(({ address }) => address));
    }
    for (const text of texts) if (isIP(text) !== 0) addresses.addAddress(text, familyOf(text));
    return addresses.check(host, familyOf(host));
  };
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}

/**
 * Who looks into tunnels; undefined where the config says nothing of it.
 *
 * @throws FedtraceError CONFIG_INVALID where the authority can't be used
 */
export async function createTunnelInterceptor(
  { intercept }: OutboundConfig,
  { registry, clock, log }: { readonly registry: Registry; readonly clock: Clock; readonly log: Log },
  options: Omit<InterceptOptions, "isMeantHost" | "leafFor">,
): Promise<Interceptor | undefined> {
  if (intercept === undefined) return undefined;
  // Most sidecars look into no tunnel; whoever does waits for a file more.
  const { createLeafCache, LEAFS_MAX } = await import("./authority/leaf-cache.ts");
  const read = await readAuthority(intercept, clock);
  if ("faults" in read) {
    const lines = read.faults.map(({ key, message }) => `outbound.intercept.${key}: ${message}`);
    throw new FedtraceError("CONFIG_INVALID", lines.join("\n"));
  }
  const authority = read.value;
  const warning = authority.warning();
  if (warning !== undefined)
    log.warn("the authority of outbound.intercept is out of date, or soon will be", { warning });
  const isListed = await createHostList(intercept.hosts);
  const leafs = await createLeafCache(authority, {
    store: createBoundedCache<KeptLeaf>(LEAFS_MAX),
    clock,
    tls: { ciphers: CIPHERS, minVersion: "TLSv1.2", secureOptions: constants.SSL_OP_NO_RENEGOTIATION },
  });
  const interceptor = await createInterceptor({
    ...options,
    isMeantHost: (host) => isListed(host) && authority.permits(host),
    leafFor: (name) => leafs.contextOf(name),
  });
  createInterceptMetrics(registry, { tunnels: () => interceptor.size, leafs: () => leafs.counters() });
  return interceptor;
}

type InterceptConfig = NonNullable<OutboundConfig["intercept"]>;

/** @param hosts undefined: every host */
async function createHostList(hosts: InterceptConfig["hosts"]): Promise<(host: string) => boolean> {
  if (hosts === undefined) return () => true;
  const list = await createWhitelist(
    hosts.map((text) => ({ kind: "glob", text, sampling: "accept", forcedPerSecond: 0 })),
  );
  return (host) => list.decide(inBrackets(host)).isWhitelisted;
}
