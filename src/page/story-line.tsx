/** A sentence about the border: a sign, the peer's own text for its name, and our words. */

import type { JSX } from "preact";
import type { BorderStory } from "./border-story.ts";
import { Icon } from "./icon.tsx";
import { Text } from "./text.tsx";

interface StoryLineProps {
  readonly story: BorderStory;
  /** Whose border it was, where a trace has several. */
  readonly at?: string;
}

export function StoryLine({ story, at }: StoryLineProps): JSX.Element {
  return (
    <p class={`story tone-${story.tone}`}>
      <Icon name={story.tone} />
      <span>
        {at !== undefined && (
          <span class="story-at">
            at <Text value={at} empty="(no service name)" max={60} />:{" "}
          </span>
        )}
        <b>{story.peer === undefined ? "A caller without a name" : <Text value={story.peer} max={120} />}</b>{" "}
        {story.sentence}.{story.proof !== "" && <span class="story-proof"> {story.proof}</span>}
      </span>
    </p>
  );
}
