/** What is forgotten, by receipt: at the start and then by the hour, in slices, and again after a failure. */

import { expect, it, onTestFinished } from "vitest";
import { startRetention } from "../../src/collect/retention.ts";
import { fakeClock } from "../support/clock.ts";
import { NOW, reportOf, synapseDocument, temporaryStore } from "../support/collect.ts";

const DAY = 86_400;

it("forgets what was received too long ago, in slices, however old what it tells is", async () => {
  const store = await temporaryStore(5000);
  onTestFinished(() => store.close());
  const clock = fakeClock();
  await store.write([
    ...Array.from({ length: 1200 }, (_, index) =>
      reportOf(synapseDocument({ homeserver: `h${index}.test`, timestamp: NOW - 500 * DAY }), NOW - 3 * DAY),
    ),
    reportOf(synapseDocument({ homeserver: "kept.test", timestamp: NOW - 500 * DAY })),
  ]);
  const slices: number[] = [];
  const retention = startRetention({
    store,
    clock,
    keptSeconds: 3 * DAY,
    onRemoved: (rows) => slices.push(rows),
    onFailed: () => expect.unreachable(),
  });
  onTestFinished(() => retention.stop());
  await retention.run();
  expect(slices).toEqual([]); // Of exactly that age: kept.
  clock.advance(1000);
  await retention.run();
  expect(slices).toEqual([1000, 1000, 400]);
  expect(await store.countReporters()).toBe(1);
  clock.advance(3 * DAY * 1000);
  await retention.run();
  expect(await store.countReporters()).toBe(0);
});

it("is told of a failure, and tries again", async () => {
  let calls = 0;
  const failures: unknown[] = [];
  const retention = startRetention({
    store: {
      removeReceivedBefore: () => (++calls === 1 ? Promise.reject(new Error("away")) : Promise.resolve(0)),
    },
    clock: fakeClock(),
    keptSeconds: DAY,
    onRemoved: () => expect.unreachable(),
    onFailed: (reason) => failures.push(reason),
  });
  onTestFinished(() => retention.stop());
  await expect.poll(() => failures).toEqual([new Error("away")]);
  await retention.run();
  expect(calls).toBe(2);
});

it("stops between two slices", async () => {
  let calls = 0;
  const retention = startRetention({
    store: {
      async removeReceivedBefore() {
        calls += 1;
        await Promise.resolve();
        retention.stop();
        return 500;
      },
    },
    clock: fakeClock(),
    keptSeconds: DAY,
    onRemoved: () => undefined,
    onFailed: () => expect.unreachable(),
  });
  await retention.run();
  expect(calls).toBeLessThanOrEqual(2);
});
