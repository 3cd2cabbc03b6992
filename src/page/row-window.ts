/**
 * Which rows of a long list are drawn: those in sight and a screen around them. A trace of 20,000 spans then costs
 * as much as one of 100. Rows have one height, so this is arithmetic.
 */

export interface RowWindow {
  readonly first: number;
  /** Exclusive. */
  readonly end: number;
}

/** Rows beyond either edge: what a page-down shows is there before it is asked for. */
const SPARE_ROWS = 20;
/** The first row is a multiple of this, so that most scrolling draws nothing. */
const STEP_ROWS = 10;

/** @param topPx how far the list's top is above the viewport's (negative: below) */
export function rowWindow(rows: number, rowPx: number, topPx: number, viewportPx: number): RowWindow {
  const height = Math.max(1, rowPx);
  const wanted = Math.max(0, Math.min(rows, Math.floor(topPx / height) - SPARE_ROWS));
  const first = wanted - (wanted % STEP_ROWS);
  const last = Math.ceil((topPx + viewportPx) / height) + SPARE_ROWS + STEP_ROWS;
  const end = Math.min(rows, Math.max(first, last - (last % STEP_ROWS)));
  return { first, end };
}
