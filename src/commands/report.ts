/** `report --config FILE`: prints the exact document that would be sent now, and sends nothing. What else there is to say goes to standard error. */

import { previewReport, withoutSecrets } from "../app-usage-reporting.ts";
import { formatFault } from "../config/fault.ts";
import { loadConfig } from "../config/load.ts";
import { createSystemClock } from "../core/clock.ts";
import { createSecret } from "../core/random.ts";
import { formatReport } from "../usage/report.ts";
import { START_CHECKS } from "./config-checks.ts";
import { EXIT, type ExitStatus, type Output } from "./output.ts";

export async function reportCommand(path: string, output: Output): Promise<ExitStatus> {
  const loaded = await loadConfig(path, START_CHECKS);
  if (!loaded.ok) {
    for (const fault of loaded.faults) output.errorLine(formatFault(fault));
    return EXIT.BAD_CONFIG;
  }
  const { isEnabled, offBy, endpoint } = loaded.config.usageReport;
  const { report, note } = previewReport(loaded.config, {
    clock: createSystemClock(),
    createSecret,
  });
  const where = isEnabled
    ? `note: this goes to ${endpoint === undefined ? "" : withoutSecrets(endpoint)} every ${loaded.config.usageReport.intervalMs / 1000} s`
    : `note: usage reports are off${offBy === undefined ? "" : ` (${offBy})`}: nothing is sent`;
  output.errorLine(where);
  if (note !== undefined) output.errorLine(`note: ${note}`);
  output.line(formatReport(report));
  return EXIT.OK;
}
