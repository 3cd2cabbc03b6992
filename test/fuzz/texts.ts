/**
 * Generators of text as peers send it: pieces of a grammar, samples with damage, any bytes; and the ways to cut it.
 * Text is latin1, one character a byte. Everything shrinks: pieces are left out, damage is undone, cuts go.
 */

import fc from "fast-check";

/** Bytes on which parsers differ: line ends, separators, blanks, digits, controls, high bytes. */
const ODD_BYTES =
  '\r\n\r\n\r\n:: \t,;="#?/*@[]%\\.-+_' + "0123456789aAxXzZ" + "\x00\x01\x0b\x0c\x1f\x7f\x80\x85\xa0\xe9\xff";

/** Any byte, the odd ones most often. */
const byte: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: fc.constantFrom(...ODD_BYTES.split("")), weight: 3 },
  { arbitrary: fc.nat({ max: 255 }).map((code) => String.fromCharCode(code)), weight: 1 },
);

/** Up to `maxLength` bytes. */
export function anyBytes(maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: byte, maxLength });
}

/** Up to `maxLength` pieces, one after the other. */
export function piecesOf(pieces: readonly string[], maxLength: number): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom(...pieces), { maxLength }).map((chosen) => chosen.join(""));
}

/** Where damage goes: a place from 0 (the start) to 1, moved to the next separator where `isAtSeparator`. */
interface Edit {
  readonly place: number;
  readonly isAtSeparator: boolean;
  readonly removed: number;
  readonly put: string;
}

const PLACES = 10_000;

/**
 * The text of `base` with up to three pieces of damage.
 *
 * @param phrases what an attacker would put in as a whole, beside single bytes
 */
export function damaged(base: fc.Arbitrary<string>, phrases: readonly string[]): fc.Arbitrary<string> {
  const edit: fc.Arbitrary<Edit> = fc.record({
    place: fc.nat({ max: PLACES }),
    isAtSeparator: fc.boolean(),
    removed: fc.nat({ max: 3 }),
    put: fc.oneof(fc.constant(""), byte, fc.constantFrom(...phrases)),
  });
  return fc
    .tuple(base, fc.array(edit, { maxLength: 3 }))
    .map(([text, edits]) => edits.reduce(applyEdit, text));
}

function applyEdit(text: string, { place, isAtSeparator, removed, put }: Edit): string {
  const anywhere = Math.round((place / PLACES) * text.length);
  const next = isAtSeparator ? text.slice(anywhere).search(/[\r\n: ,;/="-]/) : -1;
  const at = next === -1 ? anywhere : anywhere + next;
  return text.slice(0, at) + put + text.slice(at + removed);
}

/** Where to cut a text, as `cutAt` reads it. */
export const cutPlaces: fc.Arbitrary<readonly number[]> = fc.array(fc.nat({ max: PLACES }), { maxLength: 6 });

/** The bytes of `text` in pieces, none of them empty. */
export function cutAt(text: string, places: readonly number[]): readonly Buffer[] {
  const bytes = Buffer.from(text, "latin1");
  const cuts = places.map((place) => Math.round((place / PLACES) * bytes.length)).sort((a, b) => a - b);
  return [0, ...cuts]
    .map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length))
    .filter((piece) => piece.length > 0);
}
