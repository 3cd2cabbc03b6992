/** A stranger's text in a narrow place: on one line, cut at its end, the whole of it in the title. */

import type { JSX } from "preact";
import { Text } from "../page/text.tsx";
import { visibleText } from "../page/visible-text.ts";

/** More than a line of a table holds; the stylesheet cuts to what fits. */
const SHOWN_MAX = 80;

interface LongTextProps {
  readonly value: string;
  readonly empty?: string;
}

export function LongText({ value, empty = "(empty)" }: LongTextProps): JSX.Element {
  return (
    <span class="long-text" title={value === "" ? undefined : visibleText(value)}>
      <Text value={value} empty={empty} max={SHOWN_MAX} />
    </span>
  );
}
