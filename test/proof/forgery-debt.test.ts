import { expect, test } from "vitest";
import { CHUNKED } from "../../src/http1/framing.ts";
import { createForgeryDebt } from "../../src/proof/forgery-debt.ts";
import { fakeClock } from "../support/clock.ts";

const A_SECOND = 512 * 1024;
const LONG = 4097;

function createBench() {
  const clock = fakeClock();
  return { clock, debt: createForgeryDebt(() => clock.monotonicMs()) };
}

test("longer bodies are looked at until those that proved nothing are more than a second's", () => {
  const { debt } = createBench();
  debt.note(A_SECOND);
  expect(debt.isOver(LONG)).toBe(false);
  debt.note(1);
  expect([debt.isOver(LONG), debt.isOver(CHUNKED)]).toEqual([true, true]);
});

test("short ones, and requests without body, are looked at always", () => {
  const { debt } = createBench();
  debt.note(10 * A_SECOND);
  expect([debt.isOver(0), debt.isOver(4096)]).toEqual([false, false]);
});

test("it is paid with time, and no further than to nothing", () => {
  const { debt, clock } = createBench();
  debt.note(2 * A_SECOND);
  clock.advance(999);
  expect(debt.isOver(LONG)).toBe(true);
  clock.advance(1);
  expect(debt.isOver(LONG)).toBe(false);
  clock.advance(3_600_000);
  debt.note(A_SECOND + 1);
  expect(debt.isOver(LONG)).toBe(true);
});
