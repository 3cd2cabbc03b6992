/** Looking through the store beside traffic: in turns (turns.ts), which may end within a trace as well as between two. */

import type { EndedSpan } from "../span/encoded-span.ts";
import type { RecentStore, StoredTrace } from "./recent-store.ts";
import type { Turns } from "./turns.ts";

/**
 * Newest first, to the oldest or until `visit` resolves to false. Traces that come meanwhile are not visited, and those
 * that went are not either.
 */
export async function walkTraces(
  store: RecentStore,
  turns: Turns,
  visit: (trace: StoredTrace) => Promise<boolean>,
): Promise<void> {
  await turns.take();
  for (let trace = store.newest(); trace !== undefined; trace = trace.older) {
    if (!(await visit(trace))) return;
  }
}

/**
 * A trace's spans, those included that come meanwhile, until `visit` returns false. For who has taken a turn; ends early
 * where the trace goes.
 */
export async function walkSpans(
  trace: StoredTrace,
  turns: Turns,
  visit: (span: EndedSpan) => boolean,
): Promise<void> {
  for (let index = 0; index < trace.spans.length; index++) {
    if (turns.isOver()) await turns.take();
    const span = trace.spans[index];
    if (span === undefined || !visit(span)) return;
  }
}
