/**
 * Strategies of a real Jaeger 2, followed: from its file, as it changes; and what its adaptive sampling makes of our spans.
 *
 * What Jaeger 2.13.0 counts for adaptive sampling (internal/sampling/samplingstrategy/adaptive, and tried below):
 * - a span without a parent (or with one of zeros), whatever its kind, that has both `sampler.type` and `sampler.param`;
 * - `sampler.type` has to be text: "probabilistic" is counted; "lowerbound", "ratelimiting" and "const" make the operation known, with no
 *   traces of its own, so its probability is doubled.
 * - `sampler.param` may be text, a double or an integer, all the same. With a boolean each such span is a line in Jaeger's log, and no more.
 * - By the source, not tried: `sampler.param` has to be the probability that Jaeger worked out last, to six digits after the point. With
 *   another one (a bounded one, say) the service is taken for one that doesn't follow, and the operation's probability stays as it is.
 * A Jaeger that is its own leader, which every one with a store in memory is, hands out what it has worked out only after its next start
 * (jaeger-sampling.ts): in one process with memory the answer never changes.
 */

import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Strategy } from "../../src/sampling/strategy.ts";
import { startRemoteStrategy } from "../../src/strategies/remote-strategy.ts";
import { LIMITS, type Recorded, recordTools, temporaryDirectory } from "../strategies/harness.ts";
import { poll } from "../support/poll.ts";
import { findJaeger } from "./jaeger-binary.ts";
import {
  CALCULATED_MS,
  INITIAL_PROBABILITY,
  MIN_PER_SECOND,
  startAdaptiveSampling,
  startFileSampling,
} from "./jaeger-sampling.ts";

/** Building Jaeger, where there is none, is a matter of minutes; it happens once. */
const BUILD_TIMEOUT_MS = 40 * 60_000;
const DEADLINE_MS = 20_000;

let program: string;
beforeAll(async () => {
  program = await findJaeger();
}, BUILD_TIMEOUT_MS);

function follow(url: string, service: string, pollIntervalMs: number): Recorded {
  const recorded = recordTools();
  const source = startRemoteStrategy(
    { url, service, pollIntervalMs, cacheFile: undefined, ...LIMITS },
    recorded.tools,
  );
  onTestFinished(() => source.stop());
  return recorded;
}

describe("a strategies file of Jaeger's", () => {
  const POLL_MS = 500;
  const share = { type: "probabilistic", param: 0.8 };
  const rate = { type: "ratelimiting", param: 5 };
  const operations = {
    type: "probabilistic",
    param: 0.5,
    operation_strategies: [{ operation: "GET /x", type: "probabilistic", param: 0.1 }],
  };
  const file = (strategy: object): string =>
    JSON.stringify({ service_strategies: [{ service: "S", ...strategy }] });

  it("is followed through all its forms, with one look for each", async () => {
    const path = join(temporaryDirectory(), "strategies.json");
    writeFileSync(path, file(share));
    const jaeger = await startFileSampling(program, path);
    onTestFinished(() => jaeger.stop());
    const { descriptions, strategies, outcomes, lines, untilPolled } = follow(
      jaeger.samplingUrl,
      "S",
      POLL_MS,
    );
    await untilPolled(1);
    expect(descriptions()).toEqual(["probabilistic(0.8)"]);

    for (const next of [rate, operations, {}]) {
      const before = strategies.length;
      writeFileSync(path, file(next));
      const answer = await poll(async () => {
        const text = await (await fetch(`${jaeger.samplingUrl}?service=S`)).text();
        return text.includes(JSON.stringify(next["param" as keyof typeof next] ?? 0.001)) ? text : undefined;
      }, DEADLINE_MS);
      expect(answer).toBeDefined();
      // Jaeger has it: the look after the one that may be under way sees it.
      await untilPolled(outcomes.length + 2);
      expect(strategies).toHaveLength(before + 1);
    }
    expect(descriptions()).toEqual([
      "probabilistic(0.8)",
      "ratelimiting(5)",
      "probabilistic(0.5), 1 operation",
      "probabilistic(0.001)",
    ]);
    expect(strategies[2]?.operations).toEqual([
      { operation: "GET /x", isLiteral: true, sampler: { type: "probabilistic", param: 0.1 } },
    ]);
    expect(outcomes.filter((outcome) => outcome === "failed")).toEqual([]);
    expect(lines.every(([, message]) => message === "sampling strategy changed")).toBe(true);
  });

  it("stays when Jaeger goes away", async () => {
    const path = join(temporaryDirectory(), "strategies.json");
    writeFileSync(path, file(share));
    const jaeger = await startFileSampling(program, path);
    const { strategies, outcomes, untilPolled } = follow(jaeger.samplingUrl, "S", POLL_MS);
    await untilPolled(1);
    await jaeger.stop();
    await untilPolled(outcomes.length + 2);
    expect(outcomes.at(-1)).toBe("failed");
    expect(strategies).toHaveLength(1);
  });
});

type OtlpValue = Readonly<Partial<Record<"stringValue" | "doubleValue" | "intValue" | "boolValue", unknown>>>;

interface Shape {
  /** The operation's name says what it is. */
  readonly operation: string;
  readonly type?: OtlpValue;
  readonly param?: OtlpValue;
  readonly parentSpanId?: string;
  /** OTLP's number; a server's unless said. */
  readonly kind?: number;
  readonly becomes: "lower" | "doubled" | "unknown";
}

const PROBABILISTIC: OtlpValue = { stringValue: "probabilistic" };
const DOUBLE: OtlpValue = { doubleValue: INITIAL_PROBABILITY };

const SHAPES: readonly Shape[] = [
  { operation: "a double", type: PROBABILISTIC, param: DOUBLE, becomes: "lower" },
  {
    operation: "text",
    type: PROBABILISTIC,
    param: { stringValue: String(INITIAL_PROBABILITY) },
    becomes: "lower",
  },
  { operation: "an integer", type: PROBABILISTIC, param: { intValue: "1" }, becomes: "lower" },
  { operation: "a client's", type: PROBABILISTIC, param: DOUBLE, kind: 3, becomes: "lower" },
  {
    operation: "a parent of zeros",
    type: PROBABILISTIC,
    param: DOUBLE,
    parentSpanId: "0".repeat(16),
    becomes: "lower",
  },
  { operation: "a lower bound", type: { stringValue: "lowerbound" }, param: DOUBLE, becomes: "doubled" },
  {
    operation: "a rate",
    type: { stringValue: "ratelimiting" },
    param: { doubleValue: 5 },
    becomes: "doubled",
  },
  { operation: "const", type: { stringValue: "const" }, param: { doubleValue: 1 }, becomes: "doubled" },
  { operation: "a boolean", type: { stringValue: "const" }, param: { boolValue: true }, becomes: "unknown" },
  { operation: "no param", type: PROBABILISTIC, becomes: "unknown" },
  { operation: "no type", param: DOUBLE, becomes: "unknown" },
  {
    operation: "a child",
    type: PROBABILISTIC,
    param: DOUBLE,
    parentSpanId: "b7ad6b7169203331",
    becomes: "unknown",
  },
];

/** Spans of one POST, each a trace of its own. */
const SPANS_PER_SHAPE = 5;
const POST_EVERY_MS = 250;

async function postSpans(otlpUrl: string, service: string): Promise<void> {
  const nowNs = String(BigInt(Date.now()) * 1_000_000n);
  const spans = SHAPES.flatMap(({ operation, type, param, parentSpanId, kind = 2 }) =>
    Array.from({ length: SPANS_PER_SHAPE }, () => ({
      traceId: randomBytes(16).toString("hex"),
      spanId: randomBytes(8).toString("hex"),
      ...(parentSpanId === undefined ? {} : { parentSpanId }),
      name: operation,
      kind,
      startTimeUnixNano: nowNs,
      endTimeUnixNano: nowNs,
      attributes: [
        ...(type === undefined ? [] : [{ key: "sampler.type", value: type }]),
        ...(param === undefined ? [] : [{ key: "sampler.param", value: param }]),
      ],
    })),
  );
  const resource = { attributes: [{ key: "service.name", value: { stringValue: service } }] };
  const response = await fetch(otlpUrl, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }),
  });
  expect(response.status).toBe(200);
}

describe("adaptive sampling of Jaeger's", () => {
  const POLL_MS = 1000;

  it("counts our root spans by sampler.type and sampler.param, and lowers what comes too often", async () => {
    const directory = temporaryDirectory();
    const first = await startAdaptiveSampling(program, directory);
    const unseen = follow(first.samplingUrl, "S", POLL_MS);
    await unseen.untilPolled(1);
    expect(unseen.strategies).toEqual<readonly Strategy[]>([
      {
        sampler: { type: "probabilistic", param: INITIAL_PROBABILITY },
        operations: [],
        lowerBound: MIN_PER_SECOND,
      },
    ]);
    // Twenty a second of each, where one is wanted; for two calculations, whichever way they fall.
    for (let sentMs = 0; sentMs < 3 * CALCULATED_MS; sentMs += POST_EVERY_MS) {
      await postSpans(first.otlpUrl, "S");
      await pause(POST_EVERY_MS);
    }
    await first.stop();

    const second = await startAdaptiveSampling(program, directory);
    onTestFinished(() => second.stop());
    const seen = follow(second.samplingUrl, "S", POLL_MS);
    await seen.untilPolled(1);
    const [strategy] = seen.strategies;
    expect(strategy?.sampler).toEqual({ type: "probabilistic", param: INITIAL_PROBABILITY });
    expect(strategy?.lowerBound).toBe(MIN_PER_SECOND);
    const found = SHAPES.map(({ operation }) => {
      const rule = strategy?.operations.find((each) => each.operation === operation);
      return [operation, becameOf(rule?.sampler.param)];
    });
    expect(found).toEqual(SHAPES.map(({ operation, becomes }) => [operation, becomes]));
  });
});

function becameOf(probability: number | undefined): Shape["becomes"] | number {
  if (probability === undefined) return "unknown";
  if (probability < INITIAL_PROBABILITY) return "lower";
  return probability === 2 * INITIAL_PROBABILITY ? "doubled" : probability;
}
