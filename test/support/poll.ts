/** Waiting for another program, which can only be asked: tries again until it answers or time is up. */

import { setTimeout as pause } from "node:timers/promises";

const PAUSE_MS = 25;

/** @returns the first answer that is not undefined; undefined once the time is up */
export async function poll<T>(ask: () => Promise<T | undefined>, deadlineMs: number): Promise<T | undefined> {
  const untilMs = performance.now() + deadlineMs;
  while (performance.now() < untilMs) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await pause(PAUSE_MS);
  }
  return undefined;
}
