/**
 * An exporter whose code is still being loaded: what most configs don't name, no start has to pay for.
 *
 * A batch that comes before waits. Not here: telling that the code can't be had, which is whoever loads it.
 */

import type { SpanExporter } from "@opentelemetry/sdk-trace";
import { exportFailure } from "./outcome.ts";

/** @param loading where it rejects, every batch fails for good with its reason */
export function createLazyExporter(loading: Promise<SpanExporter>): SpanExporter {
  return {
    export(spans, resultCallback) {
      void loading.then(
        (exporter) => exporter.export(spans, resultCallback),
        (error: unknown) =>
          resultCallback(exportFailure(String(error), { isRetryable: false, retryAfterMs: undefined })),
      );
    },
    async forceFlush() {
      await (await loading).forceFlush?.();
    },
    async shutdown() {
      await (await loading).shutdown();
    },
  };
}
