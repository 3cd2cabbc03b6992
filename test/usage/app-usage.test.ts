/** Who reports, over reloads and a stop that come as they like. */

import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { createUsageReports } from "../../src/app-usage.ts";
import { START_CHECKS } from "../../src/commands/config-checks.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/merge.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { logFrom } from "../../src/core/log.ts";
import { createRandom } from "../../src/core/random.ts";
import { createMetricsRegistry } from "../../src/app-metrics.ts";
import { temporaryDirectory } from "../support/cli.ts";

async function configOf(interval: string): Promise<Config> {
  const path = join(temporaryDirectory(), "fedtrace.yaml");
  writeFileSync(
    path,
    [
      "server_name: own.test",
      "inbound: { listen: 127.0.0.1:0, upstream: http://127.0.0.1:1 }",
      `usage_report: { enabled: true, endpoint: "http://127.0.0.1:1/", interval: ${interval} }`,
    ].join("\n"),
  );
  const loaded = await loadConfig(path, START_CHECKS, {});
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  return loaded.config;
}

it("starts nobody for a reload that ends after the stop has begun", async () => {
  const [first, second] = [await configOf("4h"), await configOf("5h")];
  const clock = createSystemClock();
  const lines: string[] = [];
  const log = logFrom((_, message) => void lines.push(message));
  const tools = { clock, random: createRandom(), log };
  const registry = createMetricsRegistry(first, clock);
  const reports = createUsageReports({ tools, registry }, () => Promise.resolve([]));
  reports.use(first);
  const stopping = reports.stop();
  reports.use(second);
  await stopping;
  await reports.stop();
  expect(lines.filter((line) => line === "usage reports are on").length).toBe(1);
});
