/**
 * The strategy that a Jaeger has for this service, asked for at its `/sampling` address again and again.
 *
 * As Jaeger's own clients do it (https://www.jaegertracing.io/docs/1.76/sampling/#remote-sampling), and: what was good last stays, over failures and, in
 * a file, over restarts. Not here: the answer's form (jaeger-response.ts), the request (fetch-strategy.ts), the file
 * (strategy-cache.ts), how far a strategy may go (bounds.ts).
 */

import type { StrategyLimits } from "./bounds.ts";
import { type Fetched, type FetchedText, fetchStrategy } from "./fetch-strategy.ts";
import { parseSamplingResponse } from "./jaeger-response.ts";
import { createStrategyCache } from "./strategy-cache.ts";
import {
  createCurrentStrategy,
  type PollOutcome,
  type StrategySource,
  type StrategyTools,
} from "./strategy-source.ts";

export interface RemoteStrategyOptions extends StrategyLimits {
  /** The whole address, `http://127.0.0.1:5778/sampling`; `service` is added to its query. */
  readonly url: string;
  readonly service: string;
  /** From an answer to the next question; at most 24 days (a timer's limit). */
  readonly pollIntervalMs: number;
  /** Where the last good answer is kept; its directory must be there. Undefined: nowhere. */
  readonly cacheFile: string | undefined;
}

/** Of a question; a shorter interval is its limit too. */
const TIMEOUT_MS_MAX = 5000;
/** After the first failure; it doubles with each one more, up to the interval. */
const RETRY_MS = 1000;
/** Of each wait, so that the sidecars of one Jaeger don't all come at once. */
const JITTER = 0.1;

/**
 * Asks at once, then after each interval, give or take a tenth; after a failure sooner.
 *
 * `ready` resolves as soon as a cached strategy is taken or the first answer, good or bad, is here; it never rejects.
 * @throws TypeError for a URL that is none; the config has checked it
 */
export function startRemoteStrategy(options: RemoteStrategyOptions, tools: StrategyTools): StrategySource {
  const { pollIntervalMs, cacheFile, service } = options;
  const url = samplingUrl(options.url, service);
  const current = createCurrentStrategy(nameOf(url), options, tools);
  const cache =
    cacheFile === undefined
      ? undefined
      : createStrategyCache(cacheFile, { service, url: options.url }, tools);
  const timeoutMs = Math.min(TIMEOUT_MS_MAX, pollIntervalMs);
  const { promise: ready, resolve: becomeReady } = createGate();

  /** The last one that was taken. */
  let text: string | undefined;
  let etag: string | undefined;
  let failures = 0;
  let end = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  function takeCached(): void {
    const cached = cache?.read();
    if (cached === undefined) return;
    const parsed = parseSamplingResponse(cached.text);
    if ("refused" in parsed) {
      tools.log.warn("cached sampling strategy can't be read", { file: cacheFile, reason: parsed.refused });
      return;
    }
    text = cached.text;
    const facts = { file: cacheFile, age_s: Math.round(cached.ageMs / 1000) };
    current.takeAs("sampling strategy taken from its cache", facts, parsed.strategy);
    becomeReady();
  }

  async function poll(): Promise<void> {
    end = new AbortController();
    const fetched = await fetchStrategy(url, { etag, timeoutMs, end });
    if (isStopped) return;
    const outcome = settle(fetched);
    failures = outcome === "failed" ? failures + 1 : 0;
    timer = setTimeout(() => void poll(), waitMs(failures, pollIntervalMs, tools.random)).unref();
    tools.counters.polled(outcome);
    becomeReady();
  }

  function settle(fetched: Fetched): PollOutcome {
    const taken = fetched === "not-modified" || "failed" in fetched ? fetched : takeFetched(fetched);
    if (typeof taken === "object") {
      current.failed(taken.failed);
      return "failed";
    }
    current.succeeded();
    return taken === "changed" ? "changed" : "unchanged";
  }

  function takeFetched(fetched: FetchedText): "changed" | "unchanged" | { readonly failed: string } {
    const isSame = fetched.text === text;
    const parsed = isSame ? undefined : parseSamplingResponse(fetched.text);
    if (parsed !== undefined && "refused" in parsed)
      return { failed: `the answer is refused: ${parsed.refused}` };
    ({ text, etag } = fetched);
    if (parsed === undefined || !current.take(parsed.strategy)) return "unchanged";
    cache?.write(text);
    return "changed";
  }

  takeCached();
  void poll();
  return {
    // The endpoint is asked in its time.
    look: () => undefined,
    ready,
    stop() {
      isStopped = true;
      clearTimeout(timer);
      end.abort();
      becomeReady();
    },
  };
}

function samplingUrl(text: string, service: string): URL {
  const url = new URL(text);
  url.searchParams.append("service", service);
  return url;
}

/** For the log: without a password or a query. */
function nameOf({ origin, pathname }: URL): string {
  return origin + pathname;
}

/** @param failures in a row, up to now */
function waitMs(failures: number, pollIntervalMs: number, random: StrategyTools["random"]): number {
  const wait = failures === 0 ? pollIntervalMs : Math.min(pollIntervalMs, RETRY_MS * 2 ** (failures - 1));
  return wait * (1 + JITTER * (2 * random.fraction() - 1));
}

function createGate(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((open) => {
    resolve = open;
  });
  return { promise, resolve: () => resolve() };
}
