/**
 * Where readers find traces: the built-in store of this process, or those of several (workers/merged-traces.ts). What is read is
 * the same; of several processes one may be silent, and then something is missing.
 */

import type { RecentStore, StoredTrace } from "./recent-store.ts";
import { searchTraces, type TraceSearch } from "./search.ts";
import {
  listOperations,
  listServiceLinks,
  listServices,
  type Operation,
  type ServiceLink,
} from "./summaries.ts";
import type { Turns } from "./turns.ts";

/** What was found, and what of it could not be had: a sentence each. */
export interface Found<T> {
  readonly value: T;
  /** May grow until the last trace was taken. */
  readonly missing: readonly string[];
}

/** One that went meanwhile has no spans. */
export type Traces = Iterable<StoredTrace> | AsyncIterable<StoredTrace>;

export interface TraceSource {
  /** Sorted. */
  services(): Promise<Found<readonly string[]>>;
  /** Sorted by name, then by kind. */
  operations(service: string): Promise<Found<readonly Operation[]>>;
  /** @param between Unix milliseconds, both excluded */
  links(between: {
    readonly startMs: number;
    readonly endMs: number;
  }): Promise<Found<readonly ServiceLink[]>>;
  /** The newest first. */
  search(search: TraceSearch): Promise<Found<Traces>>;
  /** In the order of their ids. @param traceIds 32 lower-case hex digits each */
  find(traceIds: readonly string[]): Promise<
    Found<{
      readonly traces: Traces;
      /** Ids of which there is no span. */
      readonly absent: readonly string[];
    }>
  >;
}

export function createStoreSource(store: RecentStore, turns: Turns): TraceSource {
  return {
    services: async () => whole(await listServices(store, turns)),
    operations: async (service) => whole(await listOperations(store, turns, service)),
    links: async (between) => whole(await listServiceLinks(store, turns, between)),
    search: async (search) => whole(await searchTraces(store, search, turns)),
    find(traceIds) {
      const found = traceIds.map((traceId) => store.find(traceId));
      const absent = traceIds.filter((_, index) => found[index] === undefined);
      return Promise.resolve(whole({ traces: found.filter((trace) => trace !== undefined), absent }));
    },
  };
}

function whole<T>(value: T): Found<T> {
  return { value, missing: [] };
}
