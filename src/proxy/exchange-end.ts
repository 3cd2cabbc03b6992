/** The end of an exchange, once: its span, what is remembered of its peer, and what is counted and told of a failure. */

import type { Clock } from "../core/clock.ts";
import { ERROR_STATUS, type ErrorCode } from "../core/errors.ts";
import type { ExchangeContext } from "./exchange.ts";
import { type ExchangeFacts, toMeeting, toSpanDraft } from "./exchange-span.ts";
import type { Resends } from "./resends.ts";
import { countAttempt, countRequest } from "./traffic-counts.ts";
import { countUsage } from "./usage-counts.ts";

type EndContext = Pick<
  ExchangeContext,
  "clock" | "metrics" | "traffic" | "usage" | "peers" | "resends" | "spans" | "log"
>;

/** @param detail a word about the failure that its code does not say, for the log */
export function endExchange(
  context: EndContext,
  facts: ExchangeFacts,
  error: ErrorCode | undefined,
  detail?: string,
): void {
  const { metrics, peers, log } = context;
  facts.error = error;
  const endUnixMs = endSpan(context, facts);
  countOnce(context, facts, endUnixMs);
  const { direction, operation, crossing, transaction, bodyContexts } = facts;
  const isNews = peers.note(crossing.peer.name, toMeeting(facts, endUnixMs));
  if (transaction !== undefined) noteTransaction(context.resends, transaction, facts);
  if (bodyContexts > 0) {
    metrics.bodyContexts[direction].add(bodyContexts);
    if (isNews) {
      log.info("bodies carry trace contexts, which are signed and can't be taken out", {
        direction,
        peer: crossing.peer.name ?? "",
      });
    }
  }
  if (error === undefined) return;
  metrics.failed(direction, error);
  const { traceId, spanId } = crossing.context;
  log[ERROR_STATUS[error] >= 500 ? "warn" : "info"]("exchange failed", {
    code: error,
    ...(detail === undefined ? {} : { detail }),
    direction,
    operation,
    // Inbound it is a name that anybody may have written.
    ...(direction === "outbound" ? { peer: crossing.peer.name ?? "" } : {}),
    trace_id: traceId,
    span_id: spanId,
  });
}

/** An exchange has begun: whose it is, by the whitelist's verdict, and its first attempt. */
export function noteExchange(metrics: ExchangeContext["metrics"], facts: ExchangeFacts): void {
  const { direction, crossing } = facts;
  (crossing.isWhitelisted ? metrics.whitelisted : metrics.stranger)[direction].add(1);
  noteAttempt(metrics, facts);
}

/** An attempt has begun, whose span will end. */
export function noteAttempt(
  metrics: ExchangeContext["metrics"],
  { direction, crossing }: ExchangeFacts,
): void {
  metrics.started[direction].add(1);
  if (crossing.context.isSampled) metrics.sampled[direction].add(1);
}

/** It became a tunnel or a WebSocket: its request is over, and the span is not. */
export function noteUpgrade(context: EndContext, facts: ExchangeFacts): void {
  countOnce(context, facts, nowUnixMs(context.clock, facts));
  facts.isCounted = true;
}

function countOnce({ traffic, usage }: EndContext, facts: ExchangeFacts, endUnixMs: number): void {
  if (facts.isCounted) return;
  if (traffic !== undefined) countRequest(traffic, facts, endUnixMs);
  if (usage !== undefined) countUsage(usage, facts, endUnixMs);
}

/** In the time of the span that has begun, whatever becomes of the system's clock meanwhile. */
function nowUnixMs(clock: Clock, { startUnixMs, startMs }: ExchangeFacts): number {
  return startUnixMs + clock.monotonicMs() - startMs;
}

/** An attempt that is followed by another. */
export function endAttempt(context: EndContext, facts: ExchangeFacts): void {
  const endUnixMs = endSpan(context, facts);
  if (context.traffic !== undefined) countAttempt(context.traffic, facts, endUnixMs);
}

/** One attempt's span. @returns when it ended, in Unix milliseconds */
function endSpan({ clock, spans }: EndContext, facts: ExchangeFacts): number {
  const endUnixMs = nowUnixMs(clock, facts);
  if (facts.crossing.context.isSampled || spans.takesUnsampled) spans.take(toSpanDraft(facts, endUnixMs));
  return endUnixMs;
}

function noteTransaction(resends: Resends, transaction: string, facts: ExchangeFacts): void {
  const { status, error, resendCount, crossing } = facts;
  if (error === undefined && status !== undefined && status < 300) return resends.forget(transaction);
  const { context } = crossing;
  resends.note(transaction, {
    count: resendCount + 1,
    context: context.isSampled ? context : undefined,
  });
}
