/**
 * Positions on an axis, as a share from 0 to 1, and ticks at round values.
 *
 * d3-scale does this and much more: 11 KB over the wire, more than Preact and this whole page's logic together.
 */

export interface Tick {
  readonly value: number;
  /** From 0 to 1. */
  readonly at: number;
}

const STEPS = [1, 2, 5] as const;
/** More decades than this are only reached by hostile durations (1 µs … 30 years). */
const DECADES_MAX = 15;

/** Round values from 0 to `to`, about `count` of them, the first at 0. */
export function linearTicks(to: number, count: number): readonly Tick[] {
  if (!(to > 0) || !Number.isFinite(to)) return [{ value: 0, at: 0 }];
  const step = roundStep(to / Math.max(1, count));
  const ticks: Tick[] = [];
  for (let index = 0; index * step <= to * 1.0001; index++) {
    ticks.push({ value: index * step, at: Math.min(1, (index * step) / to) });
  }
  return ticks;
}

/** The smallest of 1, 2, 5 × 10ⁿ that is not far below `least`. */
function roundStep(least: number): number {
  const decade = 10 ** Math.floor(Math.log10(least));
  const step = STEPS.find((candidate) => candidate * decade >= least * 0.75);
  return (step ?? 10) * decade;
}

export interface LogScale {
  /** Clamped to 0 … 1. */
  readonly at: (value: number) => number;
  /** The decades inside. */
  readonly ticks: readonly Tick[];
}

/** From the decade below the least value to the one above the greatest; at least one decade. */
export function createLogScale(values: readonly number[]): LogScale {
  const positive = values.filter((value) => Number.isFinite(value) && value >= 1);
  const least = positive.reduce((left, right) => Math.min(left, right), Number.POSITIVE_INFINITY);
  const most = positive.reduce((left, right) => Math.max(left, right), 1);
  const from = Math.floor(Math.log10(Number.isFinite(least) ? least : 1));
  const to = Math.min(from + DECADES_MAX, Math.max(from + 1, Math.ceil(Math.log10(most))));
  const at = (value: number): number =>
    Math.min(1, Math.max(0, (Math.log10(Math.max(value, 1)) - from) / (to - from)));
  const ticks = Array.from({ length: to - from + 1 }, (_, index) => {
    const value = 10 ** (from + index);
    return { value, at: at(value) };
  });
  return { at, ticks };
}
