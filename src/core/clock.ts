/**
 * Time, as an argument. Nothing else in src/ reads a clock, so every test of timing and sampling runs on a
 * fake one and takes no time.
 */

export interface Clock {
  /** Monotonic, milliseconds with fractions since an arbitrary start; for durations, rates and deadlines. */
  monotonicMs(): number;
  /** Wall time, milliseconds with fractions since 1970 (UTC); for timestamps that leave the process. */
  unixMs(): number;
}

/** How often the derived wall time is compared with the system's, and how far they may part before it is set anew. */
const CHECK_MS = 10_000;
const DRIFT_MS = 2;
/** Date.now() is cut to whole milliseconds. */
const CUT_OFF_MS = 0.5;

/**
 * The system's clocks. Wall time has the monotonic clock's resolution (Date.now() has 1 ms), so that spans of several
 * processes of one machine are in the order of what happened. It follows the system's when that is set or drifts.
 */
export function createSystemClock(): Clock {
  let checkedAtMs = performance.now();
  let offsetMs = performance.timeOrigin;
  return {
    monotonicMs: () => performance.now(),
    unixMs() {
      const nowMs = performance.now();
      if (nowMs - checkedAtMs > CHECK_MS) {
        checkedAtMs = nowMs;
        const systemMs = Date.now() + CUT_OFF_MS;
        if (Math.abs(systemMs - nowMs - offsetMs) > DRIFT_MS) offsetMs = systemMs - nowMs;
      }
      return nowMs + offsetMs;
    },
  };
}
