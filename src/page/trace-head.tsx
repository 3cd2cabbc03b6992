/** What a trace was, in words: its root, its facts, and each thing that happened at the border. */

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { AskedLine } from "./asked-line.tsx";
import { ErrorBadge } from "./badge.tsx";
import { type BorderStory, borderStory } from "./border-story.ts";
import { CopyId } from "./copy-id.tsx";
import { formatCount, formatDate, formatDuration } from "./format.ts";
import type { Trace } from "./jaeger-model.ts";
import type { TreeRow } from "./span-tree.ts";
import { Continues } from "./peer-trace.tsx";
import { StoryLine } from "./story-line.tsx";
import { Text } from "./text.tsx";
import { askedOf, shortService } from "./trace-summary.ts";

interface TraceHeadProps {
  readonly trace: Trace;
  readonly rows: readonly TreeRow[];
  readonly colors: ReadonlyMap<string, string>;
}

/** More different sentences than this are read in the spans. */
const STORIES_MAX = 4;
/** Services in the legend. */
const SERVICES_MAX = 12;

export function TraceHead({ trace, rows, colors }: TraceHeadProps): JSX.Element {
  const root = rows[0]?.span;
  const errors = trace.spans.filter(({ isError }) => isError).length;
  const stories = useMemo(() => distinctStories(trace), [trace]);
  const services = [...colors];
  return (
    <header class="trace-head">
      <p class="crumb">
        <a href="#/search">Traces</a> <span aria-hidden="true">/</span> <CopyId id={trace.traceId} />
      </p>
      <h1>
        <Text value={root?.name ?? ""} empty="(no name)" max={200} />
      </h1>
      <p class="trace-head-asked">
        <AskedLine asked={askedOf(root)} service={root?.service ?? ""} />
      </p>
      <ul class="facts">
        <li>
          <b>{formatDuration(trace.durationUs)}</b>
        </li>
        <li>{formatCount(trace.spans.length, "span")}</li>
        <li>{formatDate(trace.startUs / 1000)}</li>
        {errors > 0 && (
          <li>
            <ErrorBadge count={errors} />
          </li>
        )}
      </ul>
      <Continues trace={trace} />
      {stories.length > 0 && (
        <ul class="stories" aria-label="At the border">
          {stories.slice(0, STORIES_MAX).map(({ story, service }, index) => (
            <li key={index}>
              <StoryLine story={story} {...(colors.size > 1 ? { at: shortService(service) } : {})} />
            </li>
          ))}
        </ul>
      )}
      <ul class="services" aria-label="Services">
        {services.slice(0, SERVICES_MAX).map(([service, color]) => (
          <li key={service}>
            <span class={`service-dot ${color}`} aria-hidden="true" />
            <Text value={shortService(service)} empty="(no service name)" />
          </li>
        ))}
        {services.length > SERVICES_MAX && <li>and {services.length - SERVICES_MAX} more</li>}
      </ul>
    </header>
  );
}

const TONE_ORDER = ["stopped", "refused", "crossed", "quiet"] as const;

/** A sentence, and the service at whose border it happened. */
interface PlacedStory {
  readonly story: BorderStory;
  readonly service: string;
}

/** Each sentence once, those that stop something first, then as they happened. */
function distinctStories(trace: Trace): readonly PlacedStory[] {
  const stories = new Map<string, PlacedStory>();
  for (const span of [...trace.spans].sort((left, right) => left.startUs - right.startUs)) {
    const story = borderStory(span);
    if (story === undefined) continue;
    const key = JSON.stringify([span.service, story.direction, story.peer, story.sentence]);
    if (!stories.has(key)) stories.set(key, { story, service: span.service });
  }
  return [...stories.values()].sort(
    (left, right) => TONE_ORDER.indexOf(left.story.tone) - TONE_ORDER.indexOf(right.story.tone),
  );
}
