/**
 * The fuzz command on targets that are known to be right or wrong: what it prints, its exit status, that a seed repeats its
 * inputs, and what it makes of wrong arguments.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runFuzz } from "./command.ts";
import { createPreparedTarget, createTarget, type FuzzTarget } from "./target.ts";

const NUMBERS = fc.nat({ max: 100_000 });

/** A target that keeps what it was given, and fails from `worst` on. */
function createRecorder(worst = Number.POSITIVE_INFINITY): {
  readonly target: FuzzTarget;
  readonly seen: number[];
} {
  const seen: number[] = [];
  const property = fc.property(NUMBERS, (number) => {
    seen.push(number);
    if (number >= worst) throw new Error("too large");
  });
  return { target: createTarget("numbers", property), seen };
}

const PASSING = createRecorder().target;

async function run(
  args: readonly string[],
  targets: readonly FuzzTarget[] = [PASSING],
): Promise<{ readonly status: number; readonly lines: readonly string[] }> {
  const lines: string[] = [];
  let now = 0;
  const surroundings = {
    write: (line: string) => void lines.push(line),
    nowMs: () => (now += 500),
    anySeed: 77,
  };
  const status = await runFuzz(args, targets, surroundings);
  return { status, lines };
}

describe("runFuzz", () => {
  it("prints the seed first and one line a target last", async () => {
    const other = { ...PASSING, name: "other" };
    expect(await run(["--cases", "10", "--seed", "5"], [PASSING, other])).toEqual({
      status: 0,
      lines: [
        "seed 5",
        "numbers               10 cases  20 cases/s",
        "other                 10 cases  20 cases/s",
      ],
    });
  });

  it("takes any seed where none is named, and says which", async () => {
    const { lines } = await run(["--cases", "1"]);
    expect(lines[0]).toBe("seed 77");
  });

  it("runs only the targets that are named, in their order", async () => {
    const targets = ["a", "b", "c"].map((name) => ({ ...PASSING, name }));
    const { lines } = await run(["--cases", "1", "--only", "c,a"], targets);
    expect(lines.map((line) => line.split(" ")[0])).toEqual(["seed", "a", "c"]);
  });

  it("gives the same inputs for the same seed, and others for another", async () => {
    const [first, again, other] = [createRecorder(), createRecorder(), createRecorder()];
    await run(["--cases", "50", "--seed", "3"], [first.target]);
    await run(["--cases", "50", "--seed", "3"], [again.target]);
    await run(["--cases", "50", "--seed", "4"], [other.target]);
    expect(again.seen).toEqual(first.seen);
    expect(first.seen.length).toBe(50);
    expect(other.seen).not.toEqual(first.seen);
  });

  it("tells what it found, made small, and how to find it again", async () => {
    const { status, lines } = await run(["--cases", "1000", "--seed", "3"], [createRecorder(40_000).target]);
    const [, failed = "", input, reason, repeat = "", summary] = lines;
    expect(status).toBe(1);
    expect(failed).toMatch(/^\nnumbers failed at case [0-9]+ of seed 3$/);
    expect(input).toBe("  input:  40000");
    expect(reason).toBe("  reason: Error: too large");
    expect(summary).toMatch(/^numbers +[0-9]+ cases .* FAILED$/);

    const args = repeat.replace("  repeat: npm run fuzz -- ", "").split(" ");
    const again = await run(args, [createRecorder(40_000).target]);
    expect(again).toEqual({ status: 1, lines });
  });

  it("goes on with the other targets after a finding", async () => {
    const { status, lines } = await run(["--cases", "1000"], [createRecorder(0).target, PASSING]);
    expect(status).toBe(1);
    expect(lines.at(-1)).toMatch(/^numbers +1000 cases/);
  });

  it("finds what an asynchronous target rejects with", async () => {
    const property = fc.asyncProperty(NUMBERS, (number) => Promise.reject(new Error(`no ${number}`)));
    const { status, lines } = await run(["--cases", "5"], [createTarget("rejects", property)]);
    expect(status).toBe(1);
    expect(lines).toContain("  reason: Error: no 0");
  });

  it("shares the time evenly", async () => {
    const times: unknown[] = [];
    const fuzz: FuzzTarget["fuzz"] = (bounds) => {
      times.push(bounds);
      return Promise.resolve({ cases: 1, finding: undefined });
    };
    const targets = ["a", "b", "c", "d"].map((name) => ({ name, fuzz }));
    await run(["--seed", "1"], targets);
    await run(["--seed", "1", "--seconds", "2", "--cases", "9"], targets.slice(0, 1));
    expect(times).toEqual([
      ...Array.from({ length: 4 }, () => ({ seed: 1, cases: undefined, timeMs: 15_000 })),
      { seed: 1, cases: 9, timeMs: 2000 },
    ]);
  });

  it("ends by time where no number of cases ends it", async () => {
    const { status, lines } = await run(["--seconds", "1"]);
    expect(status).toBe(0);
    expect(lines.at(-1)).toMatch(/^numbers +[1-9][0-9]* cases/);
  });

  it.each([
    {
      why: "no number",
      args: ["--seconds", "a"],
      says: "--seconds is not a whole number from 1 to 2147483647",
    },
    {
      why: "no time",
      args: ["--seconds", "0"],
      says: "--seconds is not a whole number from 1 to 2147483647",
    },
    {
      why: "a fraction",
      args: ["--cases", "1.5"],
      says: "--cases is not a whole number from 1 to 2147483647",
    },
    {
      why: "a seed too large",
      args: ["--seed", "2147483648"],
      says: "--seed is not a whole number from 0 to 2147483647",
    },
    {
      why: "an unknown target",
      args: ["--only", "numbers,x"],
      says: "--only x is no target; there are numbers",
    },
    { why: "an unknown option", args: ["--sead", "1"], says: "Unknown option '--sead'" },
    { why: "a value too many", args: ["1"], says: "Unexpected argument '1'" },
  ])("refuses $why", async ({ args, says }) => {
    const { status, lines } = await run(args);
    expect(status).toBe(2);
    expect(lines.join("\n")).toContain(says);
  });
});

describe("createPreparedTarget", () => {
  it.each([
    { why: "nothing was found", worst: Number.POSITIVE_INFINITY },
    { why: "something was found", worst: 0 },
  ])("closes what it opened once $why", async ({ worst }) => {
    const events: string[] = [];
    const target = createPreparedTarget("prepared", () => {
      events.push("open");
      const property = fc.property(NUMBERS, (number) => {
        if (number >= worst) throw new Error("too large");
      });
      return Promise.resolve({ property, stop: () => void events.push("stop") });
    });
    await target.fuzz({ seed: 1, cases: 3 });
    expect(events).toEqual(["open", "stop"]);
  });
});
