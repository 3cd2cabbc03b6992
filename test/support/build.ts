/** Builds dist/ once before the tests: those of the commands run what users run. */

import { execFileSync } from "node:child_process";

export function setup(): void {
  execFileSync(process.execPath, ["build.mjs"], { stdio: "inherit" });
}
