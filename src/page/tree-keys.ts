/**
 * Arrow keys of the waterfall: the treegrid pattern with focus on rows
 * (https://www.w3.org/WAI/ARIA/apg/patterns/treegrid/). Not here: Enter and Escape, which are the view's.
 */

import type { TreeRow } from "./span-tree.ts";

export interface TreeState {
  readonly rows: readonly TreeRow[];
  /** Indexes into `rows`, from `visibleRows`. */
  readonly visible: readonly number[];
  /** The focused row, as an index into `rows`. */
  readonly focused: number;
  /** Ids of spans. */
  readonly collapsed: ReadonlySet<string>;
}

export type TreeMove =
  { readonly focus: number } | { readonly collapse: number } | { readonly expand: number };

/** Rows that a page key jumps over. */
const PAGE_ROWS = 20;

/** @returns undefined for keys that do nothing here, at the edges too */
export function treeMove(key: string, state: TreeState): TreeMove | undefined {
  const { rows, visible, focused, collapsed } = state;
  const row = rows[focused];
  if (row === undefined) return undefined;
  const isCollapsed = collapsed.has(row.span.spanId);
  const at = visible.indexOf(focused);
  const jump = (to: number): TreeMove | undefined => {
    const target = visible[Math.max(0, Math.min(visible.length - 1, to))];
    return target === undefined || target === focused ? undefined : { focus: target };
  };
  switch (key) {
    case "ArrowDown":
      return jump(at + 1);
    case "ArrowUp":
      return jump(at - 1);
    case "PageDown":
      return jump(at + PAGE_ROWS);
    case "PageUp":
      return jump(at - PAGE_ROWS);
    case "Home":
      return jump(0);
    case "End":
      return jump(visible.length - 1);
    case "ArrowRight":
      if (row.children === 0) return undefined;
      return isCollapsed ? { expand: focused } : { focus: focused + 1 };
    case "ArrowLeft":
      if (row.children > 0 && !isCollapsed) return { collapse: focused };
      return row.parentIndex < 0 ? undefined : { focus: row.parentIndex };
    default:
      return undefined;
  }
}
