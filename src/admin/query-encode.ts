/**
 * The JSON of Jaeger's query API: the envelope that every answer has, and traces piece by piece.
 *
 * An answer may hold every span of the store: some 40 MB of text, a second of work. It is made 32 spans at a time, in
 * turns with all other readers (store/turns.ts), each piece when the reader has taken the one before. Nothing of the store is
 * held: spans are read where they are kept, so that a reader who stalls holds back none that the store lets go. A
 * trace that goes before any of it was sent is left out; one that goes later breaks the answer off.
 */

import { withoutLoneSurrogates } from "../core/text.ts";
import type { SpanOrigin } from "../span/record.ts";
import type { StoredTrace } from "../store/recent-store.ts";
import type { Traces } from "../store/trace-source.ts";
import type { Turns } from "../store/turns.ts";
import { AnswerGone } from "./answer.ts";
import { jaegerTraceId, type JaegerProcess, toJaegerProcess, toJaegerSpan } from "./jaeger-json.ts";
import { createWarnings } from "./query-warnings.ts";

/** Some 20 to 60 KB: more than a socket takes at once, and little to hold for a reader who stalls. */
const SPANS_PER_PIECE = 32;

/** What Jaeger indents `prettyPrint` with. */
const INDENT = "    ";

export interface QueryFault {
  /** The status again; absent where the answer as a whole is none. */
  readonly code?: number;
  readonly msg: string;
  readonly traceID?: string;
}

export interface EncodeOptions {
  readonly isPretty: boolean;
  readonly isRaw: boolean;
  /** Asked once the last trace was written. */
  readonly faults: () => readonly QueryFault[];
  /** One trace was asked for by its id: the answer breaks off where it went, rather than be an empty list. */
  readonly isOne: boolean;
  readonly turns: Turns;
}

/** An answer that is short. */
export function encodeEnvelope(
  data: unknown,
  {
    total,
    isPretty,
    faults,
  }: {
    /** Jaeger fills it for lists of names only. */
    readonly total: number;
    readonly isPretty: boolean;
    readonly faults: readonly QueryFault[];
  },
): string {
  return encode({ data, total, limit: 0, offset: 0, errors: errorsOf(faults) }, isPretty, 0);
}

export function encodeFault(code: number, msg: string): string {
  return `${encode({ data: null, total: 0, limit: 0, offset: 0, errors: [{ code, msg }] }, false, 0)}\n`;
}

/** The whole answer; may be left at any piece. Rejects with AnswerGone. */
export async function* encodeTraces(
  traces: Traces,
  options: EncodeOptions,
): AsyncGenerator<string, void, undefined> {
  const { isPretty, faults, isOne, turns } = options;
  const { colon, breakAt } = layoutOf(isPretty);
  await turns.take();
  let piece = `{${breakAt(1)}"data"${colon}[`;
  let spansInPiece = 0;
  let written = 0;
  for await (const trace of traces) {
    if (turns.isOver()) await turns.take();
    const isParted = trace.spans.length > SPANS_PER_PIECE;
    let text = `${written === 0 ? "" : ","}${breakAt(2)}`;
    let isSent = false;
    for await (const part of encodeTrace(trace, options)) {
      if (part === undefined) {
        if (isSent || isOne) throw new AnswerGone("the trace left the store meanwhile");
        text = "";
        break;
      }
      text += part;
      spansInPiece += 1;
      if (!isParted || spansInPiece < SPANS_PER_PIECE) continue;
      yield piece + text;
      await turns.take();
      [piece, text, spansInPiece, isSent] = ["", "", 0, true];
    }
    if (text === "" && !isSent) continue;
    written += 1;
    piece += text;
    if (spansInPiece < SPANS_PER_PIECE) continue;
    yield piece;
    await turns.take();
    [piece, spansInPiece] = ["", 0];
  }
  const rest = ["total", "limit", "offset"].map((key) => `,${breakAt(1)}"${key}"${colon}0`).join("");
  const errors = encode(errorsOf(faults()), isPretty, 1);
  yield `${piece}${written === 0 ? "" : breakAt(1)}]${rest},${breakAt(1)}"errors"${colon}${errors}${breakAt(0)}}`;
}

function errorsOf(faults: readonly QueryFault[]): readonly QueryFault[] | null {
  return faults.length === 0 ? null : faults;
}

/**
 * A part for each span that is there now, the first with what stands before it, and one for what comes after them; undefined,
 * and no more, where the trace went.
 */
async function* encodeTrace(
  trace: StoredTrace,
  { isPretty, isRaw, turns }: EncodeOptions,
): AsyncGenerator<string | undefined, void, undefined> {
  const { colon, breakAt } = layoutOf(isPretty);
  const count = trace.spans.length;
  const warningsOf = isRaw ? undefined : await createWarnings(trace, count, turns);
  const processes = createProcesses(isRaw);
  const traceID = jaegerTraceId(trace.traceId);
  const opening = `{${breakAt(3)}"traceID"${colon}"${traceID}",${breakAt(3)}"spans"${colon}[`;
  for (let index = 0; index === 0 || index < count; index++) {
    if (turns.isOver()) await turns.take();
    const span = trace.spans[index]?.toRecord();
    if (span === undefined) return yield undefined;
    const processID = processes.idOf(span.origin);
    const jaegerSpan = toJaegerSpan(span, { processID, warnings: warningsOf?.(span, index), isRaw });
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
