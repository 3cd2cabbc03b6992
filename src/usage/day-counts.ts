/**
 * How many of a kind there were in the last 24 hours, with a count for each hour: what Synapse's `daily_*` keys say.
 *
 * The hour that is under way counts, and of the 24 hours before it as much as stays of the oldest is left out, so a count covers 23
 * to 24 hours. Hours are Unix hours, so a restart changes nothing.
 */

/** In this order in every hour. */
export const DAILY = ["requestsIn", "requestsOut", "transactions", "pdus", "edus", "traces"] as const;
export type DailyName = (typeof DAILY)[number];
export type DailyCounts = Readonly<Record<DailyName, number>>;

const HOURS = 24;

/** One hour's counts, as `DAILY` has them. */
export interface SavedHour {
  /** Since 1970. */
  readonly hour: number;
  readonly counts: readonly number[];
}

export class DayCounts {
  readonly #hours = new Map<number, readonly number[]>();

  add(hour: number, counts: DailyCounts): void {
    this.#forget(hour);
    const known = this.#hours.get(hour);
    const added = DAILY.map((name, index) => (known?.[index] ?? 0) + counts[name]);
    this.#hours.set(hour, added);
  }

  /** Of the 24 hours that end with this one. */
  total(hour: number): DailyCounts {
    this.#forget(hour);
    const sum = Object.fromEntries(DAILY.map((name) => [name, 0])) as Record<DailyName, number>;
    for (const counts of this.#hours.values()) {
      for (const [index, name] of DAILY.entries()) sum[name] += counts[index] ?? 0;
    }
    return sum;
  }

  save(): readonly SavedHour[] {
    return [...this.#hours].map(([hour, counts]) => ({ hour, counts }));
  }

  load(saved: readonly SavedHour[]): void {
    for (const { hour, counts } of saved.slice(-HOURS)) this.#hours.set(hour, counts);
  }

  /** Hours to come are those of a clock that was wrong. */
  #forget(now: number): void {
    for (const hour of this.#hours.keys()) if (hour > now || hour <= now - HOURS) this.#hours.delete(hour);
  }
}
