/**
 * What the border removes: cutServerTiming leaves no entry that names a trace and every other one as it was; the table of
 * trace headers is found in any spelling, and nothing else is.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { MARK_SIZE, type Marks, scanFields } from "../../src/http1/fields.ts";
import { cutServerTiming } from "../../src/propagation/server-timing.ts";
import { TRACE_FIELDS } from "../../src/propagation/trace-fields.ts";
import { createProxyFields, TAG } from "../../src/proxy/field-tags.ts";
import { isTraceName } from "./scrubbed.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, damaged, piecesOf } from "./texts.ts";

const TIMING_PIECES = [
  "trace",
  "traceparent",
  "Trace",
  "db",
  ";dur=1",
  ';desc="',
  '"',
  "\\",
  ",",
  ", ",
  " ",
  "\t",
  "=",
  "x",
  "\xa0",
];

/**
 * The entries, by one expression: a string in quotes is one only behind `=`. A quote that is not closed is a character
 * like others, and no later one is closed either.
 */
function entriesOf(value: string): readonly string[] {
  const entries = [""];
  for (const [piece] of value.matchAll(/=[ \t]*"(?:[^"\\]|\\[^])*"|[^]/g)) {
    if (piece === ",") entries.push("");
    else entries[entries.length - 1] += piece;
  }
  return entries;
}

function namesTrace(entry: string): boolean {
  return /^\s*trace(?:parent)?(?:[\s;=]|$)/i.test(entry);
}

function checkTiming(value: string): void {
  const left = cutServerTiming(value);
  const entries = entriesOf(value);
  const kept = entries.filter((entry) => !namesTrace(entry));
  if (kept.length === entries.length) return equal(left, value, "changed, though no entry names a trace");
  if (left === undefined) return ok(!kept.some((entry) => /[^ \t]/.test(entry)), "an entry is gone");
  equal(left, kept.join(",").replace(/^[ \t]+/, ""));
  ok(!entriesOf(left).some((entry) => namesTrace(entry)), `not cut: ${left}`);
}

export const SERVER_TIMING: FuzzTarget = createTarget(
  "server-timing",
  fc.property(
    fc.oneof(
      piecesOf(TIMING_PIECES, 14),
      damaged(fc.constantFrom('db;dur=53, traceparent;desc="00-1-1-01", app;desc="a, trace"'), [
        '"',
        "trace,",
        "=",
      ]),
      anyBytes(20),
    ),
    checkTiming,
  ),
);

const FIELDS = createProxyFields([]);
/** Of these the table has other tags, whose exact spelling counts. */
const OTHER_NAMES = [
  "x-request-id",
  "x-correlation-id",
  "cf-ray",
  "accept",
  "b3-x",
  "uberctx",
  "traceparents",
  "_b3",
];

interface Spelled {
  readonly name: string;
  /** A bit for each letter: capital; a bit for each `-`: `_`. */
  readonly capitals: number;
  readonly scores: number;
}

function spell({ name, capitals, scores }: Spelled): string {
  return name
    .split("")
    .map((one, at) => {
      if (one === "-") return (scores >> (at % 31)) & 1 ? "_" : "-";
      return (capitals >> (at % 31)) & 1 ? one.toUpperCase() : one;
    })
    .join("");
}

const suffix = fc.string({ unit: fc.constantFrom(..."abcXYZ019-_.!~".split("")), maxLength: 8 });
const spelled = fc
  .record({
    name: fc
      .tuple(fc.constantFrom(...TRACE_FIELDS.map(({ name }) => name), ...OTHER_NAMES), suffix, fc.boolean())
      .map(([name, more, isLonger]) =>
        name.endsWith("*") ? name.slice(0, -1) + more : name + (isLonger ? more : ""),
      ),
    capitals: fc.nat(),
    scores: fc.oneof(fc.constant(0), fc.nat()),
  })
  .map(spell);

function checkSpelling(name: string): void {
  const marks: Marks = [];
  const text = `first: 1\r\n${name}: value\r\nlast: 2\r\n\r\n`;
  equal(scanFields(text, 0, FIELDS, marks), 3);
  const traces: (readonly (number | undefined)[])[] = [];
  for (let at = 0; at < marks.length; at += MARK_SIZE) {
    if ((marks[at] ?? 0) >= TAG.TRACE) traces.push(marks.slice(at + 1, at + MARK_SIZE));
  }
  const line = [10, 10 + name.length, 10 + name.length + 9];
  deepEqual(traces, isTraceName(name) ? [line] : [], "found, or not found");
}

export const TRACE_NAMES: FuzzTarget = createTarget("trace-names", fc.property(spelled, checkSpelling));
