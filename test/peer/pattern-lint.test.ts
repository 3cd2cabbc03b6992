/**
 * lintPattern: each warning, the entry beside it that deserves none, and that a name shown as admitted is admitted.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkPattern, type Pattern } from "../../src/peer/pattern.ts";
import { lintPattern } from "../../src/peer/pattern-lint.ts";
import { createWhitelist } from "../../src/peer/whitelist.ts";
import { runs } from "../support/runs.ts";

const regex = (text: string): Pattern => ({ kind: "regex", text });
const glob = (text: string): Pattern => ({ kind: "glob", text });

describe("lintPattern", () => {
  it.each([
    { why: "a name", pattern: regex("matrix\\.org") },
    { why: "a name in upper case", pattern: regex("MATRIX\\.ORG") },
    { why: "both anchors", pattern: regex("^matrix\\.org$") },
    { why: "a dollar sign that is text", pattern: regex("a(\\$)?") },
    { why: "a domain and its subdomains", pattern: regex("(.+\\.)?friends\\.example") },
    { why: "subdomains", pattern: regex(".*\\.matrix\\.org") },
    { why: "subdomains, as a glob", pattern: glob("*.example.net") },
    { why: "a class before the dot", pattern: regex("[a-z]+\\.example") },
    { why: "any port", pattern: regex("matrix\\.org:.*") },
    { why: "a port that may be", pattern: regex("matrix\\.org(:8448)?") },
    { why: "a number at the end", pattern: regex("hs[0-9]+") },
    { why: "a quoted dot", pattern: regex("\\Qmatrix.org\\E") },
    { why: "a dot that no letter can stand for", pattern: regex("a\\b.b\\.test") },
    { why: "a ? in a glob", pattern: glob("hs?.example") },
    { why: "a scheme that may be missing", pattern: regex("(https?://)?matrix\\.org") },
    { why: "one alternative that can match", pattern: regex("a/b|matrix\\.org") },
    { why: "an alternative without the trailing dot", pattern: regex("(a\\.|a)") },
    { why: "letters that may follow a dot", pattern: regex("a\\.a*") },
    { why: "upper case counting in one alternative only", pattern: regex("(?-i)(A|a)") },
    { why: "IPv6 as a glob", pattern: glob("[fd00::*]:8448") },
    { why: "letters before a domain", pattern: regex("[a-z]*matrix\\.org") },
    { why: "labels before a domain", pattern: regex("([a-z0-9-]+\\.)*matrix\\.org") },
    { why: "any characters before a dot", pattern: regex("[^/]+\\.matrix\\.org") },
    { why: "a top level domain, whose own end would match too", pattern: regex(".*\\.example") },
    { why: "the same by a class", pattern: regex("[a-z0-9.-]+\\.example") },
    { why: "a domain of one label and below", pattern: regex("(.+\\.)?example") },
  ])("says nothing about $why", async ({ pattern }) => {
    expect(await lintPattern(pattern)).toEqual([]);
  });

  it.each([
    { why: "a URL", pattern: regex("https://matrix\\.org"), warning: "no scheme and no path" },
    { why: "a URL in a glob", pattern: glob("https://*.matrix.org"), warning: "no scheme and no path" },
    { why: "a path", pattern: regex("matrix\\.org/"), warning: "never matches" },
    { why: "a blank", pattern: regex("matrix\\.org "), warning: "never matches" },
    { why: "a blank as a class", pattern: regex("a\\sb"), warning: "never matches" },
    { why: "an underscore", pattern: regex("my_server"), warning: "never matches" },
    {
      why: "nothing that can match in any alternative",
      pattern: regex("(a/|b_)c"),
      warning: "never matches",
    },
    { why: "a trailing dot", pattern: regex("matrix\\.org\\."), warning: "trailing dot" },
    { why: "a trailing dot in a group", pattern: regex("(matrix\\.org\\.)$"), warning: "trailing dot" },
    { why: "a class in a glob", pattern: glob("hs[12].example"), warning: "stand for themselves" },
    { why: "upper case that counts", pattern: regex("(?-i)Matrix\\.org"), warning: "upper case" },
    { why: "everybody", pattern: regex(".*"), warning: "every server, stranger.invalid" },
    { why: "everybody, as a glob", pattern: glob("*"), warning: "every server, stranger.invalid" },
    { why: "everybody with a dot", pattern: regex(".+\\..+"), warning: "every server, stranger.invalid" },
    {
      why: "an anchor at the start, as Synapse has it",
      pattern: regex("^matrix\\.org"),
      warning: "ends without $",
    },
    { why: "an anchor at the end", pattern: regex("matrix\\.org$"), warning: "begins without ^" },
    { why: "an open start", pattern: regex(".*matrix\\.org"), warning: "evilmatrix.org is admitted" },
    {
      why: "an open start in a group",
      pattern: regex("(.*)matrix\\.org"),
      warning: "evilmatrix.org is admitted",
    },
    { why: "an open start of a glob", pattern: glob("*matrix.org"), warning: "evilmatrix.org is admitted" },
    { why: "an open start of braces", pattern: glob("*{a,b}.example"), warning: "evila.example is admitted" },
    { why: "an open end", pattern: regex("matrix\\.org.*"), warning: "matrix.org.evil.example is admitted" },
    { why: "an open end of a glob", pattern: glob("matrix.*"), warning: "matrix.evil.example is admitted" },
    { why: "a dot that is not escaped", pattern: regex("matrix.org"), warning: "matrixxorg is admitted" },
    {
      why: "an open end in a group that may be missing",
      pattern: regex("matrix\\.org(\\..*)?"),
      warning: "matrix.org.evil.example is admitted",
    },
    {
      why: "an open end by a class",
      pattern: regex("matrix\\.[a-z.]+"),
      warning: "matrix.evil.example is admitted",
    },
    {
      why: "an open end after a repeat",
      pattern: regex("hs[0-9]+\\.org.*"),
      warning: "hs0.org.evil.example is admitted",
    },
    {
      why: "an open start by a class",
      pattern: regex("\\S*matrix\\.org"),
      warning: "evilmatrix.org is admitted",
    },
    { why: "the same, negated", pattern: regex("[^/]*matrix\\.org"), warning: "evilmatrix.org is admitted" },
    {
      why: "an open start of the second alternative",
      pattern: regex("a\\.test|.*b\\.test"),
      warning: "evilb.test is admitted",
    },
    {
      why: "a bare dot in an inner alternative",
      pattern: regex("hs\\.(a\\.test|b.test)"),
      warning: "hs.bxtest is admitted too; write hs\\.(a\\.test|b\\.test)",
    },
    {
      why: "a bare dot after a group that may be missing",
      pattern: regex("(.*\\.)?example.org"),
      warning: "examplexorg is admitted too; write (.*\\.)?example\\.org",
    },
    { why: "a comment behind an entry", pattern: regex("matrix\\.org # ours"), warning: "a line of its own" },
    { why: "the same behind a class", pattern: regex("hs\\d+.example"), warning: "hs1xexample is admitted" },
  ])("warns of $why", async ({ pattern, warning }) => {
    expect(await lintPattern(pattern)).toEqual([expect.stringContaining(warning)]);
  });

  it("gives every warning there is a reason for", async () => {
    expect(await lintPattern(regex("^.*matrix.org"))).toHaveLength(3);
  });

  it("shows no name that is not admitted, and calls nothing dead that admits one", async () => {
    const fragment = fc.constantFrom(
      "a",
      "b",
      ".",
      "\\.",
      ".*",
      ".+",
      "/",
      "[ab]",
      "(",
      ")",
      "|",
      "?",
      "*",
      "{2}",
      "^",
      "$",
      ":",
    );
    const text = fc.array(fragment, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(""));
    const kind = fc.constantFrom("regex" as const, "glob" as const);
    const names = fc.array(fc.stringMatching(/^[ab]{1,3}([.:][ab1]{1,2})?$/), { minLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.record({ kind, text }), names, async (pattern, candidates) => {
        if (checkPattern(pattern) !== undefined) return;
        const warnings = await lintPattern(pattern);
        const whitelist = await createWhitelist([{ ...pattern, sampling: "accept", forcedPerSecond: 1 }]);
        for (const warning of warnings) {
          const shown = / (\S+) is admitted too/.exec(warning)?.[1];
          if (shown !== undefined) expect(whitelist.decide(shown).isWhitelisted).toBe(true);
          if (warning.startsWith("never")) {
            expect(candidates.filter((name) => whitelist.decide(name).isWhitelisted)).toEqual([]);
          }
        }
      }),
      { numRuns: runs(500) },
    );
  });
});
