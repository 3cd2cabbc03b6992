/**
 * Question: what do reading and writing context cost a request?
 * Decision it feeds: the budget of a traced request is 48 µs; above 1 µs a format for extraction or 0.5 µs for
 *           injecting three formats, that part is written again. Deciding is in sampling.bench.ts.
 * Input:    1,000 different requests: one header of each format, then all of them at once; a task is all 1,000,
 *           so its time in ms is the time of one request in µs.
 * Run:      npx vitest bench --run bench/propagation.bench.ts   (alone on the machine, 5 times)
 * Last:     see bench/RESULTS.md: date, commit, CPU, Node; never numbers in this file.
 */

import { bench, describe } from "vitest";
import type { Format, TraceContext } from "../src/propagation/context.ts";
import { type ContextField, type ContextLines, extractContext } from "../src/propagation/extract.ts";
import { formatContextLines } from "../src/propagation/inject.ts";

const FORMATS: readonly Format[] = ["w3c", "jaeger", "b3"];

const contexts: readonly TraceContext[] = Array.from({ length: 1000 }, (_, index) => {
  const id = ((index + 1) * 0x9e3779b1).toString(16).padStart(16, "0");
  return { traceId: id + id, spanId: id, isSampled: index % 2 === 0, isRandom: false, traceState: "" };
});

/** What a proxy has after it scanned a head: values that are slices of one string. */
function received(formats: readonly Format[], context: TraceContext): ContextLines {
  const head =
    "PUT /_matrix/federation/v1/send/1 HTTP/1.1\r\nhost: hs1.example\r\n" +
    formatContextLines(formats, context);
  const lines = head.trimEnd().split("\r\n").slice(2);
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon) as ContextField, [line.slice(colon + 2)]];
    }),
  );
}

/** Nothing is timed that does not give back what was put in. */
function checked(formats: readonly Format[]): readonly ContextLines[] {
  return contexts.map((context) => {
    const values = received(formats, context);
    const { context: read, refusals } = extractContext(FORMATS, values);
    if (read?.traceId !== context.traceId || read.spanId !== context.spanId || refusals.length > 0) {
      throw new Error(`${formats.join()} does not read back`);
    }
    return values;
  });
}

describe("extract from 1,000 requests", () => {
  for (const formats of [["w3c"], ["jaeger"], ["b3"], FORMATS] as const) {
    const requests = checked(formats);
    bench(formats.join(" + "), () => {
      for (const values of requests) extractContext(FORMATS, values);
    });
  }
});

describe("inject into 1,000 requests", () => {
  const sink = { length: 0 };
  for (const formats of [["w3c"], FORMATS] as const) {
    bench(formats.join(" + "), () => {
      for (const context of contexts) sink.length += formatContextLines(formats, context).length;
    });
    bench(`${formats.join(" + ")}, as bytes`, () => {
      for (const context of contexts)
        sink.length += Buffer.from(formatContextLines(formats, context), "latin1").length;
    });
  }
});
