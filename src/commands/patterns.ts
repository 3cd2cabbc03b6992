/** The whitelist's engine, as config/load.ts is given it. */

import type { PatternChecks } from "../config/load.ts";
import { lintPattern } from "../peer/pattern-lint.ts";
import { checkPattern } from "../peer/pattern.ts";

/** For a start: only what makes a pattern unusable. */
export const PATTERN_CHECKS: PatternChecks = { check: checkPattern };

/** For `check`: also what is legal but likely a mistake. */
export const PATTERN_LINTS: PatternChecks = { check: checkPattern, lint: lintPattern };
