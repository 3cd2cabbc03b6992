/**
 * How long to wait before a worker that ended is started again: not at all the first time, then longer and longer, so that one
 * that dies at each start costs little. One that has lived for a minute starts from the beginning.
 */

const FIRST_MS = 100;
const MAX_MS = 10_000;
/** Long enough that what ended it has nothing to do with its start. */
const SETTLED_MS = 60_000;

/** @returns given how long the worker lived, the wait; both in milliseconds. For one worker's place, each end told once. */
export function createRestartDelay(): (livedMs: number) => number {
  let ends = 0;
  return (livedMs) => {
    if (livedMs >= SETTLED_MS) ends = 0;
    const delayMs = ends === 0 ? 0 : Math.min(FIRST_MS * 2 ** (ends - 1), MAX_MS);
    ends += 1;
    return delayMs;
  };
}
