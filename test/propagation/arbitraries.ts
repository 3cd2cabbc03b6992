/** Contexts and header values for the property tests of the codecs. */

import fc from "fast-check";
import type { TraceContext } from "../../src/propagation/context.ts";
import { unicodeText } from "../support/unicode-text.ts";

export const TRACE = "d4cda95b652f4a1592b449d5929fda1b";
export const SPAN = "6e0c63257de34c92";

function ids(digits: number): fc.Arbitrary<string> {
  const digit = fc.constantFrom(..."0123456789abcdef".split(""));
  return fc.string({ unit: digit, minLength: digits, maxLength: digits }).filter((id) => !/^0+$/.test(id));
}

/** Any context that `traceparent` can carry. */
export const contexts: fc.Arbitrary<TraceContext> = fc.record({
  traceId: ids(32),
  spanId: ids(16),
  isSampled: fc.boolean(),
  isRandom: fc.boolean(),
  traceState: fc.constant(""),
});

/** Any context that the other formats can carry. */
export const plainContexts: fc.Arbitrary<TraceContext> = contexts.map((context) => ({
  ...context,
  isRandom: false,
}));

/** Arbitrary text, and the valid value with up to three characters replaced, left out or put in. */
export function nearly(valid: string): fc.Arbitrary<string> {
  const edits = fc.array(
    fc.record({
      at: fc.nat({ max: valid.length }),
      removed: fc.nat({ max: 1 }),
      put: fc.oneof(
        fc.constantFrom("", "-", ":", "%3A", "%ZZ", "0", "f", "F", " ", ",", "="),
        unicodeText({ maxLength: 2 }),
      ),
    }),
    { maxLength: 3 },
  );
  const edited = edits.map((list) =>
    list.reduce((value, { at, removed, put }) => value.slice(0, at) + put + value.slice(at + removed), valid),
  );
  return fc.oneof(unicodeText({ maxLength: 100 }), { arbitrary: edited, weight: 4 });
}
