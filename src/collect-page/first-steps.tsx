/** Before the first report: how a Synapse and a sidecar are pointed at this collector. */

import type { JSX } from "preact";
import { Notice } from "../page/notice.tsx";

const PUSH_PATH = "/report-usage-stats/push";

export function FirstSteps(): JSX.Element {
  const endpoint = `${location.origin}${PUSH_PATH}`;
  return (
    <>
      <Notice title="No report has come yet">
        <p>
          Point servers at this collector, under the address by which they reach it. Synapse sends its first
          report five minutes after its start, then one every three hours.
        </p>
      </Notice>
      <div class="panels">
        <section class="panel">
          <h2>Synapse</h2>
          <p class="muted">
            In <code>homeserver.yaml</code>:
          </p>
          <pre class="code-block">{`report_stats: true\nreport_stats_endpoint: ${endpoint}`}</pre>
        </section>
        <section class="panel">
          <h2>A fedtrace sidecar</h2>
          <p class="muted">
            In <code>fedtrace.yaml</code>:
          </p>
          <pre class="code-block">{`usage_report:\n  enabled: true\n  endpoint: ${endpoint}`}</pre>
        </section>
      </div>
      <p class="muted first-note">
        Where the collector was started with <code>--path</code>, that path takes the place of{" "}
        <code>{PUSH_PATH}</code>.
      </p>
    </>
  );
}
