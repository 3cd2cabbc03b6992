/**
 * Gives V8's young generation the size that a sidecar needs, and no more, so that it stays below 100 MB beside a
 * homeserver.
 *
 * V8 lets it grow to 32 MB under load: measured 117 MB resident, against 85 to 95 MB when it is held at 4 MB, for a few per
 * cent more CPU a request. The bound is a flag that V8 reads only at its start, which a program can't set for itself; how
 * far it grows is read at each growth. So it is made to grow once, by objects that survive, and then not again.
 *
 * Source: https://nodejs.org/api/v8.html#v8setflagsfromstringflags. Not here: the old generation, which grows by what is
 * really kept. Measured on Node 20; newer V8 sizes its heap otherwise (bench/RESULTS.md), and where it no longer knows the
 * flag nothing changes.
 */

import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

const ENOUGH_BYTES = 4 * 1024 ** 2;
/** Objects of one step, about 0.5 MB, and steps: 16 MB at most, which takes some 10 ms. */
const STEP_OBJECTS = 8192;
const STEPS_MAX = 32;

export function holdYoungGeneration(): void {
  const surviving: object[][] = [];
  while (surviving.length < STEPS_MAX && youngBytes() < ENOUGH_BYTES) {
    surviving.push(Array.from({ length: STEP_OBJECTS }, (_, index) => ({ index })));
  }
  setFlagsFromString("--semi-space-growth-factor=1");
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space")?.space_size ?? 0;
}
