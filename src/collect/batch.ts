/**
 * What a batch of reports changes, worked out before a database is asked: which of them are the same report, whose reporters are new,
 * and what they add to reporters and days. Rows are sorted by their keys, so that two collectors of one database never
 * wait for each other in a circle.
 */

import { type DayValues, type Kind, type Report, restoreReport } from "./report.ts";
import {
  type ReporterRow,
  type ReportKey,
  SECONDS_PER_DAY,
  type Stored,
  type StoredReport,
} from "./report-store.ts";

export type ReporterKey = Pick<ReportKey, "instance" | "kind">;

/** Neither part can have a blank. */
export function reporterKey({ instance, kind }: ReporterKey): string {
  return `${instance} ${kind}`;
}

export function reportKey(report: ReportKey): string {
  return `${reporterKey(report)} ${report.timestamp}`;
}

/** The first of each report, in the order of the keys. */
export function uniqueReports(reports: readonly Report[]): readonly Report[] {
  const firsts = new Map<string, Report>();
  for (const report of reports) {
    const key = reportKey(report);
    if (!firsts.has(key)) firsts.set(key, report);
  }
  return [...firsts.values()].toSorted(
    (one, other) => byReporter(one, other) || one.timestamp - other.timestamp,
  );
}

function byReporter(one: ReporterKey, other: ReporterKey): number {
  return compare(one.instance, other.instance) || compare(one.kind, other.kind);
}

/** By code unit, wherever the program runs. */
function compare(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}

/** The reports of reporters that are known, or for which there is room. */
export function admitted(
  reports: readonly Report[],
  { known, room }: { readonly known: ReadonlySet<string>; readonly room: number },
): readonly Report[] {
  const newcomers = new Set<string>();
  return reports.filter((report) => {
    const key = reporterKey(report);
    if (known.has(key) || newcomers.has(key)) return true;
    if (newcomers.size >= room) return false;
    newcomers.add(key);
    return true;
  });
}

/** What a database made of a batch. */
export interface Insertion {
  /** Keys of reports that were not there before. */
  readonly inserted: ReadonlySet<string>;
  /** Keys of reports whose reporters had no room. */
  readonly refused: ReadonlySet<string>;
}

export function insertionOf(
  unique: readonly Report[],
  { taken, inserted }: { readonly taken: readonly Report[]; readonly inserted: ReadonlySet<string> },
): Insertion {
  const isTaken = new Set(taken);
  return { inserted, refused: new Set(unique.filter((report) => !isTaken.has(report)).map(reportKey)) };
}

export function outcomesOf(reports: readonly Report[], { inserted, refused }: Insertion): readonly Stored[] {
  const told = new Set<string>();
  return reports.map((report) => {
    const key = reportKey(report);
    if (refused.has(key)) return "full";
    if (!inserted.has(key) || told.has(key)) return "known";
    told.add(key);
    return "stored";
  });
}

/** The latest report of a reporter on a day. */
interface DayChange extends DayValues {
  readonly day: number;
  readonly instance: string;
  readonly kind: Kind;
  readonly timestamp: number;
  readonly received: number;
}

export interface Changes {
  /** `reports`: how many more. All else is of the batch alone. */
  readonly reporters: readonly ReporterRow[];
  readonly days: readonly DayChange[];
}

/** @param reports new ones, sorted by their keys */
export function changesOf(reports: readonly Report[]): Changes {
  const reporters = new Map<string, ReporterRow>();
  const days = new Map<string, DayChange>();
  for (const report of reports) {
    const key = reporterKey(report);
    const before = reporters.get(key);
    // Sorted: this one is the latest of its reporter so far, and of its day.
    reporters.set(key, {
      ...report,
      first: before?.first ?? report.timestamp,
      last: report.timestamp,
      reports: (before?.reports ?? 0) + 1,
    });
    const day = Math.floor(report.timestamp / SECONDS_PER_DAY);
    days.set(`${day} ${key}`, { ...report, day });
  }
  return {
    reporters: [...reporters.values()],
    days: [...days.values()].toSorted((one, other) => one.day - other.day),
  };
}

/** What was forgotten of a reporter. */
interface Gone extends ReporterKey {
  readonly count: number;
  /** Timestamp of the latest of them. */
  readonly last: number;
}

/** In the order of their keys. */
export function goneByReporter(rows: readonly ReportKey[]): readonly Gone[] {
  const gone = new Map<string, Gone>();
  for (const { instance, kind, timestamp } of rows) {
    const key = reporterKey({ instance, kind });
    const { count, last } = gone.get(key) ?? { count: 0, last: 0 };
    gone.set(key, { instance, kind, count: count + 1, last: Math.max(last, timestamp) });
  }
  return [...gone.values()].toSorted(byReporter);
}

/**
 * What reporters and days are where the report that told it was forgotten, and another one is now the latest: those that came
 * late may be kept longer than what they are older than.
 * @param latest with what they count for already
 */
export function changesOfKept(latest: readonly StoredReport[]): Changes {
  const { reporters, days } = changesOf(uniqueReports(latest.map(restoreReport)));
  return { reporters: reporters.map((reporter) => ({ ...reporter, reports: 0 })), days };
}
