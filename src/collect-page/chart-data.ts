/**
 * What the charts over time show: their lines, where these have gaps, and an axis that holds all values, whatever was
 * reported. Not here: drawing (chart.tsx), the axis of days (day-axis.ts).
 */

import { linearTicks } from "../page/scale.ts";
import type { Amount, Day } from "./summary.ts";

interface Line {
  readonly label: string;
  /** Names its colour: `line-synapse` and so on in charts.css. */
  readonly tone: "synapse" | "fedtrace" | "first" | "second";
  /** Null: a gap. */
  readonly valueOf: (day: Day) => Amount;
}

export interface ChartPlan {
  readonly title: string;
  /** What the vertical axis counts. */
  readonly unit: string;
  readonly shape: "lines" | "bars";
  readonly lines: readonly Line[];
}

/** Nobody reported that day: not zero, but not known. */
function ofAny(valueOf: (day: Day) => Amount): (day: Day) => Amount {
  return (day) => (day.synapse + day.fedtrace > 0 ? valueOf(day) : null);
}

function ofSynapse(valueOf: (day: Day) => Amount): (day: Day) => Amount {
  return (day) => (day.synapse > 0 ? valueOf(day) : null);
}

function ofFedtrace(valueOf: (day: Day) => Amount): (day: Day) => Amount {
  return (day) => (day.fedtrace > 0 ? valueOf(day) : null);
}

export const CHARTS: readonly ChartPlan[] = [
  {
    title: "Servers that reported",
    unit: "servers",
    shape: "lines",
    lines: [
      { label: "Synapse", tone: "synapse", valueOf: ofAny(({ synapse }) => synapse) },
      { label: "fedtrace", tone: "fedtrace", valueOf: ofAny(({ fedtrace }) => fedtrace) },
    ],
  },
  {
    title: "New servers",
    unit: "servers",
    shape: "bars",
    lines: [{ label: "first report", tone: "first", valueOf: ofAny(({ newServers }) => newServers) }],
  },
  {
    title: "Messages (Synapse)",
    unit: "messages a day",
    shape: "lines",
    lines: [
      { label: "all", tone: "synapse", valueOf: ofSynapse(({ messages }) => messages) },
      { label: "sent by own users", tone: "second", valueOf: ofSynapse(({ sentMessages }) => sentMessages) },
    ],
  },
  {
    title: "Active users (Synapse)",
    unit: "users a day",
    shape: "lines",
    lines: [{ label: "users", tone: "synapse", valueOf: ofSynapse(({ users }) => users) }],
  },
  {
    title: "Requests (sidecars)",
    unit: "requests a day",
    shape: "lines",
    lines: [
      { label: "in", tone: "fedtrace", valueOf: ofFedtrace(({ requestsIn }) => requestsIn) },
      { label: "out", tone: "second", valueOf: ofFedtrace(({ requestsOut }) => requestsOut) },
    ],
  },
  {
    title: "PDUs (sidecars)",
    unit: "PDUs a day",
    shape: "lines",
    lines: [{ label: "PDUs", tone: "fedtrace", valueOf: ofFedtrace(({ pdus }) => pdus) }],
  },
];

/** More than a million servers of 2⁵³ each; what is beyond is drawn here, and its number is still shown. */
const DRAWN_MAX = 1e24;
const TICKS = 4;

/** @returns one list a line, as long as `days`; values that can be drawn */
export function drawnValues(plan: ChartPlan, days: readonly Day[]): readonly (readonly Amount[])[] {
  return plan.lines.map(({ valueOf }) =>
    days.map((day) => {
      const value = valueOf(day);
      return value === null ? null : Math.min(DRAWN_MAX, Math.max(-DRAWN_MAX, value));
    }),
  );
}

export interface ValueAxis {
  readonly min: number;
  readonly max: number;
  /** Round values from `min` to `max`, at most eight. */
  readonly ticks: readonly number[];
}

/** From 0, or the least where somebody reported less, to the round value above the greatest. Counts need no fractions. */
export function valueAxis(lines: readonly (readonly Amount[])[]): ValueAxis {
  const known = lines.flat().filter((value) => value !== null);
  const least = known.reduce((left, right) => Math.min(left, right), 0);
  const most = known.reduce((left, right) => Math.max(left, right), 0);
  const step = Math.max(1, linearTicks(most - least, TICKS)[1]?.value ?? 1);
  const from = Math.floor(least / step);
  const to = Math.max(from + 1, Math.ceil(most / step));
  const ticks = Array.from({ length: to - from + 1 }, (_, index) => (from + index) * step);
  return { min: from * step, max: to * step, ticks };
}

/** Index of the last day that one of the lines knows; undefined: none does. */
export function lastKnownDay(lines: readonly (readonly Amount[])[]): number | undefined {
  const last = Math.max(-1, ...lines.map((values) => values.findLastIndex((value) => value !== null)));
  return last === -1 ? undefined : last;
}

/** Indices of values between two gaps, which a line does not show: the first day of a collector is one. */
export function loneValues(values: readonly (Amount | undefined)[]): number[] {
  const isKnown = (value: Amount | undefined): boolean => value !== null && value !== undefined;
  return values.flatMap((value, index) =>
    isKnown(value) && !isKnown(values[index - 1]) && !isKnown(values[index + 1]) ? [index] : [],
  );
}
