/**
 * What has to be gone from a message that is passed on, told by names alone: a plain list, looked through line by line,
 * where the code under test has a table, offsets and cuts.
 */

import { TRACE_FIELDS } from "../../src/propagation/trace-fields.ts";
import { elementsOf, type ReferenceHead, valuesOf } from "./reference-head.ts";

const EXACT = new Set(
  TRACE_FIELDS.filter(({ name }) => !name.endsWith("*")).map(({ name }) => plainName(name)),
);
const PREFIXES = TRACE_FIELDS.filter(({ name }) => name.endsWith("*")).map(({ name }) =>
  plainName(name.slice(0, -1)),
);
/** Hop by hop (RFC 9110 section 7.6.1), whatever `Connection` says. */
const HOP = new Set(["connection", "keep-alive", "proxy-connection", "http2-settings"]);

/** What a server behind CGI would see: one case, and no difference between `-` and `_`. */
export function plainName(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}

/** Whether the table of trace headers means this name, in whatever spelling. */
export function isTraceName(name: string): boolean {
  const plain = plainName(name);
  return EXACT.has(plain) || PREFIXES.some((prefix) => plain.startsWith(prefix));
}

/** A test of names: whether no message may carry the line on. */
export function isNeverPassed(head: ReferenceHead): (name: string) => boolean {
  const nominated = new Set(elementsOf(valuesOf(head, "connection")));
  // Always nominated where it is used; `trailers`, which the sidecar can do, is asked for anew by leaving it.
  nominated.delete("te");
  nominated.delete("upgrade");
  return (name) => HOP.has(plainName(name)) || nominated.has(name.toLowerCase());
}

const FRAMING = new Set(["content-length", "transfer-encoding"]);

/** A name that frames a message, in any spelling. */
export function isFramingName(name: string): boolean {
  return FRAMING.has(plainName(name));
}

/** One that only some servers would take for it. */
export function isFramingTwin(name: string): boolean {
  return name.includes("_") && isFramingName(name);
}

/** Framing lines of a head that no two servers could read differently: one space, no zeros before, no capitals. */
export function isPlainlyFramed(text: string): boolean {
  const lines = text.split("\r\n").filter((line) => isFramingName(line.split(":")[0] ?? ""));
  return lines.every((line) => /^[^:]+: (?:chunked|0|[1-9][0-9]*)$/.test(line));
}
