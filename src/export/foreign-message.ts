/**
 * What the main thread and the thread of a foreign exporter say to each other: plain data, which structured cloning keeps as it is
 * (https://developer.mozilla.org/en-US/docs/Web/API/Web_Workers_API/Structured_clone_algorithm).
 *
 * A question has a number, and at most one answer with the same. Spans go over as their fields; the records around them are built
 * anew on the other side, so whatever foreign code does to one, ours stays as it was.
 */

import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { addOrigins, numberOf, type PlainOrigin, toPlainOrigins } from "../span/plain-origin.ts";
import { type SpanFields, type SpanOrigin, SpanRecord } from "../span/record.ts";

/** As the config has it; what a thread is started with. */
export interface ExporterModule {
  /** Absolute. */
  readonly path: string;
  /** The name of the class; undefined: the only one that looks like an exporter. */
  readonly exporter: string | undefined;
  /** For the constructor. Values may be secrets. */
  readonly options: Readonly<Record<string, unknown>>;
}

interface PlainBatch {
  /** Those that the thread doesn't know yet, in the order of their numbers. */
  readonly origins: readonly PlainOrigin[];
  readonly spans: readonly { readonly origin: number; readonly fields: SpanFields }[];
}

export type ForeignQuestion =
  /** Load the module and find the class. */
  | { readonly ask: "load" }
  /** The same, and make one. */
  | { readonly ask: "make" }
  | ({ readonly ask: "export" } & PlainBatch)
  | { readonly ask: "shutdown" };

export interface ForeignAnswer {
  readonly id: number;
  /** Why not, ready for a log; undefined: it is done. */
  readonly refused: string | undefined;
}

/** Foreign code may speak on the same port: what is no answer is none. */
export function parseForeignAnswer(message: unknown): ForeignAnswer | undefined {
  if (typeof message !== "object" || message === null) return undefined;
  const { id, refused } = message as Partial<Record<keyof ForeignAnswer, unknown>>;
  if (typeof id !== "number" || (refused !== undefined && typeof refused !== "string")) return undefined;
  return { id, refused };
}

/** @param known origins that the thread has been told of, in order; new ones are added */
export function toPlainBatch(spans: readonly ReadableSpan[], known: SpanOrigin[]): PlainBatch {
  const before = known.length;
  const plain = spans.flatMap((span) => {
    if (!(span instanceof SpanRecord)) return []; // A queue has nothing else.
    const { origin, fields } = span;
    return [{ origin: numberOf(origin, known), fields }];
  });
  return { origins: toPlainOrigins(known, before), spans: plain };
}

/** @param known the other side's list; exporters group by the identity of a resource, so each is built once */
export function fromPlainBatch({ origins, spans }: PlainBatch, known: SpanOrigin[]): SpanRecord[] {
  addOrigins(origins, known);
  return spans.flatMap(({ origin: index, fields }) => {
    const origin = known[index];
    return origin === undefined ? [] : [new SpanRecord(origin, fields)];
  });
}
