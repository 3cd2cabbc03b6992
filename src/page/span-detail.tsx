/** The chosen span: the border in plain words first, then everything that was recorded. */

import type { ComponentChildren, JSX } from "preact";
import { AttributeList } from "./attribute-list.tsx";
import { borderStory } from "./border-story.ts";
import { formatDuration } from "./format.ts";
import { formatHash } from "./hash-route.ts";
import { Icon } from "./icon.tsx";
import { type Attribute, attributeOf, type Span, type Trace } from "./jaeger-model.ts";
import { KnownAs } from "./peer-trace.tsx";
import { peerTraceIdOf } from "./peer-traces.ts";
import { samplingStory } from "./sampling-story.ts";
import { StoryLine } from "./story-line.tsx";
import { Text } from "./text.tsx";

interface SpanDetailProps {
  readonly trace: Trace;
  readonly span: Span;
  readonly color: string;
  readonly onClose: () => void;
}

export function SpanDetail({ trace, span, color, onClose }: SpanDetailProps): JSX.Element {
  const story = borderStory(span);
  const sampling = samplingStory(span);
  const border = span.attributes.filter(isBorder);
  const others = span.attributes.filter((attribute) => !isBorder(attribute));
  const error = attributeOf(span, "error.type");
  return (
    <aside class="detail" id="span-detail" data-span={span.spanId} tabIndex={-1} aria-label="The chosen span">
      <button
        type="button"
        class="detail-close"
        aria-label="Close (Escape)"
        title="Close (Escape)"
        onClick={onClose}
      >
        <Icon name="close" />
      </button>
      <p class="detail-service">
        <span class={`service-dot ${color}`} aria-hidden="true" />
        <Text value={span.service} empty="(no service name)" max={120} />
      </p>
      <h2>
        <Text value={span.name} empty="(no name)" max={200} />
      </h2>
      <p class="detail-time">
        <b>{formatDuration(span.durationUs)}</b>, {formatDuration(span.startUs - trace.startUs)} after the
        trace’s start
      </p>
      {story !== undefined && <StoryLine story={story} />}
      {sampling !== undefined && <p class="detail-time">{sampling}</p>}
      {span.isError && (
        <p class="story tone-error">
          <Icon name="error" />
          <span>
            <b>Failed</b>
            {error !== undefined && (
              <>
                {": "}
                <Text value={String(error)} />
              </>
            )}
          </span>
        </p>
      )}
      {span.warnings.map((warning, index) => (
        <p key={index} class="story tone-refused">
          <Icon name="refused" />
          <Text value={warning} />
        </p>
      ))}
      <KnownAs span={span} />
      <Links span={span} />
      <Part title="Border" attributes={border} />
      <Part title="Attributes" attributes={others} />
      <Events trace={trace} span={span} />
      <Part title="Process" attributes={span.process} isSearchable={false} />
      <Section title="Ids">
        <AttributeList
          isSearchable={false}
          attributes={[
            { key: "span", value: span.spanId },
            ...(span.parentId === undefined ? [] : [{ key: "parent", value: span.parentId }]),
            { key: "trace", value: trace.traceId },
          ]}
        />
      </Section>
    </aside>
  );
}

function isBorder({ key }: Attribute): boolean {
  return key.startsWith("fedtrace.");
}

function Section({
  title,
  children,
}: {
  readonly title: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <section class="detail-part">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

interface PartProps {
  readonly title: string;
  readonly attributes: readonly Attribute[];
  readonly isSearchable?: boolean;
}

function Part({ title, attributes, isSearchable = true }: PartProps): JSX.Element | null {
  if (attributes.length === 0) return null;
  return (
    <Section title={title}>
      <AttributeList attributes={attributes} isSearchable={isSearchable} />
    </Section>
  );
}

function Links({ span }: { readonly span: Span }): JSX.Element | null {
  const shown = peerTraceIdOf(span);
  const links = span.links.filter(({ traceId }) => traceId !== shown);
  if (links.length === 0) return null;
  return (
    <Section title="Links">
      <ul class="links">
        {links.map(({ traceId, spanId }, index) => (
          <li key={index}>
            <Icon name="link" />
            <a
              href={formatHash({
                view: "trace",
                traceId: encodeURIComponent(traceId),
                spanId: encodeURIComponent(spanId),
              })}
            >
              <Text value={traceId} />
            </a>{" "}
            <span class="muted">
              span <Text value={spanId} />
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Events({ trace, span }: { readonly trace: Trace; readonly span: Span }): JSX.Element | null {
  if (span.events.length === 0) return null;
  return (
    <Section title="Events">
      <ol class="events">
        {span.events.map(({ unixUs, fields }, index) => (
          <li key={index}>
            <span class="muted">after {formatDuration(unixUs - trace.startUs)}</span>
            <AttributeList attributes={fields} isSearchable={false} />
          </li>
        ))}
      </ol>
    </Section>
  );
}
