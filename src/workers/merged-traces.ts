/**
 * The traces of all workers as one store's: a trace whose spans are in two of them is shown whole.
 *
 * Nothing is kept here. A search asks every worker which traces match; their spans are fetched some traces at a time, as the
 * reader takes them, so that a reader who stalls holds no more than those. A worker that is silent costs its part of the answer,
 * which then says so. Calls between services are counted by each worker for itself: one whose two ends are in different workers is
 * not among them.
 */

import { fromEncodedBatch } from "../span/encoded-batch.ts";
import type { EncodedSpan } from "../span/encoded-span.ts";
import type { SpanOrigin } from "../span/record.ts";
import type { StoredTrace } from "../store/recent-store.ts";
import type { Operation, ServiceLink } from "../store/summaries.ts";
import type { TraceSource } from "../store/trace-source.ts";
import type { Worker } from "./crew.ts";
import type { Kind, Questions, TraceRow } from "./messages.ts";

/** For one question; a reader waits for several of them, so it is short. */
const TIMEOUT_MS = 2000;
/** Fetched at once: some 350 KB, and never less than one trace. */
const GROUP_SPANS = 500;
/** As much as one store keeps of a trace, and as its readers count with (admin/query-warnings.ts). */
const TRACE_SPANS_MAX = 5000;

type Workers = readonly Worker[];

/** @param workers those to ask, each time */
export function createMergedTraces(workers: () => Workers): TraceSource {
  return {
    async services() {
      const services = new Set<string>();
      const silent = await askAll(workers(), "services", undefined, (part) => {
        for (const service of part) services.add(service);
      });
      return { value: [...services].toSorted(), missing: sentencesOf(silent) };
    },
    async operations(service) {
      const operations = new Map<string, Operation>();
      const silent = await askAll(workers(), "operations", service, (part) => {
        for (const operation of part) operations.set(sortKey(operation), operation);
      });
      const keys = [...operations.keys()].toSorted();
      return { value: keys.flatMap((key) => operations.get(key) ?? []), missing: sentencesOf(silent) };
    },
    async links(between) {
      const links = new Map<string, ServiceLink>();
      const silent = await askAll(workers(), "links", between, (part) => {
        for (const link of part) {
          const key = JSON.stringify([link.parent, link.child]);
          links.set(key, { ...link, callCount: link.callCount + (links.get(key)?.callCount ?? 0) });
        }
      });
      return { value: [...links.values()], missing: sentencesOf(silent) };
    },
    async search(search) {
      const { rows, missing } = await collectRows(workers(), "search", search);
      const newest = [...rows.values()].toSorted(byNewest).slice(0, search.limit);
      return { value: fetchTraces(workers, newest, missing), missing };
    },
    async find(traceIds) {
      const { rows, missing } = await collectRows(workers(), "locate", traceIds);
      const found = traceIds.flatMap((traceId) => rows.get(traceId) ?? []);
      const absent = traceIds.filter((traceId) => !rows.has(traceId));
      return { value: { traces: fetchTraces(workers, found, missing), absent }, missing };
    },
  };
}

/** @returns number of each worker whose answer is not whole → why */
async function askAll<K extends Kind>(
  workers: Workers,
  kind: K,
  asked: Questions[K]["asked"],
  onPart: (part: Questions[K]["part"], worker: Worker) => void,
): Promise<ReadonlyMap<number, string>> {
  const silent = new Map<number, string>();
  await Promise.all(
    workers.map(async (worker) => {
      const reason = await worker.ask(kind, asked, {
        timeoutMs: TIMEOUT_MS,
        onPart: (part) => onPart(part, worker),
      });
      if (reason !== undefined) silent.set(worker.number, reason);
    }),
  );
  return silent;
}

async function collectRows<K extends "search" | "locate">(
  workers: Workers,
  kind: K,
  asked: Questions[K]["asked"],
): Promise<{ readonly rows: ReadonlyMap<string, TraceRow>; readonly missing: string[] }> {
  const rows = new Map<string, TraceRow>();
  const silent = await askAll(workers, kind, asked, (part) => {
    for (const row of part) rows.set(row.traceId, mergeRows(row, rows.get(row.traceId)));
  });
  return { rows, missing: sentencesOf(silent) };
}

/** Some at a time, as they are taken. @param missing what could not be had is added to it, each sentence once */
async function* fetchTraces(
  workers: () => Workers,
  rows: readonly TraceRow[],
  missing: string[],
): AsyncGenerator<StoredTrace, void, undefined> {
  for (const group of groupRows(rows)) {
    const fetched = await fetchSpans(workers(), group);
    for (const sentence of fetched.missing) {
      if (!missing.includes(sentence)) missing.push(sentence);
    }
    for (const traceId of group) {
      const spans = inOrderOfEnd(fetched.spansOf.get(traceId) ?? []);
      fetched.spansOf.delete(traceId);
      yield { traceId, spans, older: undefined };
    }
  }
}

async function fetchSpans(workers: Workers, traceIds: readonly string[]): Promise<Fetched> {
  const spansOf = new Map<string, EncodedSpan[]>(traceIds.map((traceId) => [traceId, []]));
  const originsOf = new Map<Worker, SpanOrigin[]>();
  const cut = new Set<string>();
  const silent = await askAll(workers, "spans", traceIds, (batch, worker) => {
    const known = originsOf.get(worker) ?? [];
    originsOf.set(worker, known);
    for (const span of fromEncodedBatch(batch, known)) {
      const spans = spansOf.get(span.traceId);
      if (spans !== undefined && spans.length < TRACE_SPANS_MAX) spans.push(span);
      else cut.add(`trace ${span.traceId}: shown are ${TRACE_SPANS_MAX} of its spans`);
    }
  });
  return { spansOf, missing: [...sentencesOf(silent), ...cut] };
}

interface Fetched {
  /** In the order of the ids that were asked for. */
  readonly spansOf: Map<string, EncodedSpan[]>;
  readonly missing: readonly string[];
}

function sentencesOf(silent: ReadonlyMap<number, string>): string[] {
  return [...silent].map(([number, reason]) => `spans of worker ${number} are missing: it ${reason}`);
}

function mergeRows(row: TraceRow, known: TraceRow | undefined): TraceRow {
  if (known === undefined) return row;
  const firstEndMs = Math.min(row.firstEndMs, known.firstEndMs);
  return { traceId: row.traceId, firstEndMs, spans: row.spans + known.spans };
}

/** Two that ended at the same moment always stand in the same order. */
function byNewest(left: TraceRow, right: TraceRow): number {
  return right.firstEndMs - left.firstEndMs || (left.traceId < right.traceId ? -1 : 1);
}

/** As one store has them; each is looked into once. */
function inOrderOfEnd(spans: readonly EncodedSpan[]): readonly EncodedSpan[] {
  return spans
    .map((span) => ({ span, endMs: span.outline().endUnixMs }))
    .sort((left, right) => left.endMs - right.endMs)
    .map(({ span }) => span);
}

/** Sorts by name, then by kind: no name has a character below the space that the separator is. */
function sortKey({ name, spanKind }: Operation): string {
  return `${name}\n${spanKind}`;
}

function* groupRows(rows: readonly TraceRow[]): Generator<readonly string[], void, undefined> {
  let group: string[] = [];
  let spans = 0;
  for (const row of rows) {
    if (group.length > 0 && spans + row.spans > GROUP_SPANS) {
      yield group;
      group = [];
      spans = 0;
    }
    group.push(row.traceId);
    spans += row.spans;
  }
  if (group.length > 0) yield group;
}
