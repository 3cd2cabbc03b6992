/** The config as the sidecar reads it, defaults and environment included; secrets are hidden before they come here. */

import type { JSX } from "preact";
import { fetchJson } from "./api.ts";
import { Notice, Problem } from "./notice.tsx";
import { Text } from "./text.tsx";
import { useLive } from "./use-live.ts";

export function ConfigView(): JSX.Element {
  const config = useLive("config", (signal) =>
    fetchJson("/api/fedtrace/config", (body) => JSON.stringify(body, undefined, 2).split("\n"), signal),
  );
  return (
    <section class="view">
      <h1>Config</h1>
      <p class="lead">
        What the sidecar runs with: the file, the environment and the defaults together. Secrets are hidden.
      </p>
      <Problem text={config.problem} />
      {config.value === undefined ? (
        config.problem !== undefined && <Notice title="The config cannot be shown" />
      ) : (
        <pre class="code-block" tabIndex={0} aria-label="Config as JSON">
          {config.value.map((line, index) => (
            <div key={index}>
              {/^ */.exec(line)?.[0]}
              <Text value={line.trimStart()} />
            </div>
          ))}
        </pre>
      )}
    </section>
  );
}
