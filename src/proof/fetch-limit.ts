/**
 * How often keys may be fetched: at most so many in any second, counted exactly.
 *
 * Not a token bucket: that lets twice its rate through in its first second, and strangers choose when that is. Each kind of name has a share of
 * its own, so that no flood of made-up names keeps a friend's keys from being fetched: those whose keys were known before, those that the
 * whitelist spells out, and those that it takes by a pattern, of which there may be any number. Of one host, whatever its ports and users,
 * there are two a second, so that nobody makes this server hammer another.
 */

import { createBoundedCache } from "../core/bounded-cache.ts";

/** "known": its keys were known before; "listed": the whitelist spells it out; "patterned": all others. */
export type NameKind = "known" | "listed" | "patterned";

export interface FetchLimit {
  /**
   * Takes one of this second's fetches if there is one.
   *
   * @param host of the name, without its port; not looked at for known names
   * @param nowMs monotonic, never goes back
   */
  take(kind: NameKind, host: string, nowMs: number): boolean;
}

const WINDOW_MS = 1000;
/** Of all fetches; each has one at least. */
const SHARES: Readonly<Record<NameKind, number>> = { known: 0.3, listed: 0.4, patterned: 0.3 };
const KINDS = 3;
/** A second's fetches are spread over it: bursts of two seconds that met on their way would be more than one second's. */
const PARTS = 4;
const PER_HOST = 2;
/** Hosts whose last fetches are remembered: far more than can be fetched from in a second. */
const HOSTS_MAX = 1000;

/** @param perSecond more than 0; less than 3 is one of each kind in as many seconds as that takes */
export function createFetchLimit(perSecond: number): FetchLimit {
  const windowMs = WINDOW_MS * Math.max(1, KINDS / perSecond);
  const spreadOf = (kind: NameKind): Take =>
    createSpread(Math.max(1, Math.floor(perSecond * SHARES[kind])), windowMs);
  const spreads = { known: spreadOf("known"), listed: spreadOf("listed"), patterned: spreadOf("patterned") };
  const hosts = createBoundedCache<Window>(HOSTS_MAX);

  return {
    take(kind, host, nowMs) {
      if (kind === "known") return spreads.known(nowMs);
      const ofHost = hosts.get(host) ?? createWindow(PER_HOST, WINDOW_MS);
      if (!ofHost.hasRoom(nowMs) || !spreads[kind](nowMs)) return false;
      ofHost.note(nowMs);
      hosts.set(host, ofHost);
      return true;
    },
  };
}

type Take = (nowMs: number) => boolean;

/** At most `count` in any window, and at most the share of a part of it in any such part. */
function createSpread(count: number, windowMs: number): Take {
  const whole = createWindow(count, windowMs);
  const part = createWindow(Math.ceil(count / PARTS), windowMs / PARTS);
  return (nowMs) => {
    if (!whole.hasRoom(nowMs) || !part.hasRoom(nowMs)) return false;
    whole.note(nowMs);
    part.note(nowMs);
    return true;
  };
}

interface Window {
  hasRoom(nowMs: number): boolean;
  note(nowMs: number): void;
}

/** At most `count` in any window: the one `count` before this must have left it. */
function createWindow(count: number, windowMs: number): Window {
  const taken: number[] = [];
  let next = 0;
  return {
    hasRoom(nowMs) {
      const before = taken[next];
      return before === undefined || nowMs - before >= windowMs;
    },
    note(nowMs) {
      taken[next] = nowMs;
      next = (next + 1) % count;
    },
  };
}
