/** What the proxy counts. The series that every request touches are looked up once, here. */

import type { ErrorCode } from "../core/errors.ts";
import type { CounterCell, Registry } from "./registry.ts";

export type Direction = "inbound" | "outbound";

export interface ProxyMetrics {
  readonly started: Readonly<Record<Direction, CounterCell>>;
  readonly sampled: Readonly<Record<Direction, CounterCell>>;
  readonly removed: Readonly<Record<Direction, CounterCell>>;
  readonly whitelisted: Readonly<Record<Direction, CounterCell>>;
  readonly stranger: Readonly<Record<Direction, CounterCell>>;
  contextRefused(format: string, reason: string): void;
  failed(direction: Direction, code: ErrorCode): void;
  /** @param reason a word of http1/refusals.ts, or of the listener */
  requestRefused(direction: Direction, reason: string): void;
}

export function createProxyMetrics(registry: Registry): ProxyMetrics {
  const both = (name: string, help: string): Record<Direction, CounterCell> => {
    const family = registry.counter(name, help, ["direction"]);
    return { inbound: family.with("inbound"), outbound: family.with("outbound") };
  };
  const verdicts = registry.counter(
    "fedtrace_peers_total",
    "Requests from (inbound) and to (outbound) peers, by the whitelist's verdict.",
    ["direction", "verdict"],
  );
  const contexts = registry.counter(
    "fedtrace_context_refused_total",
    "Trace contexts of whitelisted senders that were malformed or over a bound.",
    ["format", "reason"],
  );
  const errors = registry.counter("fedtrace_errors_total", "Exchanges that failed, by error code.", [
    "direction",
    "code",
  ]);
  const refusals = registry.counter(
    "fedtrace_requests_refused_total",
    "Requests refused before anything of them was forwarded, by reason.",
    ["direction", "reason"],
  );
  return {
    started: both("fedtrace_spans_started_total", "Spans begun: one for each request that was forwarded."),
    sampled: both("fedtrace_spans_sampled_total", "Spans recorded for export."),
    removed: both("fedtrace_headers_removed_total", "Trace and baggage headers taken out of messages."),
    whitelisted: {
      inbound: verdicts.with("inbound", "whitelisted"),
      outbound: verdicts.with("outbound", "whitelisted"),
    },
    stranger: {
      inbound: verdicts.with("inbound", "stranger"),
      outbound: verdicts.with("outbound", "stranger"),
    },
    contextRefused: (format, reason) => contexts.with(format, reason).add(1),
    failed: (direction, code) => errors.with(direction, code).add(1),
    requestRefused: (direction, reason) => refusals.with(direction, reason).add(1),
  };
}
