/**
 * Texts that a peer chose, cut into pieces that can be shown: what is invisible, or changes how its neighbours
 * read, becomes a mark with the character's code.
 *
 * Which characters: controls (Cc), bidi and other formats (Cf, https://www.unicode.org/reports/tr9/ and the attack
 * https://trojansource.codes/), line and paragraph separators, lone surrogates, and fillers that are drawn as nothing.
 * Spared: joiners inside an emoji. Right-to-left letters are letters; the component isolates the whole text.
 */

export interface TextPiece {
  readonly text: string;
  /** True: `text` is a code like `U+202E` that stands for one character. */
  readonly isMark: boolean;
}

/** Longer texts are cut, with a sign that they were: what peers choose is at most this long in a span. */
const TEXT_SHOWN_MAX = 2048;
/** A text that is nothing but marks would be eight times as long as it is. */
const MARKS_MAX = 200;

/** Nearly every text: not worth looking at each character's properties. */
const PLAIN = /^[\x20-\x7e]*$/;
const HIDDEN =
  /(?<!\p{Extended_Pictographic}\ufe0f?|\p{Emoji_Modifier})\u200d|\u200d(?!\p{Extended_Pictographic})|(?!\u200d)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu;

/** @param max length of what is shown @returns pieces that, put together, read as `text`; none for the empty text */
export function visiblePieces(text: string, max = TEXT_SHOWN_MAX): readonly TextPiece[] {
  const shown = text.length > max ? text.slice(0, max).replace(/[\ud800-\udbff]$/, "") : text;
  if (shown.length === text.length && PLAIN.test(text)) return text === "" ? [] : [{ text, isMark: false }];
  const pieces: TextPiece[] = [];
  let at = 0;
  let marks = 0;
  for (const match of shown.matchAll(HIDDEN)) {
    if (++marks > MARKS_MAX) break;
    if (match.index > at) pieces.push({ text: shown.slice(at, match.index), isMark: false });
    pieces.push({ text: codeOf(match[0]), isMark: true });
    at = match.index + match[0].length;
  }
  const isCut = shown.length < text.length || marks > MARKS_MAX;
  const rest = marks > MARKS_MAX ? "" : shown.slice(at);
  if (rest !== "" || isCut) pieces.push({ text: isCut ? `${rest}…` : rest, isMark: false });
  return pieces;
}

/** The same as plain text, for titles and labels: marks in brackets. */
export function visibleText(text: string, max = TEXT_SHOWN_MAX): string {
  return visiblePieces(text, max)
    .map(({ text: piece, isMark }) => (isMark ? `[${piece}]` : piece))
    .join("");
}

function codeOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}
