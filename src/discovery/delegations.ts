/**
 * What hosts' .well-known say, kept: as long as they want, within the specification's bounds; faults for a while.
 *
 * Source: https://spec.matrix.org/v1.16/server-server-api/#resolving-server-names, step 3: 24 h by default, errors for up
 * to an hour, exponential back-off for repeated failures. As in Synapse a host that can't be reached keeps what it said
 * before until that ends, but a host that answers that it has no .well-known (any more) is believed at once.
 */

import type { Clock } from "../core/clock.ts";
import type { Random } from "../core/random.ts";
import type { ServerName } from "../peer/server-name.ts";
import { BUSY, type Fault } from "./destination.ts";
import { createLookupCache, type Loaded, type LookupCache } from "./lookup-cache.ts";
import type { FetchWellKnown } from "./well-known.ts";

/** `server` is undefined where the host doesn't delegate, or can't say so. */
export interface Delegation {
  readonly server: ServerName | undefined;
}

export interface DelegationsOptions {
  readonly fetchWellKnown: FetchWellKnown;
  readonly entriesMax: number;
  readonly inFlightMax: number;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
}

const DEFAULT_LIFETIME_MS = 24 * 3_600_000;
const FAULT_TTL_MAX_MS = 3_600_000;
/** Of the first failure; doubled with each that follows. */
const BACK_OFF_MS = 60_000;
/** How much of a time that no host chose is left out by chance, so that a thousand hosts asked at the start don't stay together. */
const JITTER = 0.1;

/** Keyed by host. A fault ("busy") is never kept. */
export function createDelegations(options: DelegationsOptions): LookupCache<string, Delegation | Fault> {
  const { fetchWellKnown, random, ...bounds } = options;
  const jittered = (ttlMs: number): number => ttlMs * (1 - JITTER * random.fraction());

  async function load(host: string, failuresBefore: number): Promise<Loaded<Delegation | Fault>> {
    const answer = await fetchWellKnown(host);
    if ("server" in answer) {
      const ttlMs = answer.lifetimeMs ?? jittered(DEFAULT_LIFETIME_MS);
      return { value: { server: answer.server }, ttlMs, isFailure: false };
    }
    const backOffMs = Math.min(BACK_OFF_MS * 2 ** failuresBefore, FAULT_TTL_MAX_MS);
    const ttlMs = jittered(answer.isLasting ? FAULT_TTL_MAX_MS : backOffMs);
    return { value: { server: undefined }, ttlMs, isFailure: !answer.isLasting };
  }

  return createLookupCache({ load, busy: BUSY, ...bounds });
}
