/**
 * The one whitelist entry that takes the border away: one that admits every server, by mistake or because its line was cut
 * off (`.*` of `.*\.friends\.example`). It is looked for at every start and reload, so it must be cheap: a list of 20,000
 * names takes some milliseconds, and the engine is only asked about patterns that could end as a stranger's name does.
 *
 * Not here: all else that is doubtful about a pattern (pattern-lint.ts), which takes too long for a reload.
 */

import { fits, masksOf, type NameMask } from "./name-mask.ts";
import { tailOf } from "./pattern-tail.ts";
import { compilePattern, type Pattern, toRegex } from "./pattern.ts";

/** A list that admits both was meant for everybody: the domains are reserved (RFC 2606), nobody lists them. */
export const STRANGERS = ["stranger.invalid", "nobody.test"] as const;

/** What there is to say of an entry that admits all STRANGERS. */
export const ADMITS_EVERYBODY = `admits every server, ${STRANGERS[0]} too`;

/**
 * Ends in one character that stands for itself, and STRANGERS in two: no more needs to be known of most entries. Three
 * without a backslash, so that the last is no part of `\pL` or `\E`; alternatives and braces may hold another end.
 */
const ENDS_AS_WRITTEN = /^[^|{]*[0-9a-z-]{3}$/i;

/**
 * @param patterns of which each passes checkPattern
 * @returns the first that alone admits every server, from 0; none, or one: the others would change nothing
 */
export async function findEverybody(
  patterns: readonly Pattern[],
): Promise<readonly { readonly index: number; readonly message: string }[]> {
  for (const [index, pattern] of patterns.entries()) {
    if (ENDS_AS_WRITTEN.test(pattern.text)) continue;
    const masks = masksOf(pattern);
    const admits =
      masks === undefined ? await engineAdmits(pattern) : STRANGERS.every((name) => isFitted(masks, name));
    if (admits) return [{ index, message: ADMITS_EVERYBODY }];
  }
  return [];
}

function isFitted(masks: readonly NameMask[], name: string): boolean {
  return masks.some((mask) => fits(mask, name));
}

async function engineAdmits(pattern: Pattern): Promise<boolean> {
  const regex = await toRegex(pattern);
  const tail = tailOf(regex);
  // Compiling takes a millisecond, and nearly every pattern says how its names end.
  return STRANGERS.every((name) => fits(tail, name)) && STRANGERS.every(compilePattern(regex));
}
