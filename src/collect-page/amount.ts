/**
 * Numbers of reports as they are shown. Anybody can report any number, so the widest has a bound too: three digits and a
 * unit from a million on, a power of ten from 10¹⁸ on.
 */

import { formatNumber } from "../page/format.ts";
import type { Amount } from "./summary.ts";

const UNITS = [
  { from: 1e15, unit: "P" },
  { from: 1e12, unit: "T" },
  { from: 1e9, unit: "G" },
  { from: 1e6, unit: "M" },
  { from: 1e3, unit: "k" },
] as const;
/** From here on a unit says no more than the power does. */
const POWER_FROM = 1e18;
/** Up to here all digits are shown: they fit a table's cell. */
const WHOLE_MAX = 999_999;
/** Of an axis, which has less room. */
const TICK_WHOLE_MAX = 9999;

const SIZES = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

/** `51,234`, `1.2 M`, `9.01 P`, `1e21`; `–` for null. */
export function formatAmount(amount: Amount): string {
  return amount === null ? "–" : shortened(amount, WHOLE_MAX);
}

/** `500`, `10 k`: round values, in the width of an axis. */
export function formatTick(value: number): string {
  return shortened(value, TICK_WHOLE_MAX);
}

/** All digits, where `formatAmount` leaves some out: for a title. */
export function formatWhole(amount: Amount): string | undefined {
  return amount === null || Math.abs(amount) <= WHOLE_MAX ? undefined : withSign(amount, formatNumber);
}

/** `122 MiB`; Synapse counts memory in KiB. */
export function formatMemory(kib: Amount): string {
  if (kib === null) return "–";
  let value = Math.abs(kib);
  let size = 0;
  while (value >= 999.5 && size < SIZES.length - 1) {
    value /= 1024;
    size++;
  }
  const sign = kib < 0 ? "−" : "";
  return value >= 999.5 ? formatAmount(kib) + " KiB" : `${sign}${threeDigits(value)} ${SIZES[size]}`;
}

/** `12.5 %` */
export function formatPercent(percent: Amount): string {
  return percent === null ? "–" : `${formatAmount(percent)} %`;
}

function shortened(value: number, wholeMax: number): string {
  return withSign(value, (size) => {
    if (Math.round(size) <= wholeMax) return size < 100 ? threeDigits(size) : formatNumber(Math.round(size));
    if (size >= POWER_FROM) return size.toPrecision(3).replace(/\.?0*e\+/, "e");
    const { from, unit } = UNITS.find((candidate) => size >= candidate.from * 0.9995) ?? UNITS[0];
    return `${threeDigits(size / from)} ${unit}`;
  });
}

function withSign(value: number, format: (size: number) => string): string {
  return value < 0 ? `−${format(-value)}` : format(value);
}

function threeDigits(value: number): string {
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return formatNumber(Number(value.toFixed(digits)));
}
