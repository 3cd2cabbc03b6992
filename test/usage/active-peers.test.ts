/** Peers of a day, of a month, and those that stayed: as Synapse counts users (`count_daily_users`, `count_r30v2_users`). */

import { describe, expect, it } from "vitest";
import { PeerDays } from "../../src/usage/active-peers.ts";

const SECRET = new Uint8Array(32).fill(7);
/** Noon of some day, in hours since 1970. */
const NOW = 24 * 20_000 + 12;
const DAY = 24;

function metAt(hours: readonly number[]): PeerDays {
  const peers = new PeerDays(SECRET);
  for (const hour of hours) peers.met("a.example", hour);
  return peers;
}

describe("one peer", () => {
  it.each([
    { hours: [NOW], daily: 1, monthly: 1, retained: 0, why: "met now" },
    { hours: [NOW - 23], daily: 1, monthly: 1, retained: 0, why: "within 24 hours" },
    { hours: [NOW - 24], daily: 0, monthly: 1, retained: 0, why: "24 hours ago" },
    { hours: [NOW - 29 * DAY], daily: 0, monthly: 1, retained: 0, why: "the 30th day, today counted" },
    { hours: [NOW - 30 * DAY], daily: 0, monthly: 0, retained: 0, why: "the 31st day" },
    { hours: [NOW - 30 * DAY, NOW], daily: 1, monthly: 1, retained: 0, why: "30 days apart" },
    { hours: [NOW - 31 * DAY, NOW], daily: 1, monthly: 1, retained: 1, why: "31 days apart" },
    { hours: [NOW - 29 * DAY, NOW], daily: 1, monthly: 1, retained: 0, why: "29 days apart" },
    {
      hours: [NOW - 59 * DAY, NOW - 28 * DAY],
      daily: 0,
      monthly: 1,
      retained: 1,
      why: "from the first day that counts",
    },
    {
      hours: [NOW - 60 * DAY, NOW - 30 * DAY],
      daily: 0,
      monthly: 0,
      retained: 0,
      why: "the first one is too long ago",
    },
    { hours: [NOW - 400 * DAY, NOW], daily: 1, monthly: 1, retained: 0, why: "forgotten and met again" },
    {
      hours: [NOW - 45 * DAY, NOW - 44 * DAY, NOW - 2],
      daily: 1,
      monthly: 1,
      retained: 1,
      why: "several days",
    },
    { hours: [NOW + 5 * DAY, NOW], daily: 1, monthly: 1, retained: 0, why: "a clock that went back" },
  ])("$why", ({ hours, daily, monthly, retained }) => {
    const counts = { daily, monthly, retained };
    const peers = metAt(hours);
    expect(peers.count(NOW)).toEqual(counts);
    const again = new PeerDays(SECRET);
    expect(again.load(peers.save(), NOW)).toBe(true);
    expect(again.count(NOW)).toEqual(counts);
  });
});

it("counts each peer once, however often it comes", () => {
  const peers = new PeerDays(SECRET);
  for (let index = 0; index < 300; index++) peers.met(`server-${index % 100}.example`, NOW);
  expect(peers.count(NOW).daily).toBe(100);
});

it("keeps no name, and nothing that two installations have in common", () => {
  const peers = metAt([NOW]);
  const other = new PeerDays(new Uint8Array(32).fill(8));
  other.met("a.example", NOW);
  expect(Buffer.from(peers.save()).toString("latin1")).not.toContain("example");
  expect(Buffer.from(peers.save()).equals(Buffer.from(other.save()))).toBe(false);
});

it("has room for so many, forgets who is gone, and counts who had no room", () => {
  const peers = new PeerDays(SECRET, 3);
  for (const name of ["a", "b", "c", "d"]) peers.met(name, NOW);
  expect([peers.count(NOW).daily, peers.overflow]).toEqual([3, 1]);
  peers.met("d", NOW + 61 * DAY);
  expect(peers.count(NOW + 61 * DAY)).toEqual({ daily: 1, monthly: 1, retained: 0 });
  expect([peers.overflow, peers.save().length]).toEqual([1, 20]);
});

it("turns away a flood of names in the time that it takes to hash them: a look at all peers for each would take a minute", () => {
  const peers = new PeerDays(SECRET);
  for (let index = 0; index < 30_000; index++) peers.met(`server-${index}.example`, NOW - 40 * DAY);
  for (let index = 0; index < 30_000; index++) peers.met(`flood-${index}.example`, NOW);
  expect([peers.count(NOW).daily, peers.overflow]).toEqual([0, 30_000]);
});

it.each([
  { bytes: 19, why: "half a peer" },
  { bytes: 20 * 4, why: "more peers than there is room for" },
])("takes nothing of $why", ({ bytes }) => {
  const peers = new PeerDays(SECRET, 3);
  expect(peers.load(new Uint8Array(bytes), NOW)).toBe(false);
  expect(peers.count(NOW)).toEqual({ daily: 0, monthly: 0, retained: 0 });
});

it("brings hours to come back to now: a clock was wrong when they were kept", () => {
  const peers = new PeerDays(SECRET);
  peers.load(metAt([NOW + 1000 * DAY]).save(), NOW);
  expect(peers.count(NOW).daily).toBe(1);
  expect(peers.count(NOW + 24).daily).toBe(0);
});

it("brings them back while it runs too, where the clock is set right", () => {
  const peers = metAt([NOW + 1000 * DAY]);
  expect(peers.count(NOW).daily).toBe(1);
  expect(peers.count(NOW + 24)).toEqual({ daily: 0, monthly: 1, retained: 0 });
  peers.forget(NOW + 61 * DAY);
  expect(peers.save().length).toBe(0);
});
