/** One span: its place in the tree, its name and what matters of it, and its bar. */

import type { JSX } from "preact";
import { borderStory } from "./border-story.ts";
import { TONE_WORDS } from "./badge.tsx";
import { formatDuration } from "./format.ts";
import { Icon } from "./icon.tsx";
import { attributeOf, type Trace } from "./jaeger-model.ts";
import type { Tick } from "./scale.ts";
import type { TreeRow } from "./span-tree.ts";
import { Text } from "./text.tsx";
import { shortService } from "./trace-summary.ts";

interface WaterfallRowProps {
  readonly row: TreeRow;
  readonly index: number;
  readonly rowNumber: number;
  readonly trace: Trace;
  readonly ticks: readonly Tick[];
  readonly color: string;
  /** The parent is another server's: the border lies between. */
  readonly isCrossing: boolean;
  readonly isOpen: boolean;
  readonly isChosen: boolean;
  readonly isStop: boolean;
  readonly onKey: (event: KeyboardEvent, index: number) => void;
  readonly onChoose: () => void;
  readonly onToggle: (row: TreeRow, isOpen: boolean) => void;
}

/** Deeper levels are not drawn further right: a name needs its room. */
const INDENT_LEVELS_MAX = 10;

export function WaterfallRow(props: WaterfallRowProps): JSX.Element {
  const { row, index, isChosen, isCrossing, isOpen } = props;
  const { span } = row;
  const classes = ["row"];
  if (isChosen) classes.push("is-chosen");
  if (isCrossing) classes.push("is-crossing");
  if (span.isError) classes.push("is-error");
  return (
    <div
      class={classes.join(" ")}
      role="row"
      data-row={index}
      tabIndex={props.isStop ? 0 : -1}
      aria-level={row.level}
      aria-posinset={row.position}
      aria-setsize={row.siblings}
      aria-rowindex={props.rowNumber}
      aria-selected={isChosen}
      aria-expanded={row.children > 0 ? isOpen : undefined}
      onClick={props.onChoose}
      onKeyDown={(event) => props.onKey(event, index)}
    >
      <NameCell {...props} />
      <TimeCell {...props} />
    </div>
  );
}

function NameCell({ row, color, isOpen, onToggle }: WaterfallRowProps): JSX.Element {
  const { span } = row;
  const story = borderStory(span);
  const status = attributeOf(span, "http.response.status_code");
  const indent = Math.min(row.level - 1, INDENT_LEVELS_MAX);
  return (
    <span role="gridcell" class="cell-name">
      <span class="indent" style={{ "--indent": indent }} aria-hidden="true" />
      {row.children > 0 ? (
        <span
          class={isOpen ? "twisty is-open" : "twisty"}
          aria-hidden="true"
          onClick={(event) => {
            event.stopPropagation();
            onToggle(row, !isOpen);
          }}
        >
          <Icon name="chevron" />
          {!isOpen && <span class="twisty-count">{row.descendants}</span>}
        </span>
      ) : (
        <span class="twisty is-leaf" aria-hidden="true" />
      )}
      <span class={`service-dot ${color}`} aria-hidden="true" />
      <span class="span-service">
        <Text value={shortService(span.service)} empty="(no service)" />
      </span>
      <span class="span-name">
        <Text value={span.name} empty="(no name)" />
      </span>
      {row.isOrphan && (
        <span
          class="span-note"
          title="Its parent is not in this store: it began on another server, or is still open"
        >
          from outside
        </span>
      )}
      {story !== undefined && story.tone !== "quiet" && (
        <span class={`span-sign tone-${story.tone}`} title={TONE_WORDS[story.tone].why}>
          <Icon name={story.tone} />
          <span class="hidden">{TONE_WORDS[story.tone].word}</span>
        </span>
      )}
      {span.isError && (
        <span class="span-sign tone-error" title="Failed">
          <Icon name="error" />
          <span class="hidden">error</span>
        </span>
      )}
      {status !== undefined && <span class="span-status">{String(status).slice(0, 8)}</span>}
    </span>
  );
}

function TimeCell({ row, trace, ticks, color }: WaterfallRowProps): JSX.Element {
  const { span } = row;
  const total = Math.max(1, trace.durationUs);
  const left = ((span.startUs - trace.startUs) / total) * 100;
  const width = (span.durationUs / total) * 100;
  return (
    <span role="gridcell" class="cell-time">
      {ticks.slice(1).map(({ value, at }) => (
        <span key={value} class="tick" style={{ left: `${at * 100}%` }} aria-hidden="true" />
      ))}
      <span class={`bar ${color}`} style={{ left: `${left}%`, width: `${width}%` }} />
      <span class="bar-label" style={{ left: `${left + width}%` }}>
        {formatDuration(span.durationUs)}
      </span>
    </span>
  );
}
