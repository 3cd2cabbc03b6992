/** createDelegations: how long what a host says is kept, faults of both kinds, and the back-off. */

import { describe, expect, it } from "vitest";
import { createDelegations } from "../../src/discovery/delegations.ts";
import type { WellKnown } from "../../src/discovery/well-known.ts";
import { fakeClock } from "../support/clock.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const server = { name: "b.example", host: "b.example", port: undefined };
const DOWN: WellKnown = { reason: "connect", isLasting: false };
const MISSING: WellKnown = { reason: "missing", isLasting: true };

/** Answers one after the other; the last for ever. */
function start(answers: readonly WellKnown[], fraction = 0) {
  const clock = fakeClock();
  let asked = 0;
  const cache = createDelegations({
    fetchWellKnown: async () => answers[Math.min(asked++, answers.length - 1)] ?? MISSING,
    entriesMax: 10,
    inFlightMax: 10,
    clock,
    random: { fraction: () => fraction },
  });
  /** What is known at once, and how often the host was asked for it. */
  async function ask(): Promise<{ known: unknown; asked: number }> {
    const kept = cache.get("a.example", "a.example");
    await new Promise((resolve) => setImmediate(resolve));
    return { known: kept instanceof Promise ? "(a promise)" : kept.value, asked };
  }
  return { clock, ask };
}

describe("an answer is kept", () => {
  it.each<{ why: string; answer: WellKnown; fraction?: number; ttlMs: number; value: unknown }>([
    {
      why: "as long as it says",
      answer: { server, lifetimeMs: HOUR_MS },
      fraction: 0.9,
      ttlMs: HOUR_MS,
      value: { server },
    },
    { why: "for a day", answer: { server, lifetimeMs: undefined }, ttlMs: 24 * HOUR_MS, value: { server } },
    {
      why: "for a day, less a tenth by chance",
      answer: { server, lifetimeMs: undefined },
      fraction: 0.5,
      ttlMs: 22.8 * HOUR_MS,
      value: { server },
    },
    { why: "for an hour: that there is none", answer: MISSING, ttlMs: HOUR_MS, value: { server: undefined } },
    {
      why: "for an hour, less a tenth by chance",
      answer: MISSING,
      fraction: 0.5,
      ttlMs: 57 * MINUTE_MS,
      value: { server: undefined },
    },
    { why: "for a minute: that it is down", answer: DOWN, ttlMs: MINUTE_MS, value: { server: undefined } },
    {
      why: "for a minute, less a tenth by chance",
      answer: DOWN,
      fraction: 0.5,
      ttlMs: 57_000,
      value: { server: undefined },
    },
  ])("$why", async ({ answer, fraction, ttlMs, value }) => {
    const { clock, ask } = start([answer], fraction);
    await ask();
    clock.advance(ttlMs * 0.8 - 1);
    expect(await ask()).toEqual({ known: value, asked: 1 });
    clock.advance(ttlMs * 0.2);
    expect(await ask()).toEqual({ known: value, asked: 2 }); // Refreshed.
  });

  it("no longer than that", async () => {
    const { clock, ask } = start([{ server, lifetimeMs: HOUR_MS }]);
    await ask();
    clock.advance(HOUR_MS);
    expect(await ask()).toEqual({ known: "(a promise)", asked: 2 });
  });
});

it("backs off from a minute to an hour, and starts anew after an answer", async () => {
  const { clock, ask } = start([
    DOWN,
    DOWN,
    DOWN,
    DOWN,
    DOWN,
    DOWN,
    DOWN,
    DOWN,
    { server, lifetimeMs: HOUR_MS },
    DOWN,
  ]);
  let asked = 0;
  for (const minutes of [1, 2, 4, 8, 16, 32, 60, 60]) {
    expect(await ask()).toEqual({ known: "(a promise)", asked: ++asked });
    clock.advance(minutes * MINUTE_MS * 0.8 - 1);
    expect(await ask()).toEqual({ known: { server: undefined }, asked });
    clock.advance(minutes * MINUTE_MS * 0.2 + 1);
  }
  await ask();
  clock.advance(HOUR_MS);
  await ask();
  clock.advance(MINUTE_MS * 0.8 - 1);
  expect(await ask()).toMatchObject({ asked: 10 });
  clock.advance(MINUTE_MS);
  expect(await ask()).toMatchObject({ asked: 11 });
});

describe("a refresh", () => {
  it("that doesn't reach the host leaves what it said until that ends", async () => {
    const { clock, ask } = start([{ server, lifetimeMs: HOUR_MS }, DOWN]);
    await ask();
    clock.advance(HOUR_MS * 0.8);
    expect(await ask()).toEqual({ known: { server }, asked: 2 });
    clock.advance(MINUTE_MS - 1);
    expect(await ask()).toEqual({ known: { server }, asked: 2 });
    clock.advance(1);
    expect(await ask()).toEqual({ known: { server }, asked: 3 });
    clock.advance(HOUR_MS * 0.2 - MINUTE_MS);
    expect(await ask()).toMatchObject({ known: "(a promise)" });
    expect(await ask()).toMatchObject({ known: { server: undefined } });
  });

  it("is believed where the host says that there is nothing any more", async () => {
    const { clock, ask } = start([{ server, lifetimeMs: HOUR_MS }, MISSING]);
    await ask();
    clock.advance(HOUR_MS * 0.8);
    await ask();
    expect(await ask()).toEqual({ known: { server: undefined }, asked: 2 });
  });
});
