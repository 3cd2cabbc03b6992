/** DNS for a world of its own: the addresses of names by a function, and no SRV records. The demo's, and the tests'. */

import type { Dns } from "./dns.ts";

/** A function knows no ttl. */
const TTL_MS = 30_000;

/** @param resolve rejects where a name has no address */
export function createNamedDns(resolve: (name: string) => Promise<readonly string[]>): Dns {
  return {
    async addresses(name) {
      const addresses = await resolve(name).catch(() => []);
      return addresses.length === 0 ? "none" : { addresses, ttlMs: TTL_MS };
    },
    services: () => Promise.resolve("none"),
  };
}
