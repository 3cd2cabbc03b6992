/** startDeadlines: one timer for many owners; each deadline fires once, and none after its time has moved. */

import { expect, it } from "vitest";
import { type DeadlineOwner, NO_DEADLINE } from "../../src/http1/deadlines.ts";
import { startTime } from "./sockets.ts";

function createOwner(deadlineMs: number): DeadlineOwner & { readonly fired: number[] } {
  const fired: number[] = [];
  const owner = {
    deadlineMs,
    fired,
    onDeadline() {
      fired.push(owner.deadlineMs);
    },
  };
  return owner;
}

it("fires at the deadline, not before, and once", async () => {
  const { deadlines, pass } = startTime();
  const owner = createOwner(100);
  deadlines.add(owner);
  await pass(99);
  expect(owner.fired).toEqual([]);
  await pass(1);
  expect(owner.fired).toEqual([NO_DEADLINE]);
  await pass(1000);
  expect(owner.fired).toHaveLength(1);
});

it("goes by where the deadline is when it looks", async () => {
  const { deadlines, pass } = startTime();
  const moved = createOwner(100);
  const lifted = createOwner(100);
  const deleted = createOwner(100);
  for (const owner of [moved, lifted, deleted]) deadlines.add(owner);
  moved.deadlineMs = 200;
  lifted.deadlineMs = NO_DEADLINE;
  deadlines.delete(deleted);
  await pass(199);
  expect([moved, lifted, deleted].flatMap(({ fired }) => fired)).toEqual([]);
  await pass(1);
  expect([moved.fired.length, lifted.fired.length, deleted.fired.length]).toEqual([1, 0, 0]);
});

it("survives an owner that leaves, and takes another along, while it is told", async () => {
  const { deadlines, pass } = startTime();
  const other = createOwner(100);
  const leaver: DeadlineOwner = {
    deadlineMs: 100,
    onDeadline() {
      deadlines.delete(leaver);
      deadlines.delete(other);
    },
  };
  const last = createOwner(100);
  for (const owner of [leaver, other, last]) deadlines.add(owner);
  await pass(100);
  expect([other.fired.length, last.fired.length]).toEqual([0, 1]);
});
