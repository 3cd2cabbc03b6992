/**
 * One line when an exporter starts failing and one when it works again: a back end that is down for a night is
 * two lines, not one for each batch. How much was lost in between is in the metrics.
 */

import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";

export interface HealthLog {
  failed(reason: string): void;
  succeeded(): void;
}

/** @param exporter its name, as it stands in the config */
export function createHealthLog(exporter: string, log: Log, clock: Clock): HealthLog {
  let failingSinceMs: number | undefined;
  return {
    failed(reason) {
      if (failingSinceMs !== undefined) return;
      failingSinceMs = clock.monotonicMs();
      log.warn("span export failing", { exporter, reason });
    },
    succeeded() {
      if (failingSinceMs === undefined) return;
      log.info("span export recovered", {
        exporter,
        failing_ms: Math.round(clock.monotonicMs() - failingSinceMs),
      });
      failingSinceMs = undefined;
    },
  };
}
