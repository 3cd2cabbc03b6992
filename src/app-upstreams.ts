/**
 * The sidecar's connections to servers, as the config wants them: a pool for each direction, and the own server's addresses.
 * A part of the composition root (app.ts), which starts and stops it.
 */

import type { Config } from "./config/merge.ts";
import type { Log } from "./core/log.ts";
import type { Deadlines } from "./http1/deadlines.ts";
import type { FieldTable } from "./http1/fields.ts";
import type { UpstreamAddress } from "./http1/upstream-connection.ts";
import { upstreamLabel } from "./http1/upstream-label.ts";
import type { UpstreamGroup } from "./http1/upstream-group.ts";
import type { UpstreamLimits } from "./http1/upstream-member.ts";
import { createUpstreamPool, type UpstreamPool } from "./http1/upstream-pool.ts";
import { createUpstreamMetrics, type Direction } from "./metrics/proxy-metrics.ts";
import type { Registry } from "./metrics/registry.ts";
import { createUpstreamStates } from "./metrics/upstream-states.ts";
import { createUpstreamNames } from "./proxy/upstream-names.ts";

/**
 * Idle connections to targets. Each speaks TLS, which is 65 KB resident (measured: 2,048 of them 130 MB, more than all the rest
 * of the sidecar), and a homeserver federates with some hundreds of servers at a time. Above it the longest idle goes.
 */
const TARGETS_IDLE_MAX = 512;

export interface UpstreamsOptions {
  /** As they stand now: a reload replaces them. */
  readonly live: () => { readonly limits: UpstreamLimits; readonly fields: FieldTable };
  readonly resolve: (name: string) => Promise<readonly string[]>;
  readonly deadlines: Deadlines;
  readonly registry: Registry;
  readonly log: Log;
}

export interface Upstreams {
  readonly pools: Readonly<Record<Direction, UpstreamPool>>;
  /** The own server; without an address until `use`. */
  readonly own: UpstreamGroup;
  /** Takes a config over: at the start, and at each reload once `live` gives the new limits. */
  use(config: Config): void;
  /** Once the listeners have drained. */
  close(): void;
}

export function createUpstreams({ live, resolve, deadlines, registry, log }: UpstreamsOptions): Upstreams {
  const sum = (read: (pool: UpstreamPool) => number): number => read(pools.inbound) + read(pools.outbound);
  const metrics = createUpstreamMetrics(registry, {
    connections: () => sum(({ open }) => open),
    queue: () => sum(({ waiting }) => waiting),
    addresses: () => own.size,
    healthy: () => own.healthy,
  });
  const states = createUpstreamStates(registry, () =>
    own.states.map(({ address, isOut }) => ({ upstream: upstreamLabel(address), isOut })),
  );
  const createPool = (direction: Direction, idleMax?: number): UpstreamPool =>
    createUpstreamPool({
      get limits() {
        return live().limits;
      },
      get fields() {
        return live().fields;
      },
      deadlines,
      events: metrics.sides[direction],
      ...(idleMax === undefined ? {} : { idleMax }),
    });
  const pools = { inbound: createPool("inbound"), outbound: createPool("outbound", TARGETS_IDLE_MAX) };
  const own = pools.inbound.createGroup({
    onAddressesWanted: () => names.lookAgain(),
    onReached: (address) => states.reached(upstreamLabel(address), true),
    onHealth(address: UpstreamAddress, isIn: boolean) {
      states.reached(upstreamLabel(address), isIn);
      if (isIn) log.info("upstream answers again", { address: address.key });
      else log.warn("upstream can't be reached or gives no answers", { address: address.key });
    },
  });
  const names = createUpstreamNames({
    group: own,
    resolve,
    deadlines,
    log,
    onLookUpFailed: () => metrics.onLookUpFailed(),
  });

  return {
    pools,
    own,
    use({ inbound }) {
      names.use(inbound?.upstream ?? []);
      for (const pool of Object.values(pools)) pool.review();
    },
    close() {
      names.stop();
      for (const pool of Object.values(pools)) pool.close();
    },
  };
}
