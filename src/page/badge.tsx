/** A small sign of what the border did, by shape and word, not by colour alone. */

import type { JSX } from "preact";
import type { BorderTone } from "./border-story.ts";
import { Icon } from "./icon.tsx";

export const TONE_WORDS: Readonly<Record<BorderTone, { readonly word: string; readonly why: string }>> = {
  crossed: { word: "crossed", why: "Trace context went over the border, to or from a whitelisted server." },
  stopped: { word: "stopped", why: "Not whitelisted or not proven: no trace context went over the border." },
  refused: {
    word: "malformed",
    why: "A whitelisted server's context was malformed, or its trace full, and was not taken.",
  },
  quiet: { word: "no context", why: "No trace context was sent." },
};

export function BorderBadge({ tone }: { readonly tone: BorderTone }): JSX.Element {
  const { word, why } = TONE_WORDS[tone];
  return (
    <span class={`badge tone-${tone}`} title={why}>
      <Icon name={tone} />
      {word}
    </span>
  );
}

export function ErrorBadge({ count }: { readonly count: number }): JSX.Element {
  return (
    <span class="badge tone-error">
      <Icon name="error" />
      {count === 1 ? "1 error" : `${count} errors`}
    </span>
  );
}
