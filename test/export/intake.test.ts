/** createIntake: each span to each sink, encoded once, made into a record once; when. */

import { describe, expect, it } from "vitest";
import { createIntake } from "../../src/export/intake.ts";
import type { EncodedSpan } from "../../src/span/encoded-span.ts";
import type { SpanRecord } from "../../src/span/record.ts";
import { CONTEXT, DRAFT, ORIGIN } from "./spans.ts";

it.each([
  { why: "none: spans go nowhere", records: 0, encoded: 0 },
  { why: "one that keeps bytes", records: 0, encoded: 1 },
  { why: "one that wants records", records: 1, encoded: 0 },
  { why: "several of both", records: 2, encoded: 3 },
])("hands a span to $why", ({ records, encoded }) => {
  const seen: { records: SpanRecord[]; encoded: EncodedSpan[] } = { records: [], encoded: [] };
  const sinks = {
    records: Array.from({ length: records }, () => ({
      onEnd: (span: SpanRecord) => void seen.records.push(span),
    })),
    encoded: Array.from({ length: encoded }, () => ({
      onEnd: (span: EncodedSpan) => void seen.encoded.push(span),
    })),
  };
  const intake = createIntake(ORIGIN, sinks);
  intake.take(DRAFT);
  intake.flush();
  expect(seen.records.map(({ name }) => name)).toEqual(sinks.records.map(() => "GET"));
  expect(seen.encoded.map((span) => span.outline().name)).toEqual(sinks.encoded.map(() => "GET"));
  expect(new Set(seen.records).size).toBe(Math.min(1, records));
  expect(new Set(seen.encoded).size).toBe(Math.min(1, encoded));
});

describe("when spans are made", () => {
  function createCounted() {
    const seen = { spans: 0 };
    const intake = createIntake(ORIGIN, { records: [{ onEnd: () => void seen.spans++ }], encoded: [] });
    return { seen, intake };
  }

  it("is the end of the turn, never within the request", async () => {
    const { seen, intake } = createCounted();
    for (let index = 0; index < 3; index++) intake.take(DRAFT);
    expect(seen.spans).toBe(0);
    await new Promise((resolve) => void setImmediate(resolve));
    expect(seen.spans).toBe(3);
  });

  it.each([
    { why: "one below the bound", taken: 127, made: 0 },
    { why: "at the bound", taken: 128, made: 128 },
    { why: "beyond it", taken: 300, made: 256 },
  ])("is at once for as many as a turn may make: $why", ({ taken, made }) => {
    const { seen, intake } = createCounted();
    for (let index = 0; index < taken; index++) intake.take(DRAFT);
    expect(seen.spans).toBe(made);
    intake.flush();
    expect(seen.spans).toBe(taken);
  });
});

it.each([
  { why: "a stranger's error", isKnown: false, error: "500", isError: true },
  { why: "a friend's answer", isKnown: true, error: undefined, isError: false },
])("hands over what was not sampled, with what the tail asks: $why", ({ isKnown, error, isError }) => {
  const given: unknown[] = [];
  const sampled: unknown[] = [];
  const intake = createIntake(ORIGIN, {
    records: [{ onEnd: (span) => void sampled.push(span) }],
    encoded: [],
    unsampled: (span, facts) => void given.push([span.traceId, facts]),
  });
  expect(intake.takesUnsampled).toBe(true);
  intake.take({ ...DRAFT, context: { ...CONTEXT, isSampled: false }, isKnown, error });
  intake.flush();
  expect(given).toEqual([[CONTEXT.traceId, { isError, isKnown, durationMs: 1 }]]);
  expect(sampled).toEqual([]);
});
