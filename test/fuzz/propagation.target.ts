/**
 * Every propagator: whatever lines come, nothing throws; a context that is taken is what a plain expression of its format
 * finds, is written one way, and is read again as itself; tracestate stays within its bounds.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import type { Format, TraceContext } from "../../src/propagation/context.ts";
import { CONTEXT_FIELDS, type ContextField, extractContext } from "../../src/propagation/extract.ts";
import { formatContextLines } from "../../src/propagation/inject.ts";
import { nearly, SPAN, TRACE } from "../propagation/arbitraries.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, damaged, piecesOf } from "./texts.ts";

const MEMBERS_MAX = 32;
const STATE_LENGTH_MAX = 512;
const REASONS = "length fields hex zero version flags members key value repeated".split(" ");

const IDS = [
  TRACE,
  SPAN,
  TRACE.toUpperCase(),
  "0".repeat(32),
  "0".repeat(16),
  "1",
  "0000",
  "f".repeat(33),
  "",
];
const STATE_PIECES = [
  "a=1",
  "b@c=2",
  ",",
  ",",
  " ",
  "\t",
  "=",
  "a",
  "A=1",
  "k=v ",
  "\x7f",
  "x".repeat(256),
  "=é",
  "0_*/-=",
];
const FORMATS: readonly Format[] = ["w3c", "jaeger", "b3", "b3multi"];

const VALUES: Readonly<Record<ContextField, fc.Arbitrary<string>>> = {
  traceparent: fc.oneof(
    nearly(`00-${TRACE}-${SPAN}-01`),
    nearly(`cc-${TRACE}-${SPAN}-03-more`),
    parts("-", ["00", "01", "ff", "0"], IDS, IDS, ["00", "01", "03", "ff", "1", "0g"]),
  ),
  tracestate: fc.oneof(
    piecesOf(STATE_PIECES, 12),
    damaged(fc.constantFrom("a=1,b=2", Array.from({ length: 32 }, (_, at) => `k${at}=v`).join()), [
      ",",
      ",c=d",
      "=",
      " ",
    ]),
    fc
      .nat({ max: 40 })
      .map((count) => Array.from({ length: count }, (_, at) => `key${at % 35}=${at}`).join(" , ")),
  ),
  "uber-trace-id": fc.oneof(
    nearly(`${TRACE}:${SPAN}:0:1`),
    nearly(`${TRACE}%3A${SPAN}%3a0%3A1`),
    parts(":", IDS, IDS, IDS, ["0", "1", "3", "ff", "100", "g", ""]),
  ),
  b3: fc.oneof(
    nearly(`${TRACE}-${SPAN}-1-${SPAN}`),
    parts("-", IDS, IDS, ["0", "1", "d", "true", ""]),
    fc.constantFrom("0", "1", "d", ""),
  ),
  "x-b3-traceid": fc.oneof(nearly(TRACE), fc.constantFrom(...IDS)),
  "x-b3-spanid": fc.oneof(nearly(SPAN), fc.constantFrom(...IDS)),
  "x-b3-sampled": fc.oneof(fc.constantFrom("0", "1", "d", "true", "false", "TRUE", ""), anyBytes(2)),
};

function parts(separator: string, ...choices: readonly (readonly string[])[]): fc.Arbitrary<string> {
  return fc
    .tuple(...choices.map((values) => fc.constantFrom(...values)))
    .map((chosen) => chosen.join(separator));
}

/** Most often one line, now and then two, which none of the formats but tracestate allows. */
const lines = fc
  .record(
    Object.fromEntries(
      CONTEXT_FIELDS.map((field) => [
        field,
        fc.oneof(
          { arbitrary: VALUES[field].map((value) => [value]), weight: 6 },
          { arbitrary: fc.array(VALUES[field], { minLength: 2, maxLength: 3 }), weight: 1 },
        ),
      ]),
    ) as Record<ContextField, fc.Arbitrary<string[]>>,
    { requiredKeys: [] },
  )
  .map((record) => new Map(Object.entries(record)) as ReadonlyMap<ContextField, readonly string[]>);

type Values = ReadonlyMap<ContextField, readonly string[]>;
/** Trace id, span id, and whether the sender sampled it. */
type Ids = readonly [traceId: string, spanId: string, isSampled: boolean];

/** What an expression finds in the lines of one format; undefined: no context. */
function expectedIds(format: Format, values: Values): Ids | undefined {
  const only = (field: ContextField): string => {
    const [first = "", ...others] = values.get(field) ?? [];
    return others.length === 0 ? first : "";
  };
  if (format === "w3c") return w3cIds(only("traceparent"));
  if (format === "jaeger") return jaegerIds(only("uber-trace-id"));
  return b3Ids(only("b3")) ?? b3MultiIds(values);
}

function w3cIds(text: string): Ids | undefined {
  const [, traceId, spanId, flags] =
    /^(?:00|(?!ff)[0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|(?<!^00.*)-)/.exec(text) ?? [];
  return idsOf(traceId, spanId, Number.parseInt(flags ?? "", 16) % 2 === 1);
}

function jaegerIds(text: string): Ids | undefined {
  const [, traceId, spanId, flags] =
    /^([0-9a-f]{1,32}):([0-9a-f]{1,16}):[0-9a-f]{1,16}:([0-9a-f]{1,2})$/i.exec(
      text.replaceAll(/%3a/gi, ":"),
    ) ?? [];
  return idsOf(traceId?.toLowerCase(), spanId?.toLowerCase(), Number.parseInt(flags ?? "", 16) % 2 === 1);
}

function b3Ids(text: string): Ids | undefined {
  const [, traceId, spanId, state] =
    /^((?:[0-9a-f]{16}){1,2})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?$/.exec(text) ?? [];
  return idsOf(traceId, spanId, state === "1");
}

function b3MultiIds(values: Values): Ids | undefined {
  const lines = (["x-b3-traceid", "x-b3-spanid", "x-b3-sampled"] as const).map(
    (field) => values.get(field) ?? [],
  );
  const [[traceId] = [], [spanId] = [], [state = "0"] = []] = lines;
  if (lines.some(({ length }) => length > 1) || !/^(?:[01d]|true|false)$/.test(state)) return undefined;
  if (!/^(?:[0-9a-f]{16}){1,2}$/.test(traceId ?? "") || !/^[0-9a-f]{16}$/.test(spanId ?? ""))
    return undefined;
  return idsOf(traceId, spanId, state === "1" || state === "true");
}

/** In full length; all zero is no id. */
function idsOf(traceId = "", spanId = "", isSampled: boolean): Ids | undefined {
  const isNone = /^0*$/.test(traceId) || /^0*$/.test(spanId);
  return isNone ? undefined : [traceId.padStart(32, "0"), spanId.padStart(16, "0"), isSampled];
}

function checkContext({ traceId, spanId }: TraceContext): void {
  ok(/^(?!0+$)[0-9a-f]{32}$/.test(traceId), `not a trace id: ${traceId}`);
  ok(/^(?!0+$)[0-9a-f]{16}$/.test(spanId), `not a span id: ${spanId}`);
}

function checkTraceState(traceState: string, sent: readonly string[]): void {
  if (traceState === "") return;
  ok(traceState.length <= STATE_LENGTH_MAX, "tracestate is too long");
  const members = traceState.split(",");
  ok(members.length <= MEMBERS_MAX, "tracestate has too many members");
  equal(new Set(members.map((member) => member.split("=")[0])).size, members.length, "a key twice");
  const all = sent
    .join(",")
    .split(",")
    .map((member) => member.replaceAll(/^[ \t]+|[ \t]+$/g, ""));
  ok(
    members.every((member) => all.includes(member)),
    "a member that was not sent",
  );
}

function check({
  formats,
  values,
}: {
  formats: readonly Format[];
  values: ReadonlyMap<ContextField, readonly string[]>;
}): void {
  const { context, format, refusals } = extractContext(formats, values);
  for (const refusal of refusals) {
    ok(formats.includes(refusal.format) && REASONS.includes(refusal.reason), "a refusal of nothing");
  }
  equal(context === undefined, format === undefined);
  // Both b3 formats read both shapes, and the first one listed counts.
  const winner = formats.find((one) => expectedIds(one, values) !== undefined);
  equal(format, winner, "another format, or none");
  if (context === undefined || format === undefined) return;
  checkContext(context);
  checkTraceState(context.traceState, values.get("tracestate") ?? []);
  deepEqual(
    [context.traceId, context.spanId, context.isSampled],
    expectedIds(format, values),
    "read otherwise",
  );

  const written = formatContextLines([format], context);
  const again = extractContext([format], readLines(written));
  // What is written is a decision: neither debug nor left to whoever comes next.
  const { wish: _, ...decided } = context;
  deepEqual(again, { context: decided, format, refusals: [] }, "written, it is read otherwise");
  equal(formatContextLines([format], context), written);
}

function readLines(text: string): ReadonlyMap<ContextField, readonly string[]> {
  ok(/^(?:[a-z0-9-]+: [\x20-\x7e]+\r\n)+$/.test(text), `not lines: ${text}`);
  const pairs = text.trimEnd().split("\r\n");
  return new Map(
    pairs.map((line) => [line.split(":")[0] as ContextField, [line.slice(line.indexOf(" ") + 1)]]),
  );
}

export const PROPAGATION: FuzzTarget = createTarget(
  "propagation",
  fc.property(
    fc.record({ formats: fc.shuffledSubarray([...FORMATS], { minLength: 1 }), values: lines }),
    check,
  ),
);
