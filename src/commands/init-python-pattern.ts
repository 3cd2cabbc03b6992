/**
 * From one entry of Synapse's `opentracing.homeserver_whitelist` to one of ours.
 *
 * Synapse joins its entries to `(a)|(b)` and asks Python's `re.match`: anchored at the start only, letter case counts, the
 * name has its port. Here an entry matches the whole name, case aside, with or without port, in RE2's syntax. So an
 * entry may admit less than it did, which is safe. It never admits more but by case and port, and then a doubt says so;
 * what the two engines read differently is not taken over (init-python-syntax.ts).
 *
 * Source: synapse/logging/opentracing.py (set_homeserver_whitelist).
 */

import { lintPattern } from "../peer/pattern-lint.ts";
import { checkPattern, type Pattern } from "../peer/pattern.ts";
import type { WhitelistLine } from "./init-draft.ts";
import { readPythonPattern } from "./init-python-syntax.ts";

/**
 * Instructions of all patterns that are compiled and tried, refused ones too: as many as the engine allows for a whole
 * whitelist, far above 1,000 usual entries (21,000). Without it 1,000 heavy ones take eight seconds.
 */
const WORK_MAX = 50_000;

/** Takes entries over one by one, as long as they are not too heavy together. */
export type TakeOver = (text: string) => Promise<WhitelistLine>;

/** @returns a function that never throws, whatever an entry is; a refused one is not usable */
export function createTakeOver(): TakeOver {
  let work = 0;
  return async (text) => {
    // `\Z` is Python's end of the text, where our patterns end anyway.
    const isEnded = /(?:^|[^\\])(?:\\\\)*\\Z$/.test(text);
    const pattern: Pattern = { kind: "regex", text: isEnded ? text.slice(0, -2) : text };
    const read = readPythonPattern(pattern.text);
    const isHeavy = work + read.size > WORK_MAX;
    if (!isHeavy) work += read.size;
    const refused = isHeavy ? heavyFault(read.size) : (checkPattern(pattern) ?? read.refused);
    if (refused !== undefined) return { pattern: { ...pattern, text }, doubts: [], refused };

    const doubts: string[] = [];
    if (isEnded) doubts.push("ended with \\Z, which is left out: a pattern always matches the whole name");
    if (isEnded || read.hasEnd) {
      doubts.push("admitted no port in Synapse, where its end was the name's; here it admits every port");
    }
    if (read.hasUpperCase) {
      doubts.push("has upper-case letters, which counted in Synapse; here letter case is aside");
    }
    return { pattern, doubts: [...doubts, ...(await lintPattern(pattern))] };
  };
}

function heavyFault(size: number): string {
  return `has about ${size} instructions, and ${WORK_MAX} are allowed for all entries together, so it was not tried: use smaller repeat counts or fewer entries`;
}
