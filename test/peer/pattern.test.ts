/**
 * checkPattern: every form that is refused, with its advice, and the row inside each limit beside the one outside
 * it. The meaning of patterns is tested in whitelist.test.ts.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkPattern, compilePattern, compileUnion, type Pattern, toRegex } from "../../src/peer/pattern.ts";
import { runs } from "../support/runs.ts";

const regex = (text: string): Pattern => ({ kind: "regex", text });
const glob = (text: string): Pattern => ({ kind: "glob", text });

describe("checkPattern", () => {
  it.each([
    { why: "inline flags", pattern: regex("(?i)matrix\\.org") },
    { why: "quoting that is never closed", pattern: regex("\\Qmatrix.org") },
    { why: "named groups", pattern: regex("(?P<a>x)(?<b>y)") },
    { why: "nested quantifiers", pattern: regex("(a+)+$") },
    { why: "an escaped group that looks like look-around", pattern: regex("\\(\\?=a\\)") },
    { why: "the longest pattern", pattern: regex("a".repeat(1000)) },
    { why: "the highest repeat count", pattern: regex("a{1000}") },
    { why: "a glob of any characters", pattern: glob("a/(b") },
    { why: "a list", pattern: glob("{a,b}.example") },
    { why: "nested lists, an empty alternative", pattern: glob("{a,b{c,}}.example") },
    { why: "a product of lists", pattern: glob("{a,b}".repeat(9)) },
    { why: "a range in a list", pattern: glob("{a,hs{1..3}}.example") },
    { why: "the widest range", pattern: glob("{1..1000}.example") },
    { why: "the widest product", pattern: glob("{1..10}{1..10}{1..10}.example") },
    { why: "a wide range in steps", pattern: glob("{1..2000..2}") },
    { why: "letters", pattern: glob("{a..z}.example") },
  ])("allows $why", async ({ pattern }) => {
    expect(checkPattern(pattern)).toBeUndefined();
    const text = await toRegex(pattern);
    expect(() => compilePattern(text)).not.toThrow();
    if (/[{}]/.test(pattern.text) && pattern.kind === "glob") expect(text).not.toMatch(/[{}]/);
  });

  it.each([
    { why: "an empty pattern", pattern: regex(""), fault: "empty" },
    { why: "an empty glob", pattern: glob(""), fault: "empty" },
    {
      why: "one past the longest",
      pattern: regex("a".repeat(1001)),
      fault: "1001 characters, 1000 are allowed",
    },
    { why: "look-ahead", pattern: regex("(?=a).*"), fault: "no look-around" },
    { why: "negative look-ahead", pattern: regex("(?!evil).*"), fault: "no negative look-around" },
    { why: "look-behind", pattern: regex(".*(?<=a)"), fault: "no look-around" },
    { why: "negative look-behind", pattern: regex(".*(?<!a)"), fault: "no negative look-around" },
    { why: "a back-reference", pattern: regex("(a)\\1"), fault: "no back-references" },
    { why: "a named back-reference", pattern: regex("(?<n>a)\\k<n>"), fault: "no back-references" },
    { why: "Python's back-reference", pattern: regex("(?P<n>a)(?P=n)"), fault: "no back-references" },
    { why: "an atomic group", pattern: regex("(?>a)"), fault: "never backtracks" },
    { why: "a possessive quantifier", pattern: regex("a++"), fault: "never backtracks" },
    { why: "\\Z", pattern: regex("a\\Z"), fault: "leave \\Z out" },
    { why: "free spacing", pattern: regex("(?x)a"), fault: "comments" },
    { why: "a glob as a regex", pattern: regex("*.example.net"), fault: "write it as glob:" },
    { why: "a group closed that was not opened", pattern: regex("a)|(b"), fault: "unexpected ): `a)|(b`" },
    { why: "an open group", pattern: regex("(a"), fault: "missing closing )" },
    { why: "an open class", pattern: regex("[a"), fault: "missing closing ]" },
    { why: "a backslash at the end", pattern: regex("a\\"), fault: "trailing backslash" },
    { why: "one past the highest repeat count", pattern: regex("a{1001}"), fault: "invalid repeat count" },
    { why: "a program too large", pattern: regex("[a-z]{1000}".repeat(60)), fault: "50000 are allowed" },
    { why: "one past the widest range", pattern: glob("{1..1001}"), fault: "more than 1000 names" },
    { why: "a bomb", pattern: glob("{1..100000}"), fault: "more than 1000 names" },
    {
      why: "a bomb downwards, which micromatch would expand",
      pattern: glob("{100000..1}"),
      fault: "more than 1000 names",
    },
    {
      why: "a product of ranges, which it would too",
      pattern: glob("{1..900}{1..900}"),
      fault: "more than 1000 names",
    },
    {
      why: "one list more than 512 names have",
      pattern: glob("{a,b}".repeat(10)),
      fault: "more than 1000 names",
    },
    { why: "numbers past counting", pattern: glob(`{1..${"9".repeat(400)}}`), fault: "more than 1000 names" },
    { why: "many long expansions", pattern: glob(`{1..1000}${"a".repeat(50)}`), fault: "50000 characters" },
    { why: "an open brace", pattern: glob("{a,b"), fault: "{ without its }" },
    { why: "a closing brace alone", pattern: glob("a}"), fault: "} without its {" },
    { why: "a brace with one name", pattern: glob("{a}.example"), fault: "neither a list" },
    { why: "an empty brace", pattern: glob("{}"), fault: "neither a list" },
    { why: "a range in a list without braces", pattern: glob("{1..3,5}"), fault: "neither a list" },
    { why: "a range from number to letter", pattern: glob("{1..z}"), fault: "neither a list" },
    {
      why: "quotes beside braces, which micromatch drops",
      pattern: glob('"a"{b,c}'),
      fault: "beside braces",
    },
    {
      why: "brackets beside braces, which hide a comma",
      pattern: glob("[a,b]{c,d}"),
      fault: "beside braces",
    },
  ])("refuses $why", ({ pattern, fault }) => {
    expect(checkPattern(pattern)).toContain(fault);
  });

  it("never throws, and what it passes compiles and stays within the bound", async () => {
    const fragment = fc.constantFrom(
      "{",
      "}",
      ",",
      "..",
      "1",
      "9",
      "-",
      "a",
      "z",
      "*",
      "?",
      "(",
      ")",
      "[",
      "]",
      "\\",
      "|",
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(fragment, { maxLength: 15 }).map((parts) => parts.join("")),
    );
    const pattern = fc.record({ kind: fc.constantFrom("regex" as const, "glob" as const), text });
    await fc.assert(
      fc.asyncProperty(pattern, async (written) => {
        if (checkPattern(written) !== undefined) return;
        const compiled = await toRegex(written);
        expect(() => compilePattern(compiled)).not.toThrow();
        if (written.kind === "glob") expect(compiled.split("|").length).toBeLessThanOrEqual(1001);
      }),
      { numRuns: runs(500) },
    );
  });
});

describe("compileUnion", () => {
  it("takes 21,000 patterns, and not one more", async () => {
    const patterns = Array.from({ length: 21_001 }, (_, index) => regex(`hs${index}`));
    expect(await compileUnion(patterns.slice(1))).toHaveProperty("firstMatch");
    expect(await compileUnion(patterns)).toEqual({ faults: ["whitelist: 21001 entries, 21000 are allowed"] });
  });

  it("bounds all patterns together", async () => {
    const union = await compileUnion(Array.from({ length: 60 }, (_, index) => regex(`[a-z]{1000}${index}`)));
    expect(union).toHaveProperty("faults", [expect.stringContaining("50000 are allowed")]);
  });
});

describe("letter case does not count", () => {
  it.each([
    { text: "HS\\.example", name: "hs.example", why: "written in upper case" },
    { text: "[A-Z]+", name: "hs", why: "a range of upper case" },
    { text: "[.-_]+", name: "hs.example", why: "a range over the upper case" },
    { text: "h[[:upper:]]", name: "hs", why: "a named class" },
    { text: "\\x48s", name: "hs", why: "a letter by its number" },
    { text: "\\110s", name: "hs", why: "in octal" },
    { text: "\\p{Lu}s", name: "hs", why: "a property" },
  ])("$text matches $name: $why", async ({ text, name }) => {
    expect(compilePattern(text)(name)).toBe(true);
    const alone = await compileUnion([regex(text)]);
    const together = await compileUnion([regex(text), regex("OTHER")]);
    for (const union of [alone, together]) {
      expect("firstMatch" in union ? union.firstMatch(name) : union.faults).toBe(0);
    }
  });

  it("and a negated range over the upper case matches no letter", () => {
    expect(compilePattern("[^.-_]+")("hs")).toBe(false);
  });
});
