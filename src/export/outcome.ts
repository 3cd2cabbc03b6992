/**
 * What an exporter says about a batch, in OpenTelemetry's `ExportResult` with what that has no word for.
 *
 * `ExportResult` knows success, and failure with an Error. Whether a failure is worth another try, and when, is put
 * on the Error as properties; how many spans of an accepted batch were refused, on the result. An OpenTelemetry exporter
 * sets neither: its failure is final (those retry by themselves), its success is complete.
 */

import type { ExportResult } from "@opentelemetry/core";

/** OpenTelemetry's ExportResultCode, whose package is imported for its types only. */
const SUCCESS = 0;
const FAILED = 1;

/** A foreign exporter may put a back end's whole answer there; it goes into a log line. */
const REASON_LENGTH_MAX = 200;

export interface ExportFailure {
  /** Whether the same batch may be taken later. */
  readonly isRetryable: boolean;
  /** The back end's own wish (Retry-After), milliseconds; undefined where it has none. */
  readonly retryAfterMs: number | undefined;
}

/** What is read back from any exporter's result. */
export type ExportOutcome =
  | { readonly isExported: true; readonly rejectedSpans: number }
  | ({ readonly isExported: false; readonly reason: string } & ExportFailure);

/** @param rejectedSpans of the batch, by the back end's partial success */
export function exportSuccess(rejectedSpans = 0): ExportResult & { rejectedSpans: number } {
  return { code: SUCCESS, rejectedSpans };
}

/** @param reason for the log: no header value, no body of an answer */
export function exportFailure(reason: string, failure: ExportFailure): ExportResult {
  return { code: FAILED, error: Object.assign(new Error(reason), failure) };
}

/** A failure that another try would not change: the same batch would fail again. @param reason as exportFailure's */
export function finalFailure(reason: string): ExportResult {
  return exportFailure(reason, { isRetryable: false, retryAfterMs: undefined });
}

/** Reads any exporter's result, ours or not. */
export function readOutcome(result: ExportResult): ExportOutcome {
  if (result.code === SUCCESS) {
    const rejectedSpans = "rejectedSpans" in result ? Number(result.rejectedSpans) : 0;
    return { isExported: true, rejectedSpans };
  }
  const error: Error & Partial<ExportFailure> = result.error ?? new Error("no reason given");
  return {
    isExported: false,
    reason: error.message.slice(0, REASON_LENGTH_MAX),
    isRetryable: error.isRetryable === true,
    retryAfterMs: error.retryAfterMs,
  };
}
