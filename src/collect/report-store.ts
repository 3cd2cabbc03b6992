/**
 * Where reports are kept: what every kind of storage does. Two do: sqlite-store.ts and postgres-store.ts.
 *
 * A reporter is an instance of a kind: a homeserver's Synapse and its sidecar have one name, and are two of them. The same
 * reporter's report of the same second is one report, of which the first stays. Days are those of reports' timestamps, in UTC.
 */

import type { DayValue, Kind, Report } from "./report.ts";

/** `full`: its reporter is a new one, and there are as many as may be. */
export type Stored = "stored" | "known" | "full";

export interface ReportStore {
  /**
   * All in one transaction. @returns what became of each, in their order, once that is on disk
   * Rejects where none of them was stored.
   */
  write(reports: readonly Report[]): Promise<readonly Stored[]>;
  summarize(range: SummaryRange): Promise<SummaryRows>;
  /** @returns reports in the order of their keys, at most `query.max` */
  readPage(query: PageQuery): Promise<readonly StoredReport[]>;
  /**
   * Forgets reports, of days what came from them, and reporters that have no reports left; those received first.
   * @param max at most so many of each @returns how many reports and days were forgotten
   */
  removeReceivedBefore(unixSeconds: number, max: number): Promise<number>;
  countReporters(): Promise<number>;
  /** Rejects where it is of no use now. */
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface StoreOptions {
  /** Reporters that may be known. */
  readonly reportersMax: number;
}

/** What identifies a report; also their order, by timestamp first. */
export interface ReportKey {
  readonly timestamp: number;
  readonly instance: string;
  readonly kind: Kind;
}

export interface StoredReport extends ReportKey {
  readonly received: number;
  readonly version: string | null;
  /** JSON. */
  readonly document: string;
}

export interface PageQuery {
  /** Of timestamps; from here. */
  readonly since: number;
  /** To here, not included. */
  readonly until: number;
  /** Of this one alone. */
  readonly instance: string | undefined;
  /** Beyond this one. */
  readonly after: ReportKey | undefined;
  readonly max: number;
}

/** Days since 1970. */
export interface SummaryRange {
  readonly fromDay: number;
  /** Included. */
  readonly toDay: number;
  /** Whose last report has this timestamp or a later one is active. */
  readonly activeFrom: number;
}

/** Sums over reporters. */
export interface DayRow extends Readonly<Record<DayValue, number>> {
  readonly day: number;
  /** Reporters of the kind. */
  readonly synapse: number;
  readonly fedtrace: number;
}

export interface ReporterRow {
  readonly instance: string;
  readonly kind: Kind;
  readonly context: string | null;
  readonly version: string | null;
  readonly runtime: string | null;
  readonly first: number;
  readonly last: number;
  readonly reports: number;
  readonly messages: number | null;
  readonly users: number | null;
  readonly memory_rss: number | null;
  readonly cpu_average: number | null;
}

export interface SummaryRows {
  readonly servers: number;
  readonly reports: number;
  /** Active ones of the kind. */
  readonly active: Readonly<Record<Kind, number>>;
  /** Days with reports, oldest first. */
  readonly days: readonly DayRow[];
  /** Day → reporters whose first report it has. */
  readonly newcomers: ReadonlyMap<number, number>;
  /** Of active ones, most first. */
  readonly versions: readonly {
    readonly kind: Kind;
    readonly version: string | null;
    readonly servers: number;
  }[];
  readonly contexts: readonly { readonly context: string; readonly servers: number }[];
  /** Last reporters first. */
  readonly last: readonly ReporterRow[];
}

export const SECONDS_PER_DAY = 86_400;
/** Rows that a summary has of each list. */
export const LISTED_MAX = { versions: 50, contexts: 50, servers: 200 } as const;
