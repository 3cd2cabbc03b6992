/** `check --config FILE`: reads the config as `run` would and tells everything that is wrong or doubtful. */

import { formatFault } from "../config/fault.ts";
import { loadConfig } from "../config/load.ts";
import { EXIT, type ExitStatus, type Output } from "./output.ts";
import { ALL_CHECKS } from "./config-checks.ts";

/** Faults and warnings go to standard error; a valid file is confirmed on standard output. */
export async function checkCommand(path: string, output: Output): Promise<ExitStatus> {
  const loaded = await loadConfig(path, ALL_CHECKS);
  if (!loaded.ok) {
    for (const fault of loaded.faults) output.errorLine(formatFault(fault));
    return EXIT.BAD_CONFIG;
  }
  for (const warning of loaded.warnings) output.errorLine(`warning: ${formatFault(warning)}`);
  output.line(`${path}: valid`);
  return EXIT.OK;
}
