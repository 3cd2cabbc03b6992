/** Counts of the last 24 hours. */

import { expect, it } from "vitest";
import { DAILY, type DailyCounts, DayCounts } from "../../src/usage/day-counts.ts";

const HOUR = 480_000;
/** So many of each kind. */
const all = (count: number): DailyCounts =>
  Object.fromEntries(DAILY.map((name) => [name, count])) as DailyCounts;

it.each([
  { hours: [HOUR, HOUR], total: 2, why: "twice in this hour" },
  { hours: [HOUR - 23, HOUR], total: 2, why: "the first of 24 hours" },
  { hours: [HOUR - 24, HOUR], total: 1, why: "one hour before that" },
  { hours: [HOUR + 1, HOUR], total: 1, why: "an hour to come: the clock was wrong" },
  { hours: [], total: 0, why: "nothing" },
])("$why: $total", ({ hours, total }) => {
  const days = new DayCounts();
  for (const hour of hours) days.add(hour, all(1));
  const again = new DayCounts();
  again.load(JSON.parse(JSON.stringify(days.save())) as ReturnType<DayCounts["save"]>);
  expect([days.total(HOUR), again.total(HOUR)]).toEqual([all(total), all(total)]);
});

it("keeps no more than a day, whatever time does", () => {
  const days = new DayCounts();
  for (let hour = HOUR; hour < HOUR + 1000; hour++) days.add(hour, all(1));
  for (let hour = HOUR + 1000; hour > HOUR; hour--) days.add(hour, all(1));
  expect(days.save().length).toBeLessThanOrEqual(24);
});

it("keeps the kinds apart", () => {
  const days = new DayCounts();
  const counts = { requestsIn: 1, requestsOut: 2, transactions: 3, pdus: 4, edus: 5, traces: 6 };
  days.add(HOUR, counts);
  expect(days.total(HOUR)).toEqual(counts);
});
