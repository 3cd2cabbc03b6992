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

/** How long wall time is derived from the monotonic clock before the system is asked again. */
const ANCHOR_MS = 10_000;

/**
 * The system's clocks. Wall time has the monotonic clock's resolution (Date.now() has 1 ms) and is brought
 * back to the system's every ten seconds, so a process that runs for months doesn't drift away from NTP.
 */
export function createSystemClock(): Clock {
  let anchoredAtMs = performance.now();
  let offsetMs = Date.now() - anchoredAtMs;
  return {
    monotonicMs: () => performance.now(),
    unixMs() {
      const nowMs = performance.now();
      if (nowMs - anchoredAtMs > ANCHOR_MS) {
        anchoredAtMs = nowMs;
        offsetMs = Date.now() - nowMs;
      }
      return nowMs + offsetMs;
    },
  };
}
