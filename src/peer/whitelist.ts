/**
 * The whitelist: which servers trace context may come from and go to, and which entry says so.
 *
 * Contract, section 3 rule 1: an empty list is nobody; a pattern matches a whole name, letter case aside, with or
 * without its port; the union of all is matched in linear time (peer/pattern.ts).
 * Not here: whether the caller is who it says (peer/identify.ts).
 */

import { FedtraceError } from "../core/errors.ts";
import { type CacheCounters, createBoundedCache } from "../core/bounded-cache.ts";
import { compileUnion, type FirstMatch, type Pattern } from "./pattern.ts";
import type { Proof } from "./proof.ts";
import { parseServerName, SERVER_NAME_LENGTH_MAX } from "./server-name.ts";

export interface WhitelistEntry extends Pattern {
  /** What a "sampled" of this peer counts for; peer/whitelist.ts only hands it on. */
  readonly sampling: "accept" | "trust";
  /** New traces a second that `trust` may force. */
  readonly forcedPerSecond: number;
  /** The least proof that this entry needs, where it is more than `inbound.authenticate`. */
  readonly authenticate?: Proof | undefined;
  /** Where it stands, if not in the config itself: `peers.txt:17`. */
  readonly source?: string;
}

/** The entry that decided, and where it stands in the list. */
interface DecidingEntry extends WhitelistEntry {
  /** From 0. */
  readonly index: number;
}

export interface Verdict {
  readonly isWhitelisted: boolean;
  /** The first entry that matches; undefined exactly when none does. */
  readonly entry: DecidingEntry | undefined;
}

export interface Whitelist {
  /**
   * @param name a server name in any case, with or without port and trailing dot; what is none is not
   *   whitelisted. Never throws. The same object for the same entry.
   */
  decide(name: string): Verdict;
  /** Compiles what the first name that needs it would wait for: some milliseconds. */
  warmUp(): void;
  /** Of the cache of verdicts. */
  counters(): CacheCounters;
}

export interface WhitelistOptions {
  /** Names whose verdicts are kept, both generations of the cache together. */
  readonly namesMax?: number;
}

/** A busy server federates with some thousands of others; 10,000 verdicts are about 1 MB. */
const NAMES_MAX = 10_000;

const NOT_LISTED: Verdict = { isWhitelisted: false, entry: undefined };

/**
 * Compiles the list; asynchronous only because globs with braces load a package.
 *
 * @throws FedtraceError CONFIG_INVALID with one line per fault, `whitelist[INDEX]: …`
 */
export async function createWhitelist(
  entries: readonly WhitelistEntry[],
  options: WhitelistOptions = {},
): Promise<Whitelist> {
  const union = await compileUnion(entries);
  if ("faults" in union) {
    throw new FedtraceError("CONFIG_INVALID", union.faults.join("\n"), { faults: union.faults.length });
  }
  /** Made when they are first given: of a long list most entries never decide. */
  const verdicts = new Map<number, Verdict>();
  const verdictOf = (index: number): Verdict => {
    const entry = entries[index];
    if (entry === undefined) return NOT_LISTED;
    const known = verdicts.get(index);
    if (known !== undefined) return known;
    const verdict: Verdict = { isWhitelisted: true, entry: { ...entry, index } };
    verdicts.set(index, verdict);
    return verdict;
  };
  const cache = createBoundedCache<Verdict>(options.namesMax ?? NAMES_MAX);

  return {
    counters: () => cache.counters(),
    warmUp: () => union.warmUp(),
    decide(name) {
      // Before the cache: a long text would cost a hash, and a place.
      if (name.length > SERVER_NAME_LENGTH_MAX) return NOT_LISTED;
      const known = cache.get(name);
      if (known !== undefined) return known;
      const verdict = verdictOf(firstEntry(name, union.firstMatch));
      cache.set(name, verdict);
      return verdict;
    },
  };
}

function firstEntry(text: string, firstMatch: FirstMatch): number {
  const server = parseServerName(text);
  if (server === undefined) return -1;
  const byName = firstMatch(server.name);
  if (server.port === undefined) return byName;
  const byHost = firstMatch(server.host);
  if (byName === -1 || byHost === -1) return Math.max(byName, byHost);
  return Math.min(byName, byHost);
}
