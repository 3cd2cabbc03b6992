/**
 * What `init --from-synapse` takes over of Synapse's whitelist, held against what Python itself said.
 * Method: test/fixtures/python-patterns.jsonl has thousands of patterns, made of every construct that Python's `re` and RE2
 * may read differently, each with Python's verdict on some names (python-patterns.py beside it made it).
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { WhitelistLine } from "../../src/commands/init-draft.ts";
import { createTakeOver } from "../../src/commands/init-python-pattern.ts";
import { readPythonPattern } from "../../src/commands/init-python-syntax.ts";
import { compileUnion } from "../../src/peer/pattern.ts";
import { createWhitelist } from "../../src/peer/whitelist.ts";
import { runs } from "../support/runs.ts";

const [head = "", ...rows] = readFileSync("test/fixtures/python-patterns.jsonl", "utf8")
  .trimEnd()
  .split("\n");
const { names } = JSON.parse(head) as { names: readonly string[] };
const STEP = rows.length / runs(rows.length);
const TABLE = rows
  .filter((_, at) => Math.floor(at % STEP) === 0)
  .map((row) => {
    const [text, exact, folded] = JSON.parse(row) as [string, string | null, string | null];
    return { text, exact: namesOf(exact), folded: namesOf(folded), isPythons: exact !== null };
  });

/** The names whose bits are set; none where Python refused, for then Synapse does not start. */
function namesOf(bits: string | null): ReadonlySet<string> {
  const set = BigInt(`0x${bits ?? "0"}`);
  return new Set(names.filter((_, at) => ((set >> BigInt(at)) & 1n) === 1n));
}

const says = (line: WhitelistLine, word: RegExp): boolean => line.doubts.some((doubt) => word.test(doubt));

/** Names that the entry admits here and did not in Synapse, but for what its doubts say. */
async function strangers(line: WhitelistLine, row: (typeof TABLE)[number]): Promise<readonly string[]> {
  const whitelist = await createWhitelist([{ ...line.pattern, sampling: "accept", forcedPerSecond: 1 }]);
  const inSynapse = says(line, /upper-case/) ? row.folded : row.exact;
  const isPortAside = says(line, /admitted no port/);
  return names.filter((name) => {
    const host = name.replace(/(?<=[^:]):\d+$/, "");
    return (
      whitelist.decide(name).isWhitelisted && !inSynapse.has(name) && !(isPortAside && inSynapse.has(host))
    );
  });
}

describe("against Python's own verdicts", () => {
  it("never admits a name that Synapse did not", async () => {
    const wider: string[] = [];
    for (const row of TABLE) {
      const line = await createTakeOver()(row.text);
      if (line.refused !== undefined) continue;
      for (const name of await strangers(line, row)) wider.push(`${row.text} admits ${name}`);
    }
    expect(wider).toEqual([]);
  }, 60_000);

  it("takes over nothing that Python refuses, and most of what it reads in server names", async () => {
    const taken = [];
    for (const row of TABLE) {
      if ((await createTakeOver()(row.text)).refused === undefined) taken.push(row);
    }
    expect(taken.filter(({ isPythons }) => !isPythons).map(({ text }) => text)).toEqual([]);
    expect(taken.filter(({ exact }) => exact.size > 0).length).toBeGreaterThan(runs(1500));
  }, 60_000);

  it("estimates a size that the engine stays below", async () => {
    const all = TABLE.filter(({ text }) => readPythonPattern(text).refused === undefined);
    for (const repeat of [1, 7, 50]) {
      const heavy = all.map(({ text }) => `(?:${text}){1,${repeat}}`);
      const takeOver = createTakeOver();
      const lines: WhitelistLine[] = [];
      for (const text of heavy) lines.push(await takeOver(text));
      const usable = lines.filter(({ refused }) => refused === undefined).slice(0, 1000);
      expect(usable.length).toBeGreaterThan(runs(30));
      expect(await compileUnion(usable.map(({ pattern }) => pattern))).toHaveProperty("firstMatch");
    }
  }, 60_000);
});
