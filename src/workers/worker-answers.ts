/**
 * What a worker answers the primary: from its own registry, book of peers and store, in pieces of a millisecond or so, each in its
 * turn, so that no request waits for somebody's look at a page.
 */

import type { Clock } from "../core/clock.ts";
import type { Registry } from "../metrics/registry.ts";
import type { PeerBook } from "../peer/peer-book.ts";
import { type EncodedBatch, toEncodedBatch } from "../span/encoded-batch.ts";
import { EncodedSpan } from "../span/encoded-span.ts";
import type { SpanOrigin } from "../span/record.ts";
import type { RecentStore, StoredTrace } from "../store/recent-store.ts";
import { searchTraces } from "../store/search.ts";
import { listOperations, listServiceLinks, listServices } from "../store/summaries.ts";
import { createTurns, type Turns } from "../store/turns.ts";
import type { Answers } from "./answering.ts";
import type { PeersPart, Questions, TraceRow } from "./messages.ts";

/** Of one message: 128 spans are some 90 KB, which are copied, not read; 64 peers or 500 rows are less. */
const SPANS_PER_PART = 128;
const PEERS_PER_PART = 64;
const ROWS_PER_PART = 500;

export interface AnswerSources {
  readonly registry: Registry;
  readonly peers: PeerBook;
  readonly store: RecentStore;
  readonly clock: Clock;
  /** @returns keys that need a restart */
  readonly reload: (config: Questions["reload"]["asked"]) => Promise<readonly string[]>;
  readonly rereadCertificates: () => Promise<void>;
  readonly takeUsage: () => Questions["usage"]["part"] | undefined;
}

export function createWorkerAnswers(sources: AnswerSources): Answers {
  const { registry, peers, store, clock } = sources;
  const turns = createTurns(clock);
  return {
    async *reload(config) {
      const keys = await sources.reload(config);
      if (keys.length > 0) yield keys;
    },
    async *certificates() {
      await sources.rereadCertificates();
      yield* []; // That it is done is all of the answer.
    },
    async *metrics() {
      yield registry.collect();
    },
    peers: () => peersParts(peers, turns),
    async *usage() {
      const part = sources.takeUsage();
      if (part !== undefined) yield part;
    },
    async *services() {
      yield await listServices(store, turns);
    },
    async *operations(service) {
      yield await listOperations(store, turns, service);
    },
    async *links(between) {
      yield await listServiceLinks(store, turns, between);
    },
    async *search(search) {
      yield* rowsParts(await searchTraces(store, search, turns), turns);
    },
    locate: (traceIds) => rowsParts(findTraces(store, traceIds), turns),
    spans: (traceIds) => spansParts(findTraces(store, traceIds), turns),
  };
}

function findTraces(store: RecentStore, traceIds: readonly string[]): readonly StoredTrace[] {
  return traceIds.flatMap((traceId) => store.find(traceId) ?? []);
}

async function* peersParts(book: PeerBook, turns: Turns): AsyncGenerator<PeersPart, void, undefined> {
  const all = book.peers();
  for (let from = 0; from === 0 || from < all.length; from += PEERS_PER_PART) {
    await turns.take();
    yield { peers: all.slice(from, from + PEERS_PER_PART), forgotten: from === 0 ? book.forgotten : 0 };
  }
}

async function* rowsParts(
  traces: readonly StoredTrace[],
  turns: Turns,
): AsyncGenerator<readonly TraceRow[], void, undefined> {
  for (let from = 0; from < traces.length; from += ROWS_PER_PART) {
    await turns.take();
    yield traces.slice(from, from + ROWS_PER_PART).flatMap(({ traceId, spans }) => {
      const [first] = spans;
      return first === undefined
        ? []
        : [{ traceId, firstEndMs: first.outline().endUnixMs, spans: spans.length }];
    });
  }
}

/** A trace that goes meanwhile is left out from there on; one that grows may be sent with what came. */
async function* spansParts(
  traces: readonly StoredTrace[],
  turns: Turns,
): AsyncGenerator<EncodedBatch, void, undefined> {
  const origins: SpanOrigin[] = [];
  let part: EncodedSpan[] = [];
  await turns.take();
  for (const trace of traces) {
    for (let index = 0; index < trace.spans.length; index++) {
      const span = trace.spans[index];
      if (!(span instanceof EncodedSpan)) break; // It has gone: a sidecar's store keeps nothing else.
      if (part.push(span) < SPANS_PER_PART) continue;
      yield toEncodedBatch(part, origins);
      part = [];
      await turns.take();
    }
  }
  yield toEncodedBatch(part, origins);
}
