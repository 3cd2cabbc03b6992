/**
 * What a gRPC answer says about a batch: its status, whether that is worth another try, and when.
 *
 * Sources: https://grpc.io/docs/guides/status-codes/, https://opentelemetry.io/docs/specs/otlp/#failures (which codes may be
 * tried again), #otlpgrpc-throttling (RetryInfo), and for answers that aren't gRPC's
 * https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md. Not here: grpc-message, which is the back
 * end's text and goes into no log.
 */

import type { ExportFailure } from "./outcome.ts";
import { fieldsOf, findField } from "./protobuf-reader.ts";

/** By their number. */
const NAMES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

type StatusName = (typeof NAMES)[number];

const RETRYABLE: ReadonlySet<StatusName> = new Set([
  "CANCELLED",
  "DEADLINE_EXCEEDED",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNAVAILABLE",
  "DATA_LOSS",
]);

const BY_HTTP_STATUS: ReadonlyMap<number, StatusName> = new Map([
  [400, "INTERNAL"],
  [401, "UNAUTHENTICATED"],
  [403, "PERMISSION_DENIED"],
  [404, "UNIMPLEMENTED"],
  [429, "UNAVAILABLE"],
  [502, "UNAVAILABLE"],
  [503, "UNAVAILABLE"],
  [504, "UNAVAILABLE"],
]);

/** The fields of an answer that count, as they came. */
export interface GrpcFields {
  /** HTTP's; 200 for every answer of gRPC. */
  readonly httpStatus: number;
  /** `grpc-status`; undefined where something else than gRPC answered. */
  readonly grpcStatus: string | undefined;
  /** `grpc-status-details-bin`, base64. */
  readonly details: string | undefined;
}

/** @returns undefined for OK; else what to tell the queue. Never throws: the fields are the back end's. */
export function readGrpcFailure(
  fields: GrpcFields,
): (ExportFailure & { readonly reason: string }) | undefined {
  const { httpStatus, grpcStatus, details } = fields;
  if (grpcStatus === undefined) {
    const isRetryable = RETRYABLE.has(BY_HTTP_STATUS.get(httpStatus) ?? "UNKNOWN");
    return {
      reason: `HTTP status ${httpStatus} without a gRPC status`,
      isRetryable,
      retryAfterMs: undefined,
    };
  }
  const name = (/^\d{1,2}$/.test(grpcStatus) ? NAMES[Number(grpcStatus)] : undefined) ?? "UNKNOWN";
  if (name === "OK") return undefined;
  const retry = details === undefined ? undefined : readRetryInfo(details);
  // Out of what? Only a back end that speaks of a retry says that it will have some again.
  const isRetryable = RETRYABLE.has(name) || (name === "RESOURCE_EXHAUSTED" && retry !== undefined);
  return { reason: `gRPC status ${name}`, isRetryable, retryAfterMs: retry?.delayMs };
}

/** google.rpc.Status { details = 3 (Any) }, Any { type_url = 1, value = 2 }. */
const STATUS_DETAILS = 3;
const ANY_TYPE_URL = 1;
const ANY_VALUE = 2;
/** google.rpc.RetryInfo { retry_delay = 1 }, google.protobuf.Duration { seconds = 1, nanos = 2 }. */
const RETRY_INFO = "google.rpc.RetryInfo";
const RETRY_DELAY = 1;
const DURATION_SECONDS = 1;
const DURATION_NANOS = 2;
const NANOSECONDS_PER_MS = 1e6;

/** Undefined where there is no RetryInfo. A delay that is zero or missing is no wish: our own back-off counts then. */
function readRetryInfo(base64: string): { readonly delayMs: number | undefined } | undefined {
  for (const { number, content } of fieldsOf(Buffer.from(base64, "base64"))) {
    if (number !== STATUS_DETAILS || content === undefined) continue;
    const typeUrl = Buffer.from(findField(content, ANY_TYPE_URL)?.content ?? []).toString("latin1");
    if (typeUrl.slice(typeUrl.lastIndexOf("/") + 1) !== RETRY_INFO) continue;
    const info = findField(content, ANY_VALUE)?.content;
    const delay = info && findField(info, RETRY_DELAY)?.content;
    const seconds = (delay && findField(delay, DURATION_SECONDS)?.varint) ?? 0;
    const nanoseconds = (delay && findField(delay, DURATION_NANOS)?.varint) ?? 0;
    const delayMs = seconds * 1000 + nanoseconds / NANOSECONDS_PER_MS;
    return { delayMs: delayMs > 0 ? delayMs : undefined };
  }
  return undefined;
}
