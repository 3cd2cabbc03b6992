/**
 * One usage report as the collector keeps it, and how it is read from what a server sent.
 *
 * Sources: Synapse's synapse/app/phone_stats_home.py (flat, its version stands in User-Agent alone), and fedtrace's own, which is flat
 * too but for its groups. Whatever is read was chosen by a stranger: what is out of bounds is a refusal with a word, never a throw.
 * Not here: the bounds of all that is not named here (clean-document.ts), and how a body is received (receive.ts).
 */

import type { ErrorCode } from "../core/errors.ts";
import { findReportFault } from "../usage/report-schema.ts";
import { cleanDocument, type CleanObject, type CleanValue } from "./clean-document.ts";

/** Whose report it is: fedtrace's has an object `environment`. */
export const KINDS = ["synapse", "fedtrace"] as const;

export type Kind = (typeof KINDS)[number];

/** What is summed up over the servers of a day, and the key of the document that it comes from. */
const DAY_VALUES = {
  messages: "daily_messages",
  sent_messages: "daily_sent_messages",
  users: "daily_active_users",
  pdus: "daily_pdus",
  requests_in: "daily_requests_in",
  requests_out: "daily_requests_out",
  peers: "daily_active_peers",
} as const;

export type DayValue = keyof typeof DAY_VALUES;

/** In the order of their columns. */
export const DAY_VALUE_NAMES = Object.keys(DAY_VALUES) as readonly DayValue[];

export type DayValues = Readonly<Record<DayValue, number | null>>;

/** A report that passed. Times in seconds since 1970. */
export interface Report extends DayValues {
  readonly kind: Kind;
  /** 1 to 255 visible characters. */
  readonly instance: string;
  readonly timestamp: number;
  /** By the collector's clock. */
  readonly received: number;
  readonly context: string | null;
  readonly version: string | null;
  /** `python 3.11.2`, `node 20.20.2`. */
  readonly runtime: string | null;
  readonly memory_rss: number | null;
  readonly cpu_average: number | null;
  /** JSON of one object, written by this program. */
  readonly document: string;
}

/** Why something is not taken. */
export interface Refusal {
  /** For the counter: one of few. */
  readonly word: string;
  readonly code: ErrorCode;
  /** What is wrong, where, and what is allowed. */
  readonly sentence: string;
}

export type Read<T> = { readonly value: T } | { readonly refused: Refusal };

const INSTANCE_LENGTH_MAX = 255;
/** Controls, formats (bidi among them), lone surrogates, private and unassigned ones; blanks; and letters that show nothing. */
const INVISIBLE = /[\p{C}\p{Z}\p{DI}]/u;
/** Of versions and runtimes. */
const WORD_LENGTH_MAX = 64;
/** 2000-01-01: before there were servers to report. */
const TIMESTAMP_LEAST = 946_684_800;
/** A clock may be wrong by so much. */
const AHEAD_MAX_SECONDS = 86_400;
/** Keys that count, or measure what can't be less than nothing. */
const COUNTS = /^(?:daily_|monthly_|total_|r30)|^(?:memory_rss|cpu_average|uptime_seconds)$/;
const SYNAPSE_AGENT = /^Synapse\/([0-9A-Za-z.+_-]{1,64})(?: |$)/;

/**
 * @param body JSON, at most as long as a body may be
 * @param about when it came, and what the sender calls itself
 */
export function readReport(
  body: Uint8Array,
  about: { readonly unixMs: number; readonly userAgent: string | undefined },
): Read<Report> {
  const parsed = parseObject(body);
  if ("refused" in parsed) return parsed;
  const cleaned = cleanDocument(parsed.value);
  if ("refused" in cleaned) return cleaned;
  const document = cleaned.value;
  const refused = findFault(document, about.unixMs);
  if (refused !== undefined) return { refused };
  const environment = document["environment"];
  const isOurs = isObject(environment);
  const fault = isOurs ? findReportFault(document) : undefined;
  if (fault !== undefined)
    return malformed("schema", `${fault} is not what fedtrace-report.schema.json says`);
  const received = Math.floor(about.unixMs / 1000);
  const version = isOurs
    ? wordOf(environment, "version")
    : (SYNAPSE_AGENT.exec(about.userAgent ?? "")?.[1] ?? null);
  return { value: { ...partsOf(document), received, version, document: JSON.stringify(document) } };
}

/** A report that was stored, as it was when it was read. */
export function restoreReport(stored: Pick<Report, "received" | "version" | "document">): Report {
  const { received, version, document } = stored;
  return { ...partsOf(JSON.parse(document) as CleanObject), received, version, document };
}

/** @param document one that passed */
function partsOf(document: CleanObject): Omit<Report, "received" | "version" | "document"> {
  const isOurs = isObject(document["environment"]);
  return {
    kind: isOurs ? "fedtrace" : "synapse",
    instance: document["homeserver"] as string,
    timestamp: document["timestamp"] as number,
    context: textOf(document, "server_context"),
    runtime: isOurs ? runtimeOf("node", document) : runtimeOf("python", document),
    ...valuesOf(document),
    memory_rss: numberOf(document, "memory_rss"),
    cpu_average: numberOf(document, "cpu_average"),
  };
}

function malformed(word: string, sentence: string): { readonly refused: Refusal } {
  return { refused: { word, code: "REPORT_MALFORMED", sentence } };
}

function parseObject(body: Uint8Array): Read<object> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    return malformed("utf-8", "the body is not UTF-8, which JSON is written in");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return malformed("json", "the body is not JSON; one object is expected");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return malformed("object", "the body is JSON, but not an object; one object is expected");
  return { value };
}

function findFault(document: CleanObject, unixMs: number): Refusal | undefined {
  const instance = document["homeserver"];
  if (
    typeof instance !== "string" ||
    instance === "" ||
    instance.length > INSTANCE_LENGTH_MAX ||
    INVISIBLE.test(instance)
  ) {
    const allowed = `1 to ${INSTANCE_LENGTH_MAX} visible characters, without blanks`;
    return malformed("homeserver", `homeserver is a server's name: a text of ${allowed}`).refused;
  }
  const timestamp = document["timestamp"];
  const latest = Math.floor(unixMs / 1000) + AHEAD_MAX_SECONDS;
  if (
    typeof timestamp !== "number" ||
    !Number.isInteger(timestamp) ||
    timestamp < TIMESTAMP_LEAST ||
    timestamp > latest
  ) {
    const allowed = `from ${TIMESTAMP_LEAST} (the year 2000) to ${latest} (a day from now)`;
    return malformed("timestamp", `timestamp is a whole number of seconds since 1970, ${allowed}`).refused;
  }
  for (const [key, value] of Object.entries(document)) {
    if (!COUNTS.test(key) || value === null || (typeof value === "number" && value >= 0)) continue;
    return malformed("count", `${key} is a count: a number from 0, or null`).refused;
  }
  return undefined;
}

function valuesOf(document: CleanObject): DayValues {
  const values = DAY_VALUE_NAMES.map((name) => [name, numberOf(document, DAY_VALUES[name])] as const);
  return Object.fromEntries(values) as DayValues;
}

function isObject(value: CleanValue | undefined): value is CleanObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numberOf(document: CleanObject, key: string): number | null {
  const value = document[key];
  return typeof value === "number" ? value : null;
}

function textOf(document: CleanObject, key: string): string | null {
  const value = document[key];
  return typeof value === "string" && value !== "" ? value : null;
}

function wordOf(document: CleanObject, key: string): string | null {
  return textOf(document, key)?.slice(0, WORD_LENGTH_MAX) ?? null;
}

function runtimeOf(name: "node" | "python", document: CleanObject): string | null {
  const version = wordOf(document, `${name}_version`);
  return version === null ? null : `${name} ${version}`;
}
