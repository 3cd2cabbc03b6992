/**
 * Every fuzz target, a few cases of one seed: that the targets fit the code, and that `npm run fuzz` starts from a state in
 * which nothing is found. `npm run fuzz` looks for what is new.
 */

import { expect, it } from "vitest";
import { TARGETS } from "./targets.ts";
import { runs } from "../support/runs.ts";

const SEED = 20_261_122;
const CASES = runs(200);

it.each(TARGETS)(`finds nothing in ${CASES} cases of $name`, async ({ fuzz }) => {
  expect(await fuzz({ seed: SEED, cases: CASES })).toEqual({ cases: CASES, finding: undefined });
});

it("has no name twice, and none that a shell would read otherwise", () => {
  const names = TARGETS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^[a-z0-9-]+$/.test(name))).toEqual([]);
});
