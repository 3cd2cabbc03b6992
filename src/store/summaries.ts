/** What all kept traces amount to: which services did what, and which service called which. */

import type { EndedSpan } from "../span/encoded-span.ts";
import type { RecentStore, StoredTrace } from "./recent-store.ts";
import { serviceName, spanKind } from "./span-tags.ts";
import type { Turns } from "./turns.ts";
import { walkSpans, walkTraces } from "./walk.ts";

export interface Operation {
  readonly name: string;
  readonly spanKind: "server" | "client";
}

export interface ServiceLink {
  readonly parent: string;
  readonly child: string;
  readonly callCount: number;
}

/** Of all spans that are kept, sorted; a service whose spans have gone is not among them. */
export async function listServices(store: RecentStore, turns: Turns): Promise<readonly string[]> {
  const services = new Set<string>();
  await walkAllSpans(store, turns, (span) => void services.add(serviceName(span.origin)));
  return [...services].toSorted();
}

/** Sorted by name, then by kind. */
export async function listOperations(
  store: RecentStore,
  turns: Turns,
  service: string,
): Promise<readonly Operation[]> {
  const kinds = new Map<string, Set<Operation["spanKind"]>>();
  await walkAllSpans(store, turns, (span) => {
    if (serviceName(span.origin) !== service) return;
    const outline = span.outline();
    const known = kinds.get(outline.name);
    if (known === undefined) kinds.set(outline.name, new Set([spanKind(outline)]));
    else known.add(spanKind(outline));
  });
  return [...kinds.keys()]
    .toSorted()
    .flatMap((name) => [...(kinds.get(name) ?? [])].toSorted().map((kind) => ({ name, spanKind: kind })));
}

/**
 * Calls from a span to its child where both are kept, by service; of traces that lie wholly between the two times.
 *
 * @param between Unix milliseconds, both excluded
 */
export async function listServiceLinks(
  store: RecentStore,
  turns: Turns,
  between: { readonly startMs: number; readonly endMs: number },
): Promise<readonly ServiceLink[]> {
  const counts = new Map<string, Map<string, number>>();
  await walkTraces(store, turns, async (trace) => {
    if (await isBetween(trace, turns, between)) await countLinks(trace, turns, counts);
    return true;
  });
  return [...counts].flatMap(([parent, children]) =>
    [...children].map(([child, callCount]) => ({ parent, child, callCount })),
  );
}

async function isBetween(
  trace: StoredTrace,
  turns: Turns,
  { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
): Promise<boolean> {
  let isWithin = true;
  await walkSpans(trace, turns, (span) => {
    const { startUnixMs, endUnixMs } = span.outline();
    isWithin = startUnixMs > startMs && Math.max(startUnixMs, endUnixMs) < endMs;
    return isWithin;
  });
  return isWithin;
}

async function countLinks(
  trace: StoredTrace,
  turns: Turns,
  counts: Map<string, Map<string, number>>,
): Promise<void> {
  if (trace.spans.length < 2) return;
  const serviceOf = new Map<string, string>();
  await walkSpans(trace, turns, (span) => {
    const { fields, origin } = span.toRecord();
    serviceOf.set(fields.context.spanId, serviceName(origin));
    return true;
  });
  await walkSpans(trace, turns, (span) => {
    const { fields, origin } = span.toRecord();
    const parent = serviceOf.get(fields.parent?.spanId ?? "");
    if (parent === undefined) return true;
    const children = counts.get(parent) ?? new Map<string, number>();
    counts.set(parent, children);
    const child = serviceName(origin);
    children.set(child, (children.get(child) ?? 0) + 1);
    return true;
  });
}

async function walkAllSpans(
  store: RecentStore,
  turns: Turns,
  visit: (span: EndedSpan) => void,
): Promise<void> {
  await walkTraces(store, turns, async (trace) => {
    await walkSpans(trace, turns, (span) => {
      visit(span);
      return true;
    });
    return true;
  });
}
