/**
 * `traceparent` and `tracestate`, the headers of W3C Trace Context.
 *
 * Source: https://www.w3.org/TR/trace-context-2/ (level 2: the key grammar and the random flag).
 * Not here: adding a member of our own to `tracestate` (the sidecar has nothing to say in it), `baggage`, which
 * never enters a context, and `traceresponse`, which is removed or passed on but never read (trace-fields.ts).
 */

import { detach } from "../core/text.ts";
import type { Refusal, TraceContext } from "./context.ts";
import { isLowerHex, refuseId } from "./header-text.ts";

/** `00-{32}-{16}-{2}`: all of version 00, and what a later version must start with. */
const VERSION_00_LENGTH = 55;
const FORBIDDEN_VERSION = "ff";

const FLAG_SAMPLED = 0x01;
const FLAG_RANDOM = 0x02;

/** What a list may have at most (https://www.w3.org/TR/trace-context-2/#tracestate-header-field-values). */
const MEMBERS_MAX = 32;
/** What a vendor should at least pass on (#tracestate-limits), and the most that contract section 9 lets through. */
const TRACE_STATE_LENGTH_MAX = 512;

const KEY = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/;
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * Reads `{version}-{trace-id}-{parent-id}-{flags}`.
 *
 * A version above 00 is read by the rules of #versioning-of-traceparent: its first 55 characters must be those
 * of version 00, and anything after them must begin with a dash and is not looked at.
 *
 * @param value as received, without the white space around it
 * @returns the context, with no `traceState`, or why there is none. Never throws: the value is the peer's.
 */
export function parseTraceparent(value: string): TraceContext | Refusal {
  if (value.length < VERSION_00_LENGTH) return "length";
  const version = value.slice(0, 2);
  if (!isLowerHex(version) || version === FORBIDDEN_VERSION) return "version";
  if (value.length > VERSION_00_LENGTH) {
    if (version === "00" || value[VERSION_00_LENGTH] !== "-") return "length";
  }
  if (value[2] !== "-" || value[35] !== "-" || value[52] !== "-") return "fields";

  const text = detach(value.slice(0, VERSION_00_LENGTH));
  const traceId = text.slice(3, 35);
  const spanId = text.slice(36, 52);
  const refusal = refuseId(traceId) ?? refuseId(spanId);
  if (refusal !== undefined) return refusal;
  const flagDigits = text.slice(53);
  if (!isLowerHex(flagDigits)) return "flags";
  const flags = Number.parseInt(flagDigits, 16); // Other bits are reserved: not an error, and not passed on.
  return {
    traceId,
    spanId,
    isSampled: (flags & FLAG_SAMPLED) !== 0,
    isRandom: (flags & FLAG_RANDOM) !== 0,
    traceState: "",
  };
}

/** Writes version 00. Reserved flags are written as zero, as the format asks. */
export function formatTraceparent(context: TraceContext): string {
  const flags = context.isRandom ? (context.isSampled ? "03" : "02") : context.isSampled ? "01" : "00";
  return "00-" + context.traceId + "-" + context.spanId + "-" + flags;
}

/**
 * Reads all lines of `tracestate` as the one list that they are.
 *
 * Empty members and white space around members are allowed and left out of the result. Of several members
 * with one key the left-most one stays, the most recent by #combined-header-value: only one is allowed, and
 * the W3C's own test suite expects such a list to be passed on. Anything else refuses the whole list, and the
 * `traceparent` beside it stays valid.
 *
 * @param lines values in the order of their lines
 * @returns the list as it travels on, "" when it has no member, or why it is dropped. Never throws.
 */
export function parseTracestate(lines: readonly string[]): { readonly traceState: string } | Refusal {
  let length = lines.length - 1; // The commas that join the lines.
  for (const line of lines) length += line.length;
  if (length > TRACE_STATE_LENGTH_MAX) return "length";

  const members = new Map<string, string>();
  let count = 0;
  for (const raw of lines.join(",").split(",")) {
    const member = withoutWhiteSpace(raw);
    if (member === "") continue;
    if (++count > MEMBERS_MAX) return "members";
    const equals = member.indexOf("=");
    if (equals === -1) return "fields";
    const key = member.slice(0, equals);
    if (!KEY.test(key)) return "key";
    if (!VALUE.test(member.slice(equals + 1))) return "value";
    if (!members.has(key)) members.set(key, member);
  }
  return { traceState: detach([...members.values()].join(",")) };
}

/** Spaces and tabs only: `trim()` would also take what the grammar refuses. */
function withoutWhiteSpace(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isWhiteSpace(text[from])) from++;
  while (to > from && isWhiteSpace(text[to - 1])) to--;
  return text.slice(from, to);
}

function isWhiteSpace(character: string | undefined): boolean {
  return character === " " || character === "\t";
}
