/**
 * Idle connections to upstreams, the last used first: the warmest socket is taken, the others age and go.
 *
 * Taking one is a pop from an array. The number of open connections is bounded by the number of clients' (one
 * exchange holds one); only idle ones need a bound of their own.
 */

import { type UpstreamAddress, UpstreamConnection, type UpstreamOwner } from "./upstream-connection.ts";

/** Idle connections kept for one address, and in all; more are closed when they come back. */
const IDLE_PER_ADDRESS_MAX = 256;
const IDLE_MAX = 1024;

export interface UpstreamPool {
  /** An idle connection, or a new one that is still connecting; writes to it wait for that. */
  acquire(address: UpstreamAddress): UpstreamConnection;
  /** A new connection, whatever is idle. */
  connect(address: UpstreamAddress): UpstreamConnection;
  /** Takes a connection back after its exchange; destroys one that can't be used again. */
  release(connection: UpstreamConnection): void;
  /** Closes idle connections; those of open exchanges close when they come back. */
  close(): void;
  readonly idle: number;
}

/** @param owner what every connection is given; its limits and fields may change between two requests */
export function createUpstreamPool(owner: Omit<UpstreamOwner, "onClosed">): UpstreamPool {
  const stacks = new Map<string, UpstreamConnection[]>();
  let idle = 0;
  let isClosed = false;

  const connectionOwner: UpstreamOwner = {
    get limits() {
      return owner.limits;
    },
    get fields() {
      return owner.fields;
    },
    deadlines: owner.deadlines,
    onClosed: remove,
  };

  function remove(connection: UpstreamConnection): void {
    const stack = stacks.get(connection.address.key);
    const at = stack?.indexOf(connection) ?? -1;
    if (stack === undefined || at === -1) return;
    stack.splice(at, 1);
    idle--;
    if (stack.length === 0) stacks.delete(connection.address.key);
  }

  return {
    get idle() {
      return idle;
    },
    acquire(address) {
      const stack = stacks.get(address.key);
      for (let last = stack?.pop(); last !== undefined; last = stack?.pop()) {
        idle--;
        if (stack?.length === 0) stacks.delete(address.key);
        if (last.isOpen) return last;
      }
      return new UpstreamConnection(address, connectionOwner);
    },
    connect: (address) => new UpstreamConnection(address, connectionOwner),
    release(connection) {
      const { key } = connection.address;
      const stack = stacks.get(key) ?? [];
      const hasRoom = stack.length < IDLE_PER_ADDRESS_MAX && idle < IDLE_MAX;
      if (isClosed || !hasRoom || !connection.isReusable) {
        connection.destroy();
        return;
      }
      connection.rest();
      stack.push(connection);
      stacks.set(key, stack);
      idle++;
    },
    close() {
      isClosed = true;
      for (const connection of [...stacks.values()].flat()) connection.destroy();
    },
  };
}
