/** `decide --config FILE --direction in|out --host NAME`: one JSON object that says what the border would do. */

import { formatFault } from "../config/fault.ts";
import { loadConfig } from "../config/load.ts";
import { createWhitelist } from "../peer/whitelist.ts";
import { reportDecision } from "../proxy/decision-report.ts";
import { EXIT, type ExitStatus, type Output } from "./output.ts";
import { RELOAD_CHECKS } from "./config-checks.ts";

interface DecideArguments {
  readonly path: string;
  readonly direction: "in" | "out";
  readonly host: string;
}

export async function decideCommand(asked: DecideArguments, output: Output): Promise<ExitStatus> {
  const loaded = await loadConfig(asked.path, RELOAD_CHECKS);
  if (!loaded.ok) {
    for (const fault of loaded.faults) output.errorLine(formatFault(fault));
    return EXIT.BAD_CONFIG;
  }
  const { config } = loaded;
  const rules = {
    whitelist: await createWhitelist(config.whitelist),
    entries: config.whitelist.length,
    formats: config.propagation.formats,
    outboundIds: config.propagation.outboundIds,
    authenticate: config.inbound?.authenticate ?? "signature",
  };
  const report = reportDecision(rules, asked.direction === "in" ? "inbound" : "outbound", asked.host);
  output.line(JSON.stringify(report));
  return report.whitelisted ? EXIT.OK : EXIT.NOT_WHITELISTED;
}
