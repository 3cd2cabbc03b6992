/** That a span is the same on the other side of a thread, whatever is in it, and that only an answer is read as one. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromPlainBatch, parseForeignAnswer, toPlainBatch } from "../../src/export/foreign-message.ts";
import { foreignReason } from "../../src/export/foreign-reason.ts";
import type { SpanOrigin } from "../../src/span/record.ts";
import { anySpan, exampleSpan } from "./spans.ts";

it("a batch comes out as it went in, over any number of batches", () => {
  fc.assert(
    fc.property(fc.array(fc.array(anySpan, { maxLength: 4 }), { maxLength: 3 }), (batches) => {
      const here: SpanOrigin[] = [];
      const there: SpanOrigin[] = [];
      for (const spans of batches) {
        const arrived = fromPlainBatch(structuredClone(toPlainBatch(spans, here)), there);
        expect(arrived.map(({ fields }) => fields)).toEqual(spans.map(({ fields }) => fields));
        arrived.forEach((span, index) => {
          expect(span.resource.attributes).toEqual(spans[index]?.resource.attributes);
          expect(span.resource.schemaUrl).toBe(spans[index]?.resource.schemaUrl);
          expect(span.instrumentationScope).toEqual(spans[index]?.instrumentationScope);
          expect(there.indexOf(span.origin)).toBe(here.indexOf(spans[index]?.origin ?? span.origin));
        });
      }
    }),
  );
});

it("an origin goes over once", () => {
  const known: SpanOrigin[] = [];
  expect(toPlainBatch([exampleSpan(), exampleSpan()], known).origins).toHaveLength(1);
  expect(toPlainBatch([exampleSpan()], known).origins).toHaveLength(0);
});

it("a number that no origin has is no span", () => {
  const { spans } = toPlainBatch([exampleSpan()], []);
  expect(fromPlainBatch({ origins: [], spans }, [])).toEqual([]);
});

describe("an answer", () => {
  it.each([
    { why: "done", message: { id: 1, refused: undefined }, answer: { id: 1, refused: undefined } },
    { why: "not done", message: { id: 1, refused: "x", more: 1 }, answer: { id: 1, refused: "x" } },
    { why: "nothing", message: null, answer: undefined },
    { why: "a text", message: "1", answer: undefined },
    { why: "no number", message: { id: "1" }, answer: undefined },
    { why: "a reason that is no text", message: { id: 1, refused: 1 }, answer: undefined },
  ])("$why", ({ message, answer }) => {
    expect(parseForeignAnswer(message)).toEqual(answer);
  });
});

describe("a reason", () => {
  const throwing = new Proxy(new Error("x"), {
    get() {
      throw new Error("again");
    },
  });
  it.each([
    { why: "an error", thrown: new Error("a\n  b"), text: "a b" },
    { why: "a text", thrown: "x", text: "x" },
    { why: "nothing", thrown: undefined, text: "undefined" },
    { why: "no text", thrown: Object.create(null) as unknown, text: "something that is no text was thrown" },
    { why: "a trap", thrown: throwing, text: "something that is no text was thrown" },
    { why: "200 characters", thrown: "x".repeat(200), text: "x".repeat(200) },
    { why: "201 characters", thrown: "x".repeat(201), text: "x".repeat(200) },
    { why: "an option of four characters", thrown: "a abcd", text: "a …" },
    { why: "an option of three", thrown: "a abc", text: "a abc" },
    { why: "an option that begins with another", thrown: "abcdef", text: "…" },
  ])("of $why", ({ thrown, text }) => {
    expect(foreignReason(thrown, { short: "abc", list: ["abcd", { key: "abcdef" }], number: 1 })).toBe(text);
  });
});
