/**
 * createWhitelist: contract section 3 rule 1 and section 9 on patterns and globs; which entry decides; that the
 * union means what each pattern means alone; that no pattern and no name costs more than it should.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FedtraceError } from "../../src/core/errors.ts";
import { createWhitelist, type WhitelistEntry } from "../../src/peer/whitelist.ts";

function entry(text: string, kind: "regex" | "glob" = "regex"): WhitelistEntry {
  return { kind, text, sampling: "accept", forcedPerSecond: 1 };
}

async function admits(text: string, kind: "regex" | "glob", name: string): Promise<boolean> {
  return (await createWhitelist([entry(text, kind)])).decide(name).isWhitelisted;
}

describe("a regex", () => {
  it.each([
    { why: "the whole name", text: "matrix\\.org", name: "matrix.org", expected: true },
    { why: "not a prefix", text: "matrix\\.org", name: "matrix.org.evil.example", expected: false },
    { why: "not a suffix", text: "matrix\\.org", name: "evilmatrix.org", expected: false },
    {
      why: "not a line of it",
      text: "(?m)^matrix\\.org$",
      name: "matrix.org\nevil.example",
      expected: false,
    },
    { why: "every alternative whole", text: "a\\.test|b\\.test", name: "b.test.evil", expected: false },
    {
      why: "the longer alternative, though the shorter comes first",
      text: "a|a\\.test",
      name: "a.test",
      expected: true,
    },
    { why: "lazy quantifiers, to the end", text: "a.*?", name: "a.test", expected: true },
    { why: "a name in upper case", text: "matrix\\.org", name: "Matrix.ORG", expected: true },
    { why: "a pattern in upper case", text: "MATRIX\\.ORG", name: "matrix.org", expected: true },
    { why: "a name with port, by its host", text: "matrix\\.org", name: "matrix.org:8448", expected: true },
    {
      why: "a name with port, by all of it",
      text: "matrix\\.org:8448",
      name: "matrix.org:8448",
      expected: true,
    },
    { why: "not another port", text: "matrix\\.org:8448", name: "matrix.org:443", expected: false },
    {
      why: "not without the port that is asked for",
      text: "matrix\\.org:8448",
      name: "matrix.org",
      expected: false,
    },
    { why: "a trailing dot", text: "matrix\\.org", name: "matrix.org.", expected: true },
    { why: "a trailing dot before the port", text: "matrix\\.org", name: "matrix.org.:8448", expected: true },
    { why: "IPv6", text: "\\[::1\\]", name: "[::1]:8448", expected: true },
    { why: "anchors that are not needed", text: "^matrix\\.org$", name: "matrix.org", expected: true },
    { why: "inline flags", text: "(?-i)matrix\\.(?i:ORG)", name: "matrix.org", expected: true },
    { why: "open quoting ends with the pattern", text: "\\Qa.test", name: "a.test", expected: true },
    { why: "open quoting swallows nothing", text: "\\Qa.test", name: "a.testx", expected: false },
    { why: "no name", text: ".*", name: "", expected: false },
    { why: "what is no server name", text: ".*", name: "a_b/c", expected: false },
    { why: "the longest name", text: "a+(:\\d+)?", name: `${"a".repeat(255)}.:65535`, expected: true },
    { why: "one past the longest name", text: ".*", name: `${"a".repeat(255)}.:655350`, expected: false },
    { why: "what kills a backtracking engine", text: "(a+)+$", name: `${"a".repeat(200)}-`, expected: false },
    { why: "the same, matching", text: "(a+)+$", name: "a".repeat(200), expected: true },
    { why: "another that does", text: "(.*a){20}b", name: "a".repeat(200), expected: false },
  ])("$why: $expected", async ({ text, name, expected }) => {
    expect(await admits(text, "regex", name)).toBe(expected);
  });
});

describe("a glob", () => {
  it.each([
    { why: "* is any run, dots too", text: "*.example.net", name: "a.b.example.net", expected: true },
    { why: "* is nothing, too", text: "a*.test", name: "a.test", expected: true },
    { why: "not the bare domain", text: "*.example.net", name: "example.net", expected: false },
    { why: "dots are dots", text: "*.example.net", name: "a.exampleXnet", expected: false },
    { why: "? is one character", text: "hs?.test", name: "hs1.test", expected: true },
    { why: "? is not none", text: "hs?.test", name: "hs.test", expected: false },
    { why: "a list", text: "{a,b}.test", name: "b.test", expected: true },
    { why: "not what the list lacks", text: "{a,b}.test", name: "c.test", expected: false },
    { why: "alternatives are whole", text: "{a.test,b}", name: "a.test.evil", expected: false },
    { why: "a range", text: "hs{1..12}.test", name: "hs12.test", expected: true },
    { why: "not past the range", text: "hs{1..12}.test", name: "hs13.test", expected: false },
    { why: "a wildcard in a list", text: "{*.a,b?}.test", name: "x.y.a.test", expected: true },
    { why: "a name with port, by its host", text: "*.test", name: "a.test:8448", expected: true },
    { why: "letter case", text: "*.TEST", name: "A.test", expected: true },
    { why: "IPv6, brackets are brackets", text: "[fd00::*]", name: "[fd00::1]", expected: true },
    { why: "brackets are no class", text: "hs[12].test", name: "hs1.test", expected: false },
    { why: "nothing of a regex", text: "a.test|b.test", name: "b.test", expected: false },
  ])("$why: $expected", async ({ text, name, expected }) => {
    expect(await admits(text, "glob", name)).toBe(expected);
  });
});

describe("createWhitelist", () => {
  it("is nobody when empty", async () => {
    const verdict = (await createWhitelist([])).decide("matrix.org");
    expect(verdict).toEqual({ isWhitelisted: false, entry: undefined });
  });

  it("says which entry decided: the first that matches, by the whole name or the host", async () => {
    const whitelist = await createWhitelist([
      entry("b\\.test:1"),
      { kind: "glob", text: "*.test", sampling: "trust", forcedPerSecond: 2.5 },
      entry("a\\.test"),
      entry("c\\.example:1"),
      entry("c\\.example"),
    ]);
    expect(whitelist.decide("a.test").entry).toEqual({
      index: 1,
      kind: "glob",
      text: "*.test",
      sampling: "trust",
      forcedPerSecond: 2.5,
    });
    expect(whitelist.decide("b.test:1").entry?.index).toBe(0);
    expect(whitelist.decide("b.test:2").entry?.index).toBe(1);
    expect(whitelist.decide("c.example:1").entry?.index).toBe(3);
    expect(whitelist.decide("c.example").entry?.index).toBe(4);
    expect(whitelist.decide("d.example").entry).toBeUndefined();
  });

  it("reports every fault at once, with its place", async () => {
    const creating = createWhitelist([entry("(?=a)"), entry("fine"), entry("{a", "glob")]);
    await expect(creating).rejects.toThrow(FedtraceError);
    await expect(creating).rejects.toThrow(
      /^whitelist\[0\]: .*look-around.*\nwhitelist\[2\]: a \{ without its \}$/,
    );
  });

  it("keeps verdicts, of strangers too, in a bounded cache", async () => {
    const whitelist = await createWhitelist([entry("hs0\\.test")], { namesMax: 10 });
    expect(whitelist.decide("hs0.test")).toBe(whitelist.decide("hs0.test"));
    whitelist.decide("hs1.test");
    whitelist.decide("hs1.test");
    expect(whitelist.counters()).toEqual({ hits: 2, misses: 2, size: 2 });
    for (let index = 0; index < 100; index++) whitelist.decide(`hs${index}.test`);
    expect(whitelist.counters().size).toBeLessThanOrEqual(10);
    expect(whitelist.decide("hs0.test").isWhitelisted).toBe(true);
  });

  it("gives names over the bound no place in the cache", async () => {
    const whitelist = await createWhitelist([entry(".*")]);
    whitelist.decide("a".repeat(10_000));
    expect(whitelist.counters()).toEqual({ hits: 0, misses: 0, size: 0 });
  });

  it("means what each pattern means alone in JavaScript's engine, anchored", async () => {
    const atom = fc.constantFrom("a", "b", "\\.", ".", "[ab]", "(a|b)", "(a|ab)", "(?:b|)", "^", "$", "\\b");
    const quantifier = fc.constantFrom("", "", "", "*", "+", "?", "*?", "{1,2}");
    const part = fc
      .tuple(atom, quantifier)
      .map(([one, many]) => (/^[\^$]|^\\b/.test(one) ? one : one + many));
    const pattern = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(""));
    const patterns = fc.array(
      fc.array(pattern, { minLength: 1, maxLength: 2 }).map((alternatives) => alternatives.join("|")),
      { minLength: 1, maxLength: 4 },
    );
    const name = fc.stringMatching(/^[ab]{1,3}(\.[ab]{1,3})?$/);
    await fc.assert(
      fc.asyncProperty(patterns, fc.array(name, { minLength: 5 }), async (texts, names) => {
        const whitelist = await createWhitelist(texts.map((text) => entry(text)));
        for (const one of names) {
          const expected = texts.findIndex((text) => new RegExp(`^(?:${text})$`).test(one));
          expect([one, whitelist.decide(one).entry?.index ?? -1]).toEqual([one, expected]);
        }
      }),
      { numRuns: 300 },
    );
  });
});
