/**
 * The texts that leave: a request towards the upstream, a response towards the client, trailers either way.
 *
 * Lines are cut and appended; what is not named here passes byte for byte (contract rule 10).
 */

import {
  type Cuts,
  cutLines,
  FIELD,
  fieldValue,
  type FieldTable,
  MARK_SIZE,
  type Marks,
  scanFields,
} from "../http1/fields.ts";
import { isPlainCoding, isPlainLength, parseContentLength } from "../http1/framing.ts";
import { findNominated, withNominated } from "./nominated.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { cutServerTiming } from "../propagation/server-timing.ts";
import { TAG } from "./field-tags.ts";

/**
 * A request head for the upstream.
 *
 * @param target in the form the upstream is to see
 * @param added whole lines, each with its CRLF
 */
export function formatRequest(head: RequestHead, target: string, cuts: Cuts, added: string): string {
  const { text, fieldsAt } = head;
  const isLineKept = target === head.target && !head.isHttp10;
  const line = isLineKept ? text.slice(0, fieldsAt) : `${head.method} ${target} HTTP/1.1\r\n`;
  return line + cutLines(text, fieldsAt, text.length - 2, cuts) + added + "\r\n";
}

/** The cuts with the Host line among them, ascending. */
export function withHostCut({ marks }: RequestHead, cuts: Cuts): Cuts {
  for (let index = 0; index < marks.length; index += MARK_SIZE) {
    if (marks[index] !== FIELD.HOST) continue;
    const start = marks[index + 1] ?? 0;
    return withNominated(cuts, new Map([[start, marks[index + 3] ?? start]]));
  }
  return cuts;
}

export interface Rewritten {
  readonly text: string;
  /** How many trace and baggage headers were taken out. */
  readonly removed: number;
}

export interface ResponseRules {
  /** Whether the answer may name its trace: both sides are whitelisted (contract rule 8). */
  readonly mayNameTrace: boolean;
  /** For a client of HTTP/1.0, whose body comes without the chunked coding. */
  readonly isUnchunked: boolean;
  /** A 101: Upgrade is what it is about. */
  readonly isSwitching: boolean;
  /** Whole lines to add. */
  readonly added: string;
}

/** A response head for the client. Its version is the sidecar's own (RFC 9110 section 2.5). */
export function formatResponse(head: ResponseHead, rules: ResponseRules): Rewritten {
  const { text, marks, fieldsAt } = head;
  const cuts: Cuts = [];
  let removed = 0;
  let added = rules.added;
  for (let index = 0; index < marks.length; index += MARK_SIZE) {
    const tag = marks[index] ?? 0;
    if (tag === TAG.SERVER_TIMING) {
      if (rules.mayNameTrace) continue;
      const value = fieldValue(text, marks, index);
      const kept = cutServerTiming(value);
      if (kept === value) continue;
      if (kept !== undefined) added += `${text.slice(marks[index + 1], marks[index + 2])}: ${kept}\r\n`;
    } else if (!isResponseLineCut(tag, rules)) {
      const framing = rewriteFraming(text, marks, index);
      if (framing === undefined) continue;
      added += framing;
    }
    if (tag >= TAG.TRACE) removed++;
    cuts.push(marks[index + 1] ?? 0, marks[index + 3] ?? 0);
  }
  const line = head.isHttp10 ? `HTTP/1.1${text.slice(8, fieldsAt)}` : text.slice(0, fieldsAt);
  const allCuts = withNominated(cuts, findNominated(head));
  return { text: line + cutLines(text, fieldsAt, text.length - 2, allCuts) + added + "\r\n", removed };
}

/**
 * A framing line that some reader takes another way than it is meant, written as all of them read it.
 *
 * @param index of the line's mark
 * @returns undefined where it may pass as it came, as nearly always, and for lines that don't frame the body
 */
export function rewriteFraming(text: string, marks: Marks, index: number): string | undefined {
  const start = marks[index + 1] ?? 0;
  const colon = marks[index + 2] ?? 0;
  const next = marks[index + 3] ?? 0;
  if (marks[index] === FIELD.TRANSFER_ENCODING) {
    return isPlainCoding(text, colon, next) ? undefined : `${text.slice(start, colon)}: chunked\r\n`;
  }
  if (marks[index] !== FIELD.CONTENT_LENGTH || isPlainLength(text, colon, next)) return undefined;
  const length = parseContentLength(fieldValue(text, marks, index)) ?? 0;
  return `${text.slice(start, colon)}: ${length}\r\n`;
}

/** Trace headers that no answer may have, whoever it is for. */
const NEVER_ANSWERED: ReadonlySet<number> = new Set([TAG.BAGGAGE, TAG.FORCING, TAG.DEBUG_PASS]);

function isResponseLineCut(tag: number, rules: ResponseRules): boolean {
  if (tag >= TAG.TRACE) return !rules.mayNameTrace || NEVER_ANSWERED.has(tag);
  if (tag === FIELD.TRANSFER_ENCODING) return rules.isUnchunked;
  if (tag === FIELD.UPGRADE) return !rules.isSwitching;
  return tag === FIELD.CONNECTION || tag === FIELD.KEEP_ALIVE || tag === FIELD.HOP;
}

/** Fields that frame or route a message; in trailers they are for nobody (RFC 9110 section 6.5.1). */
const NEVER_IN_TRAILERS: ReadonlySet<number> = new Set([
  FIELD.HOST,
  FIELD.CONTENT_LENGTH,
  FIELD.TRANSFER_ENCODING,
  FIELD.CONNECTION,
  FIELD.KEEP_ALIVE,
  FIELD.UPGRADE,
  FIELD.TE,
  FIELD.HOP,
  TAG.AUTHORIZATION,
  TAG.PROXY_AUTHORIZATION,
  TAG.FORWARDED,
]);

/**
 * A trailer section without its trace headers, and without fields that trailers can't have.
 *
 * @param section checked lines and their empty line
 * @param mayNameTrace as in ResponseRules; false for requests
 */
export function formatTrailers(section: string, table: FieldTable, mayNameTrace: boolean): Rewritten {
  const marks: Marks = [];
  scanFields(section, 0, table, marks);
  const cuts: Cuts = [];
  let removed = 0;
  for (let index = 0; index < marks.length; index += MARK_SIZE) {
    const tag = marks[index] ?? 0;
    const isTraceCut = tag >= TAG.TRACE && (!mayNameTrace || NEVER_ANSWERED.has(tag));
    if (!isTraceCut && !NEVER_IN_TRAILERS.has(tag)) continue;
    if (isTraceCut) removed++;
    cuts.push(marks[index + 1] ?? 0, marks[index + 3] ?? 0);
  }
  return { text: cutLines(section, 0, section.length, cuts), removed };
}
