/**
 * One fuzz target: inputs from a seed, and a check that throws where the code under test is wrong. What is found is
 * made as small as fast-check can, in a time of its own, so that a find in the last second is small too.
 * Not here: what is generated and checked (NAME.target.ts), and arguments and output (command.ts).
 */

import fc from "fast-check";

/** Time for making a counterexample smaller; the smallest is most often found in the first second. */
const SHRINK_MS = 10_000;
/** A case that waits for something that never comes. Most cases take microseconds. */
const CASE_TIMEOUT_MS = 10_000;
/** As good as endless: time ends the run. */
const CASES_MAX = 2 ** 31 - 1;

/** By time or by number, whichever ends first. */
interface FuzzBounds {
  readonly seed: number;
  readonly cases?: number | undefined;
  readonly timeMs?: number | undefined;
}

/** @property cases the number of the case that failed, from 1: with the seed it finds it again */
interface FuzzFinding {
  readonly cases: number;
  /** The smallest input known, as JavaScript. */
  readonly input: string;
  /** What the check said of it. */
  readonly reason: string;
}

interface FuzzOutcome {
  readonly cases: number;
  readonly finding: FuzzFinding | undefined;
}

export interface FuzzTarget {
  readonly name: string;
  /** The same seed gives the same inputs in the same order, however the run is bounded. */
  readonly fuzz: (bounds: FuzzBounds) => Promise<FuzzOutcome>;
}

type Property<T> = fc.IProperty<[T]> | fc.IAsyncProperty<[T]>;

/** What a target needs while it runs: a directory, a socket. */
interface Prepared<T> {
  readonly property: Property<T>;
  readonly stop: () => void | Promise<void>;
}

/** @param property throws, or rejects, where the code under test is wrong */
export function createTarget<T>(name: string, property: Property<T>): FuzzTarget {
  return { name, fuzz: (bounds) => search(property, bounds) };
}

/** As createTarget, for what must be opened before the first case and closed after the last. */
export function createPreparedTarget<T>(name: string, prepare: () => Promise<Prepared<T>>): FuzzTarget {
  return {
    name,
    async fuzz(bounds) {
      const { property, stop } = await prepare();
      try {
        return await search(property, bounds);
      } finally {
        await stop();
      }
    },
  };
}

async function search<T>(property: Property<T>, bounds: FuzzBounds): Promise<FuzzOutcome> {
  const { seed, cases = CASES_MAX, timeMs } = bounds;
  const found = await fc.check(property, {
    seed,
    numRuns: cases,
    endOnFailure: true,
    timeout: CASE_TIMEOUT_MS,
    markInterruptAsFailure: false,
    ...(timeMs === undefined ? {} : { interruptAfterTimeLimit: timeMs }),
  });
  if (found.counterexamplePath === null) return { cases: found.numRuns, finding: undefined };
  const small = await fc.check(property, {
    seed,
    path: found.counterexamplePath,
    timeout: CASE_TIMEOUT_MS,
    interruptAfterTimeLimit: SHRINK_MS,
  });
  const smallest = small.counterexample === null ? found : small;
  const finding = {
    cases: found.numRuns,
    input: fc.stringify(smallest.counterexample?.[0]),
    reason: String(smallest.errorInstance),
  };
  return { cases: found.numRuns, finding };
}
