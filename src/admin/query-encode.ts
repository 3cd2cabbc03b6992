/**
 * The JSON of Jaeger's query API: the envelope that every answer has, and traces piece by piece.
 *
 * An answer may hold every span of the store: some 40 MB of text, a second of work. It is made 32 spans at a time, each
 * piece when the reader has taken the one before, with the event loop free between any two; nothing is held but
 * the trace that is being written. A trace that leaves the store meanwhile is left out.
 */

import { withoutLoneSurrogates } from "../core/text.ts";
import type { SpanOrigin } from "../span/record.ts";
import type { StoredTrace } from "../store/recent-store.ts";
import type { TakeTurn } from "../store/walk.ts";
import { type JaegerProcess, toJaegerProcess, toJaegerSpan } from "./jaeger-json.ts";
import { createWarnings } from "./query-warnings.ts";

/** Half a millisecond of encoding (bench/store.bench.ts). */
const SPANS_PER_PIECE = 32;

/** What Jaeger indents `prettyPrint` with. */
const INDENT = "    ";

interface QueryFault {
  /** The status again; absent where the answer as a whole is none. */
  readonly code?: number;
  readonly msg: string;
  readonly traceID?: string;
}

export interface EncodeOptions {
  readonly isPretty: boolean;
  readonly isRaw: boolean;
  readonly faults: readonly QueryFault[];
  readonly takeTurn: TakeTurn;
}

/** An answer that is short. @param total Jaeger fills it for lists of names only */
export function encodeEnvelope(data: unknown, total: number, isPretty: boolean): string {
  return encode({ data, total, limit: 0, offset: 0, errors: null }, isPretty, 0);
}

export function encodeFault(code: number, msg: string): string {
  return `${encode({ data: null, total: 0, limit: 0, offset: 0, errors: [{ code, msg }] }, false, 0)}\n`;
}

/** The whole answer; may be left at any piece. */
export async function* encodeTraces(
  traces: readonly StoredTrace[],
  options: EncodeOptions,
): AsyncGenerator<string, void, undefined> {
  const { isPretty, faults, takeTurn } = options;
  const { colon, breakAt } = layoutOf(isPretty);
  const errors = encode(faults.length === 0 ? null : faults, isPretty, 1);
  let piece = `{${breakAt(1)}"data"${colon}[`;
  let spansInPiece = 0;
  let written = 0;
  for (const { spans } of traces) {
    if (spans.length === 0) continue;
    piece += `${written === 0 ? "" : ","}${breakAt(2)}`;
    written += 1;
    for (const part of encodeTrace([...spans], options)) {
      piece += part;
      spansInPiece += 1;
      if (spansInPiece < SPANS_PER_PIECE) continue;
      yield piece;
      await takeTurn();
      piece = "";
      spansInPiece = 0;
    }
  }
  const rest = ["total", "limit", "offset"].map((key) => `,${breakAt(1)}"${key}"${colon}0`).join("");
  yield `${piece}${written === 0 ? "" : breakAt(1)}]${rest},${breakAt(1)}"errors"${colon}${errors}${breakAt(0)}}`;
}

/** A part for each span, the first with what stands before it, and one for what comes after them. */
function* encodeTrace(
  spans: StoredTrace["spans"],
  { isPretty, isRaw }: EncodeOptions,
): Generator<string, void, undefined> {
  const { colon, breakAt } = layoutOf(isPretty);
  const warningsOf = isRaw ? undefined : createWarnings(spans);
  const processes = createProcesses(isRaw);
  let traceID = "";
  for (const [index, span] of spans.entries()) {
    const processID = processes.idOf(span.origin);
    const jaegerSpan = toJaegerSpan(span, { processID, warnings: warningsOf?.(span), isRaw });
    ({ traceID } = jaegerSpan);
    const opening = `{${breakAt(3)}"traceID"${colon}"${traceID}",${breakAt(3)}"spans"${colon}[`;
    yield `${index === 0 ? opening : ","}${breakAt(4)}${encode(jaegerSpan, isPretty, 4)}`;
  }
  const kept = encode(processes.all, isPretty, 3);
  yield `${breakAt(3)}],${breakAt(3)}"processes"${colon}${kept},${breakAt(3)}"warnings"${colon}null${breakAt(2)}}`;
}

/** `p1`, `p2`, … in the order of their first span; those that read the same are one. */
function createProcesses(isRaw: boolean): {
  readonly idOf: (origin: SpanOrigin) => string;
  readonly all: Readonly<Record<string, JaegerProcess>>;
} {
  const all: Record<string, JaegerProcess> = {};
  const idOfOrigin = new Map<SpanOrigin, string>();
  const idOfText = new Map<string, string>();
  return {
    all,
    idOf(origin) {
      const known = idOfOrigin.get(origin);
      if (known !== undefined) return known;
      const process = toJaegerProcess(origin, isRaw);
      const text = JSON.stringify(process);
      const id = idOfText.get(text) ?? `p${idOfText.size + 1}`;
      idOfOrigin.set(origin, id);
      idOfText.set(text, id);
      all[id] = process;
      return id;
    },
  };
}

/** What stands between the parts that are put together here, as JSON.stringify has it within them. */
function layoutOf(isPretty: boolean): {
  readonly colon: string;
  readonly breakAt: (depth: number) => string;
} {
  return isPretty
    ? { colon: ": ", breakAt: (depth) => `\n${INDENT.repeat(depth)}` }
    : { colon: ":", breakAt: () => "" };
}

/** @param depth of the braces around it */
function encode(value: unknown, isPretty: boolean, depth: number): string {
  const text = JSON.stringify(value, undefined, isPretty ? INDENT : undefined);
  const placed = isPretty ? text.replaceAll("\n", `\n${INDENT.repeat(depth)}`) : text;
  return withoutLoneSurrogates(placed);
}
