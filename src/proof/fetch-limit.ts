/**
 * How often keys may be fetched: at most so many in any second, counted exactly.
 *
 * Not a token bucket: that lets twice its rate through in its first second, and strangers choose when that is. Names that were
 * never met have most of it; the rest is kept for those whose keys were known before, so that no flood of new names can keep a
 * friend's keys from being renewed.
 */

export interface FetchLimit {
  /** Takes one of this second's fetches if there is one. @param nowMs monotonic, never goes back */
  take(isKnown: boolean, nowMs: number): boolean;
}

const WINDOW_MS = 1000;
/** Of all fetches, at least one in each part. */
const KNOWN_SHARE = 0.3;
/** A second's fetches are spread over it: bursts of two seconds that met on their way would be more than one second's. */
const PARTS = 4;

/** @param perSecond more than 0; less than 2 is one of each kind in as many seconds as that takes */
export function createFetchLimit(perSecond: number): FetchLimit {
  const known = Math.max(1, Math.floor(perSecond * KNOWN_SHARE));
  const unknown = Math.max(1, Math.floor(perSecond) - known);
  const windowMs = WINDOW_MS * Math.max(1, (known + unknown) / perSecond);
  const ofKnown = createSpread(known, windowMs);
  const ofUnknown = createSpread(unknown, windowMs);
  return { take: (isKnown, nowMs) => (isKnown ? ofKnown : ofUnknown)(nowMs) };
}

/** At most `count` in any window, and at most the share of a part of it in any such part. */
function createSpread(count: number, windowMs: number): (nowMs: number) => boolean {
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
