/**
 * How often a property is tried. In `npm test` a fifth of what is asked for, which finds what is plainly broken; `npm run test:long`
 * runs each file that asks again, with all of it (vitest.long.config.ts).
 */

const SHARE = 5;

/** @param most of `npm run test:long` */
export function runs(most: number): number {
  return process.env["FEDTRACE_TEST_LONG"] === "true" ? most : Math.ceil(most / SHARE);
}
