/**
 * The log: JSON lines on standard error, written by pino (https://getpino.io). Only the shape is ours.
 *
 * What goes in is bounded: facts are names, sizes and durations, never a header value, a query or a key,
 * and a peer can't cause more than a few lines a second (`createThrottledLog`).
 */

import type { Logger } from "pino";
import type { Clock } from "./clock.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Facts of a log line. `trace_id` and `span_id` where there is a span. */
export type LogFacts = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface Log {
  debug(message: string, facts?: LogFacts): void;
  info(message: string, facts?: LogFacts): void;
  warn(message: string, facts?: LogFacts): void;
  error(message: string, facts?: LogFacts): void;
}

const LEVELS = ["debug", "info", "warn", "error"] as const;
const STANDARD_ERROR = 2;

/**
 * One JSON object a line: `{"level":"info","time":"2026-01-01T00:00:00.000Z","msg":…, …facts}`.
 *
 * pino is loaded at the first line, which most often comes after the listeners are open: it takes a tenth of a start.
 */
export function createLog(level: LogLevel): Log {
  let loading: Promise<void> | undefined;
  let writer: Logger | undefined;
  const load = async (): Promise<void> => {
    writer = await createWriter(level);
  };
  return logFrom((lineLevel, message, facts) => {
    if (writer !== undefined) writer[lineLevel](facts, message);
    else void (loading ??= load()).then(() => writer?.[lineLevel](facts, message));
  });
}

async function createWriter(level: LogLevel): Promise<Logger> {
  // A CommonJS package: bundled, only its default export is there.
  const { default: pino } = await import("pino");
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: STANDARD_ERROR, sync: true }),
  );
}

/** A log from one function; for tests and for the throttle. */
export function logFrom(write: (level: LogLevel, message: string, facts: LogFacts) => void): Log {
  const [debug, info, warn, error] = LEVELS.map(
    (level) =>
      (message: string, facts: LogFacts = {}) =>
        write(level, message, facts),
  ) as [Log["debug"], Log["info"], Log["warn"], Log["error"]];
  return { debug, info, warn, error };
}

/** Lines of one message a second that a throttled log lets through. */
const LINES_PER_SECOND = 5;
/** Different messages that are counted; messages are constants of this program, so this is never reached. */
const MESSAGES_MAX = 1000;

/**
 * A log for what peers cause: at most five lines a second for each message; the next line let through says
 * how many were held back (`suppressed`).
 */
export function createThrottledLog(log: Log, clock: Clock): Log {
  const windows = new Map<string, { second: number; lines: number; suppressed: number }>();
  return logFrom((level, message, facts) => {
    const second = Math.floor(clock.monotonicMs() / 1000);
    let window = windows.get(message);
    if (window === undefined) {
      if (windows.size >= MESSAGES_MAX) return;
      window = { second, lines: 0, suppressed: 0 };
      windows.set(message, window);
    }
    if (window.second !== second) {
      window.second = second;
      window.lines = 0;
    }
    if (window.lines >= LINES_PER_SECOND) {
      window.suppressed++;
      return;
    }
    window.lines++;
    const { suppressed } = window;
    window.suppressed = 0;
    log[level](message, suppressed === 0 ? facts : { ...facts, suppressed });
  });
}
