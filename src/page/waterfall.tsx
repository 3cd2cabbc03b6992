/**
 * A trace's spans as a tree over time: a treegrid with focus on rows, drawn a screen at a time.
 * https://www.w3.org/WAI/ARIA/apg/patterns/treegrid/
 */

import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Span, Trace } from "./jaeger-model.ts";
import { linearTicks, type Tick } from "./scale.ts";
import { type TreeRow, visibleRows } from "./span-tree.ts";
import { treeMove } from "./tree-keys.ts";
import { formatDuration } from "./format.ts";
import { useAwaitedFocus } from "./use-awaited-focus.ts";
import { useRowWindow } from "./use-row-window.ts";
import { WaterfallRow } from "./waterfall-row.tsx";

interface WaterfallProps {
  readonly trace: Trace;
  readonly rows: readonly TreeRow[];
  readonly colors: ReadonlyMap<string, string>;
  readonly chosen: Span | undefined;
  readonly onChoose: (span: Span | undefined) => void;
}

const TICKS = 5;

export function Waterfall({ trace, rows, colors, chosen, onChoose }: WaterfallProps): JSX.Element {
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const visible = useMemo(() => visibleRows(rows, collapsed), [rows, collapsed]);
  const { bodyRef, rowPx, shown, reveal } = useRowWindow(visible.length);
  const { focused, isWanted, focus } = useFocusedRow(rows, chosen);
  const focusDetail = useAwaitedFocus();
  const ticks = useMemo(() => linearTicks(trace.durationUs, TICKS), [trace.durationUs]);
  const part = visible.slice(shown.first, shown.end);
  const stop = part.includes(focused) ? focused : (part[0] ?? 0);

  useLayoutEffect(() => {
    if (!isWanted.current) return;
    const row = bodyRef.current?.querySelector<HTMLElement>(`[data-row="${focused}"]`);
    if (row === null || row === undefined) return;
    isWanted.current = false;
    row.focus({ preventScroll: true });
  });

  const toggle = (row: TreeRow, isOpen: boolean): void => {
    const next = new Set(collapsed);
    if (isOpen) next.delete(row.span.spanId);
    else next.add(row.span.spanId);
    setCollapsed(next);
  };

  const onKey = (event: KeyboardEvent, index: number): void => {
    const row = rows[index];
    if (row === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      onChoose(row.span);
      focusDetail(`#span-detail[data-span="${CSS.escape(row.span.spanId)}"]`);
      return;
    }
    const move = treeMove(event.key, { rows, visible, focused: index, collapsed });
    if (move === undefined) return;
    event.preventDefault();
    if ("focus" in move) {
      focus(move.focus);
      reveal(visible.indexOf(move.focus));
    } else toggle(row, "expand" in move);
  };

  return (
    <div
      class="waterfall"
      role="treegrid"
      aria-label="Spans of the trace"
      aria-rowcount={visible.length + 1}
      aria-colcount={2}
      style={{ "--row-height": `${rowPx}px` }}
    >
      <WaterfallAxis ticks={ticks} />
      <div class="waterfall-body" role="rowgroup" ref={bodyRef}>
        <div role="presentation" style={{ height: `${shown.first * rowPx}px` }} />
        {part.map((index, offset) => {
          const row = rows[index];
          return row === undefined ? null : (
            <WaterfallRow
              key={index}
              row={row}
              index={index}
              rowNumber={shown.first + offset + 2}
              trace={trace}
              ticks={ticks}
              color={colors.get(row.span.service) ?? ""}
              isCrossing={
                rows[row.parentIndex] !== undefined &&
                rows[row.parentIndex]?.span.service !== row.span.service
              }
              isOpen={!collapsed.has(row.span.spanId)}
              isChosen={row.span === chosen}
              isStop={index === stop}
              onKey={onKey}
              onChoose={() => {
                focus(index, false);
                onChoose(row.span === chosen ? undefined : row.span);
              }}
              onToggle={toggle}
            />
          );
        })}
        <div role="presentation" style={{ height: `${(visible.length - shown.end) * rowPx}px` }} />
      </div>
    </div>
  );
}

function WaterfallAxis({ ticks }: { readonly ticks: readonly Tick[] }): JSX.Element {
  return (
    <div class="waterfall-axis" role="row" aria-rowindex={1}>
      <span role="columnheader" class="axis-name">
        Span
      </span>
      <span role="columnheader" class="axis-time" aria-label="Time">
        {ticks.map(({ value, at }) => (
          <span key={value} class="axis-tick" style={{ left: `${at * 100}%` }}>
            {formatDuration(value)}
          </span>
        ))}
      </span>
    </div>
  );
}

interface FocusedRow {
  readonly focused: number;
  /** Whether the row takes the keyboard's focus when it is next drawn. */
  readonly isWanted: { current: boolean };
  readonly focus: (index: number, isWanted?: boolean) => void;
}

/** Found again by its id when a refresh moves it. */
function useFocusedRow(rows: readonly TreeRow[], chosen: Span | undefined): FocusedRow {
  const [at, setAt] = useState({ index: 0, spanId: chosen?.spanId ?? rows[0]?.span.spanId ?? "" });
  const isWanted = useRef(false);
  const isThere = rows[at.index]?.span.spanId === at.spanId;
  const focused = isThere
    ? at.index
    : Math.max(
        0,
        rows.findIndex(({ span }) => span.spanId === at.spanId),
      );
  return {
    focused,
    isWanted,
    focus(index, isWantedNow = true) {
      isWanted.current = isWantedNow;
      setAt({ index, spanId: rows[index]?.span.spanId ?? "" });
    },
  };
}
