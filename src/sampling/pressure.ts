/**
 * Back-pressure: while exporters can't keep up, fewer traces are sampled, in steps, so that whole traces are left out before spans are
 * dropped blindly.
 *
 * ```
 *   fullest queue ≥ 1/2 ─► one step down, once a second: 1, 1/2, 1/4 … 1/64 of what would be sampled
 *   all below 1/4 for 5 s ─► one step back
 * ```
 * What is left out is chosen by R (threshold.ts): at each step a part of what the step before keeps, the same on every server, and the
 * threshold that a span carries tells of it. Looked at when a request is decided: without requests there is nothing to sample.
 */

import type { Log } from "../core/log.ts";
import type { SamplerVerdict } from "./samplers.ts";
import { ALWAYS, thresholdOf } from "./threshold.ts";

const STEPS_MAX = 6;
const LOOK_EVERY_MS = 1000;
const FULL = 0.5;
const CALM = 0.25;
const CALM_MS = 5000;

export interface Pressure {
  /** 0: none. At n, 1/2^n of all is sampled. */
  step(nowMs: number): number;
}

/** @param fullness of the fullest queue that counts, 0 to 1; asked at most once a second */
export function createPressure(fullness: (nowMs: number) => number, log: Log): Pressure {
  let step = 0;
  let lookedAtMs = -Infinity;
  let calmSinceMs: number | undefined;
  let beganMs = 0;
  let deepest = 0;

  function look(nowMs: number): void {
    const full = fullness(nowMs);
    if (full >= FULL) {
      calmSinceMs = undefined;
      if (step === STEPS_MAX) return;
      if (step === 0) {
        beganMs = nowMs;
        deepest = 0;
        log.warn("exporters fall behind: fewer traces are sampled until they have caught up");
      }
      step++;
      deepest = Math.max(deepest, step);
      return;
    }
    if (full >= CALM || step === 0) {
      calmSinceMs = undefined;
      return;
    }
    calmSinceMs ??= nowMs;
    if (nowMs - calmSinceMs < CALM_MS) return;
    calmSinceMs = nowMs;
    step--;
    if (step > 0) return;
    log.info("exporters have caught up: sampling is what it was", {
      seconds: Math.round((nowMs - beganMs) / 1000),
      lowest: `1/${2 ** deepest}`,
    });
  }

  return {
    step(nowMs) {
      if (nowMs - lookedAtMs >= LOOK_EVERY_MS) {
        lookedAtMs = nowMs;
        look(nowMs);
      }
      return step;
    },
  };
}

const thinned = new WeakMap<SamplerVerdict, string[]>();

/**
 * What R is compared with at a step, for a trace that the sampler takes.
 *
 * @param verdict a yes or a no; R may have had a part in it or not
 * @param step from 1
 */
export function thinnedThreshold(verdict: SamplerVerdict, step: number): string {
  if (typeof verdict.param !== "number" || verdict.threshold === undefined) return stepThreshold(step);
  let thresholds = thinned.get(verdict);
  if (thresholds === undefined) thinned.set(verdict, (thresholds = []));
  return (thresholds[step] ??= thresholdOf(verdict.param / 2 ** step));
}

/** The same for what is wanted whatever R is; at step 0 all of it. */
export function stepThreshold(step: number): string {
  return STEP_THRESHOLDS[step] ?? ALWAYS;
}

const STEP_THRESHOLDS = Array.from({ length: STEPS_MAX + 1 }, (_, step) => thresholdOf(2 ** -step));
