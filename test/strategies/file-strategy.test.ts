/** A strategy followed in a file. Who watches is the test, so that nothing waits for a file system. */

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { watchFile } from "../../src/config/watch.ts";
import { FedtraceError } from "../../src/core/errors.ts";
import { checkStrategyFile, startFileStrategy } from "../../src/strategies/file-strategy.ts";
import type { StrategySource } from "../../src/strategies/strategy-source.ts";
import { LIMITS, type Recorded, recordTools, temporaryDirectory } from "./harness.ts";

function shareFile(param: number): string {
  return JSON.stringify({ service_strategies: [{ service: "S", type: "probabilistic", param }] });
}

interface Followed extends Recorded {
  readonly path: string;
  readonly source: StrategySource;
  /** The file has this from now on, and it was told. */
  readonly change: (content: string | undefined) => void;
  readonly isWatched: () => boolean;
}

function follow(content: string | undefined, limits = LIMITS): Followed {
  const path = join(temporaryDirectory(), "strategies.json");
  if (content !== undefined) writeFileSync(path, content);
  const recorded = recordTools();
  let onChange: (() => void) | undefined;
  const source = startFileStrategy(
    { path, service: "S", ...limits },
    {
      ...recorded.tools,
      watch(watched, callBack) {
        expect(watched).toBe(path);
        onChange = callBack;
        return () => {
          onChange = undefined;
        };
      },
    },
  );
  return Object.assign(recorded, {
    path,
    source,
    isWatched: () => onChange !== undefined,
    change(text: string | undefined) {
      if (text === undefined) rmSync(path);
      else writeFileSync(path, text);
      onChange?.();
    },
  });
}

it("is read before the start is over, and again when it changes", async () => {
  const { source, path, change, descriptions, outcomes, lines, isWatched } = follow(shareFile(0.5), {
    ...LIMITS,
    maxProbability: 0.4,
  });
  expect(descriptions()).toEqual(["probabilistic(0.4)"]);
  await source.ready;
  change(shareFile(0.1));
  expect(descriptions()).toEqual(["probabilistic(0.4)", "probabilistic(0.1)"]);
  expect(outcomes).toEqual(["changed", "changed"]);
  expect(lines.map(([level, , facts]) => [level, facts])).toEqual([
    [
      "info",
      {
        source: path,
        from: undefined,
        to: "probabilistic(0.4)",
        bounded: ["probabilistic(0.5) cut to probabilistic(0.4)"],
      },
    ],
    ["info", { source: path, from: "probabilistic(0.4)", to: "probabilistic(0.1)" }],
  ]);
  source.stop();
  expect(isWatched()).toBe(false);
});

it("is nothing new where the text is the same, or means the same", () => {
  const { change, outcomes, strategies, lines } = follow(shareFile(0.5));
  change(shareFile(0.5));
  change(`${shareFile(0.5)}\n`);
  expect(outcomes).toEqual(["changed", "unchanged", "unchanged"]);
  expect(strategies).toHaveLength(1);
  expect(lines).toHaveLength(1);
});

describe("the last good one stays", () => {
  it.each([
    { why: "a bad one", content: "{", reason: /^not JSON$/ },
    { why: "one out of range", content: shareFile(2), reason: /more than 1$/ },
    { why: "none", content: undefined, reason: /^ENOENT/ },
    { why: "one too long", content: " ".repeat(8 * 1024 * 1024 + 1), reason: /^longer than 8388608/ },
  ])("$why is one line, and one when it is over", ({ content, reason }) => {
    const { change, outcomes, strategies, lines, path } = follow(shareFile(0.5));
    change(content);
    if (content !== undefined) change(content);
    change(shareFile(0.5));
    const failures = content === undefined ? ["failed"] : ["failed", "failed"];
    expect(outcomes).toEqual(["changed", ...failures, "unchanged"]);
    expect(strategies).toHaveLength(1);
    expect(lines.slice(1)).toEqual([
      [
        "warn",
        "sampling strategy can't be had",
        { source: path, reason: expect.stringMatching(reason) as string, stays: "probabilistic(0.5)" },
      ],
      ["info", "sampling strategy can be had again", { source: path }],
    ]);
  });
});

it.each([
  { why: "none", content: undefined, reason: /: ENOENT/ },
  { why: "a bad one", content: "{", reason: /: not JSON$/ },
])("ends the start where it is $why", async ({ content, reason }) => {
  const { source, path, isWatched, outcomes } = follow(content);
  const fault = await source.ready.catch((error: unknown) => error);
  expect(fault).toBeInstanceOf(FedtraceError);
  expect(fault).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringMatching(reason) as string });
  expect((fault as Error).message).toContain(path);
  expect(outcomes).toEqual(["failed"]);
  expect(isWatched()).toBe(false);
  source.stop();
});

it.each([
  { why: "a directory", make: (path: string) => mkdirSync(path) },
  // It would be waited for, and nothing else would happen meanwhile.
  { why: "a pipe", make: (path: string) => void execFileSync("mkfifo", [path]) },
])("reads no $why", ({ make }) => {
  const path = join(temporaryDirectory(), "strategies.json");
  make(path);
  expect(checkStrategyFile(path, "S")).toBe("not a file");
});

it("warns of what Jaeger would warn of, each time the text is new", () => {
  const odd = JSON.stringify({ default_strategy: { type: "const", param: 1 } });
  const { change, lines } = follow(odd);
  change(odd);
  expect(lines.map(([level]) => level)).toEqual(["warn", "info"]);
  expect(lines[0]?.[2]["warnings"]).toHaveLength(1);
});

it("is read again when it is asked to, watched or not", () => {
  const { source, path, strategies } = follow(shareFile(0.5));
  writeFileSync(path, shareFile(0.25));
  source.look();
  expect(strategies.map(({ sampler }) => sampler.param)).toEqual([0.5, 0.25]);
});

it("goes on unwatched where the system has no watches left", async () => {
  const path = join(temporaryDirectory(), "strategies.json");
  writeFileSync(path, shareFile(0.5));
  const { tools, lines } = recordTools();
  const watch = (): never => {
    throw new Error("ENOSPC");
  };
  const source = startFileStrategy({ path, service: "S", ...LIMITS }, { ...tools, watch });
  await source.ready;
  source.stop();
  expect(lines.at(-1)).toEqual([
    "warn",
    "sampling strategies file not watched",
    { source: path, reason: "Error: ENOSPC" },
  ]);
});

it("is followed by the config's own watch", async () => {
  const path = join(temporaryDirectory(), "strategies.json");
  writeFileSync(path, shareFile(0.5));
  const { tools, descriptions, untilPolled } = recordTools();
  const source = startFileStrategy({ path, service: "S", ...LIMITS }, { ...tools, watch: watchFile });
  writeFileSync(path, shareFile(0.25));
  await untilPolled(2);
  source.stop();
  expect(descriptions()).toEqual(["probabilistic(0.5)", "probabilistic(0.25)"]);
});
