/**
 * Question: what does a long list cost: to load it from its file until names can be asked, and to ask about a name that was
 *           never seen?
 * Decision it feeds: 100 ms for thousands of entries is what a start or a reload may wait, 2 µs what a new name may cost. Above
 *           it entries need another table than peer/mask-index.ts, or a lower bound.
 * Input:    5,000 and 20,000 lines as an operator's program writes them: 69 % names with their dots escaped, 15 % with bare
 *           dots, 10 % globs, 5 % domains with all below, 1 % regular expressions that only the engine can take; 40,000 names in turn, of which the cache holds
 *           10,000, so that every one is new: a fifth each of names, names with bare dots, names with a port below a glob,
 *           strangers, and names for the engine.
 * Run:      npx vitest bench --run bench/whitelist-file.bench.ts   (alone on the machine, 5 times; a round is 1,000 names)
 * Last:     see bench/RESULTS.md: date, commit, CPU, Node; never numbers in this file.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, bench, describe } from "vitest";
import { RELOAD_CHECKS } from "../src/commands/config-checks.ts";
import { loadConfig } from "../src/config/load.ts";
import { createWhitelist, type Whitelist } from "../src/peer/whitelist.ts";

const ROUND = 1000;
const COLD_NAMES = 40_000;

const directory = mkdtempSync(join(tmpdir(), "fedtrace-bench-"));
afterAll(() => rmSync(directory, { recursive: true }));

function lineOf(index: number): string {
  if (index % 100 === 99) return `hs[0-9]+\\.corp${index}\\.example`;
  if (index % 20 < 14) return `hs${index}\\.example${index % 7}\\.org`;
  if (index % 20 < 17) return `matrix.server${index}.net`;
  return index % 20 < 19 ? `glob: *.net${index}.example.net` : `(.+\\.)?friends${index}\\.example`;
}

function nameOf(index: number, count: number): string {
  const entry = index % count;
  switch (index % 5) {
    case 0:
      return `hs${index}.example${index % 7}.org`;
    case 1:
      return `matrix.server${entry}.net`;
    case 2:
      return `cold${index}.net${entry}.example.net:8448`;
    case 3:
      return `cold${index}.stranger${index}.example`;
    default:
      return `hs${index}.corp${entry - (entry % 100) + 99}.example`;
  }
}

/** A config with a list of so many entries; 0: without one. */
function writeConfig(count: number): string {
  const path = join(directory, `${count}.yaml`);
  const list = count === 0 ? "" : `whitelist_file: ${count}.txt\n`;
  const inbound = "inbound: { listen: 127.0.0.1:0, upstream: http://127.0.0.1:1 }\n";
  writeFileSync(path, `server_name: own.test\n${inbound}${list}`);
  writeFileSync(
    join(directory, `${count}.txt`),
    Array.from({ length: count }, (_, index) => lineOf(index)).join("\n"),
  );
  return path;
}

async function load(path: string): Promise<Whitelist> {
  const loaded = await loadConfig(path, RELOAD_CHECKS, {});
  if (!loaded.ok) throw new Error(loaded.faults[0]?.message);
  const whitelist = await createWhitelist(loaded.config.whitelist);
  whitelist.warmUp();
  return whitelist;
}

for (const count of [0, 5000, 20_000]) {
  const path = writeConfig(count);
  const whitelist = await load(path);
  const cold = Array.from({ length: COLD_NAMES }, (_, index) => nameOf(index, count));
  let nextCold = 0;

  // What is timed must be right: each kind of entry names its own, and no entry the others.
  const names = [
    "hs0.example0.org",
    "matrixxserver14.net",
    "a.net17.example.net:1",
    "friends19.example",
    "hs7.corp99.example",
  ];
  const decided = names.map((name) => whitelist.decide(name).entry?.index);
  const expected = count === 0 ? names.map(() => undefined) : [0, 14, 17, 19, 99];
  if (decided.join() !== expected.join()) throw new Error(`decided ${decided.join()}`);
  if (whitelist.decide("hs0.example1.org").isWhitelisted) throw new Error("a stranger is whitelisted");

  describe(`whitelist_file, ${count} entries`, () => {
    bench("loaded", async () => void (await load(path)));
    bench("1,000 new names", () => {
      for (let asked = 0; asked < ROUND; asked++) {
        whitelist.decide(cold[nextCold] ?? "");
        nextCold = (nextCold + 1) % COLD_NAMES;
      }
    });
  });
}
