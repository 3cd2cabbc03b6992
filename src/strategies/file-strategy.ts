/**
 * The strategy that a file of Jaeger's form has for this service, read again whenever the file changes.
 *
 * A file that is bad at the start is the operator's to mend, and ends it; one that turns bad later, or goes away, is a line in the log, and
 * the last good strategy stays. Not here: the file's form (strategy-file.ts), and watching (given).
 */

import { readFileSync, statSync } from "node:fs";
import { FedtraceError } from "../core/errors.ts";
import type { StrategyLimits } from "./bounds.ts";
import { FILE_LENGTH_MAX, parseStrategyFile } from "./strategy-file.ts";
import {
  createCurrentStrategy,
  type PollOutcome,
  type StrategySource,
  type StrategyTools,
} from "./strategy-source.ts";

export interface FileStrategyOptions extends StrategyLimits {
  readonly path: string;
  readonly service: string;
}

export interface FileStrategyTools extends StrategyTools {
  /** Calls back a moment after the file changed, however it was replaced. @returns stop() */
  readonly watch: (path: string, onChange: () => void) => () => void;
}

/**
 * Reads the file before it returns, and calls `onStrategy` with what it has.
 *
 * `ready` has resolved then, or rejects with CONFIG_INVALID, and nothing is watched. A look counts as a poll.
 */
export function startFileStrategy(options: FileStrategyOptions, tools: FileStrategyTools): StrategySource {
  const { path, service } = options;
  const { counters, log } = tools;
  const current = createCurrentStrategy(path, options, tools);
  /** The last one that was taken. */
  let taken: string | undefined;

  function look(): PollOutcome | { readonly failed: string } {
    const read = readText(path);
    if (typeof read !== "string") return read;
    if (read === taken) return "unchanged";
    const parsed = parseStrategyFile(read, service);
    if ("refused" in parsed) return { failed: parsed.refused };
    taken = read;
    const { strategy, warnings } = parsed;
    if (warnings.length > 0) log.warn("sampling strategies doubtful", { source: path, warnings });
    return current.take(strategy) ? "changed" : "unchanged";
  }

  const first = look();
  if (typeof first === "object") {
    counters.polled("failed");
    const ready = Promise.reject<void>(
      new FedtraceError("CONFIG_INVALID", `sampling strategies file ${path}: ${first.failed}`),
    );
    ready.catch(() => undefined); // Whoever awaits it a moment later is soon enough.
    return { ready, look: () => undefined, stop: () => undefined };
  }
  counters.polled(first);

  const stopWatching = watchOrSay(lookAgain);

  function lookAgain(): void {
    const outcome = look();
    if (typeof outcome === "object") current.failed(outcome.failed);
    else current.succeeded();
    counters.polled(typeof outcome === "object" ? "failed" : outcome);
  }

  function watchOrSay(onChange: () => void): () => void {
    try {
      return tools.watch(path, onChange);
    } catch (error) {
      // The system's watches are used up, say.
      log.warn("sampling strategies file not watched", { source: path, reason: String(error) });
      return () => undefined;
    }
  }

  return { ready: Promise.resolve(), look: lookAgain, stop: stopWatching };
}

/** @returns why this file can't be the source of a strategy; undefined: it can */
export function checkStrategyFile(path: string, service: string): string | undefined {
  const read = readText(path);
  if (typeof read !== "string") return read.failed;
  const parsed = parseStrategyFile(read, service);
  return "refused" in parsed ? parsed.refused : undefined;
}

function readText(path: string): string | { readonly failed: string } {
  try {
    // Characters are at most as many as bytes, so this is looked at before all of it is in memory.
    const stat = statSync(path);
    // A pipe would be waited for, and nothing else would happen meanwhile.
    if (!stat.isFile()) return { failed: "not a file" };
    if (stat.size > FILE_LENGTH_MAX) return { failed: `longer than ${FILE_LENGTH_MAX} bytes` };
    return readFileSync(path, "utf8");
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}
