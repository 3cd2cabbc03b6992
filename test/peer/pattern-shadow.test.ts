/** findShadowed: each way in which an entry never decides, what stands beside it and does, and that none that is told decides. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkPattern } from "../../src/peer/pattern.ts";
import { findShadowed } from "../../src/peer/pattern-shadow.ts";
import { createWhitelist, type WhitelistEntry } from "../../src/peer/whitelist.ts";
import { runs } from "../support/runs.ts";

/** A text is a regex; `glob:` a glob. */
function entry(text: string, settings: Partial<WhitelistEntry> = {}): WhitelistEntry {
  const isGlob = text.startsWith("glob:");
  return {
    kind: isGlob ? "glob" : "regex",
    text: isGlob ? text.slice(5) : text,
    sampling: "accept",
    forcedPerSecond: 1,
    ...settings,
  };
}

const indexesOf = async (texts: readonly string[]): Promise<readonly number[]> =>
  (await findShadowed(texts.map((text) => entry(text)))).map(({ index }) => index);

describe("an entry never decides behind", () => {
  it.each([
    { why: "itself", texts: ["a\\.test", "a\\.test"] },
    { why: "itself, in another letter case", texts: ["a\\.test", "A\\.TEST"] },
    { why: "itself as a glob", texts: ["a\\.test", "glob:a.test"] },
    { why: "itself, for the engine", texts: ["hs[0-9]+", "hs[0-9]+"] },
    { why: "a domain's glob", texts: ["glob:*.a.test", "hs\\.a\\.test"] },
    { why: "a wider glob", texts: ["glob:*.test", "glob:*.a.test"] },
    { why: "a domain and below", texts: ["(.+\\.)?a\\.test", "glob:*.a.test"] },
    { why: "bare dots", texts: ["a.test", "a\\.test"] },
    { why: "bare dots in more places", texts: ["a.b.test", "a\\.b.test"] },
    { why: "a class", texts: ["hs[0-9]+\\.test", "hs12\\.test"] },
    { why: "its host", texts: ["a\\.test", "a\\.test:8448"] },
    { why: "a run in the middle", texts: ["hs.*\\.test", "hs1\\.test"] },
    { why: "two that share its alternatives", texts: ["a\\.test", "b\\.test", "(a|b)\\.test"] },
    { why: "everybody", texts: [".+", "hs[0-9]"] },
    { why: "everybody, itself everybody", texts: [".+", ".*"] },
  ])("$why: $texts", async ({ texts }) => {
    expect(await indexesOf(texts)).toEqual([texts.length - 1]);
  });

  it.each([
    { why: "a narrower one", texts: ["hs\\.a\\.test", "glob:*.a.test"] },
    { why: "a name with a port", texts: ["a\\.test:8448", "a\\.test"] },
    { why: "another domain", texts: ["glob:*.a.test", "glob:*.ba.test"] },
    { why: "the subdomains of it", texts: ["glob:*.a.test", "a\\.test"] },
    { why: "one of its alternatives", texts: ["a\\.test", "(a|b)\\.test"] },
    { why: "fewer bare dots", texts: ["a\\.b.test", "a.b.test"] },
    { why: "what is not looked up", texts: ["hs[0-9]+", "hs[1-3]+"] },
  ])("not behind $why: $texts", async ({ texts }) => {
    expect(await indexesOf(texts)).toEqual([]);
  });
});

describe("says", () => {
  it("that the same again can be left out", async () => {
    const [shadow] = await findShadowed([entry("a"), entry("A", { source: "peers.txt:2" })]);
    expect(shadow).toEqual({
      index: 1,
      message: "never decides: whitelist[0] comes first and matches all that it does; leave one of them out",
    });
  });

  it("what of an entry counts for nothing, and where it would", async () => {
    const first = entry("glob:*.a", { source: "peers.txt:7" });
    const trusted = entry("hs\\.a", { sampling: "trust", authenticate: "mtls" });
    expect((await findShadowed([first, trusted]))[0]?.message).toBe(
      "never decides: peers.txt:7 comes first and matches all that it does, so that its sampling and forced_per_second and authenticate counts for nothing; put it before it",
    );
  });

  it("once that everybody comes first", async () => {
    const shadows = await findShadowed(["a", ".*", "b", "c"].map((text) => entry(text)));
    const message = "never decides, nor does what follows: whitelist[1] comes first and matches every name";
    expect(shadows).toEqual([{ index: 2, message }]);
  });
});

it("tells none that decides about a name", async () => {
  const text = fc.oneof(
    fc.stringMatching(/^[ab]{1,2}(\\?\.[ab]{1,2})?$/),
    fc.stringMatching(/^glob:[*]?[ab.?]{1,4}$/),
    fc.constantFrom("[ab]", "(.+\\.)?a", ".+b", "(a|b)\\.a", "a(:1)?", "a:1", "a.*", "a\\.[ab]+"),
  );
  const name = fc.stringMatching(/^[ab]{1,2}(\.[ab]{1,2}){0,2}(:[12])?$/);
  await fc.assert(
    fc.asyncProperty(
      fc.array(text, { minLength: 2, maxLength: 8 }),
      fc.array(name, { minLength: 30 }),
      async (texts, names) => {
        const entries = texts.map((one) => entry(one)).filter((one) => checkPattern(one) === undefined);
        const whitelist = await createWhitelist(entries);
        const told = new Set((await findShadowed(entries)).map(({ index }) => index));
        expect(names.filter((one) => told.has(whitelist.decide(one).entry?.index ?? -1))).toEqual([]);
      },
    ),
    { numRuns: runs(1000) },
  );
});
