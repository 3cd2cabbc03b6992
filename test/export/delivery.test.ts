/**
 * createDelivery: every way a batch can end is counted once, tries and waits are bounded, and the log has a line for a change
 * only. Method: scripted results on fake timers.
 */

import type { SpanExporter } from "@opentelemetry/sdk-trace";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createDelivery } from "../../src/export/delivery.ts";
import { exportFailure, exportSuccess } from "../../src/export/outcome.ts";
import { createManualExporter, createRecorder, createScriptedExporter } from "./recorder.ts";
import { exampleSpan } from "./spans.ts";

const BATCH = [exampleSpan(), exampleSpan(), exampleSpan()];
const RETRYABLE = exportFailure("HTTP status 503", { isRetryable: true, retryAfterMs: undefined });
const FINAL = exportFailure("HTTP status 400", { isRetryable: false, retryAfterMs: undefined });
const FOREIGN_FAILURE = { code: 1, error: new Error("theirs") };

const HOUR_MS = 3_600_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("how a batch ends", () => {
  it.each([
    { why: "success", script: [exportSuccess()], tries: 1, counts: { exported: 3 } },
    { why: "part of it refused", script: [exportSuccess(1)], tries: 1, counts: { exported: 2, rejected: 1 } },
    {
      why: "more refused than sent",
      script: [exportSuccess(9)],
      tries: 1,
      counts: { exported: 0, rejected: 3 },
    },
    { why: "a final failure", script: [FINAL], tries: 1, counts: { rejected: 3 } },
    { why: "a failure of a foreign exporter", script: [FOREIGN_FAILURE], tries: 1, counts: { rejected: 3 } },
    { why: "a failure without a reason", script: [{ code: 1 }], tries: 1, counts: { rejected: 3 } },
    {
      why: "success at the second try",
      script: [RETRYABLE, exportSuccess()],
      tries: 2,
      counts: { exported: 3 },
    },
    {
      why: "success at the last try",
      script: [...Array.from({ length: 5 }, () => RETRYABLE), exportSuccess()],
      tries: 6,
      counts: { exported: 3 },
    },
    { why: "no success at the last try", script: [RETRYABLE], tries: 6, counts: { retries_exhausted: 3 } },
    { why: "a try that turns final", script: [RETRYABLE, FINAL], tries: 2, counts: { rejected: 3 } },
  ])("$why", async ({ script, tries, counts }) => {
    const recorder = createRecorder();
    const exporter = createScriptedExporter(script);
    const delivered = createDelivery(exporter, recorder.tools, "otlp").deliver(BATCH);
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    await delivered;
    expect(exporter.batches).toEqual(Array.from({ length: tries }, () => 3));
    expect(recorder.counts).toEqual(counts);
  });

  it("survives an exporter that throws", async () => {
    const recorder = createRecorder();
    const exporter: SpanExporter = {
      export: () => {
        throw new TypeError("theirs");
      },
      shutdown: () => Promise.resolve(),
    };
    await createDelivery(exporter, recorder.tools, "otlp").deliver(BATCH);
    expect(recorder.counts).toEqual({ rejected: 3 });
  });

  it("gives up on an exporter that never answers", async () => {
    const recorder = createRecorder();
    const exporter = createManualExporter();
    const delivered = createDelivery(exporter, recorder.tools, "otlp").deliver(BATCH);
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    await delivered;
    expect(exporter.batches).toHaveLength(6);
    expect(recorder.counts).toEqual({ retries_exhausted: 3 });
  });
});

describe("the wait before the next try", () => {
  it.each([
    { why: "doubles", retryAfterMs: undefined, fraction: 1, waits: [1000, 2000, 4000, 8000, 16_000] },
    {
      why: "is any part of that, by chance",
      retryAfterMs: undefined,
      fraction: 0.5,
      waits: [500, 1000, 2000],
    },
    { why: "is the back end's, whatever chance says", retryAfterMs: 7000, fraction: 0, waits: [7000, 7000] },
    { why: "is the back end's at the bound", retryAfterMs: 60_000, fraction: 1, waits: [60_000] },
    { why: "is the bound above it", retryAfterMs: 60_001, fraction: 1, waits: [60_000] },
  ])("$why", async ({ retryAfterMs, fraction, waits }) => {
    const exporter = createScriptedExporter([exportFailure("later", { isRetryable: true, retryAfterMs })]);
    void createDelivery(exporter, createRecorder(fraction).tools, "otlp").deliver(BATCH);
    for (const [index, waitMs] of waits.entries()) {
      await vi.advanceTimersByTimeAsync(waitMs - 1);
      expect(exporter.batches).toHaveLength(index + 1);
      await vi.advanceTimersByTimeAsync(1);
      expect(exporter.batches).toHaveLength(index + 2);
    }
  });

  it("ends when hurried", async () => {
    const exporter = createScriptedExporter([RETRYABLE, exportSuccess()]);
    const delivery = createDelivery(exporter, createRecorder().tools, "otlp");
    const delivered = delivery.deliver(BATCH);
    await vi.advanceTimersByTimeAsync(0);
    delivery.hurry();
    await delivered;
    expect(exporter.batches).toHaveLength(2);
  });

  it("ends when abandoned, without another try or a count", async () => {
    const recorder = createRecorder();
    const exporter = createScriptedExporter([RETRYABLE]);
    const delivery = createDelivery(exporter, recorder.tools, "otlp");
    const delivered = delivery.deliver(BATCH);
    await vi.advanceTimersByTimeAsync(0);
    delivery.abandon();
    await delivered;
    expect(exporter.batches).toHaveLength(1);
    expect(recorder.counts).toEqual({});
  });
});

it("logs when export starts failing and when it works again, not each batch", async () => {
  const recorder = createRecorder(0);
  const script = [exportSuccess(), RETRYABLE, FINAL, exportSuccess(2), exportSuccess(), exportSuccess()];
  const delivery = createDelivery(createScriptedExporter(script), recorder.tools, "otlp");
  for (let batch = 0; batch < 5; batch++) {
    const delivered = delivery.deliver(BATCH);
    await vi.advanceTimersByTimeAsync(1);
    await delivered;
  }
  expect(recorder.lines).toEqual([
    "warn span export failing (HTTP status 503)",
    "info span export recovered",
  ]);
});

it("cuts a reason that is a whole answer", async () => {
  const recorder = createRecorder();
  const failure = { code: 1, error: new Error("x".repeat(10_000)) };
  await createDelivery(createScriptedExporter([failure]), recorder.tools, "otlp").deliver(BATCH);
  expect(recorder.lines).toEqual([`warn span export failing (${"x".repeat(200)})`]);
});
