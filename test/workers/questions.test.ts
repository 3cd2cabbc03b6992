/** A question and its answer over a channel: whole, refused, too late, forgotten. */

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Answers, createAnswering } from "../../src/workers/answering.ts";
import type { FromWorker, ToWorker } from "../../src/workers/messages.ts";
import { createAsker } from "../../src/workers/questions.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("hands over each part, then says that it is whole", async () => {
  const sent: ToWorker[] = [];
  const asker = createAsker((message) => void sent.push(message));
  const parts: (readonly string[])[] = [];
  const asked = asker.ask("services", undefined, {
    timeoutMs: 1000,
    onPart: (part) => void parts.push(part),
  });
  expect(sent).toEqual([{ tell: "ask", id: 1, kind: "services", asked: undefined }]);
  asker.heard({ say: "part", id: 1, part: ["a"] });
  asker.heard({ say: "part", id: 2, part: ["of nobody's question"] });
  asker.heard({ say: "part", id: 1, part: ["b"] });
  asker.heard({ say: "done", id: 1 });
  expect(await asked).toBeUndefined();
  expect(parts).toEqual([["a"], ["b"]]);
});

it.each<{ why: string; play: (asker: ReturnType<typeof createAsker>) => void; reason: string }>([
  {
    why: "refused",
    play: (asker) => asker.heard({ say: "refused", id: 1, reason: "Error: x" }),
    reason: "Error: x",
  },
  { why: "gone", play: (asker) => asker.end(), reason: "ended" },
  { why: "too late", play: () => void vi.advanceTimersByTime(1000), reason: "did not answer in time" },
])("says why an answer is not whole: $why", async ({ play, reason }) => {
  const sent: ToWorker[] = [];
  const asker = createAsker((message) => void sent.push(message));
  const parts: unknown[] = [];
  const asked = asker.ask("services", undefined, {
    timeoutMs: 1000,
    onPart: (part) => void parts.push(part),
  });
  play(asker);
  expect(await asked).toBe(reason);
  // What comes later is nobody's.
  asker.heard({ say: "part", id: 1, part: ["late"] });
  asker.heard({ say: "done", id: 1 });
  expect(parts).toEqual([]);
  expect(sent.some(({ tell }) => tell === "forget")).toBe(reason === "did not answer in time");
});

/** Parts without end, but for the test's patience. */
async function* parts(asked: unknown): AsyncGenerator<never, void, undefined> {
  for (let index = 0; index < 1000; index++) {
    await Promise.resolve();
    if (asked === "broken" && index === 2) throw new Error("x");
    yield index as never;
  }
}

const ANSWERS = new Proxy({} as Answers, { get: () => parts });

it("stops making an answer that nobody waits for", async () => {
  const sent: FromWorker[] = [];
  const answering = createAnswering(ANSWERS, (message) => {
    sent.push(message);
    if (sent.length === 3) answering.forget(7);
    return Promise.resolve();
  });
  await answering.answer({ tell: "ask", id: 7, kind: "services", asked: undefined });
  expect(sent.map(({ say }) => say)).toEqual(["part", "part", "part"]);
});

it("makes a part when the one before has left, not sooner", async () => {
  const sent: FromWorker[] = [];
  const answering = createAnswering(ANSWERS, (message) => {
    sent.push(message);
    return new Promise(() => undefined);
  });
  void answering.answer({ tell: "ask", id: 7, kind: "services", asked: undefined });
  await vi.advanceTimersByTimeAsync(10);
  expect(sent).toEqual([{ say: "part", id: 7, part: 0 }]);
});

it("refuses with what broke", async () => {
  const sent: FromWorker[] = [];
  const answering = createAnswering(ANSWERS, (message) => {
    sent.push(message);
    return Promise.resolve();
  });
  await answering.answer({ tell: "ask", id: 7, kind: "operations", asked: "broken" });
  expect(sent.at(-1)).toEqual({ say: "refused", id: 7, reason: "Error: x" });
});
