/**
 * Usage reports as the config wants them: who counts, and who reports. A part of the composition root (app.ts).
 *
 * While they are off nothing is counted, opened, written or sent.
 */

import { reportFacts, startReporting, withoutSecrets } from "./app-usage-reporting.ts";
import type { Config } from "./config/merge.ts";
import type { Clock } from "./core/clock.ts";
import type { Log } from "./core/log.ts";
import { createSecret, type Random } from "./core/random.ts";
import type { Registry } from "./metrics/registry.ts";
import { createUsageMetrics, type UsageMetrics } from "./metrics/usage-metrics.ts";
import { withTimeout } from "./export/with-timeout.ts";
import { createUsageRecorder, type UsageRecorder } from "./usage/recorder.ts";
import type { Reporter } from "./usage/reporter.ts";
import type { UsagePart } from "./usage/usage-part.ts";

/** Who counts in this process. */
export interface UsageCounting {
  /** @returns undefined where reports are off */
  use(config: Config): UsageRecorder | undefined;
  /** @returns undefined where nobody counts */
  take(): UsagePart | undefined;
  stop(): void;
}

export function createUsageCounting(): UsageCounting {
  let recorder: UsageRecorder | undefined;
  return {
    use({ usageReport }) {
      if (usageReport.isEnabled) return (recorder ??= createUsageRecorder(process));
      recorder?.stop();
      return (recorder = undefined);
    },
    take: () => recorder?.take(),
    stop: () => recorder?.stop(),
  };
}

interface ReportTools {
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly log: Log;
}

/** Who reports for all processes of a sidecar. */
export interface UsageReports {
  /** At the start and after each reload. Does not wait for what it begins. */
  use(config: Config): void;
  /** Never rejects. */
  stop(): Promise<void>;
}

/** One try; a collector that takes longer is asked again later. */
const POST_TIMEOUT_MS = 10_000;
/** A disk that takes longer has no counts of the last minute. */
const STOP_MS = 1000;

/** @param take what all processes counted since it was last called */
export function createUsageReports(
  { tools, registry }: { readonly tools: ReportTools; readonly registry: Registry },
  take: () => Promise<readonly UsagePart[]>,
): UsageReports {
  let metrics: UsageMetrics | undefined;
  let current = "";
  let isStopped = false;
  // A reload makes another reporter, and no other sidecar.
  const started = { monotonicMs: tools.clock.monotonicMs(), unixMs: tools.clock.unixMs() };
  let last: Promise<Reporter | undefined> = Promise.resolve(undefined);

  function start(config: Config): Reporter | undefined {
    const { isEnabled, endpoint, offBy, intervalMs, isAnonymous } = config.usageReport;
    if (offBy !== undefined) tools.log.info("usage reports are off", { because: offBy });
    if (!isEnabled || endpoint === undefined) return undefined;
    tools.log.info("usage reports are on", {
      endpoint: withoutSecrets(endpoint),
      every_s: intervalMs / 1000,
      anonymous: isAnonymous,
      to_turn_off:
        "usage_report: { enabled: false } in the config, or FEDTRACE_TELEMETRY=disabled or DO_NOT_TRACK=1 in the environment",
      to_see_one: "fedtrace report --config FILE",
    });
    metrics ??= createUsageMetrics(registry);
    const counts = metrics;
    return startReporting(config, endpoint, {
      ...tools,
      started,
      take,
      timeoutMs: POST_TIMEOUT_MS,
      createSecret,
      onOutcome: (outcome) => counts.reported(outcome),
      onPeersOverflow: (times) => counts.peersOverflowed(times),
    });
  }

  return {
    use(config) {
      const wanted = JSON.stringify([config.usageReport, reportFacts(config)]);
      if (wanted === current || isStopped) return; // A reload may end after the stop has begun.
      current = wanted;
      last = last
        .then((reporter) => reporter?.stop())
        .then(() => start(config))
        .catch((error: unknown) => {
          tools.log.error("usage reports can't be made", { reason: String(error) });
          return undefined;
        });
    },
    stop() {
      isStopped = true;
      return withTimeout(
        last.then((reporter) => reporter?.stop()).then(() => undefined),
        STOP_MS,
      );
    },
  };
}
