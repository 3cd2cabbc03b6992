/**
 * When reports are made and sent: each minute what all processes counted goes into the book and the book into its file, and each interval
 * a report is made of it and posted.
 *
 * Nobody waits for it: its timers keep no process alive, a stop ends what is under way, and a collector that is away costs a line of
 * level info. Not here: the document (report.ts), HTTP (it is handed a `post`).
 */

import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type { UsageReport } from "./report-schema.ts";
import { createReport, formatReport, type ReportFacts } from "./report.ts";
import type { StateFile } from "./state-file.ts";
import type { UsageBook } from "./usage-book.ts";
import type { UsagePart } from "./usage-part.ts";

/** What came of one try. */
export type PostResult =
  | { readonly isDelivered: true }
  | {
      readonly isDelivered: false;
      readonly reason: string;
      readonly isRetryable: boolean;
      /** What the collector asked for. */
      readonly retryAfterMs: number | undefined;
    };

export type ReportOutcome = "delivered" | "retried" | "given_up";

/** Of the sidecar, which may have been there before its reporter. */
export interface StartTimes {
  readonly monotonicMs: number;
  readonly unixMs: number;
}

export interface ReporterOptions {
  readonly intervalMs: number;
  readonly facts: ReportFacts;
  readonly started: StartTimes;
  readonly book: UsageBook;
  readonly file: StateFile;
  /** Of all processes; those that don't answer are left out. */
  readonly take: () => Promise<readonly UsagePart[]>;
  /** Never rejects. */
  readonly post: (body: Buffer) => Promise<PostResult>;
  readonly onOutcome: (outcome: ReportOutcome) => void;
  /** Told how often a peer was not counted for lack of room. */
  readonly onPeersOverflow: (times: number) => void;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly log: Log;
}

export interface Reporter {
  /** Ends what is under way, and writes the file a last time. Never rejects. */
  stop(): Promise<void>;
}

/** Between two looks at what was counted, where the interval is not shorter. */
export const TICK_MS = 60_000;
/** As Synapse: the first minutes of a server say little of the others. */
const FIRST_REPORT_MS = 5 * 60_000;
/** So that servers that were started together do not report together. */
const JITTER = 0.1;
/** Tries of one report in all: with the waits below some 15 minutes on average. */
const TRIES_MAX = 6;
const FIRST_WAIT_MS = 30_000;
const WAIT_MS_MAX = 15 * 60_000;

export function startReporter(options: ReporterOptions): Reporter {
  const { clock, random, log, book, file, intervalMs } = options;
  const { monotonicMs: startedMs, unixMs: startedUnixMs } = options.started;
  const stopped = new AbortController();
  let tickedMs = clock.monotonicMs();
  let ticking: Promise<void> = Promise.resolve();

  async function tick(): Promise<void> {
    const parts = await options.take();
    const nowMs = clock.monotonicMs();
    const unixMs = clock.unixMs();
    book.add(parts, { unixMs, elapsedMs: nowMs - tickedMs });
    tickedMs = nowMs;
    const overflow = book.takeOverflow();
    if (overflow > 0) options.onPeersOverflow(overflow);
    await keep();
  }
  const keep = (): Promise<void> => file.write(book.save({ startedUnixMs, unixMs: clock.unixMs() }));
  /** One after the other: parts are taken once. */
  const tickNext = (): Promise<void> => (ticking = ticking.then(tick, tick));

  async function report(): Promise<void> {
    await tickNext();
    if (stopped.signal.aborted) return;
    const unixMs = clock.unixMs();
    const times = { unixMs, uptimeMs: clock.monotonicMs() - startedMs };
    const made: UsageReport = createReport(options.facts, book.figures(unixMs), times);
    book.beginWindow();
    await keep(); // Else a restart would report the same minutes again.
    if (stopped.signal.aborted) return;
    await deliver(Buffer.from(formatReport(made)));
  }

  async function deliver(body: Buffer): Promise<void> {
    for (let tries = 1; ; tries++) {
      const result = await options.post(body);
      if (stopped.signal.aborted) return;
      if (result.isDelivered) {
        options.onOutcome("delivered");
        return log.debug("usage report delivered", { bytes: body.length });
      }
      const { reason } = result;
      if (!result.isRetryable || tries === TRIES_MAX) {
        options.onOutcome("given_up");
        return log.info("usage report not delivered; the next one comes with the interval", {
          reason,
          tries,
        });
      }
      options.onOutcome("retried");
      log.debug("usage report is tried again", { reason, tries });
      await pause(waitMs(tries, result.retryAfterMs));
      if (stopped.signal.aborted) return;
    }
  }

  /** Full jitter, as for spans (export/backoff.ts), in the time scale of an interval. */
  function waitMs(tries: number, retryAfterMs: number | undefined): number {
    const most = Math.min(WAIT_MS_MAX, intervalMs / TRIES_MAX);
    if (retryAfterMs !== undefined) return Math.min(Math.max(0, retryAfterMs), most);
    return random.fraction() * Math.min(FIRST_WAIT_MS * 2 ** (tries - 1), most);
  }

  function pause(ms: number): Promise<void> {
    const { signal } = stopped;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      timer.unref();
      signal.addEventListener("abort", done);
    });
  }

  async function everyMinute(): Promise<void> {
    while (!stopped.signal.aborted) {
      await pause(Math.min(TICK_MS, intervalMs));
      if (!stopped.signal.aborted) await tickNext();
    }
  }

  async function everyInterval(): Promise<void> {
    for (let nextMs = Math.min(FIRST_REPORT_MS, intervalMs); ; nextMs = intervalMs) {
      const dueMs = clock.monotonicMs() + nextMs * (1 - JITTER + 2 * JITTER * random.fraction());
      await pause(dueMs - clock.monotonicMs());
      if (stopped.signal.aborted) return;
      await report();
    }
  }

  const guard = (error: unknown): void =>
    log.error("usage reports have ended", { reason: error instanceof Error ? error.message : String(error) });
  void everyMinute().catch(guard);
  void everyInterval().catch(guard);
  return {
    async stop() {
      stopped.abort();
      await tickNext().catch(guard);
    },
  };
}
