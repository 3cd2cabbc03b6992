/** What config/load.ts is given to check with: the whitelist's engine, and the loader of exporters' modules. */

import { checkAuthority } from "../app-authority.ts";
import type { ConfigChecks } from "../config/load.ts";
import { createSystemClock } from "../core/clock.ts";
import { checkExporterModule, tryExporterModule } from "../export/foreign-exporter.ts";
import { findEverybody } from "../peer/pattern-everybody.ts";
import { lintPattern } from "../peer/pattern-lint.ts";
import { findShadowed } from "../peer/pattern-shadow.ts";
import { checkPattern, checkUnion } from "../peer/pattern.ts";
import { checkStrategyFile } from "../strategies/file-strategy.ts";
import { lintOperations } from "./sampling-lint.ts";

/** For a reload and `decide`: what makes a pattern or a strategy file unusable, and the one mistake that admits every server. The authority of a running sidecar can't be changed. */
export const RELOAD_CHECKS: ConfigChecks = {
  check: checkPattern,
  checkAll: checkUnion,
  lintAll: findEverybody,
  checkStrategyFile,
  nowMs: () => createSystemClock().unixMs(),
};

/** For a start: modules too, since their code runs anyway. */
export const START_CHECKS: ConfigChecks = {
  ...RELOAD_CHECKS,
  checkAuthority: (intercept) => checkAuthority(intercept, createSystemClock()),
  checkModule: checkExporterModule,
};

/** For `check`: also what is legal but likely a mistake; and each exporter is made once, and shut down. */
export const ALL_CHECKS: ConfigChecks = {
  ...START_CHECKS,
  lint: lintPattern,
  lintAll: findShadowed,
  lintOperations,
  checkModule: tryExporterModule,
};
