/**
 * What each day sums up to, remembered until one of its rows changes: most days are past, and a summary of a million rows would
 * stop everything else for half a second. What has to be summed up is summed up a few days at a time, and everything else runs between.
 *
 * For a database that this process alone writes to; where another did (`version`), nothing is remembered.
 */

import type { DayRow } from "./report-store.ts";

export interface DaySums {
  /** Rows of this day changed, or may have. */
  touch(day: number): void;
  /** @returns days that have rows, oldest first */
  read(fromDay: number, toDay: number): Promise<readonly DayRow[]>;
}

export interface DaySumsOptions {
  /** Days that have rows, of those asked for. */
  readonly sum: (fromDay: number, toDay: number) => readonly DayRow[];
  /** Another one each time that somebody else has written. */
  readonly version: () => number;
}

/** Of 10,000 servers a day some 20 ms. */
const DAYS_AT_A_TIME = 4;

export function createDaySums({ sum, version }: DaySumsOptions): DaySums {
  /** Undefined: a day without rows. */
  const sums = new Map<number, DayRow | undefined>();
  let summedVersion = version();

  function sumUp(fromDay: number, toDay: number): void {
    const rows = new Map(sum(fromDay, toDay).map((row) => [row.day, row]));
    for (let day = fromDay; day <= toDay; day++) sums.set(day, rows.get(day));
  }

  return {
    touch: (day) => void sums.delete(day),
    async read(fromDay, toDay) {
      const now = version();
      if (now !== summedVersion) sums.clear();
      summedVersion = now;
      for (const day of sums.keys()) if (day < fromDay || day > toDay) sums.delete(day);
      for (let day = fromDay; day <= toDay; day++) {
        if (sums.has(day)) continue;
        sumUp(day, Math.min(toDay, day + DAYS_AT_A_TIME - 1));
        await new Promise((resolve) => setImmediate(resolve));
      }
      // What was touched meanwhile is few, and what is told must be of one moment.
      for (let day = fromDay; day <= toDay; day++) if (!sums.has(day)) sumUp(day, day);
      return [...sums.values()]
        .filter((row) => row !== undefined)
        .toSorted((one, other) => one.day - other.day);
    },
  };
}
