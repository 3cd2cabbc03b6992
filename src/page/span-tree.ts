/**
 * Spans as rows of a tree, parents before children, siblings by start.
 *
 * Who is whose parent is what peers wrote: parents may be missing, be in a circle, or be there twice. Every span is
 * shown once, whatever they say, and no depth overflows the stack.
 */

import type { Span } from "./jaeger-model.ts";

export interface TreeRow {
  readonly span: Span;
  /** 1 for roots, as in `aria-level`. */
  readonly level: number;
  /** Position among its siblings from 1, and how many they are. */
  readonly position: number;
  readonly siblings: number;
  /** Direct ones. */
  readonly children: number;
  /** All below it. */
  readonly descendants: number;
  /** Index of the parent's row; -1 for roots. */
  readonly parentIndex: number;
  /** The parent is named, but is not among the spans: not here yet, dropped, or on another server. */
  readonly isOrphan: boolean;
}

/** @returns every span once */
export function createTree(spans: readonly Span[]): readonly TreeRow[] {
  const childrenOf = new Map<Span, Span[]>();
  const roots: Span[] = [];
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  for (const span of spans) {
    const parent = byId.get(span.parentId ?? "");
    const siblings = parent === undefined || parent === span ? roots : childrenOf.get(parent);
    if (siblings !== undefined) siblings.push(span);
    else if (parent !== undefined) childrenOf.set(parent, [span]);
  }
  const rows: MutableRow[] = [];
  const seen = new Set<Span>();
  walk({ starts: roots, childrenOf, rows, seen, byId });
  // Only spans in a circle are left: the earliest becomes a root, and breaks it.
  for (const span of byStart(spans)) {
    if (!seen.has(span)) walk({ starts: [span], childrenOf, rows, seen, byId });
  }
  for (let index = rows.length - 1; index >= 0; index--) {
    const parent = rows[rows[index]?.parentIndex ?? -1];
    if (parent !== undefined) parent.descendants += 1 + (rows[index]?.descendants ?? 0);
  }
  return rows;
}

type MutableRow = { -readonly [Key in keyof TreeRow]: TreeRow[Key] };

interface Walk {
  readonly starts: readonly Span[];
  readonly childrenOf: ReadonlyMap<Span, readonly Span[]>;
  readonly rows: MutableRow[];
  readonly seen: Set<Span>;
  readonly byId: ReadonlyMap<string, Span>;
}

interface Visit {
  readonly span: Span;
  readonly parentIndex: number;
  readonly position: number;
  readonly siblings: number;
}

function walk({ starts, childrenOf, rows, seen, byId }: Walk): void {
  const stack = visitsOf(starts, -1);
  for (let visit = stack.pop(); visit !== undefined; visit = stack.pop()) {
    const { span, parentIndex, position, siblings } = visit;
    seen.add(span);
    const children = (childrenOf.get(span) ?? []).filter((child) => !seen.has(child));
    rows.push({
      span,
      level: (rows[parentIndex]?.level ?? 0) + 1,
      position,
      siblings,
      children: children.length,
      descendants: 0,
      parentIndex,
      isOrphan: span.parentId !== undefined && !byId.has(span.parentId),
    });
    stack.push(...visitsOf(children, rows.length - 1));
  }
}

/** Last first: a stack is taken from its end. */
function visitsOf(spans: readonly Span[], parentIndex: number): Visit[] {
  return byStart(spans)
    .map((span, index) => ({ span, parentIndex, position: index + 1, siblings: spans.length }))
    .reverse();
}

function byStart(spans: readonly Span[]): readonly Span[] {
  return [...spans].sort((left, right) => left.startUs - right.startUs);
}

/** @param collapsed ids of spans whose children are hidden @returns indexes into `rows`, in order */
export function visibleRows(rows: readonly TreeRow[], collapsed: ReadonlySet<string>): readonly number[] {
  const visible: number[] = [];
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index];
    if (row === undefined) break;
    visible.push(index);
    if (collapsed.has(row.span.spanId)) index += row.descendants;
  }
  return visible;
}
