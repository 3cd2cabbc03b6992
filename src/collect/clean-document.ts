/**
 * A stranger's JSON as an object that may be kept: its depth, keys, texts and numbers are bounded, and no text of it can
 * turn the lines around it (controls and bidi formats are taken out). Keys that nobody here knows stay, since senders grow.
 *
 * Keys begin with a letter: `__proto__` is refused, and `constructor` is a key like others, which nobody here asks for.
 */

import type { Read } from "./report.ts";

export type CleanValue = null | boolean | number | string | readonly CleanValue[] | CleanObject;

export interface CleanObject {
  readonly [key: string]: CleanValue;
}

/** Ours has three: the document, a group, the figures of one of its keys. */
const DEPTH_MAX = 4;
/** Of all objects together, elements of lists included. Synapse has 40, and one more for each kind of user and client. */
const KEYS_MAX = 256;
const KEY = /^[a-z][a-z0-9_]{0,63}$/;
/** A database's version, of what stands in reports the longest, has some 120. */
const TEXT_LENGTH_MAX = 512;
/** Beyond it whole numbers are no more exact. */
const NUMBER_MAX = 2 ** 53;
/** Controls, formats, lone surrogates, and both separators that break lines. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu;

/** As nearly all are. */
const PLAIN = /^[!-~](?:[ -~]*[!-~])?$/;

class OutOfBounds extends Error {
  readonly word: string;

  constructor(word: string, sentence: string) {
    super(sentence);
    this.word = word;
  }
}

/** @param object as JSON.parse made it */
export function cleanDocument(object: object): Read<CleanObject> {
  let keys = 0;

  function count(): void {
    keys += 1;
    if (keys > KEYS_MAX) throw new OutOfBounds("keys", `the document has more than ${KEYS_MAX} keys`);
  }

  function cleanObject(from: object, path: readonly string[]): CleanObject {
    const clean: Record<string, CleanValue> = {};
    for (const [key, value] of Object.entries(from)) {
      count();
      if (!KEY.test(key)) {
        const allowed = "a small letter, then at most 63 small letters, digits and _";
        throw new OutOfBounds("key", `${placeOf(path)} has a key of another form; allowed is ${allowed}`);
      }
      clean[key] = cleanValue(value, [...path, key]);
    }
    return clean;
  }

  function cleanValue(value: unknown, path: readonly string[]): CleanValue {
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "number") return cleanNumber(value, path);
    if (typeof value === "string") return cleanText(value, path);
    if (path.length >= DEPTH_MAX)
      throw new OutOfBounds("depth", `${placeOf(path)} is nested deeper than ${DEPTH_MAX} levels`);
    if (!Array.isArray(value)) return cleanObject(value as object, path);
    return value.map((element: unknown, index) => {
      count();
      return cleanValue(element, [...path, String(index)]);
    });
  }

  try {
    return { value: cleanObject(object, []) };
  } catch (error) {
    if (!(error instanceof OutOfBounds)) throw error;
    return { refused: { word: error.word, code: "REPORT_MALFORMED", sentence: error.message } };
  }
}

function cleanNumber(value: number, path: readonly string[]): number {
  if (Math.abs(value) <= NUMBER_MAX) return value;
  throw new OutOfBounds("number", `${placeOf(path)} is a number beyond 2^53 from zero`);
}

function cleanText(value: string, path: readonly string[]): string {
  if (value.length > TEXT_LENGTH_MAX)
    throw new OutOfBounds("text", `${placeOf(path)} is a text of more than ${TEXT_LENGTH_MAX} characters`);
  // A name is refused for what is taken out of others, not made another's (report.ts).
  if (PLAIN.test(value) || (path.length === 1 && path[0] === "homeserver")) return value;
  return value.replaceAll(UNSEEN, "").trim();
}

/** Made of checked keys and indices alone. */
function placeOf(path: readonly string[]): string {
  return path.length === 0 ? "the document" : path.join(".");
}
