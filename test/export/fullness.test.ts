/** How full the queues are that sampling looks at: a back end that is gone has no say while another one takes spans, or rests. */

import { metricsText, testRegistry } from "../support/metrics.ts";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startExporters } from "../../src/app-export.ts";
import { createRandom } from "../../src/core/random.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { quietLog } from "../sampling/support.ts";
import { fakeClock } from "../support/clock.ts";
import { DRAFT, ORIGIN } from "./spans.ts";

const NOBODY = "http://127.0.0.1:1/v1/traces";
const otlp = {
  kind: "otlp",
  url: NOBODY,
  protocol: "http/protobuf",
  headers: {},
  timeoutMs: 1000,
  compression: "none",
  certificateFile: undefined,
} as const;

function start(exporters: Parameters<typeof startExporters>[0]) {
  const clock = fakeClock();
  const registry = testRegistry();
  const made = startExporters(exporters, {
    clock,
    random: createRandom(),
    log: quietLog,
    registry,
    origin: ORIGIN,
    store: undefined,
    observer: undefined,
    tail: undefined,
    workers: 1,
  });
  return {
    clock,
    made,
    registry,
    take: (spans: number): void => {
      for (let index = 0; index < spans; index++) {
        made.intake.take(DRAFT);
      }
    },
  };
}

it("is that of the only queue, however long nothing was taken", async () => {
  const { clock, made, take } = start([otlp]);
  expect(made.fullness(clock.monotonicMs())).toBe(0);
  take(4096);
  expect(made.fullness(clock.monotonicMs())).toBe(0.5);
  clock.advance(120_000);
  expect(made.fullness(clock.monotonicMs())).toBe(0.5);
  await made.stop(0);
});

it("counts an empty queue as there, though nothing was taken for long", async () => {
  const { clock, made } = start([otlp, otlp]);
  clock.advance(120_000);
  expect(made.fullness(clock.monotonicMs())).toBe(0);
  await made.stop(0);
});

it("is not that of a back end which is gone while another one takes what comes, or rests", async () => {
  const path = join(temporaryDirectory(), "spans.jsonl");
  const { clock, made, registry, take } = start([otlp, { kind: "file", path }]);
  take(4096);
  expect(made.fullness(clock.monotonicMs())).toBe(0.5);
  const exported = (): string => metricsText(registry);
  await expect.poll(exported, { timeout: 10_000 }).toContain('spans_exported_total{exporter="file[1]"} 4096');
  clock.advance(59_999);
  expect(made.fullness(clock.monotonicMs())).toBeGreaterThan(0.4);
  clock.advance(1);
  expect(made.fullness(clock.monotonicMs())).toBe(0);
  clock.advance(3_600_000);
  expect(made.fullness(clock.monotonicMs())).toBe(0);
  await made.stop(0);
});
