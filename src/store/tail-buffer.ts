/**
 * Sampling after the end: spans of requests that the sampler did not take are held for some seconds, and those of a trace that
 * turns out to be worth it are let out together.
 *
 * ```
 *   span ends ─► its trace is promoted? ── yes ─► out at once
 *                     │ no
 *                error, or slow? ── yes ─► a token? ── yes ─► promoted: out, behind all held ones of its trace
 *                     │ no                    │ no
 *                     └──────► held ◄─────────┘     until it is promoted, too old, or room is needed
 * ```
 * One whose promotion the rate refused is held as any other: a later error of the same trace, or an operator's pass, may still
 * let it out whole. It counts as dropped for the rate when it goes. Nothing is given twice, and what is lost is counted once.
 *
 * Not here: how spans are held (held-spans.ts), how one is made to look sampled (span/kept-span.ts), the token bucket
 * (given in), and other processes' spans of the same trace: each sidecar decides for what passed through it.
 */

import type { Clock } from "../core/clock.ts";
import type { EndedSpan } from "../span/encoded-span.ts";
import { createHeldSpans, type HeldDropReason } from "./held-spans.ts";

/** Promoted traces that are remembered, some 150 bytes each: ten seconds of a thousand a second. */
const PROMOTED_MAX = 10_000;

/** Why a trace was let out. `asked`: somebody who may ask did, whatever its spans are like. */
type TailReason = "error" | "slow" | "asked";

export interface TailBufferOptions {
  /** How long a span is held, and how long after a promotion later spans of the trace are let out at once; > 0. */
  readonly holdMs: number;
  readonly spansMax: number;
  /** Bytes, as they are estimated; the pages that encoded spans stand in may take as much (held-pages.ts). */
  readonly bytesMax: number;
  /** Whether a span that is an error promotes its trace. */
  readonly errors: boolean;
  /** A span that took longer promotes its trace; undefined: however slow, it does not. */
  readonly slowerThanMs: number | undefined;
}

interface TailCounters {
  /** Spans that were let out. */
  kept(reason: TailReason, spans: number): void;
  /** Spans that were held, or were to be, and went. */
  dropped(why: HeldDropReason, spans: number): void;
}

export interface TailTools {
  readonly clock: Clock;
  readonly counters: TailCounters;
  /** Is given each span that is let out, once, in the order they ended within a trace. Keeps the promise of SpanSink. */
  onKept(span: EndedSpan, reason: TailReason): void;
  /** Whether one more trace may be promoted for an error or for being slow; takes the token. */
  takeToken(nowMs: number, isKnown: boolean): boolean;
  /** Runs `run` once, later, unless it is cancelled; must not keep the process alive. Another one in tests only. */
  readonly startTimer?: (run: () => void, delayMs: number) => CancelTimer;
}

type CancelTimer = () => void;

/** What is known of a span where it ends, without reading it. */
export interface TailFacts {
  readonly isError: boolean;
  readonly durationMs: number;
  /** Whether the request is the own server's, or a whitelisted peer's. */
  readonly isKnown: boolean;
}

export interface TailBuffer {
  /** Takes a span that ended and was not sampled. */
  hold(span: EndedSpan, facts: TailFacts): void;
  /** Lets a trace out, what is held of it and what comes for `holdMs` from now. Takes no token: who asks has counted. */
  promote(traceId: string, reason: TailReason): void;
  /** Spans that are held now; never above the bound. */
  spans(): number;
  /** What they take, in bytes, as estimated. */
  bytes(): number;
  /** What is held counts as expired, as does what still comes. */
  stop(): void;
}

/** Nothing runs until the first span is held. */
export function createTailBuffer(options: TailBufferOptions, tools: TailTools): TailBuffer {
  const { holdMs } = options;
  const { clock, counters, startTimer = startUnrefTimer } = tools;
  const held = createHeldSpans(options, (why, spans) => counters.dropped(why, spans));
  const promoted = createPromoted(holdMs);
  let cancelSweep: CancelTimer | undefined;
  let isStopped = false;

  function expire(nowMs: number): void {
    held.expire(nowMs - holdMs);
    promoted.expire(nowMs);
  }

  /** Without traffic nothing else forgets: a span stays for less than twice its time, and an idle sidecar has no timer. */
  function scheduleSweep(): void {
    cancelSweep ??= startTimer(() => {
      cancelSweep = undefined;
      expire(clock.monotonicMs());
      if (held.spans() > 0 || promoted.size() > 0) scheduleSweep();
    }, holdMs);
  }

  function reasonToKeep({ isError, durationMs }: TailFacts): "error" | "slow" | undefined {
    if (isError && options.errors) return "error";
    const { slowerThanMs } = options;
    return slowerThanMs !== undefined && durationMs > slowerThanMs ? "slow" : undefined;
  }

  function letOut(spans: readonly EndedSpan[], reason: TailReason): void {
    if (spans.length === 0) return;
    counters.kept(reason, spans.length);
    for (const span of spans) tools.onKept(span, reason);
  }

  function promoteAt(traceId: string, reason: TailReason, nowMs: number): readonly EndedSpan[] {
    promoted.add(traceId, reason, nowMs);
    scheduleSweep();
    return held.takeTrace(traceId);
  }

  return {
    hold(span, facts) {
      if (isStopped) return counters.dropped("expired", 1);
      const nowMs = clock.monotonicMs();
      expire(nowMs);
      const { traceId } = span;
      const known = promoted.reasonFor(traceId);
      if (known !== undefined) return letOut([span], known);
      const reason = reasonToKeep(facts);
      if (reason !== undefined && tools.takeToken(nowMs, facts.isKnown)) {
        return letOut([...promoteAt(traceId, reason, nowMs), span], reason);
      }
      held.keep(span, nowMs, reason !== undefined);
      scheduleSweep();
    },
    promote(traceId, reason) {
      if (isStopped) return;
      const nowMs = clock.monotonicMs();
      expire(nowMs);
      letOut(promoteAt(traceId, reason, nowMs), reason);
    },
    spans: () => held.spans(),
    bytes: () => held.bytes(),
    stop() {
      isStopped = true;
      cancelSweep?.();
      cancelSweep = undefined;
      expire(Number.POSITIVE_INFINITY);
    },
  };
}

interface Promoted {
  size(): number;
  add(traceId: string, reason: TailReason, nowMs: number): void;
  /** Call `expire` first. */
  reasonFor(traceId: string): TailReason | undefined;
  expire(nowMs: number): void;
}

/** The promoted traces, each for `holdMs`, the last 10,000: one that is forgotten needs another reason. */
function createPromoted(holdMs: number): Promoted {
  /** In the order of their promotion: a Map keeps the order in which its keys were set. */
  const traces = new Map<string, { readonly reason: TailReason; readonly untilMs: number }>();
  return {
    size: () => traces.size,
    add(traceId, reason, nowMs) {
      traces.delete(traceId);
      traces.set(traceId, { reason, untilMs: nowMs + holdMs });
      if (traces.size <= PROMOTED_MAX) return;
      for (const oldest of traces.keys()) {
        traces.delete(oldest);
        return;
      }
    },
    reasonFor: (traceId) => traces.get(traceId)?.reason,
    expire(nowMs) {
      for (const [traceId, { untilMs }] of traces) {
        if (untilMs > nowMs) return;
        traces.delete(traceId);
      }
    },
  };
}

function startUnrefTimer(run: () => void, delayMs: number): CancelTimer {
  const timer = setTimeout(run, delayMs).unref();
  return () => clearTimeout(timer);
}
