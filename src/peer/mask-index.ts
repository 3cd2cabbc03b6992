/**
 * Many masks (peer/name-mask.ts), and which is the first that matches a name.
 *
 * Names without a wildcard are keys of a Map. All others stand in trees of their characters, ends of names from their last
 * one on; where a tree has a wildcard, both branches are followed. So a look-up takes about as many steps as the name has
 * characters, and at worst as many as the masks have. Not here: which patterns are masks.
 */

import { ANY, type NameMask } from "./name-mask.ts";

export interface MaskIndex {
  /** @param order where its pattern stands in the list; of equal masks the first counts */
  add(mask: NameMask, order: number): void;
  /**
   * @param name of parseServerName
   * @returns the order of the first pattern that matches; Infinity: none does
   */
  firstMatch(name: string): number;
  /** The order of the first pattern of which one mask matches all that this one matches; Infinity: none is known to. */
  firstCover(mask: NameMask): number;
}

export function createMaskIndex(): MaskIndex {
  const names = new Map<string, number>();
  const wholes = createMaskTree(true);
  const ends = createMaskTree(false);

  return {
    add({ isOpen, text }, order) {
      if (isOpen) ends.add(reverse(text), order);
      else if (text.includes(ANY)) wholes.add(text, order);
      else if (!names.has(text)) names.set(text, order);
    },
    firstMatch(name) {
      const byName = names.get(name) ?? Infinity;
      return Math.min(byName, wholes.first(name), ends.first(name));
    },
    // A wildcard of the text that is looked up is a character that only a wildcard matches.
    firstCover({ isOpen, text }) {
      const byEnd = ends.first(text);
      return isOpen ? byEnd : Math.min(byEnd, names.get(text) ?? Infinity, wholes.first(text));
    },
  };
}

function reverse(text: string): string {
  let reversed = "";
  for (let at = text.length - 1; at >= 0; at--) reversed += text[at] ?? "";
  return reversed;
}

/** A run of characters that masks have in common, and how they go on. */
interface Branch {
  text: string;
  /** Of the mask that ends here; Infinity: none does. */
  order: number;
  /** By their first character. */
  next: Map<number, Branch> | undefined;
}

interface MaskTree {
  add(text: string, order: number): void;
  first(name: string): number;
}

const ANY_CODE = ANY.charCodeAt(0);

/** @param isWhole true: a name ends where the mask does; false: texts are reversed, and are the ends of names */
function createMaskTree(isWhole: boolean): MaskTree {
  const root: Branch = { text: "", order: Infinity, next: undefined };

  function first(name: string, from: Branch, done: number): number {
    const length = name.length;
    let [branch, at, least] = [from, done, Infinity];
    for (;;) {
      const { text, next } = branch;
      if (at + text.length > length) return least;
      for (let step = 0; step < text.length; step++, at++) {
        const code = text.charCodeAt(step);
        if (code !== ANY_CODE && code !== name.charCodeAt(isWhole ? at : length - 1 - at)) return least;
      }
      if (branch.order < least && (!isWhole || at === length)) least = branch.order;
      if (next === undefined || at === length) return least;
      const code = name.charCodeAt(isWhole ? at : length - 1 - at);
      const byWildcard = code === ANY_CODE ? undefined : next.get(ANY_CODE);
      if (byWildcard !== undefined) least = Math.min(least, first(name, byWildcard, at));
      const goesOn = next.get(code);
      if (goesOn === undefined) return least;
      branch = goesOn;
    }
  }

  return {
    add: (text, order) => insert(root, text, order),
    first: (name) => first(name, root, 0),
  };
}

/** @param root of a tree: its own text is empty */
function insert(root: Branch, mask: string, order: number): void {
  let branch = root;
  let at = 0;
  for (;;) {
    const { text } = branch;
    let common = 0;
    while (common < text.length && text[common] === mask[at + common]) common++;
    if (common < text.length) split(branch, common);
    at += common;
    if (at === mask.length) {
      branch.order = Math.min(branch.order, order);
      return;
    }
    branch.next ??= new Map();
    const code = mask.charCodeAt(at);
    const goesOn = branch.next.get(code);
    if (goesOn === undefined) {
      branch.next.set(code, { text: mask.slice(at), order, next: undefined });
      return;
    }
    branch = goesOn;
  }
}

/** What follows `length` characters becomes a branch of its own. */
function split(branch: Branch, length: number): void {
  const { text, order, next } = branch;
  branch.text = text.slice(0, length);
  branch.order = Infinity;
  branch.next = new Map([[text.charCodeAt(length), { text: text.slice(length), order, next }]]);
}
