/** A sidecar in the test's own process: the real parts of app.ts, its spans and log lines within reach. */

import { resolve as resolvePath } from "node:path";
import { type Sidecar, type SidecarTools, startSidecar } from "../../src/app.ts";
import { type Config, mergeConfig } from "../../src/config/merge.ts";
import { readOtelEnvironment } from "../../src/config/otel-environment.ts";
import { checkSchema } from "../../src/config/schema.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { logFrom } from "../../src/core/log.ts";
import { createRandom } from "../../src/core/random.ts";
import { createNamedDns } from "../../src/discovery/named-dns.ts";
import type { SpanRecord } from "../../src/span/record.ts";
import type { Environment } from "./cli.ts";
import { FEW_ROOTS } from "./roots.ts";

export interface TestSidecar {
  readonly sidecar: Sidecar;
  readonly port: Readonly<Record<"inbound" | "outbound" | "admin", number>>;
  readonly spans: readonly SpanRecord[];
  readonly logged: readonly string[];
  /** As a changed file would; @returns the keys that need a restart. */
  reload(document: Readonly<Record<string, unknown>>): Promise<readonly string[]>;
  /** Puts the sidecar's clock forward, so that its time limits pass without waiting. */
  advance(ms: number): void;
  /** Drops the spans and log lines that came so far. */
  forget(): void;
  /** Resolves with the spans once there are so many. */
  spansOf(count: number): Promise<readonly SpanRecord[]>;
}

/**
 * @param document a config as its YAML would be parsed; `server_name` is filled in
 * @param resolve all addresses of a name; of outbound targets only where the document has no resolver
 * @param fetchServerKeys in the place of what Matrix servers publish over TLS
 * @param environment OpenTelemetry's variables
 */
export async function startInProcess(
  document: Readonly<Record<string, unknown>>,
  resolve = resolveTestName,
  fetchServerKeys?: SidecarTools["fetchServerKeys"],
  environment: Environment = {},
): Promise<TestSidecar> {
  const config = configOf(document, environment);
  const spans: SpanRecord[] = [];
  const logged: string[] = [];
  const waiting = new Set<() => void>();
  const systemClock = createSystemClock();
  let aheadMs = 0;
  const port = { inbound: 0, outbound: 0, admin: 0 };
  const sidecar = await startSidecar(config, {
    clock: {
      monotonicMs: () => systemClock.monotonicMs() + aheadMs,
      unixMs: () => systemClock.unixMs() + aheadMs,
    },
    random: createRandom(),
    ...(fetchServerKeys === undefined ? {} : { fetchServerKeys }),
    ...(config.outbound?.resolver === undefined ? { dns: createNamedDns(resolve) } : {}),
    log: logFrom((level, message, facts) => void logged.push(`${level} ${message} ${JSON.stringify(facts)}`)),
    resolve,
    spans: {
      onEnd(span) {
        spans.push(span);
        for (const look of waiting) look();
      },
    },
    pageDirectory: resolvePath("dist/page"),
    onListening(name, address) {
      port[name] = Number(address.slice(address.lastIndexOf(":") + 1));
    },
  });
  return {
    sidecar,
    port,
    spans,
    logged,
    reload: (next) => sidecar.reload(configOf(next, environment)),
    advance(ms) {
      aheadMs += ms;
    },
    forget() {
      spans.length = 0;
      logged.length = 0;
    },
    spansOf: (count) =>
      new Promise((fulfil) => {
        const look = (): void => {
          if (spans.length < count) return;
          waiting.delete(look);
          fulfil(spans);
        };
        waiting.add(look);
        look();
      }),
  };
}

/** Names under test are this machine; no other name is known. */
function resolveTestName(name: string): Promise<readonly string[]> {
  return name.endsWith(".test") ? Promise.resolve(["127.0.0.1"]) : Promise.reject(new Error("no such name"));
}

function configOf(document: Readonly<Record<string, unknown>>, environment: Environment): Config {
  const checked = checkSchema({ server_name: "own.test", ...document });
  if ("findings" in checked) throw new Error(JSON.stringify(checked.findings));
  return mergeConfig(checked.file, readOtelEnvironment(environment), { systemRootsFile: FEW_ROOTS });
}
