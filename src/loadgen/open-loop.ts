/**
 * Sends what a plan has when it is due, whether or not answers have come: an open loop. A closed one waits for a slow server
 * and so hides how slow it is (https://www.usenix.org/legacy/event/nsdi06/tech/schroeder/schroeder.pdf).
 * For the same reason latency counts from when a request was due, not from when it was sent.
 */

import type { Clock } from "../core/clock.ts";
import type { PlannedRequest } from "./request-plan.ts";
import type { SetTimer } from "./sender.ts";
import type { Outcome, Tally } from "./tally.ts";

/** Whichever comes first ends the run. */
export interface RunBounds {
  readonly forMs: number;
  /** Those that were not sent included. */
  readonly requests: number;
  /** One more is not sent, but counted. */
  readonly inFlightMax: number;
}

export interface RunTools {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly setTimer: SetTimer;
  /** Never rejects, and takes a bounded time. */
  readonly send: (request: PlannedRequest) => Promise<Outcome>;
  readonly tally: Tally;
}

export interface Run {
  /** Resolves when the last answer is here, with how long requests were sent, in milliseconds. */
  readonly ended: Promise<number>;
  /** Nothing more is sent; what is in flight is waited for. */
  stop(): void;
}

/** @param plan in the order of time; endless, or it ends the run */
export function startRun(plan: Iterator<PlannedRequest>, bounds: RunBounds, tools: RunTools): Run {
  const { clock, setTimer, send, tally } = tools;
  const startedMs = clock.monotonicMs();
  const sinceStartMs = (): number => clock.monotonicMs() - startedMs;
  let planned = 0;
  let inFlight = 0;
  let sentForMs: number | undefined;
  let cancelTimer = (): void => undefined;
  let next = plan.next();
  let end: (sentForMs: number) => void;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });

  function onDue(request: PlannedRequest): void {
    if (inFlight >= bounds.inFlightMax) return tally.onNotSent();
    inFlight++;
    void send(request).then((outcome) => {
      inFlight--;
      tally.onEnd(request, outcome, sinceStartMs() - request.dueMs);
      endIfDone();
    });
  }

  function sendDue(): void {
    const nowMs = sinceStartMs();
    while (next.done !== true && planned < bounds.requests && next.value.dueMs <= bounds.forMs) {
      const waitMs = next.value.dueMs - nowMs;
      if (waitMs > 0) {
        cancelTimer = setTimer(sendDue, waitMs);
        return;
      }
      planned++;
      onDue(next.value);
      next = plan.next();
    }
    stopSending();
  }

  function stopSending(): void {
    cancelTimer();
    sentForMs ??= sinceStartMs();
    endIfDone();
  }

  function endIfDone(): void {
    if (sentForMs !== undefined && inFlight === 0) end(sentForMs);
  }

  sendDue();
  return { ended, stop: stopSending };
}
