/**
 * From one entry of Synapse's `opentracing.homeserver_whitelist` to one of ours.
 *
 * Synapse joins its entries to `(a)|(b)` and asks Python's `re.match`: anchored at the start only, letter case counts, the
 * name has its port. Here an entry matches the whole name, case aside, with or without port, in RE2's syntax. So an
 * entry may admit less than it did, which is safe; what Python reads otherwise than RE2 is not taken over.
 *
 * Source: synapse/logging/opentracing.py (set_homeserver_whitelist), https://docs.python.org/3/library/re.html#regular-expression-syntax
 */

import { lintPattern } from "../peer/pattern-lint.ts";
import { checkPattern, type Pattern } from "../peer/pattern.ts";
import type { WhitelistLine } from "./init-draft.ts";

/** What both engines accept and read differently. */
const READ_OTHERWISE: readonly (readonly [form: RegExp, reason: string])[] = [
  [/\{,\d+\}/, "Python reads {,3} as {0,3}, and here it stands for itself: write {0,3}"],
  [/\(\?[a-zA-Z]*x/, "comments and (?x) are not known: put comments into the YAML"],
];

/** @param text as the Synapse config has it. Never throws, whatever it is. */
export async function fromPython(text: string): Promise<WhitelistLine> {
  const doubts: string[] = [];
  // `\Z` is Python's end of the text, where our patterns end anyway.
  const isEnded = /(?:^|[^\\])(?:\\\\)*\\Z$/.test(text);
  const pattern: Pattern = { kind: "regex", text: isEnded ? text.slice(0, -2) : text };
  if (isEnded) doubts.push("ended with \\Z, which is left out: a pattern always matches the whole name");

  const bare = pattern.text.replaceAll(/\\./gs, "");
  const refused = READ_OTHERWISE.find(([form]) => form.test(bare))?.[1] ?? checkPattern(pattern);
  if (refused !== undefined) return { pattern: { ...pattern, text }, doubts: [], refused };

  if (/[A-Z]/.test(bare.replaceAll(/\(\?[^)]*\)|\(\?P?<\w+>/g, ""))) {
    doubts.push("has upper-case letters, which counted in Synapse; here letter case is aside");
  }
  return { pattern, doubts: [...doubts, ...(await lintPattern(pattern))] };
}
