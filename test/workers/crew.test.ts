/** The life of workers, with processes that do as the test says. With real ones: test/cli/workers.test.ts. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { logFrom } from "../../src/core/log.ts";
import { type Crew, startCrew } from "../../src/workers/crew.ts";
import type { FromWorker, WorkerStart } from "../../src/workers/messages.ts";
import { fakeClock } from "../support/clock.ts";
import { type FakeProcess, fakeProcess } from "./fake-process.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const BEAT_MS = 5000;

interface Played {
  readonly crew: Crew<string>;
  /** All that were ever forked, in order. */
  readonly processes: readonly FakeProcess[];
  readonly logged: readonly string[];
  /** `ready 1`, `gone 1`, … */
  readonly events: readonly string[];
  readonly beats: readonly number[];
  readonly advance: (ms: number) => Promise<void>;
}

function play(count: number): Played {
  const clock = fakeClock();
  const processes: FakeProcess[] = [];
  const logged: string[] = [];
  const events: string[] = [];
  const beats: number[] = [];
  const crew = startCrew<string>({
    count,
    clock,
    log: logFrom((level, message, facts) => void logged.push(`${level} ${message} ${JSON.stringify(facts)}`)),
    fork() {
      const made = fakeProcess(100 + processes.length);
      processes.push(made);
      return made;
    },
    start: (number) => ({ number }) as WorkerStart,
    onReady: ({ number }) => void events.push(`ready ${number}`),
    onTook: ({ number }) => void events.push(`took ${number}`),
    onGone: ({ number }) => void events.push(`gone ${number}`),
    onRestart: () => void events.push("restart"),
    onBeat: ({ number }) => void beats.push(number),
  });
  crew.ready.catch(() => undefined);
  return {
    crew,
    processes,
    logged,
    events,
    beats,
    async advance(ms) {
      clock.advance(ms);
      await vi.advanceTimersByTimeAsync(ms);
    },
  };
}

/** All of them ready. */
async function playReady(count: number): Promise<Played> {
  const played = play(count);
  for (const process of played.processes) process.say({ say: "ready" });
  await played.crew.ready;
  return played;
}

describe("the first start", () => {
  it("tells each its number, and is ready when all are", async () => {
    const { crew, processes, events } = play(2);
    const ready = vi.fn();
    void crew.ready.then(ready);
    expect(processes.map(({ told }) => told)).toEqual([
      [{ tell: "start", start: { number: 1 } }],
      [{ tell: "start", start: { number: 2 } }],
    ]);
    processes[1]?.say({ say: "ready" });
    await vi.advanceTimersByTimeAsync(0);
    expect(ready).not.toHaveBeenCalled();
    processes[0]?.say({ say: "ready" });
    await crew.ready;
    expect(events).toEqual(["ready 2", "ready 1"]);
  });

  it.each<{ why: string; fail: (process: FakeProcess | undefined) => void; code: string; message: string }>([
    {
      why: "it says why it can't",
      fail(process) {
        process?.say({
          say: "failed",
          code: "CONFIG_INVALID",
          message: "export[0]: wrong\nexport[1]: wrong",
        });
        process?.end({ code: 2 });
      },
      code: "CONFIG_INVALID",
      message: "export[0]: wrong\nexport[1]: wrong",
    },
    {
      why: "it is killed",
      fail: (process) => process?.end({ signal: "SIGKILL" }),
      code: "INTERNAL",
      message: "worker 2 ended before it was ready (SIGKILL)",
    },
    {
      why: "it ends",
      fail: (process) => process?.end({ code: 3 }),
      code: "INTERNAL",
      message: "worker 2 ended before it was ready (exit status 3)",
    },
  ])("fails where one worker fails: $why", async ({ fail, code, message }) => {
    const { crew, processes, advance, logged } = play(2);
    processes[0]?.say({ say: "ready" });
    fail(processes[1]);
    await expect(crew.ready).rejects.toMatchObject({ code, message });
    await advance(20_000);
    expect(processes).toHaveLength(2);
    expect(logged).toEqual([]);
  });

  it("tells a fault that all have once", async () => {
    const { crew, processes } = play(3);
    for (const process of processes) {
      process.say({ say: "failed", code: "CONFIG_INVALID", message: "the same" });
      process.end({ code: 2 });
    }
    await expect(crew.ready).rejects.toMatchObject({ message: "the same" });
  });
});

it.each([
  { what: "a transaction", kind: "attempt", facts: { transaction: "a.test 1", attempt: { count: 1 } } },
  { what: "a debug pass", kind: "pass-used", facts: { passId: "a", expiresUnixMs: 1 } },
] as const)("passes on what one notes of $what, to all others", ({ kind, facts }) => {
  const { processes } = play(3);
  processes[1]?.say({ say: kind, ...facts } as FromWorker);
  const heard = processes.map(({ told }) => told.filter(({ tell }) => tell === kind));
  const message = { tell: kind, ...facts };
  expect(heard).toEqual([[message], [], [message]]);
});

describe("a worker that ends", () => {
  it("is logged, counted, and started again at once, with its number", async () => {
    const { processes, logged, events, advance } = await playReady(2);
    await advance(4000);
    processes[0]?.end({ signal: "SIGSEGV" });
    expect(logged).toEqual([
      'error worker ended {"worker":1,"pid":100,"signal":"SIGSEGV","uptime_ms":4000,"restart_in_ms":0}',
    ]);
    await advance(0);
    expect(processes[2]?.told).toEqual([{ tell: "start", start: { number: 1 } }]);
    processes[2]?.say({ say: "ready" });
    expect(events).toEqual(["ready 1", "ready 2", "gone 1", "restart", "ready 1"]);
  });

  it("rests longer and longer if it can't start", async () => {
    const { processes, logged, advance } = await playReady(1);
    processes[0]?.end({ code: 1 });
    await advance(0);
    processes[1]?.say({ say: "failed", code: "CONFIG_INVALID", message: "no certificate" });
    processes[1]?.end({ code: 2 });
    expect(logged).toContain(
      'error worker cannot start {"worker":1,"code":"CONFIG_INVALID","reason":"no certificate"}',
    );
    await advance(99);
    expect(processes).toHaveLength(2);
    await advance(1);
    expect(processes).toHaveLength(3);
  });

  it("leaves whoever asked it something with a reason", async () => {
    const { crew, processes } = await playReady(1);
    const [worker] = crew.workers();
    const asked = worker?.ask("metrics", undefined, { timeoutMs: 1000, onPart: () => undefined });
    processes[0]?.end({ signal: "SIGKILL" });
    expect(await asked).toBe("ended");
    expect(await worker?.ask("metrics", undefined, { timeoutMs: 1000, onPart: () => undefined })).toBe(
      "ended",
    );
  });
});

describe("the heartbeat", () => {
  it("asks who is ready", async () => {
    const { processes, beats, advance } = await playReady(2);
    processes[0]?.end({ code: 1 });
    await advance(BEAT_MS);
    expect(beats).toEqual([2]);
  });

  it.each([
    { why: "silent for 30 s", beats: 6, isKilled: false },
    { why: "and still at the next beat", beats: 7, isKilled: true },
  ])("kills one that is $why", async ({ beats, isKilled }) => {
    const { processes, logged, advance } = await playReady(1);
    for (let beat = 0; beat < beats; beat++) await advance(BEAT_MS);
    await advance(1);
    expect(processes[0]?.isKilled).toBe(isKilled);
    expect(logged.some((line) => line.includes("silent and is killed"))).toBe(isKilled);
    expect(processes).toHaveLength(isKilled ? 2 : 1);
  });

  it("takes any message for a sign of life", async () => {
    const { processes, advance } = await playReady(1);
    for (let beat = 0; beat < 20; beat++) {
      await advance(BEAT_MS);
      processes[0]?.say({ say: "took", connections: 1 });
    }
    expect(processes[0]?.isKilled).toBe(false);
  });

  it("is not fooled by a machine that slept: it counts beats, not hours", async () => {
    const { processes, advance } = await playReady(1);
    await advance(BEAT_MS);
    expect(processes[0]?.isKilled).toBe(false);
  });
});

describe("the stop", () => {
  it("tells all, and waits until they are gone", async () => {
    const { crew, processes, advance } = await playReady(2);
    const stopped = vi.fn();
    const stopping = crew.stop(1000).then(stopped);
    for (const { told } of processes) expect(told.at(-1)).toEqual({ tell: "stop" });
    processes[0]?.end({ code: 0 });
    await advance(10);
    expect(stopped).not.toHaveBeenCalled();
    processes[1]?.end({ code: 0 });
    await stopping;
    await advance(60_000);
    expect(processes).toHaveLength(2);
  });

  it("kills those that take longer than they may", async () => {
    const { crew, processes, logged, advance } = await playReady(2);
    const stopping = crew.stop(1000);
    processes[0]?.end({ code: 0 });
    await advance(999);
    expect(processes[1]?.isKilled).toBe(false);
    await advance(1);
    await stopping;
    expect(processes.map(({ isKilled }) => isKilled)).toEqual([false, true]);
    expect(logged).toEqual(['error worker does not end and is killed {"worker":2,"pid":101}']);
  });

  it("starts none that rests", async () => {
    const { crew, processes, advance } = await playReady(1);
    processes[0]?.end({ code: 1 });
    await crew.stop(1000);
    await advance(60_000);
    expect(processes).toHaveLength(1);
  });
});
