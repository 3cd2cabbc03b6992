/** The options of `usage_report`: whether, where to, how often, and what a report says of who sends it. */

import { UNSHOWN } from "../core/text.ts";
import { defaulted, optional, section } from "./schema-option.ts";
import { duration, filePath, flag, httpUrl, text } from "./schema-values.ts";

/** As long as a server name; it is one word most often. */
const CONTEXT_LENGTH_MAX = 255;

const context = text(`up to ${CONTEXT_LENGTH_MAX} characters that can be seen`, (written) => {
  if (written.length > CONTEXT_LENGTH_MAX) return { refused: `has over ${CONTEXT_LENGTH_MAX} characters` };
  return UNSHOWN.test(written) ? { refused: "has a character that can't be seen" } : { value: written };
});

export const usageReport = section(
  {
    enabled: defaulted(flag(), false, {
      reload: "live",
      doc: "Sends usage reports: small, made of counts alone, to `endpoint`. What is in them and why: docs/telemetry.md; `fedtrace report` prints the one that would be sent. `FEDTRACE_TELEMETRY=disabled` or `DO_NOT_TRACK=1` in the environment beats it.",
    }),
    endpoint: optional(httpUrl(), {
      reload: "live",
      doc: "Where reports are posted; needed where they are on. A certificate is verified. **Danger:** over http:// whoever is on the way can read them.",
      example: "https://stats.example/report-usage-stats/push",
    }),
    interval: defaulted(duration("1s", "168h"), "4h", {
      reload: "live",
      doc: "Between two reports, give or take a tenth. The first one comes after five minutes, or after this where it is shorter.",
    }),
    server_context: optional(context, {
      reload: "live",
      doc: "A word for the collector, such as the name of the group that this server belongs to.",
      byDefault: "none",
      example: "family",
    }),
    anonymous: defaulted(flag(), true, {
      reload: "live",
      doc: "`true`: `homeserver` of a report is an id made by chance. `false`: it is `server_name`, as in Synapse's reports.",
    }),
    ca_file: optional(filePath(), {
      reload: "live",
      doc: "PEM of the roots that the endpoint's certificate is verified with.",
      byDefault: "the system's",
      example: "collector-ca.pem",
    }),
    state_file: optional(filePath(), {
      reload: "live",
      doc: "Where counts of days and months are kept over a restart. It is written by this program; names of peers stand in it as keyed hashes alone.",
      byDefault:
        "the config's name with `-usage.json` in the place of its ending, in `$STATE_DIRECTORY`, which systemd sets, else beside the config",
      example: "/var/lib/fedtrace/usage.json",
    }),
  },
  (file, refuse) => {
    if (file.enabled && file.endpoint === undefined) {
      refuse("enabled", "has no endpoint to send to; allowed: true beside usage_report.endpoint, or false");
    }
    return {
      isEnabled: file.enabled,
      endpoint: file.endpoint,
      intervalMs: file.interval,
      serverContext: file.server_context,
      isAnonymous: file.anonymous,
      caFile: file.ca_file,
      stateFile: file.state_file,
    };
  },
);
