/** The process behind `npm run fuzz`: bundled by esbuild, started by node. */

import { runFuzz } from "./command.ts";
import { TARGETS } from "./targets.ts";

process.exitCode = await runFuzz(process.argv.slice(2), TARGETS, {
  write: (line) => void process.stdout.write(`${line}\n`),
  nowMs: () => performance.now(),
  anySeed: Date.now() % 2 ** 31,
});
