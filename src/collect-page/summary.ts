/**
 * `/api/summary` of the collector, read into what the page draws. The answer is the collector's, the texts and the numbers in
 * it are anybody's who sent a report: what is missing or of another type is empty, and nothing throws.
 */

import { fieldOf, listOf, numberOf, textOf } from "../page/jaeger-model.ts";

/** Null: nobody who reported has this number. */
export type Amount = number | null;

/** Sums over servers, each one's last report of that day (UTC). */
export interface Day {
  /** `2026-11-30` */
  readonly day: string;
  /** Servers that reported. */
  readonly synapse: number;
  readonly fedtrace: number;
  readonly newServers: number;
  readonly messages: Amount;
  readonly sentMessages: Amount;
  /** Who were active that day. */
  readonly users: Amount;
  readonly pdus: Amount;
  readonly requestsIn: Amount;
  readonly requestsOut: Amount;
  readonly peers: Amount;
}

export interface VersionCount {
  readonly kind: string;
  readonly version: string;
  readonly servers: number;
}

export interface ContextCount {
  readonly context: string;
  readonly servers: number;
}

export interface Server {
  readonly instance: string;
  readonly kind: string;
  readonly context: string | null;
  readonly version: string;
  readonly runtime: string;
  /** Unix seconds of its last report. */
  readonly last: number;
  readonly reports: number;
  readonly messages: Amount;
  readonly users: Amount;
  /** KiB, as Synapse reports it (ru_maxrss). */
  readonly memoryKib: Amount;
  /** Percent of one core. */
  readonly cpuPercent: Amount;
}

export interface Totals {
  readonly servers: number;
  /** Reported in the last 24 hours. */
  readonly active: number;
  readonly reports: number;
  readonly synapse: number;
  readonly fedtrace: number;
}

export interface Summary {
  /** Unix seconds. */
  readonly generated: number;
  readonly from: string;
  readonly to: string;
  readonly totals: Totals;
  /** Oldest first, no day left out. */
  readonly days: readonly Day[];
  readonly versions: readonly VersionCount[];
  readonly contexts: readonly ContextCount[];
  readonly servers: readonly Server[];
  /** Servers that are known and not in the list. */
  readonly serversMore: number;
}

export function parseSummary(answer: unknown): Summary {
  const totals = fieldOf(answer, "totals");
  return {
    generated: numberOf(fieldOf(answer, "generated")),
    from: textOf(fieldOf(answer, "from")),
    to: textOf(fieldOf(answer, "to")),
    totals: {
      servers: numberOf(fieldOf(totals, "servers")),
      active: numberOf(fieldOf(totals, "active")),
      reports: numberOf(fieldOf(totals, "reports")),
      synapse: numberOf(fieldOf(totals, "synapse")),
      fedtrace: numberOf(fieldOf(totals, "fedtrace")),
    },
    days: listOf(fieldOf(answer, "days")).map(parseDay),
    versions: listOf(fieldOf(answer, "versions")).map((entry) => ({
      kind: textOf(fieldOf(entry, "kind")),
      version: textOf(fieldOf(entry, "version")),
      servers: numberOf(fieldOf(entry, "servers")),
    })),
    contexts: listOf(fieldOf(answer, "contexts")).map((entry) => ({
      context: textOf(fieldOf(entry, "context")),
      servers: numberOf(fieldOf(entry, "servers")),
    })),
    servers: listOf(fieldOf(answer, "servers")).map(parseServer),
    serversMore: numberOf(fieldOf(answer, "servers_more")),
  };
}

function parseDay(day: unknown): Day {
  return {
    day: textOf(fieldOf(day, "day")),
    synapse: numberOf(fieldOf(day, "synapse")),
    fedtrace: numberOf(fieldOf(day, "fedtrace")),
    newServers: numberOf(fieldOf(day, "new")),
    messages: amountOf(fieldOf(day, "messages")),
    sentMessages: amountOf(fieldOf(day, "sent_messages")),
    users: amountOf(fieldOf(day, "users")),
    pdus: amountOf(fieldOf(day, "pdus")),
    requestsIn: amountOf(fieldOf(day, "requests_in")),
    requestsOut: amountOf(fieldOf(day, "requests_out")),
    peers: amountOf(fieldOf(day, "peers")),
  };
}

function parseServer(server: unknown): Server {
  const context = fieldOf(server, "context");
  return {
    instance: textOf(fieldOf(server, "instance")),
    kind: textOf(fieldOf(server, "kind")),
    context: typeof context === "string" ? context : null,
    version: textOf(fieldOf(server, "version")),
    runtime: textOf(fieldOf(server, "runtime")),
    last: numberOf(fieldOf(server, "last")),
    reports: numberOf(fieldOf(server, "reports")),
    messages: amountOf(fieldOf(server, "messages")),
    users: amountOf(fieldOf(server, "users")),
    memoryKib: amountOf(fieldOf(server, "memory_rss")),
    cpuPercent: amountOf(fieldOf(server, "cpu_average")),
  };
}

function amountOf(value: unknown): Amount {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
