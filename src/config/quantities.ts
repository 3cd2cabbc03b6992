/** Durations and sizes as a config writes them: a whole number and a unit, `30s`, `64KiB`. */

import type { Parsed } from "./fault.ts";

const DURATION_UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const SIZE_UNITS_BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** Twelve digits of the largest unit are still exact in a double. */
const QUANTITY = /^(\d{1,12})([A-Za-z]*)$/;

/** @returns milliseconds; units are ms, s, m and h */
export function parseDuration(text: string): Parsed<number> {
  return parseQuantity(text, DURATION_UNITS_MS, "duration");
}

/** @returns bytes; units are B, KiB, MiB and GiB, each 1024 of the one before */
export function parseSize(text: string): Parsed<number> {
  return parseQuantity(text, SIZE_UNITS_BYTES, "size");
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>, noun: string): Parsed<number> {
  const [, digits, unit] = QUANTITY.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return { refused: `is not a ${noun}` };
  if (unit === "") return { refused: "has no unit" };
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (factor === undefined) return { refused: `has an unknown unit (${Object.keys(units).join(", ")})` };
  return { value: Number(digits) * factor };
}

/** @returns what parseDuration reads as `ms`, in the largest unit that is exact */
export function formatDuration(ms: number): string {
  return formatQuantity(ms, DURATION_UNITS_MS);
}

/** @returns what parseSize reads as `bytes`, in the largest unit that is exact */
export function formatSize(bytes: number): string {
  return formatQuantity(bytes, SIZE_UNITS_BYTES);
}

/** @param units from the smallest to the largest; the smallest is 1 */
function formatQuantity(amount: number, units: Readonly<Record<string, number>>): string {
  const all = Object.entries(units);
  const [unit = "", factor = 1] =
    all.findLast(([, size]) => amount >= size && amount % size === 0) ?? all[0] ?? [];
  return `${amount / factor}${unit}`;
}
