/** From raw measurements to the lines that a run prints: medians, spans of rounds, paired ratios, bars. Pure. */

import { CAPTURED } from "./captured.mjs";

/** @param {number[]} values at least one */
export function median(values) {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function range(values, digits) {
  return `${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)}`;
}

/**
 * What the subject costs, as a share of another contestant's cost in the same round: a busy machine slows both.
 *
 * @param {{ name: string, rung: string, round: number, cpuUs: number }[]} samples
 * @returns {number[]} one ratio a round
 */
export function pairedRatios(samples, rung, subject, other) {
  const cost = (name, round) =>
    samples.find((sample) => sample.name === name && sample.rung === rung && sample.round === round)?.cpuUs;
  const rounds = [...new Set(samples.map(({ round }) => round))];
  return rounds
    .map((round) => cost(subject, round) / cost(other, round))
    .filter((ratio) => Number.isFinite(ratio));
}

/** The table of one rung. */
export function cpuTable(samples, rung, subject, contestants) {
  const rows = contestants.map(({ name, missing }) => {
    const own = samples.filter((sample) => sample.name === name && sample.rung === rung);
    if (own.length === 0) return [name, missing ?? "left out", "", "", ""];
    const costs = own.map(({ cpuUs }) => cpuUs);
    const ratios = pairedRatios(samples, rung, subject, name);
    return [
      name,
      `${median(costs).toFixed(1)} (${range(costs, 1)})`,
      ratios.length === 0 ? "" : `${median(ratios).toFixed(2)} (${range(ratios, 2)})`,
      `${Math.round(median(own.map(({ busy }) => busy)) * 100)} %`,
      Math.round(median(own.map(({ perSecond }) => perSecond))).toString(),
    ];
  });
  const title = `CPU per request, ${CAPTURED[rung].label}`;
  return `${title}\n${align([["", "µs (min–max)", `${subject} ÷ it`, "busy", "requests/s"], ...rows])}\n`;
}

function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))),
    )
    .map((cells) => `  ${cells.join("  ")}`)
    .join("\n");
}

/** @param {{ what: string, value: number | undefined, atMost: number, unit?: string }} bar */
export function barLine({ what, value, atMost, unit = "" }) {
  if (value === undefined) return `  not measured  ${what} (at most ${atMost}${unit})`;
  const verdict = value <= atMost ? "PASS" : "MISS";
  return `  ${verdict}  ${what}: ${value.toFixed(2)}${unit} (at most ${atMost}${unit})`;
}
