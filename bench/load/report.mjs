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
 * @param {string} [key] which of a sample's numbers, if not the CPU
 * @returns {number[]} one ratio a round
 */
export function pairedRatios(samples, rung, subject, other, key = "cpuUs") {
  const cost = (name, round) =>
    samples.find((sample) => sample.name === name && sample.rung === rung && sample.round === round)?.[key];
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

/** Columns under each other, the first to the left. @param {string[][]} rows of the same length */
export function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))),
    )
    .map((cells) => `  ${cells.join("  ")}`)
    .join("\n");
}

/**
 * @typedef {object} Bar one limit of the product
 * @property {string} what
 * @property {number | undefined} value undefined where it was not measured, `why` then says why
 * @property {number} [atMost] @property {number} [atLeast] one of the two
 * @property {string} [unit] @property {string} [why]
 *
 * @param {Bar} bar @returns {string} a line: value, bar, met or missed
 */
export function barLine({ what, value, atMost, atLeast, unit = "", why = "" }) {
  const bar = atMost === undefined ? `at least ${atLeast}${unit}` : `at most ${atMost}${unit}`;
  if (value === undefined || Number.isNaN(value)) {
    return `  not measured  ${what} (${bar})${why === "" ? "" : `: ${why}`}`;
  }
  const isMet = atMost === undefined ? value >= atLeast : value <= atMost;
  return `  ${isMet ? "met   " : "MISSED"}  ${what}: ${value.toFixed(2)}${unit} (${bar})`;
}

/**
 * The medians of a rung's samples, one row a contestant.
 *
 * @param {object[]} samples each with `name` and the numbers of the columns
 * @param {[string, (sample: object) => number, (value: number) => string][]} columns title, number, text
 */
export function medianTable(title, samples, columns) {
  const rows = [...new Set(samples.map(({ name }) => name))].map((name) => {
    const own = samples.filter((sample) => sample.name === name);
    return [name, ...columns.map(([, number, text]) => text(median(own.map(number))))];
  });
  return `  ${title}\n${align([["", ...columns.map(([head]) => head)], ...rows])}`;
}

/**
 * The median of the slopes between all pairs of points: half of the points may be anywhere, and it still is the line's.
 *
 * @param {[number, number][]} points at least two, no two with the same x
 */
export function medianSlope(points) {
  const slopes = points.flatMap(([x, y], index) =>
    points.slice(index + 1).map(([laterX, laterY]) => (laterY - y) / (laterX - x)),
  );
  return median(slopes);
}
