/** Series of minutes: what a report reads between two of them is no minute of its own. */

import { expect, it } from "vitest";
import { createUsageBook, type UsageBook } from "../../src/usage/usage-book.ts";
import type { UsagePart } from "../../src/usage/usage-part.ts";

const NOW = 1_796_000_000_000;
const PART: UsagePart = {
  counts: { requestsIn: 10, requestsOut: 5, transactions: 3, pdus: 7, edus: 2, traces: 4 },
  peers: [],
  bytes: 1500,
  spans: 30,
  latency: undefined,
  process: { memoryKb: 5000, cpuMs: 600, runQueueMs: 1 },
};

function createBook(): UsageBook {
  return createUsageBook(undefined, {
    isAnonymous: true,
    unixMs: NOW,
    createSecret: (count) => new Uint8Array(count),
  });
}

it("takes no moment for a minute: a request in a hundredth of a second is not six thousand a minute", () => {
  const book = createBook();
  for (const elapsedMs of [60_000, 10, 59_990]) book.add([PART], { unixMs: NOW, elapsedMs });
  const { series, daily } = book.figures(NOW);
  expect(series).toMatchObject({
    requests: { min: 15, max: 30, mean: 22.5 },
    bytes: { min: 1500, max: 3000 },
    spans: { min: 30, max: 60 },
    cpu: { min: 1, max: 2 },
    runQueue: { min: 1, max: 1 },
  });
  expect(daily.requestsIn).toBe(30);
});

it("keeps what is less than half a minute for the next window", () => {
  const book = createBook();
  book.add([PART], { unixMs: NOW, elapsedMs: 20_000 });
  expect(book.figures(NOW)).toMatchObject({ series: { requests: undefined }, cpuAverage: 3 });
  book.beginWindow();
  book.add([PART], { unixMs: NOW, elapsedMs: 40_000 });
  expect(book.figures(NOW).series.requests).toMatchObject({ min: 30, max: 30 });
});

it("makes no minute without memory of a time in which nobody counted", () => {
  const book = createBook();
  book.add([PART], { unixMs: NOW, elapsedMs: 60_000 });
  book.add([], { unixMs: NOW, elapsedMs: 60_000 }); // Reports were turned off meanwhile.
  expect(book.figures(NOW)).toMatchObject({ memoryKb: 5000, series: { memory: { min: 5000 } } });
});
