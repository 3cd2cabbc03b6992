/**
 * An exporter that is still being made: a module's, whose thread loads it beside the rest of the start.
 *
 * A batch that comes before waits. Not here: telling that the code can't be had, which is whoever loads it.
 */

import type { SpanExporter } from "@opentelemetry/sdk-trace";
import { finalFailure } from "./outcome.ts";

/** @param loading where it rejects, every batch fails for good with its reason */
export function createLazyExporter(loading: Promise<SpanExporter>): SpanExporter {
  return {
    export(spans, resultCallback) {
      // An exporter that throws would be a rejection that nobody hears, which ends the process.
      void loading
        .then((exporter) => exporter.export(spans, resultCallback))
        .catch((error: unknown) => {
          const reason = error instanceof Error ? String(error) : "something that is no Error was thrown";
          resultCallback(finalFailure(reason));
        });
    },
    async forceFlush() {
      await (await loading).forceFlush?.();
    },
    async shutdown() {
      await (await loading).shutdown();
    },
  };
}
