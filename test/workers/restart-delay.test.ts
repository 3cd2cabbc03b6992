/** When a worker that ended is started again. */

import { expect, it } from "vitest";
import { createRestartDelay } from "../../src/workers/restart-delay.ts";

it.each([
  { why: "one crash", livedMs: [5000], delaysMs: [0] },
  {
    why: "a crash at each start: at once, then longer and longer, ten seconds at most",
    livedMs: Array.from({ length: 10 }, () => 10),
    delaysMs: [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000],
  },
  {
    why: "a minute of life: as if it were the first",
    livedMs: [1, 1, 1, 60_000, 1],
    delaysMs: [0, 100, 200, 0, 100],
  },
  { why: "not quite a minute", livedMs: [1, 1, 59_999], delaysMs: [0, 100, 200] },
])("$why", ({ livedMs, delaysMs }) => {
  const restartDelay = createRestartDelay();
  expect(livedMs.map((lived) => restartDelay(lived))).toEqual(delaysMs);
});
