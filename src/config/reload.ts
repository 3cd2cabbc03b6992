/**
 * What a reload may change. A change of anything else refuses the reload as a whole: half a change would leave a
 * sidecar that no file describes.
 *
 * What stands here is what docs/config.md calls `restart`; test/cli/reload.test.ts changes a running sidecar's file, key by key.
 */

import { isDeepStrictEqual } from "node:util";
import type { Config } from "./merge.ts";

/** A top-level part of the config without what may change in it. */
type Fixed = (config: Config) => unknown;

/** By the key as the operator writes it. */
const FIXED: Readonly<Record<string, Fixed>> = {
  server_name: (config) => config.serverName,
  inbound: ({ inbound }) =>
    inbound && {
      listen: inbound.listen,
      hasTls: inbound.tls !== undefined,
      proxyProtocol: inbound.proxyProtocol,
      keys: { ...inbound.keys, notary: undefined, allowNetworks: undefined },
    },
  outbound: ({ outbound }) =>
    outbound && {
      ...outbound,
      tls: outbound.tls !== undefined,
      sharedSecret: undefined,
      allowNetworks: undefined,
      allowPorts: undefined,
    },
  "sampling.tail": (config) => config.sampling.tail,
  export: (config) => config.exports,
  admin: ({ admin }) => admin && { ...admin, hosts: undefined },
  metrics: (config) => config.metrics,
  workers: (config) => config.workers,
  "(environment)": (config) => [config.resource, config.isSdkDisabled, config.systemRootsFile],
};

/** @returns the keys whose change needs a restart; none: the new config may be taken over */
export function findRestartKeys(old: Config, next: Config): readonly string[] {
  return Object.entries(FIXED)
    .filter(([, fixed]) => !isDeepStrictEqual(fixed(old), fixed(next)))
    .map(([key]) => key);
}
