/** What sources of strategies are given, recorded; and a sampling server that answers as it is told. */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { logFrom } from "../../src/core/log.ts";
import { createRandom } from "../../src/core/random.ts";
import type { Strategy } from "../../src/sampling/strategy.ts";
import { describeStrategy } from "../../src/strategies/bounds.ts";
import type { PollOutcome, StrategyTools } from "../../src/strategies/strategy-source.ts";
import { fakeClock } from "../support/clock.ts";

export const LIMITS = { maxProbability: 1, maxPerSecond: 1000 };

export interface Recorded {
  readonly tools: StrategyTools;
  readonly clock: ReturnType<typeof fakeClock>;
  readonly strategies: readonly Strategy[];
  /** The same, as they read. */
  readonly descriptions: () => readonly string[];
  readonly outcomes: readonly PollOutcome[];
  /** Level, message and facts of each line. */
  readonly lines: readonly (readonly [
    level: string,
    message: string,
    facts: Readonly<Record<string, unknown>>,
  ])[];
  /** What `random.fraction` gives. */
  fraction: number;
  /** Resolves once there were so many looks in all. */
  readonly untilPolled: (count: number) => Promise<void>;
}

export function recordTools(): Recorded {
  const clock = fakeClock();
  const ids = createRandom();
  const strategies: Strategy[] = [];
  const outcomes: PollOutcome[] = [];
  const lines: (readonly [string, string, Readonly<Record<string, unknown>>])[] = [];
  const waiting = createWaiting(() => outcomes.length);
  const recorded: Recorded = {
    clock,
    strategies,
    descriptions: () => strategies.map(describeStrategy),
    outcomes,
    lines,
    fraction: 0.5,
    untilPolled: waiting.until,
    tools: {
      clock,
      random: { fraction: () => recorded.fraction, spanId: () => ids.spanId() },
      log: logFrom((level, message, facts) => void lines.push([level, message, facts])),
      onStrategy: (strategy) => void strategies.push(strategy),
      counters: {
        polled(outcome) {
          outcomes.push(outcome);
          waiting.look();
        },
      },
    },
  };
  return recorded;
}

function createWaiting(count: () => number): {
  readonly until: (wanted: number) => Promise<void>;
  readonly look: () => void;
} {
  const looks = new Set<() => void>();
  return {
    until: (wanted) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (count() < wanted) return;
          looks.delete(look);
          resolve();
        };
        looks.add(look);
        look();
      }),
    look() {
      for (const look of looks) look();
    },
  };
}

export interface SamplingServer {
  readonly url: string;
  readonly requests: readonly IncomingMessage[];
  answer: (request: IncomingMessage, response: ServerResponse) => void;
  readonly untilRequested: (count: number) => Promise<void>;
  stop(): Promise<void>;
}

export async function samplingServer(answer: SamplingServer["answer"]): Promise<SamplingServer> {
  const requests: IncomingMessage[] = [];
  const waiting = createWaiting(() => requests.length);
  const server = createServer((request, response) => {
    requests.push(request);
    started.answer(request, response);
    waiting.look();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const started: SamplingServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/sampling`,
    requests,
    answer,
    untilRequested: waiting.until,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  onTestFinished(() => started.stop());
  return started;
}

/** Answers with this body. */
export function text(body: string, headers: Readonly<Record<string, string>> = {}): SamplingServer["answer"] {
  return (_, response) => void response.writeHead(200, headers).end(body);
}

export function share(rate: number): string {
  return `{"strategyType":0,"probabilisticSampling":{"samplingRate":${rate}}}`;
}

/** Of this test alone. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "fedtrace-strategies-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}
