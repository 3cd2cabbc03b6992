/**
 * Remembers transactions that were not delivered, so that the span of the next attempt links to the one before.
 *
 * A homeserver sends a transaction again until it is taken, with the same id and for as long as it takes; Synapse with the
 * same trace context each time. Path and destination name it
 * (https://spec.matrix.org/v1.16/server-server-api/#put_matrixfederationv1sendtxnid).
 * Of several workers each tells the others: the next attempt comes on another connection, to any of them.
 * Not here: attempts within one exchange (forward.ts).
 */

import { detach } from "../core/text.ts";
import type { TraceContext } from "../propagation/context.ts";

/** The attempt before this one. */
export interface Attempt {
  /** How many there were. */
  readonly count: number;
  /** Of the last one's span; undefined where it was not recorded, and a link would lead nowhere. */
  readonly context: TraceContext | undefined;
}

export interface Resends {
  /** @returns what was remembered of it; undefined: nothing */
  find(transaction: string): Attempt | undefined;
  /** It was not delivered. */
  note(transaction: string, attempt: Attempt): void;
  /** It was delivered. */
  forget(transaction: string): void;
  /** Another worker noted it, or forgot it (undefined). */
  learn(transaction: string, attempt: Attempt | undefined): void;
  readonly size: number;
}

/** As long as Synapse tries one again before it gives the destination up for a while. */
const REMEMBERED_MS = 3_600_000;
/** Some 400 bytes each. A server whose thousand peers are all down has a thousand; the oldest goes. */
const TRANSACTIONS_MAX = 4096;
/** Synapse's ids are time stamps of 13 digits; longer keys than this are not remembered. */
const KEY_LENGTH_MAX = 512;

const TRANSACTION = /^\/_matrix\/federation\/v1\/send\/([^/?]+)/;

/** @returns a key for its transaction; undefined for a request that is none */
export function transactionOf(
  method: string,
  path: string,
  destination: string | undefined,
): string | undefined {
  if (method !== "PUT" || destination === undefined) return undefined;
  const id = TRANSACTION.exec(path)?.[1];
  if (id === undefined || id.length + destination.length >= KEY_LENGTH_MAX) return undefined;
  return detach(`${destination} ${id}`);
}

/**
 * @param nowMs on any clock that only goes forward
 * @param onChange told of what is noted, and forgotten (undefined), but not of what is learned
 */
export function createResends(
  nowMs: () => number,
  onChange: (transaction: string, attempt: Attempt | undefined) => void = () => undefined,
): Resends {
  const transactions = new Map<string, Attempt & { readonly untilMs: number }>();

  function learn(transaction: string, attempt: Attempt | undefined): boolean {
    const wasKnown = transactions.delete(transaction); // What is noted again stands last again: the first is the oldest.
    if (attempt === undefined) return wasKnown;
    const [oldest] = transactions.keys();
    if (transactions.size >= TRANSACTIONS_MAX && oldest !== undefined) transactions.delete(oldest);
    transactions.set(transaction, { ...attempt, untilMs: nowMs() + REMEMBERED_MS });
    return true;
  }

  return {
    learn,
    find(transaction) {
      const known = transactions.get(transaction);
      if (known === undefined || known.untilMs > nowMs()) return known;
      transactions.delete(transaction);
      return undefined;
    },
    note(transaction, attempt) {
      learn(transaction, attempt);
      onChange(transaction, attempt);
    },
    forget(transaction) {
      if (learn(transaction, undefined)) onChange(transaction, undefined);
    },
    get size() {
      return transactions.size;
    },
  };
}
