/** A text that somebody else chose: isolated from its surroundings, and what is invisible in it made visible. */

import type { JSX } from "preact";
import { visiblePieces } from "./visible-text.ts";

interface TextProps {
  readonly value: string;
  /** Shown for the empty text. */
  readonly empty?: string;
  /** Where it stands in a sentence or a heading: longer ones are cut. */
  readonly max?: number;
}

export function Text({ value, empty = "(empty)", max }: TextProps): JSX.Element {
  if (value === "") return <span class="text-empty">{empty}</span>;
  const pieces = visiblePieces(value, max);
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined && !first.isMark) return <bdi>{first.text}</bdi>;
  return (
    <bdi>
      {pieces.map(({ text, isMark }) =>
        isMark ? (
          <span class="text-mark" title="An invisible or control character, shown by its code">
            {text}
          </span>
        ) : (
          text
        ),
      )}
    </bdi>
  );
}
