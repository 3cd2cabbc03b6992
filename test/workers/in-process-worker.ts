/** A worker that answers from its own parts in this process; what goes over is copied as a channel would. */

import type { Registry } from "../../src/metrics/registry.ts";
import { createPeerBook, type PeerBook } from "../../src/peer/peer-book.ts";
import { createSpanPages, type EncodedSpan } from "../../src/span/encoded-span.ts";
import { createSpanOutput, writeSpan } from "../../src/span/otlp-span.ts";
import type { SpanRecord } from "../../src/span/record.ts";
import { createRecentStore, type RecentStore } from "../../src/store/recent-store.ts";
import { createAnswering } from "../../src/workers/answering.ts";
import type { Worker } from "../../src/workers/crew.ts";
import { type Asker, createAsker } from "../../src/workers/questions.ts";
import { createWorkerAnswers } from "../../src/workers/worker-answers.ts";
import { fakeClock } from "../support/clock.ts";
import { testRegistry } from "../support/metrics.ts";

export interface InProcessWorker extends Worker {
  readonly registry: Registry;
  readonly peers: PeerBook;
  readonly store: RecentStore;
  /** Spans of each part that it sent, in order. */
  readonly partSpans: readonly number[];
  /** From now on it answers nothing. */
  hang(): void;
}

export function inProcessWorker(number: number, spans: readonly SpanRecord[] = []): InProcessWorker {
  const registry = testRegistry();
  const peers = createPeerBook();
  const store = createRecentStore({ evicted() {}, dropped() {} }, { spansMax: 100_000, bytesMax: 1e9 });
  for (const span of encodeAll(spans)) store.onEnd(span);
  const partSpans: number[] = [];
  let isHung = false;
  const answering = createAnswering(
    createWorkerAnswers({
      registry,
      peers,
      store,
      clock: fakeClock(),
      reload: () => Promise.resolve([]),
      takeUsage: () => undefined,
      rereadCertificates: () => Promise.resolve(),
    }),
    (message) => {
      const part = message.say === "part" ? (message.part as { readonly spans?: unknown }) : {};
      if (Array.isArray(part.spans)) partSpans.push(part.spans.length);
      asker.heard(structuredClone(message));
      return Promise.resolve();
    },
  );
  const asker: Asker = createAsker((message) => {
    const copy = structuredClone(message);
    if (copy.tell === "forget") answering.forget(copy.id);
    if (copy.tell === "ask" && !isHung) void answering.answer(copy);
  });
  return {
    number,
    isReady: true,
    registry,
    peers,
    store,
    partSpans,
    ask: (kind, asked, waiting) => asker.ask(kind, asked, waiting),
    give: () => undefined,
    hang() {
      isHung = true;
    },
  };
}

/** As a sidecar keeps them. */
export function encodeAll(spans: readonly SpanRecord[]): readonly EncodedSpan[] {
  const output = createSpanOutput();
  const pages = createSpanPages();
  return spans.map((span) => {
    output.writer.reset();
    writeSpan(output, span);
    return pages.keep(span.origin, span.traceId, output.writer);
  });
}
