/** createFanOut: each span to each sink, in order. */

import { expect, it } from "vitest";
import { createFanOut } from "../../src/export/fan-out.ts";
import { exampleSpan } from "./spans.ts";

it.each([
  { why: "none: spans go nowhere", sinks: 0 },
  { why: "one", sinks: 1 },
  { why: "several", sinks: 3 },
])("hands a span to $why", ({ sinks }) => {
  const received: unknown[] = [];
  const span = exampleSpan();
  const each = Array.from({ length: sinks }, (_, index) => ({
    onEnd: (ended: unknown) => void received.push([index, ended]),
  }));
  createFanOut(each).onEnd(span);
  expect(received).toEqual(each.map((_, index) => [index, span]));
});
