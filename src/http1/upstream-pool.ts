/**
 * All upstream connections of one side of the sidecar: the groups that requests go to, and what they share.
 *
 * The own server is a group of its own making (`createGroup`), with as many addresses as it has. Every other target has the
 * one address that was checked; its group is there for as long as it has connections.
 */

import type { Deadlines } from "./deadlines.ts";
import type { FieldTable } from "./fields.ts";
import type { UpstreamAddress } from "./upstream-connection.ts";
import { UpstreamGroup, type UpstreamGroupOwner } from "./upstream-group.ts";
import type { UpstreamEvents, UpstreamLimits, UpstreamPoolState } from "./upstream-member.ts";
import type { UpstreamTaker, UpstreamWait } from "./upstream-wait.ts";

/** Where a request may go: one checked address, or a group. */
export type UpstreamPlace = UpstreamAddress | UpstreamGroup;

export interface UpstreamPool {
  /** A connection for one request, idle or new; as `UpstreamGroup.take`. */
  take(place: UpstreamPlace, taker: UpstreamTaker): UpstreamWait | undefined;
  /** A new connection, whatever is idle, for a request whose idle connection was closed. */
  takeFresh(place: UpstreamPlace, taker: UpstreamTaker): UpstreamWait | undefined;
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
}

export function createUpstreamPool(options: UpstreamPoolOptions): UpstreamPool {
  const own = new Set<UpstreamGroup>();
  const byAddress = new Map<string, UpstreamGroup>();
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
    idle: 0,
    waiting: 0,
    isClosed: false,
  };

  function groupOf(place: UpstreamPlace): UpstreamGroup {
    if (place instanceof UpstreamGroup) return place;
    const known = byAddress.get(place.key);
    if (known !== undefined) return known;
    const made = new UpstreamGroup(state, {
      onAddressesWanted: () => undefined,
      onHealth: () => undefined,
      onEmpty: () => void byAddress.delete(place.key),
    });
    made.use([place]);
    byAddress.set(place.key, made);
    return made;
  }

  return {
    get open() {
      return state.open;
    },
    get idle() {
      return state.idle;
    },
    get waiting() {
      return state.waiting;
    },
    take: (place, taker) => groupOf(place).take(taker, false),
    takeFresh(place, taker) {
      state.events.onRetry("stale");
      return groupOf(place).take(taker, true);
    },
    createGroup(owner) {
      const group = new UpstreamGroup(state, { ...owner, onEmpty: () => undefined });
      own.add(group);
      return group;
    },
    review() {
      for (const group of [...own, ...byAddress.values()]) group.dispatch();
    },
    close() {
      state.isClosed = true;
      for (const group of [...own, ...byAddress.values()]) group.close();
    },
  };
}
