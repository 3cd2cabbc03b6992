/**
 * Entries of a whitelist that never decide, because earlier ones match all that they match. For `fedtrace check`.
 *
 * Only what is certain is told, and only what can be looked up (peer/mask-index.ts), so that a list of thousands takes
 * milliseconds: entries written twice, names that an earlier entry matches, ends of names within earlier ends, and whatever
 * follows an entry that matches every name. A class or a repeat within a wider one is not found.
 */

import { createMaskIndex, type MaskIndex } from "./mask-index.ts";
import { ANY, masksOf, type NameMask } from "./name-mask.ts";
import { compileUnion, type FirstMatch } from "./pattern.ts";
import type { WhitelistEntry } from "./whitelist.ts";

/** Something about one entry. */
interface Shadow {
  /** From 0. */
  readonly index: number;
  readonly message: string;
}

const EVERY_NAME: NameMask = { isOpen: true, text: ANY };

/** @param entries of which each passes checkPattern, and all of them checkUnion */
export async function findShadowed(entries: readonly WhitelistEntry[]): Promise<readonly Shadow[]> {
  const union = await compileUnion(entries);
  if ("faults" in union) return [];
  const table = createMaskIndex();
  const written = new Map<string, number>();
  const masks = entries.map((entry, index) => {
    const own = masksOf(entry);
    for (const mask of own ?? []) table.add(mask, index);
    const key = `${entry.kind} ${entry.text}`;
    if (!written.has(key)) written.set(key, index);
    return own;
  });

  const everybody = table.firstCover(EVERY_NAME);
  const shadows: Shadow[] = [];
  for (const [index, entry] of entries.entries()) {
    if (index > everybody) {
      shadows.push({ index, message: afterEverybody(entries, everybody) });
      break; // The same could be said of all that follow.
    }
    const again = written.get(`${entry.kind} ${entry.text}`) ?? index;
    const covers = again < index ? [again] : coversOf(masks[index], index, table, union.firstMatch);
    if (covers !== undefined) shadows.push({ index, message: behind(entry, covers, entries) });
  }
  return shadows;
}

/** The earlier entries that match what each mask matches; undefined: one of them matches something first. */
function coversOf(
  masks: readonly NameMask[] | undefined,
  index: number,
  table: MaskIndex,
  firstMatch: FirstMatch,
): readonly number[] | undefined {
  if (masks === undefined) return undefined;
  const covers = new Set<number>();
  for (const mask of masks) {
    // A name with a port is asked for without it too.
    const host: NameMask = { ...mask, text: mask.text.replace(/:\d+$/, "") };
    const cover = Math.min(...[mask, host].map((one) => firstCover(one, table, firstMatch)));
    if (cover >= index) return undefined;
    covers.add(cover);
  }
  return [...covers].sort((one, other) => one - other);
}

function firstCover(mask: NameMask, table: MaskIndex, firstMatch: FirstMatch): number {
  if (mask.text === "") return mask.isOpen ? table.firstCover(EVERY_NAME) : Infinity;
  if (mask.isOpen || mask.text.includes(ANY)) return table.firstCover(mask);
  const first = firstMatch(mask.text);
  return first === -1 ? Infinity : first;
}

function afterEverybody(entries: readonly WhitelistEntry[], index: number): string {
  return `never decides, nor does what follows: ${placeOf(entries, index)} comes first and matches every name`;
}

/** What an entry says about a peer. */
const SETTINGS: readonly (readonly [key: string, of: (entry: WhitelistEntry) => unknown])[] = [
  ["sampling", ({ sampling }) => sampling],
  [
    "forced_per_second",
    ({ sampling, forcedPerSecond }) => (sampling === "trust" ? forcedPerSecond : undefined),
  ],
  ["authenticate", ({ authenticate }) => authenticate],
];

function behind(
  entry: WhitelistEntry,
  covers: readonly number[],
  entries: readonly WhitelistEntry[],
): string {
  const others = covers.flatMap((index) => entries[index] ?? []);
  const lost = SETTINGS.filter(([, of]) => others.some((other) => of(other) !== of(entry))).map(
    ([key]) => key,
  );
  const places = covers.map((index) => placeOf(entries, index)).join(" and ");
  const [come, match, them] = covers.length === 1 ? ["comes", "matches", "it"] : ["come", "match", "them"];
  const first = `never decides: ${places} ${come} first and ${match} all that it does`;
  if (lost.length === 0) return `${first}; leave one of them out`;
  return `${first}, so that its ${lost.join(" and ")} counts for nothing; put it before ${them}`;
}

function placeOf(entries: readonly WhitelistEntry[], index: number): string {
  return entries[index]?.source ?? `whitelist[${index}]`;
}
