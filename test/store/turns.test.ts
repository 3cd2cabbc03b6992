/** The line of turns: one at a time, each as long as its time lasts. */

import { expect, it } from "vitest";
import { createTurns } from "../../src/store/turns.ts";
import { fakeClock } from "../support/clock.ts";

it("gives turns one at a time, the event loop free between any two", async () => {
  const turns = createTurns(fakeClock());
  const order: string[] = [];
  const reader = async (name: string): Promise<void> => {
    for (let turn = 0; turn < 3; turn++) {
      await turns.take();
      order.push(name);
    }
  };
  let rounds = 0;
  const countRounds = (): void => {
    rounds += 1;
    if (order.length < 6) setImmediate(countRounds);
  };
  setImmediate(countRounds);
  await Promise.all([reader("a"), reader("b")]);
  expect(order).toEqual(["a", "b", "a", "b", "a", "b"]);
  expect(rounds).toBeGreaterThanOrEqual(5);
});

it.each([
  { elapsedMs: 0, isOver: false, why: "has just begun" },
  { elapsedMs: 0.99, isOver: false, why: "just before its end" },
  { elapsedMs: 1, isOver: true, why: "its end" },
])("a turn of $elapsedMs ms is over: $isOver ($why)", async ({ elapsedMs, isOver }) => {
  const clock = fakeClock();
  const turns = createTurns(clock);
  clock.advance(1e6);
  await turns.take();
  clock.advance(elapsedMs);
  expect(turns.isOver()).toBe(isOver);
});

it("lets what takes no time for itself begin with each turn anew, however long it waited", async () => {
  const clock = fakeClock();
  const turns = createTurns(clock);
  const first = turns.take();
  const second = turns.take();
  await first;
  clock.advance(50);
  await second;
  expect(turns.isOver()).toBe(false);
});

it("is over before the first was taken", () => {
  expect(createTurns(fakeClock()).isOver()).toBe(true);
});
