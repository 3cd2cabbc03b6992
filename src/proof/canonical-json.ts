/**
 * Canonical JSON, the one form of a document that Matrix servers sign: the shortest JSON in UTF-8, keys sorted by code
 * point, integers only.
 *
 * Source: https://spec.matrix.org/v1.16/appendices/#canonical-json, which gives Python's `json.dumps` as its reference, so
 * what is read here is what Synapse's json module reads: of a key that stands twice the last counts, `-0` is 0, a
 * byte order mark is no JSON. Stricter than Synapse, which would sign fractions and integers of any size: the
 * specification has neither, and two programs write them differently.
 * Parsing and writing are V8's own; ours are the order of keys and what the specification forbids and JSON allows.
 * Not here: signatures over the text (ed25519.ts), and what a request signs (x-matrix-signature.ts).
 */

import { withoutLoneSurrogates } from "../core/text.ts";

/**
 * Why a text has no canonical form. `utf8`: not UTF-8; `json`: not JSON; `number`: a fraction, an exponent, or outside
 * -(2^53)+1 to 2^53-1; `surrogate`: half a character, in a string or a key, which UTF-8 can't write; `depth`: more than
 * DEPTH_MAX arrays and objects in each other.
 */
export type JsonRefusal = "utf8" | "json" | "number" | "surrogate" | "depth";

/** Python's reader gives up at about 1,000; no event comes near 20. Far from where our own recursion would end. */
export const DEPTH_MAX = 500;

/** A BOM stays, so that JSON.parse refuses it as Python does. */
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Of a text between two strings: a number that is not written as an integer. `true` and `false` have no digit before the e. */
const NOT_INTEGER = /[0-9][.eE]/;
/** Shorter than `1.0` or `1e3`; most gaps are a colon or a comma. */
const SHORTEST_FRACTION = 3;
const HALF_ESCAPED = /\\u[dD]/;
const QUOTE = '"';
const BACKSLASH = 0x5c;

/**
 * The canonical text of a body as it was received. Any JSON value, not only objects. Never throws; time grows with
 * the bytes, and with the logarithm of an object's keys where these were not in order.
 */
export function canonicalOf(bytes: Uint8Array): { readonly text: string } | JsonRefusal {
  const read = readSignableJson(bytes);
  if (typeof read === "string") return read;
  return { text: read.isOrdered ? JSON.stringify(read.value) : canonicalJson(read.value) };
}

/**
 * The canonical text of a value that was read by readSignableJson, or is made of integers, well-formed strings,
 * booleans, null, arrays and plain objects alone: nothing is checked.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  let text = "";
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) text += `${text === "" ? "" : ","}${canonicalJson(item)}`;
    return `[${text}]`;
  }
  const members = value as Readonly<Record<string, unknown>>;
  // Own keys alone, `__proto__` too: JSON.parse makes it a member as any other.
  for (const key of sorted(Object.keys(members))) {
    text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${canonicalJson(members[key])}`;
  }
  return `{${text}}`;
}

interface SignableJson {
  readonly value: unknown;
  /** Its keys are in order everywhere, so that V8 writes the canonical form at once. Synapse sends its bodies so. */
  readonly isOrdered: boolean;
}

/** The value of a text that has a canonical form. Never throws; linear in the body. */
export function readSignableJson(body: Uint8Array | string): SignableJson | JsonRefusal {
  const text = typeof body === "string" ? body : decode(body);
  if (text === undefined) return "utf8";
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "json";
  }
  const finding = inspect(value, 0);
  if (finding === "number" || finding === "depth") return finding;
  if (hasFraction(text)) return "number";
  if (HALF_ESCAPED.test(text) && hasLoneSurrogate(value)) return "surrogate";
  return { value, isOrdered: finding === "ordered" };
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return DECODER.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * What is in a value, and whether V8 would write its keys in order. An integer out of range is no safe integer,
 * also where the parser has rounded it.
 */
function inspect(value: unknown, depth: number): "ordered" | "unordered" | "number" | "depth" {
  if (typeof value === "number") return Number.isSafeInteger(value) ? "ordered" : "number";
  if (typeof value !== "object" || value === null) return "ordered";
  if (depth === DEPTH_MAX) return "depth";

  const isArray = Array.isArray(value);
  const items: readonly unknown[] = isArray ? value : Object.values(value);
  let isOrdered = isArray || areOrdered(Object.keys(value));
  for (const item of items) {
    const finding = inspect(item, depth + 1);
    if (finding === "number" || finding === "depth") return finding;
    isOrdered &&= finding === "ordered";
  }
  return isOrdered ? "ordered" : "unordered";
}

function areOrdered(keys: readonly string[]): boolean {
  return keys.every((key, at) => at === 0 || compareByCodePoint(keys[at - 1] ?? "", key) < 0);
}

/** @param text valid JSON. Linear: each character is passed once. */
function hasFraction(text: string): boolean {
  for (let at = 0; ;) {
    const open = text.indexOf(QUOTE, at);
    const end = open === -1 ? text.length : open;
    if (end - at >= SHORTEST_FRACTION && NOT_INTEGER.test(text.slice(at, end))) return true;
    if (open === -1) return false;
    at = closingQuote(text, open) + 1;
  }
}

/** Backslashes stand in pairs, but for one before a quote that belongs to the string. */
function closingQuote(text: string, open: number): number {
  for (let at = open; ;) {
    at = text.indexOf(QUOTE, at + 1);
    if (at === -1) return text.length; // No JSON: it must come to an end all the same.
    let start = at;
    while (text.charCodeAt(start - 1) === BACKSLASH) start--;
    if ((at - start) % 2 === 0) return at;
  }
}

/** JSON.stringify escapes nothing else as `\ud…`. Text that came as UTF-8 has none but by an escape. */
function hasLoneSurrogate(value: unknown): boolean {
  const text = JSON.stringify(value);
  return withoutLoneSurrogates(text) !== text;
}

/** Without surrogates V8's own order is that of code points, and takes half the time. */
function sorted(keys: string[]): string[] {
  return keys.some((key) => SURROGATE.test(key)) ? keys.sort(compareByCodePoint) : keys.sort();
}

const SURROGATE = /[\ud800-\udfff]/;

/** As Python's sort has it. V8 sorts by UTF-16 unit, where characters beyond U+FFFF come before U+E000 and not last. */
function compareByCodePoint(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const one = left.charCodeAt(at);
    const other = right.charCodeAt(at);
    if (one !== other) return rankOf(one) - rankOf(other);
  }
  return left.length - right.length;
}

const SURROGATES_START = 0xd800;
const SURROGATES_END = 0xe000;
const UNITS = 0x1_0000;

/** Surrogates last, since they write the characters beyond all that one unit can. */
function rankOf(unit: number): number {
  return unit >= SURROGATES_START && unit < SURROGATES_END ? unit + UNITS : unit;
}
