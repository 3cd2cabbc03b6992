/** What all kept traces amount to: which services did what, and which service called which. */

import type { SpanRecord } from "../span/record.ts";
import type { RecentStore, StoredTrace } from "./recent-store.ts";
import { serviceName, spanKind } from "./span-tags.ts";
import { type TakeTurn, walkTraces } from "./walk.ts";

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
export async function listServices(store: RecentStore, takeTurn: TakeTurn): Promise<readonly string[]> {
  const services = new Set<string>();
  await walkSpans(store, takeTurn, (span) => void services.add(serviceName(span.origin)));
  return [...services].toSorted();
}

/** Sorted by name, then by kind. */
export async function listOperations(
  store: RecentStore,
  takeTurn: TakeTurn,
  service: string,
): Promise<readonly Operation[]> {
  const kinds = new Map<string, Set<Operation["spanKind"]>>();
  await walkSpans(store, takeTurn, (span) => {
    if (serviceName(span.origin) !== service) return;
    const known = kinds.get(span.name);
    if (known === undefined) kinds.set(span.name, new Set([spanKind(span)]));
    else known.add(spanKind(span));
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
  takeTurn: TakeTurn,
  between: { readonly startMs: number; readonly endMs: number },
): Promise<readonly ServiceLink[]> {
  const counts = new Map<string, Map<string, number>>();
  await walkTraces(store, takeTurn, (trace) => {
    if (isBetween(trace, between.startMs, between.endMs)) countLinks(trace, counts);
    return true;
  });
  return [...counts].flatMap(([parent, children]) =>
    [...children].map(([child, callCount]) => ({ parent, child, callCount })),
  );
}

function isBetween({ spans }: StoredTrace, startMs: number, endMs: number): boolean {
  return spans.every(
    ({ fields }) => fields.startUnixMs > startMs && Math.max(fields.startUnixMs, fields.endUnixMs) < endMs,
  );
}

function countLinks({ spans }: StoredTrace, counts: Map<string, Map<string, number>>): void {
  if (spans.length < 2) return;
  const serviceOf = new Map<string, string>();
  for (const span of spans) serviceOf.set(span.fields.context.spanId, serviceName(span.origin));
  for (const span of spans) {
    const parent = serviceOf.get(span.fields.parent?.spanId ?? "");
    if (parent === undefined) continue;
    const children = counts.get(parent) ?? new Map<string, number>();
    counts.set(parent, children);
    const child = serviceName(span.origin);
    children.set(child, (children.get(child) ?? 0) + 1);
  }
}

async function walkSpans(
  store: RecentStore,
  takeTurn: TakeTurn,
  visit: (span: SpanRecord) => void,
): Promise<void> {
  await walkTraces(store, takeTurn, ({ spans }) => {
    spans.forEach(visit);
    return true;
  });
}
