/**
 * Any text, lone surrogates too. fast-check's own unit "binary" is the same, but lists all of the 1.1 million code points in a
 * table first: a second of CPU in each process.
 */

import fc from "fast-check";

const codePoint = fc
  .oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0, max: 0x10_ffff }))
  .map((code) => String.fromCodePoint(code));

/** With fast-check's own strings among them, some of which are names that every object has. */
export function unicodeText(lengths: { minLength?: number; maxLength?: number } = {}): fc.Arbitrary<string> {
  return fc.oneof({ arbitrary: fc.string({ ...lengths, unit: codePoint }), weight: 4 }, fc.string(lengths));
}
