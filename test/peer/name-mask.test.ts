/**
 * masksOf, tailOf and createMaskIndex: which patterns a table can look up, and that it then decides as the engine alone would, on
 * random lists and names. The engine's side is a plain union of every entry, as it was before there was a table.
 */

import fc from "fast-check";
import { RE2JS, RE2Set } from "re2js";
import { describe, expect, it } from "vitest";
import { createMaskIndex } from "../../src/peer/mask-index.ts";
import { ANY, fits, masksOf } from "../../src/peer/name-mask.ts";
import { checkPattern, type Pattern, toRegex } from "../../src/peer/pattern.ts";
import { tailOf } from "../../src/peer/pattern-tail.ts";
import { parseServerName } from "../../src/peer/server-name.ts";
import { createWhitelist } from "../../src/peer/whitelist.ts";
import { runs } from "../support/runs.ts";

const regex = (text: string): Pattern => ({ kind: "regex", text });
const glob = (text: string): Pattern => ({ kind: "glob", text });

/** `*` for a run, `?` for any one character. */
function shown(pattern: Pattern): readonly string[] | undefined {
  return masksOf(pattern)?.map(({ isOpen, text }) => (isOpen ? "*" : "") + text.replaceAll(ANY, "?"));
}

describe("masksOf", () => {
  it.each([
    { why: "a name", pattern: regex("Matrix\\.org"), masks: ["matrix.org"] },
    { why: "bare dots", pattern: regex("matrix.org"), masks: ["matrix?org"] },
    { why: "a port", pattern: regex("matrix\\.org:8448"), masks: ["matrix.org:8448"] },
    { why: "anchors", pattern: regex("^a\\.test$|^b\\.test$"), masks: ["a.test", "b.test"] },
    { why: "a run at the start", pattern: regex(".*\\.test"), masks: ["*.test"] },
    { why: "a run of at least one", pattern: regex(".+test"), masks: ["*?test"] },
    { why: "a domain and below", pattern: regex("(.+\\.)?a\\.test"), masks: ["a.test", "*.a.test"] },
    { why: "any port that may be missing", pattern: regex("a\\.test(:\\d+)?"), masks: ["a.test"] },
    { why: "one port that may be missing", pattern: regex("a(?::1)?"), masks: ["a", "a:1"] },
    { why: "alternatives", pattern: regex("(a|b)\\.(org|net)"), masks: ["a.org", "a.net", "b.org", "b.net"] },
    { why: "IPv6", pattern: regex("\\[::1\\]"), masks: ["[::1]"] },
    { why: "a glob", pattern: glob("*.Example.net"), masks: ["*.example.net"] },
    { why: "stars in a row", pattern: glob("**.net"), masks: ["*.net"] },
    { why: "a ? in a glob", pattern: glob("hs?.test"), masks: ["hs?.test"] },
    { why: "a glob of IPv6", pattern: glob("[::1]"), masks: ["[::1]"] },
    { why: "the last number of masks", pattern: regex("(a|b)(c|d)(e|f)(g|h)"), masks: expect.any(Array) },
  ])("reads $why", ({ pattern, masks }) => {
    expect(shown(pattern)).toEqual(masks);
  });

  it.each([
    { why: "a class", pattern: regex("hs[12]") },
    { why: "a named class", pattern: regex("hs\\d") },
    { why: "a repeat", pattern: regex("a+") },
    { why: "a counted repeat", pattern: regex("a{2}") },
    { why: "a run in the middle", pattern: regex("a.*b") },
    { why: "a run at the end", pattern: regex("a.*") },
    { why: "a flag", pattern: regex("(?i)a") },
    { why: "a look-ahead", pattern: regex("(?=a)") },
    { why: "a quote", pattern: regex("\\Qa\\E") },
    { why: "an anchor in a group", pattern: regex("(^a)") },
    { why: "a quantifier of nothing", pattern: regex("?a") },
    { why: "two quantifiers", pattern: regex("a?+") },
    { why: "an open group", pattern: regex("(a") },
    { why: "a group closed twice", pattern: regex("a)") },
    { why: "a backslash at the end", pattern: regex("a\\") },
    { why: "what folds to a letter of names", pattern: regex("\u212a") },
    { why: "any port, escaped", pattern: regex("a\\(:\\d+)?") },
    { why: "groups too deep", pattern: regex(`${"(".repeat(9)}a${")".repeat(9)}`) },
    { why: "one mask too many", pattern: regex("(a|b)(c|d)(e|f)(g|h)i?") },
    { why: "a star in the middle of a glob", pattern: glob("a*b") },
    { why: "braces", pattern: glob("{a,b}") },
  ])("leaves $why to the engine", ({ pattern }) => {
    expect(masksOf(pattern)).toBeUndefined();
  });
});

const piece = fc.constantFrom(
  ..."a b . \\. .* .+ .*? .? a? - : 1 ( ) (?: )? | ^ $ \\- \\[ \\] (:\\d+)? (:1)? [ab] \\d (.+\\.)? A * + ? { _ \\_".split(
    " ",
  ),
);
const written = fc.array(piece, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(""));
const globText = fc.stringMatching(/^[*]{0,2}[abA.?:1[\]*]{1,6}$/);
const patternOf = fc.oneof(
  written.map(regex),
  written.map(regex),
  globText.map(glob),
  fc.stringMatching(/^[ab]{1,2}(\\?\.[ab]{1,2}){0,2}$/).map(regex),
);
const name = fc.oneof(
  fc.stringMatching(/^[abAB1-]{1,3}(\.[abAB1-]{1,3}){0,3}\.?(:[1-9]{1,2})?$/),
  fc.constantFrom("[::1]", "[a::b]:1", "[A::1]:11"),
);

describe("tailOf", () => {
  it.each([
    { why: "behind a repeat", text: "hs[0-9]+\\.a\\.test", tail: ".a.test" },
    { why: "behind a group", text: "(a|b)*\\.test$", tail: ".test" },
    { why: "behind a run", text: "a.*b", tail: "b" },
    { why: "with a bare dot", text: "[ab]+.test", tail: "?test" },
    { why: "of upper case", text: "[ab]+X", tail: "x" },
    { why: "before an optional character", text: "[ab]+xy?", tail: "" },
    { why: "of one alternative only", text: "[ab]+x|y", tail: "" },
    { why: "of alternatives in a group", text: "[ab]+(x|y)", tail: "" },
    { why: "a class that looks like a letter", text: "x\\d", tail: "" },
    { why: "within flags", text: "(?i)[ab]+x", tail: "" },
    { why: "after a quote", text: "\\Q[ab]\\Ex", tail: "" },
  ])("$why: $text", ({ text, tail }) => {
    expect(tailOf(text)).toEqual({ isOpen: true, text: tail.replaceAll("?", ANY) });
  });

  it("is how every name ends that the engine matches", () => {
    const part = fc.constantFrom(
      ..."a b . \\. .* [ab] \\w ( (?: ) )? )* | ^ $ a? b+ a{2} [^a] \\b (?i) \\Qa\\E A".split(" "),
    );
    const text = fc.array(part, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, fc.array(name, { minLength: 20 }), (regexText, names) => {
        if (checkPattern(regex(regexText)) !== undefined) return;
        const engine = RE2JS.compile(regexText, RE2JS.CASE_INSENSITIVE);
        const tail = tailOf(regexText);
        const missed = names
          .map((one) => parseServerName(one)?.name)
          .filter((asked) => asked !== undefined && engine.testExact(asked) && !fits(tail, asked));
        expect([regexText, missed]).toEqual([regexText, []]);
      }),
      { numRuns: runs(5000) },
    );
  });
});

describe("the table decides as the engine does", () => {
  it("takes nothing that the engine refuses, and matches what it matches", () => {
    fc.assert(
      fc.property(patternOf, fc.array(name, { minLength: 10 }), (pattern, names) => {
        const masks = masksOf(pattern);
        if (masks === undefined || pattern.kind === "glob") return;
        const engine = RE2JS.compile(pattern.text, RE2JS.CASE_INSENSITIVE);
        const differing = names.filter((text) => {
          const server = parseServerName(text);
          if (server === undefined) return false;
          // As createWhitelist asks: by the whole name, and without its port.
          const [byTable, byEngine] = [
            (one: string) => masks.some((mask) => fits(mask, one)),
            (one: string) => engine.testExact(one),
          ].map((matches) => matches(server.name) || matches(server.host));
          return byTable !== byEngine;
        });
        expect([pattern.text, differing]).toEqual([pattern.text, []]);
      }),
      { numRuns: runs(5000) },
    );
  });

  it("the first entry of a list counts, whatever entries are looked up and whatever are compiled", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(patternOf, { minLength: 1, maxLength: 12 }),
        fc.array(name, { minLength: 10 }),
        async (patterns, names) => {
          const valid = patterns.filter((pattern) => checkPattern(pattern) === undefined);
          const list = await createWhitelist(
            valid.map((pattern) => ({ ...pattern, sampling: "accept", forcedPerSecond: 1 })),
          );
          const plain = new RE2Set(RE2Set.ANCHOR_BOTH, RE2JS.CASE_INSENSITIVE);
          for (const pattern of valid) plain.add(await toRegex(pattern));
          plain.compile();
          const expected = names.map((text) => {
            const server = parseServerName(text);
            const matching =
              server === undefined ? [] : [...plain.match(server.name), ...plain.match(server.host)];
            return [text, matching.length === 0 ? -1 : Math.min(...matching)];
          });
          expect(names.map((text) => [text, list.decide(text).entry?.index ?? -1])).toEqual(expected);
        },
      ),
      { numRuns: runs(1000) },
    );
  });

  it("finds in a large table what a walk over it finds", () => {
    const text = fc.stringMatching(/^[ab.?]{1,5}$/).map((one) => one.replaceAll("?", ANY));
    const masks = fc.array(fc.record({ isOpen: fc.boolean(), text }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(masks, fc.array(fc.stringMatching(/^[ab.]{1,6}$/), { minLength: 20 }), (all, names) => {
        const table = createMaskIndex();
        for (const [order, mask] of all.entries()) table.add(mask, order);
        const walked = names.map((one) => all.findIndex((mask) => fits(mask, one)));
        expect(names.map((one) => table.firstMatch(one))).toEqual(
          walked.map((at) => (at === -1 ? Infinity : at)),
        );
        const left = all.flatMap((mask) => {
          const cover = table.firstCover(mask);
          const isCovered = (one: string): boolean =>
            all.slice(cover).some((other) => fits(other, one)) && fits(all[cover] ?? mask, one);
          return names.filter((one) => fits(mask, one) && !isCovered(one)).map((one) => ({ mask, one }));
        });
        expect(left).toEqual([]);
      }),
      { numRuns: runs(1000) },
    );
  });
});
