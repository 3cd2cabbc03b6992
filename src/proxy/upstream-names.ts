/**
 * From `inbound.upstream` to the addresses behind it: names are looked up at the start, every 30 s, and when an address
 * can't be reached. A change is taken over at once; where a look-up fails, the addresses known last stay.
 *
 * The system's resolver doesn't tell how long an answer holds, so the interval is fixed (Envoy's strict DNS, without a TTL, and
 * HAProxy's `hold valid` do the same). Not here: outbound targets, whose addresses are checked and never looked up twice.
 */

import { isIP } from "node:net";
import type { Log } from "../core/log.ts";
import type { DeadlineOwner, Deadlines } from "../http1/deadlines.ts";
import type { UpstreamAddress } from "../http1/upstream-connection.ts";
import type { UpstreamGroup } from "../http1/upstream-group.ts";

/** The own server, as the config has it: a host (a name or an IP address) with its port, or a unix socket. */
export type UpstreamEntry =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export interface UpstreamNamesOptions {
  /** Given the addresses, whenever they change. */
  readonly group: Pick<UpstreamGroup, "use" | "refuseWaiting">;
  /** All addresses of a name; rejects where there are none. */
  readonly resolve: (name: string) => Promise<readonly string[]>;
  readonly deadlines: Deadlines;
  readonly log: Log;
  onLookUpFailed(): void;
}

export interface UpstreamNames {
  /** Replaces the entries; names that are new are looked up at once. */
  use(entries: readonly UpstreamEntry[]): void;
  /** An address can't be reached: looks again, at least a second after the last time. */
  lookAgain(): void;
  stop(): void;
}

/** How old an address may be; a request that meets one which is gone shortens it. */
const LOOK_EVERY_MS = 30_000;
/** Between two look-ups of one name. */
const LOOK_APART_MS = 1000;
/** Addresses in all: each request looks over them. Every entry has its share. */
const ADDRESSES_MAX = 64;

/** A host that is looked up. */
interface Name {
  readonly host: string;
  /** What the last look-up that succeeded gave. */
  addresses: readonly string[];
  lookedMs: number;
  dueMs: number;
  isLooking: boolean;
  isFailing: boolean;
}

export function createUpstreamNames(options: UpstreamNamesOptions): UpstreamNames {
  const { group, deadlines, log } = options;
  const names = new Map<string, Name>();
  let entries: readonly UpstreamEntry[] = [];
  /** What the group was given last, in a form that can be compared. */
  let given = "";

  const timer: DeadlineOwner = {
    deadlineMs: Number.POSITIVE_INFINITY,
    onDeadline() {
      const nowMs = deadlines.nowMs();
      for (const name of names.values()) if (name.dueMs <= nowMs) void look(name);
      schedule();
    },
  };
  deadlines.add(timer);

  function schedule(): void {
    timer.deadlineMs = Math.min(...[...names.values()].map(({ dueMs }) => dueMs));
  }

  async function look(name: Name): Promise<void> {
    name.lookedMs = deadlines.nowMs();
    name.dueMs = name.lookedMs + LOOK_EVERY_MS;
    if (name.isLooking) return;
    name.isLooking = true;
    const found = await options.resolve(name.host).catch(() => []);
    name.isLooking = false;
    if (names.get(name.host) !== name) return; // A reload has taken it out meanwhile.
    const isFailed = found.length === 0;
    if (isFailed) options.onLookUpFailed();
    else name.addresses = found;
    if (isFailed !== name.isFailing) {
      name.isFailing = isFailed;
      const facts = { name: name.host, addresses: name.addresses.length };
      if (isFailed) log.warn("upstream name can't be resolved", facts);
      else log.info("upstream name resolved again", facts);
    }
    publish();
  }

  function publish(): void {
    const addresses = collectAddresses(entries, (host) => names.get(host)?.addresses ?? []);
    const keys = addresses.map(({ key }) => key);
    // Resolvers turn the order round; only another set is a change.
    const now = keys.toSorted().join("\n");
    if (now !== given) {
      // The first ones are what the config says; a change is news.
      log[given === "" ? "debug" : "info"]("upstream addresses", { addresses: keys });
      given = now;
      group.use(addresses);
    }
    const isLooking = [...names.values()].some((name) => name.isLooking);
    if (addresses.length === 0 && !isLooking) group.refuseWaiting("UPSTREAM_REFUSED");
  }

  return {
    use(next) {
      entries = next;
      const hosts = new Set(next.flatMap((entry) => (isName(entry) ? [entry.host] : [])));
      for (const host of names.keys()) if (!hosts.has(host)) names.delete(host);
      const fresh = [...hosts].filter((host) => !names.has(host)).map(createName);
      for (const name of fresh) {
        names.set(name.host, name);
        void look(name);
      }
      schedule();
      publish();
    },
    lookAgain() {
      for (const name of names.values()) name.dueMs = Math.min(name.dueMs, name.lookedMs + LOOK_APART_MS);
      schedule();
    },
    stop() {
      names.clear();
      deadlines.delete(timer);
    },
  };
}

function createName(host: string): Name {
  return { host, addresses: [], lookedMs: 0, dueMs: 0, isLooking: false, isFailing: false };
}

function isName(entry: UpstreamEntry): entry is Extract<UpstreamEntry, { kind: "tcp" }> {
  return entry.kind === "tcp" && isIP(entry.host) === 0;
}

/** Every address once, in the order of the entries. */
function collectAddresses(
  entries: readonly UpstreamEntry[],
  addressesOf: (host: string) => readonly string[],
): readonly UpstreamAddress[] {
  const share = Math.max(1, Math.floor(ADDRESSES_MAX / Math.max(1, entries.length)));
  const all = entries.flatMap((entry): readonly UpstreamAddress[] => {
    if (entry.kind === "unix") return [{ key: entry.path, path: entry.path }];
    const { host, port } = entry;
    const hosts = isName(entry) ? bounded(addressesOf(host), share) : [host];
    return hosts.map((address) => ({ key: `${address} ${port}`, host: address, port }));
  });
  return [...new Map(all.map((address) => [address.key, address])).values()];
}

/** The same ones each time, whatever the order they come in: others would close connections for nothing. */
function bounded(addresses: readonly string[], most: number): readonly string[] {
  return addresses.length <= most ? addresses : addresses.toSorted().slice(0, most);
}
