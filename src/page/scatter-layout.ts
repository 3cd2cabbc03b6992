/** Where each trace's dot stands: start from left to right, duration from below, on a scale of powers of ten. */

import { createLogScale, type Tick } from "./scale.ts";
import type { TraceSummary } from "./trace-summary.ts";

export interface Dot {
  readonly summary: TraceSummary;
  /** From 0 (left) to 1. */
  readonly x: number;
  /** From 0 (top) to 1. */
  readonly y: number;
  /** Who asked: a whitelisted peer or the own server, or somebody whose context was stopped, or was malformed. */
  readonly shape: "circle" | "square" | "triangle";
  /** A cross in the shape. */
  readonly isError: boolean;
}

export interface Scatter {
  /** In the order of time, for arrow keys. */
  readonly dots: readonly Dot[];
  /** Durations, in microseconds; `at` from 0 (bottom) to 1. */
  readonly durations: readonly Tick[];
  readonly fromUs: number;
  readonly toUs: number;
}

export function layoutScatter(summaries: readonly TraceSummary[]): Scatter {
  const scale = createLogScale(summaries.map(({ durationUs }) => durationUs));
  const starts = summaries.map(({ startUs }) => startUs);
  const fromUs = starts.reduce((left, right) => Math.min(left, right), Number.POSITIVE_INFINITY);
  const toUs = starts.reduce((left, right) => Math.max(left, right), 0);
  const rangeUs = toUs - fromUs;
  const dots = summaries
    .map((summary): Dot => ({
      summary,
      x: rangeUs > 0 ? (summary.startUs - fromUs) / rangeUs : 0.5,
      y: 1 - scale.at(summary.durationUs),
      shape: shapeOf(summary),
      isError: summary.errors > 0,
    }))
    .sort((left, right) => left.x - right.x);
  return { dots, durations: scale.ticks, fromUs: Number.isFinite(fromUs) ? fromUs : 0, toUs };
}

function shapeOf({ tones }: TraceSummary): Dot["shape"] {
  if (tones.includes("stopped")) return "square";
  return tones.includes("refused") ? "triangle" : "circle";
}
