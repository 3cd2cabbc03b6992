/** Follows the page's scrolling and says which rows of the waterfall to draw. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { type RowWindow, rowWindow } from "./row-window.ts";

interface ShownRows {
  readonly bodyRef: { current: HTMLDivElement | null };
  readonly rowPx: number;
  readonly shown: RowWindow;
  /** Scrolls so that the row is in sight; does nothing when it is. */
  readonly reveal: (row: number) => void;
}

/** As page.css has them: a row is one line, or two on a phone. */
const ROW_PX = 34;
const ROW_NARROW_PX = 54;
const NARROW = "(max-width: 720px)";
/** What stands over the list's upper edge (the axis), and a row of room at the lower one. */
const EDGE_PX = 64;

export function useRowWindow(rows: number): ShownRows {
  const bodyRef = useRef<HTMLDivElement>(null);
  const [rowPx, setRowPx] = useState(() => (matchMedia(NARROW).matches ? ROW_NARROW_PX : ROW_PX));
  const [shown, setShown] = useState<RowWindow>(() => rowWindow(rows, rowPx, 0, innerHeight));

  const measure = (): void => {
    const topPx = -(bodyRef.current?.getBoundingClientRect().top ?? 0);
    const next = rowWindow(rows, rowPx, topPx, innerHeight);
    setShown((before) => (before.first === next.first && before.end === next.end ? before : next));
  };

  useLayoutEffect(measure, [rows, rowPx]);
  useEffect(() => {
    const narrow = matchMedia(NARROW);
    const fit = (): void => setRowPx(narrow.matches ? ROW_NARROW_PX : ROW_PX);
    addEventListener("scroll", measure, { passive: true });
    addEventListener("resize", measure);
    narrow.addEventListener("change", fit);
    return () => {
      removeEventListener("scroll", measure);
      removeEventListener("resize", measure);
      narrow.removeEventListener("change", fit);
    };
  }, [rows, rowPx]);

  const reveal = (row: number): void => {
    const body = bodyRef.current;
    if (body === null) return;
    const top = body.getBoundingClientRect().top + row * rowPx;
    if (top < EDGE_PX) scrollBy({ top: top - EDGE_PX, behavior: "instant" });
    else if (top + rowPx > innerHeight - EDGE_PX) {
      scrollBy({ top: top + rowPx - innerHeight + EDGE_PX, behavior: "instant" });
    }
    measure();
  };
  return { bodyRef, rowPx, shown, reveal };
}
