/**
 * Discovery that keeps within what the config allows: which addresses may be asked, and on which ports.
 * A part of the composition root (app.ts). The way out and the fetching of keys have one each, so that neither pushes the other's
 * addresses out of its cache.
 */

import type { OutgoingTls } from "./app-roots.ts";
import type { Clock } from "./core/clock.ts";
import type { Random } from "./core/random.ts";
import type { Dns } from "./discovery/dns.ts";
import { createDiscovery, type Discovery } from "./discovery/server-discovery.ts";
import { createFetchWellKnown } from "./discovery/well-known.ts";
import { createAllowedTargets } from "./proxy/allowed-targets.ts";
import { createAllowedPorts } from "./proxy/outbound-target.ts";

/** What an operator allows beyond public addresses and the usual ports. */
interface AllowedBeyond {
  readonly allowNetworks: readonly string[];
  readonly allowPorts: readonly number[];
}

interface DiscoveryTools {
  readonly dns: Dns;
  readonly clock: Clock;
  readonly random: Random;
  readonly tls: OutgoingTls;
}

export function createCheckedDiscovery(
  { allowNetworks, allowPorts }: AllowedBeyond,
  { dns, clock, random, tls }: DiscoveryTools,
): Discovery {
  const targets = createAllowedTargets(allowNetworks);
  const checks = {
    dns,
    isAllowed: (address: string): boolean => targets.isAllowed(address),
    isPortAllowed: createAllowedPorts(allowPorts),
    clock,
  };
  return createDiscovery({
    ...checks,
    fetchWellKnown: createFetchWellKnown({ ...checks, tls: tls.unpinned }),
    random,
  });
}
