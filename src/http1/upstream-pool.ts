/**
 * All upstream connections of one side of the sidecar: the groups that requests go to, and what they share.
 *
 * The own server is a group of its own making (`createGroup`), with as many addresses as it has. Every other target is a group
 * of the addresses that were checked, in the order to try them; it is there for as long as it has connections.
 */

import type { Deadlines } from "./deadlines.ts";
import type { FieldTable } from "./fields.ts";
import type { UpstreamAddress } from "./upstream-connection.ts";
import { tlsOf, UpstreamGroup, type UpstreamGroupOwner } from "./upstream-group.ts";
import type { UpstreamEvents, UpstreamLimits, UpstreamPoolState } from "./upstream-member.ts";
import type { UpstreamTaker, UpstreamWait } from "./upstream-wait.ts";

/** A target with several addresses, all of them checked. Whoever asks often gives the same list again, or it is compared. */
export interface UpstreamTarget {
  /** Names it in the pool; targets with one key share their connections. */
  readonly key: string;
  /** In the order to try them. Only the first 16 are used. */
  readonly addresses: readonly UpstreamAddress[];
}

/** Where a request may go: one checked address, several of one target, or a group. */
export type UpstreamPlace = UpstreamAddress | UpstreamTarget | UpstreamGroup;

export interface UpstreamPool {
  /** A connection for one request, idle or new; as `UpstreamGroup.take`. */
  take(place: UpstreamPlace, taker: UpstreamTaker): UpstreamWait | undefined;
  /** A new connection, whatever is idle, for a request whose idle connection was closed. */
  takeFresh(place: UpstreamPlace, taker: UpstreamTaker): UpstreamWait | undefined;
  /** A new connection, on which nothing was sent, for who takes its socket (`UpstreamConnection.takeSocket`). */
  takeNew(place: UpstreamPlace, taker: UpstreamTaker): UpstreamWait | undefined;
  createGroup(owner: Omit<UpstreamGroupOwner, "onEmpty">): UpstreamGroup;
  /** After the limits have changed: whoever waits may go on. */
  review(): void;
  /** Closes idle connections; those of open exchanges close when they come back. Whoever waits is told. */
  close(): void;
  /** Connections, idle ones too. */
  readonly open: number;
  readonly idle: number;
  /** Requests that wait for a connection. */
  readonly waiting: number;
}

/** `limits` and `fields` may change between two requests. */
export interface UpstreamPoolOptions {
  readonly limits: UpstreamLimits;
  readonly fields: FieldTable;
  readonly deadlines: Deadlines;
  readonly events: UpstreamEvents;
  /** Idle connections to keep, to all targets together: 2048 unless said. */
  readonly idleMax?: number;
}

/** Twice what one address may keep. */
const IDLE_MAX = 2048;

/**
 * Addresses of one target. An SRV record and a name have a handful; with more of them one request would knock at as many doors as
 * a hostile name has addresses.
 */
const TARGET_ADDRESSES_MAX = 16;

/** A target's group, and what it was made of. */
interface Known {
  readonly group: UpstreamGroup;
  place: UpstreamAddress | UpstreamTarget;
}

export function createUpstreamPool(options: UpstreamPoolOptions): UpstreamPool {
  const own = new Set<UpstreamGroup>();
  const byKey = new Map<string, Known>();
  const state: UpstreamPoolState = {
    get limits() {
      return options.limits;
    },
    get fields() {
      return options.fields;
    },
    deadlines: options.deadlines,
    events: options.events,
    open: 0,
    resting: new Set(),
    idleMax: options.idleMax ?? IDLE_MAX,
    waiting: 0,
    isClosed: false,
  };

  function groupOf(place: UpstreamPlace): UpstreamGroup {
    if (place instanceof UpstreamGroup) return place;
    const known = byKey.get(place.key);
    if (known === undefined) return createTarget(place);
    if (!isSame(known.place, place)) {
      known.place = place;
      known.group.use(addressesOf(place));
    }
    return known.group;
  }

  function createTarget(place: UpstreamAddress | UpstreamTarget): UpstreamGroup {
    const owner: UpstreamGroupOwner = {
      onAddressesWanted: () => undefined,
      onHealth: () => undefined,
      onEmpty() {
        // The last connection to an address that is no longer one may end when the target has a group again.
        if (byKey.get(place.key)?.group === group) byKey.delete(place.key);
      },
    };
    const group = new UpstreamGroup(state, owner, "given");
    group.use(addressesOf(place));
    byKey.set(place.key, { group, place });
    return group;
  }

  function groups(): readonly UpstreamGroup[] {
    return [...own, ...[...byKey.values()].map(({ group }) => group)];
  }

  return {
    get open() {
      return state.open;
    },
    get idle() {
      return state.resting.size;
    },
    get waiting() {
      return state.waiting;
    },
    take: (place, taker) => groupOf(place).take(taker, false),
    takeFresh(place, taker) {
      state.events.onRetry("stale");
      return groupOf(place).take(taker, true);
    },
    takeNew: (place, taker) => groupOf(place).take(taker, true),
    createGroup(owner) {
      const group = new UpstreamGroup(state, { ...owner, onEmpty: () => undefined }, "least-busy");
      own.add(group);
      return group;
    },
    review() {
      for (const group of groups()) group.dispatch();
    },
    close() {
      state.isClosed = true;
      for (const group of groups()) group.close();
    },
  };
}

function addressesOf(place: UpstreamAddress | UpstreamTarget): readonly UpstreamAddress[] {
  return "addresses" in place ? place.addresses.slice(0, TARGET_ADDRESSES_MAX) : [place];
}

/** Whether both mean the same addresses, as far as can be told at once. The key of a single one says all but what it trusts. */
function isSame(known: UpstreamAddress | UpstreamTarget, place: UpstreamAddress | UpstreamTarget): boolean {
  if (known === place) return true;
  if ("addresses" in place) return "addresses" in known && known.addresses === place.addresses;
  if ("addresses" in known) return false;
  return tlsOf(known) === tlsOf(place);
}
