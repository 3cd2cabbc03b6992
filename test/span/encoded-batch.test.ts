/** That a span is the same in another process, whatever is in it, and that its origin goes over once. */

import fc from "fast-check";
import { expect, it } from "vitest";
import { fromEncodedBatch, toEncodedBatch } from "../../src/span/encoded-batch.ts";
import type { SpanOrigin } from "../../src/span/record.ts";
import { anySpan, exampleSpan } from "../export/spans.ts";
import { encodeAll } from "../workers/in-process-worker.ts";

it("a batch comes out as it went in, over any number of batches", () => {
  fc.assert(
    fc.property(fc.array(fc.array(anySpan, { maxLength: 4 }), { maxLength: 3 }), (batches) => {
      const here: SpanOrigin[] = [];
      const there: SpanOrigin[] = [];
      for (const records of batches) {
        const spans = encodeAll(records);
        const arrived = fromEncodedBatch(structuredClone(toEncodedBatch(spans, here)), there);
        expect(arrived.map((span) => span.toRecord().fields)).toEqual(
          spans.map((span) => span.toRecord().fields),
        );
        arrived.forEach((span, index) => {
          expect(span.traceId).toBe(spans[index]?.traceId);
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
  expect(toEncodedBatch(encodeAll([exampleSpan(), exampleSpan()]), known).origins).toHaveLength(1);
  expect(toEncodedBatch(encodeAll([exampleSpan()]), known).origins).toHaveLength(0);
});

it("a number that no origin has is no span, and the next one is where it was", () => {
  const batch = toEncodedBatch(encodeAll([exampleSpan(), exampleSpan()]), []);
  expect(fromEncodedBatch({ ...batch, origins: [] }, [])).toEqual([]);
  const [first, second] = batch.spans;
  const mixed = {
    ...batch,
    spans: [{ origin: 9, traceId: "", bytes: first?.bytes ?? 0 }, ...(second ? [second] : [])],
  };
  expect(fromEncodedBatch(mixed, []).map((span) => span.toRecord().name)).toEqual([exampleSpan().name]);
});
