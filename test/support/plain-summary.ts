/**
 * What a storage tells of its reports, worked out from the reports themselves, one by one: for a property that holds whatever
 * was sent and forgotten before (report-store-contract.ts).
 */

import fc from "fast-check";
import { expect } from "vitest";
import type { Report } from "../../src/collect/report.ts";
import type { ReportStore, StoredReport, SummaryRange } from "../../src/collect/report-store.ts";
import { fedtraceDocument, NOW, reportOf, synapseDocument } from "./collect.ts";

const DAY = 86_400;

interface Sent {
  readonly homeserver: string;
  readonly isOurs: boolean;
  /** From NOW. */
  readonly second: number;
  readonly count: number;
}

/** A batch that is received one second after the step before, or what is forgotten: received before this second. */
export const STEP = fc.oneof(
  fc.array(
    fc.record<Sent>({
      homeserver: fc.constantFrom("a.test", "b.test"),
      isOurs: fc.boolean(),
      second: fc.constantFrom(-DAY - 1, -DAY, -DAY + 1, -1, 0, 1, 2),
      count: fc.constantFrom(0, 1, 7, 2 ** 53),
    }),
    { maxLength: 6 },
  ),
  fc.record({ forget: fc.integer({ min: 0, max: 12 }) }),
);

/** @param received seconds since 1970 */
export function sentReport({ homeserver, isOurs, second, count }: Sent, received: number): Report {
  const of = { homeserver, timestamp: NOW + second, memory_rss: count };
  return isOurs
    ? reportOf(fedtraceDocument({ ...of, daily_pdus: count }), received)
    : reportOf(synapseDocument({ ...of, daily_messages: count, server_context: `c${count}` }), received);
}

interface Told {
  readonly reports: number;
  readonly days: readonly string[];
  readonly reporters: readonly string[];
}

export async function toldOf(store: ReportStore, range: SummaryRange): Promise<Told> {
  const { reports, servers, days, last } = await store.summarize(range);
  expect(servers).toBe(last.length);
  return {
    reports,
    days: days.map(({ day, synapse, fedtrace, messages, pdus }) =>
      [day, synapse, fedtrace, messages, pdus].join(" "),
    ),
    reporters: last
      .map((row) => [row.instance, row.kind, row.context, row.last, row.reports, row.memory_rss].join(" "))
      .toSorted(),
  };
}

/** The same, without a thought of speed, from what an export would tell. */
export function plainlyTold(reports: readonly StoredReport[], { fromDay, toDay }: SummaryRange): Told {
  const kept = reports.map(({ instance, kind, timestamp, document }) => ({
    name: `${instance} ${kind}`,
    kind,
    timestamp,
    document: JSON.parse(document) as Readonly<Record<string, number | null>>,
  }));
  const lastOf = (some: typeof kept): typeof kept => [
    ...new Map(some.map((report) => [report.name, report])).values(),
  ];
  const range = Array.from({ length: toDay - fromDay + 1 }, (_, index) => fromDay + index);
  const days = range.flatMap((day) => {
    const latest = lastOf(kept.filter(({ timestamp }) => Math.floor(timestamp / DAY) === day));
    const sum = (key: string): number =>
      latest.reduce((total, { document }) => total + (document[key] ?? 0), 0);
    const count = (kind: string): number => latest.filter((report) => report.kind === kind).length;
    const row = [day, count("synapse"), count("fedtrace"), sum("daily_messages"), sum("daily_pdus")];
    return latest.length === 0 ? [] : [row.join(" ")];
  });
  const reporters = lastOf(kept).map(({ name, timestamp, document }) =>
    [
      name,
      document["server_context"],
      timestamp,
      kept.filter((report) => report.name === name).length,
      document["memory_rss"],
    ].join(" "),
  );
  return { reports: kept.length, days, reporters: reporters.toSorted() };
}
