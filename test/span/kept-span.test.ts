/** A span that is kept against the sampler: what changes of it, what does not, and that it can be encoded again. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keptRecord } from "../../src/span/kept-span.ts";
import type { SpanRecord } from "../../src/span/record.ts";
import { createSpanEncoder } from "../../src/span/span-encoder.ts";
import { anySpan, CONTEXT, exampleSpan, ORIGIN } from "../export/spans.ts";
import { runs } from "../support/runs.ts";

const UNSAMPLED = { ...CONTEXT, isSampled: false, traceState: "ot=rv:1234,a=1" };

function fieldsOf(record: SpanRecord): SpanRecord["fields"] {
  return keptRecord(record, "tail_slow").fields;
}

describe("a kept span", () => {
  it("is sampled and says why; all else is as it was", () => {
    const record = exampleSpan({ context: UNSAMPLED });
    expect(fieldsOf(record)).toEqual({
      ...record.fields,
      context: { ...CONTEXT, isSampled: true, traceState: "ot=rv:1234,a=1" },
      attributes: { ...record.fields.attributes, "fedtrace.sampling.decided": "tail_slow" },
    });
    expect(record.fields.context).toBe(UNSAMPLED);
  });

  it.each([
    {
      why: "the same trace: kept with it",
      traceId: CONTEXT.traceId,
      isSampled: true,
      traceState: "ot=rv:1234,a=1",
    },
    {
      why: "another trace: nothing is known of it",
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      isSampled: false,
      traceState: UNSAMPLED.traceState,
    },
  ])("links to a span of $why", ({ traceId, isSampled, traceState }) => {
    const link = { context: { ...UNSAMPLED, traceId }, attributes: { "fedtrace.link": "resend" } };
    const [kept] = fieldsOf(exampleSpan({ context: UNSAMPLED, links: [link] })).links;
    expect(kept).toEqual({ ...link, context: { ...UNSAMPLED, traceId, isSampled, traceState } });
  });
});

describe("encodeRecord", () => {
  it("gives a span that reads as the record: from bytes, changed, to bytes, with its own origin", () => {
    const first = createSpanEncoder(ORIGIN);
    const second = createSpanEncoder(ORIGIN);
    fc.assert(
      fc.property(anySpan, (record) => {
        const read = first.encodeRecord(record);
        const kept = keptRecord(read, "tail_asked");
        const again = second.encodeRecord(kept);
        expect(again.traceId).toBe(record.traceId);
        expect(again.origin).toBe(record.origin);
        expect(again.toRecord().fields).toEqual({
          ...kept.fields,
          // Of the parent only its id is written (span-decode.ts).
          parent: kept.fields.parent && { ...kept.fields.parent, isSampled: true },
        });
      }),
      { numRuns: runs(500) },
    );
  });
});
