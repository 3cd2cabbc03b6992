/** Which entry of a list is told to admit every server, and that the quick look agrees with the whole lint. */

import { describe, expect, it } from "vitest";
import { findEverybody } from "../../src/peer/pattern-everybody.ts";
import { lintPattern } from "../../src/peer/pattern-lint.ts";
import { checkPattern, type Pattern } from "../../src/peer/pattern.ts";

const regex = (text: string): Pattern => ({ kind: "regex", text });
const glob = (text: string): Pattern => ({ kind: "glob", text });

async function indexes(patterns: readonly Pattern[]): Promise<readonly number[]> {
  return (await findEverybody(patterns)).map(({ index }) => index);
}

describe("one entry", () => {
  it.each([
    { pattern: regex(".*"), isTold: true, why: "the beginning of `.*\\.friends\\.example`" },
    { pattern: regex(".*\\."), isTold: false, why: "no name ends in a dot" },
    { pattern: regex(".*\\.friends\\.example"), isTold: false, why: "the whole line" },
    { pattern: regex("(.+\\.)?"), isTold: false, why: "a domain that was cut: no name again" },
    { pattern: regex("(.+)"), isTold: true, why: "in a group" },
    { pattern: regex("a|.*"), isTold: true, why: "one of two" },
    { pattern: regex(".*|abc"), isTold: true, why: "one of two, and the last is a name" },
    { pattern: regex("[a-z.]*"), isTold: true, why: "by a class, which is the engine's" },
    { pattern: regex("[^.]+\\.[a-z]+"), isTold: true, why: "every name of two parts" },
    { pattern: regex(".*\\pL"), isTold: true, why: "a class that is written in letters" },
    { pattern: regex(".*\\Q\\E"), isTold: true, why: "nothing in quotes" },
    { pattern: regex(".{1,200}"), isTold: true, why: "by a count" },
    { pattern: regex(".*\\.invalid"), isTold: false, why: "one stranger alone" },
    { pattern: regex("(stranger|nobody)\\.(invalid|test)"), isTold: true, why: "both strangers: nobody's" },
    { pattern: glob("*"), isTold: true, why: "everything" },
    { pattern: glob("*.*"), isTold: true, why: "everything with a dot" },
    { pattern: glob("{*,abc}"), isTold: true, why: "in braces" },
    { pattern: glob("*.example.net"), isTold: false, why: "a domain" },
  ])("$pattern.kind $pattern.text: $why", async ({ pattern, isTold }) => {
    expect(checkPattern(pattern)).toBeUndefined();
    expect(await indexes([pattern])).toEqual(isTold ? [0] : []);
    const told = (await lintPattern(pattern)).some((line) => line.startsWith("admits every server"));
    expect(told).toBe(isTold);
  });
});

it("tells the first of several: what follows would change nothing", async () => {
  expect(await indexes([regex("a\\.test"), regex(".*\\.test"), glob("*"), regex(".*")])).toEqual([2]);
});

it("says who is admitted", async () => {
  expect(await findEverybody([regex(".*")])).toEqual([
    { index: 0, message: "admits every server, stranger.invalid too" },
  ]);
});

it("asks entry by entry: two that admit one stranger each are no mistake", async () => {
  expect(await indexes([regex(".*\\.test"), regex(".*\\.invalid")])).toEqual([]);
});
