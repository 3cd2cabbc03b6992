/**
 * startBatchQueue: when a batch is due, what is bounded, and that every span is counted exactly once.
 * Method: fake timers, and exporters whose results the test gives; no socket, no waiting.
 */

import { InMemorySpanExporter } from "@opentelemetry/sdk-trace";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type BatchQueue, startBatchQueue } from "../../src/export/batch-queue.ts";
import { exportFailure, exportSuccess } from "../../src/export/outcome.ts";
import { createManualExporter, createRecorder, createScriptedExporter } from "./recorder.ts";
import { exampleSpan } from "./spans.ts";

const OPTIONS = { name: "otlp", capacity: 10, batchSpans: 4, intervalMs: 1000 };
const SPAN = exampleSpan();
const RETRYABLE = exportFailure("HTTP status 503", { isRetryable: true, retryAfterMs: undefined });

function offer(queue: BatchQueue<typeof SPAN>, spans: number): void {
  for (let index = 0; index < spans; index++) queue.onEnd(SPAN);
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("when a batch is due", () => {
  it("waits the interval for a batch that isn't full", async () => {
    const exporter = createScriptedExporter([exportSuccess()]);
    const queue = startBatchQueue(exporter, createRecorder().tools, OPTIONS);
    offer(queue, 3);
    await vi.advanceTimersByTimeAsync(999);
    expect(exporter.batches).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(exporter.batches).toEqual([3]);
  });

  it("takes a full batch in the next turn, never inside onEnd", async () => {
    const exporter = createScriptedExporter([exportSuccess()]);
    const queue = startBatchQueue(exporter, createRecorder().tools, OPTIONS);
    offer(queue, 5);
    expect(exporter.batches).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(exporter.batches).toEqual([4]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(exporter.batches).toEqual([4, 1]);
  });

  it("has one batch in flight, however many wait", async () => {
    const exporter = createManualExporter();
    const queue = startBatchQueue(exporter, createRecorder().tools, OPTIONS);
    offer(queue, 10);
    await vi.advanceTimersByTimeAsync(5000);
    expect(exporter.batches).toEqual([4]);
    exporter.results[0]?.(exportSuccess());
    await vi.advanceTimersByTimeAsync(1);
    expect(exporter.batches).toEqual([4, 4]);
  });

  it("has one batch in flight when spans come in meanwhile", async () => {
    const exporter = createManualExporter();
    const queue = startBatchQueue(exporter, createRecorder().tools, OPTIONS);
    offer(queue, 4);
    await vi.advanceTimersByTimeAsync(1);
    offer(queue, 5);
    await vi.advanceTimersByTimeAsync(5000);
    expect(exporter.batches).toEqual([4]);
  });

  it("leaves no timer behind when nothing waits", async () => {
    const queue = startBatchQueue(createScriptedExporter([exportSuccess()]), createRecorder().tools, OPTIONS);
    offer(queue, 1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("bounds", () => {
  it("holds its capacity and drops the next span", () => {
    const { tools, counts, lengths } = createRecorder();
    const queue = startBatchQueue(createManualExporter(), tools, OPTIONS);
    offer(queue, 10);
    expect(counts).toEqual({});
    offer(queue, 1);
    expect(counts).toEqual({ queue_full: 1 });
    expect(Math.max(...lengths)).toBe(10);
  });

  it("takes spans again once a batch has left", async () => {
    const { tools, counts } = createRecorder();
    const queue = startBatchQueue(createManualExporter(), tools, OPTIONS);
    offer(queue, 10);
    await vi.advanceTimersByTimeAsync(1);
    offer(queue, 5);
    expect(counts).toEqual({ queue_full: 1 });
  });
});

describe("stop", () => {
  it("sends what waits, at once and in batches, and then shuts the exporter down", async () => {
    const { tools, counts, lines } = createRecorder();
    const exporter = createScriptedExporter([exportSuccess()]);
    const shutdown = vi.spyOn(exporter, "shutdown");
    const queue = startBatchQueue(exporter, tools, OPTIONS);
    offer(queue, 9);
    const stopped = queue.stop(5000);
    await vi.advanceTimersByTimeAsync(10);
    await stopped;
    expect(exporter.batches).toEqual([4, 4, 1]);
    expect(counts).toEqual({ exported: 9 });
    expect(shutdown).toHaveBeenCalledOnce();
    expect(lines).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("waits for the batch in flight", async () => {
    const { tools, counts } = createRecorder();
    const exporter = createManualExporter();
    const queue = startBatchQueue(exporter, tools, OPTIONS);
    offer(queue, 4);
    await vi.advanceTimersByTimeAsync(1);
    const stopped = queue.stop(5000);
    exporter.results[0]?.(exportSuccess());
    await vi.advanceTimersByTimeAsync(1);
    await stopped;
    expect(counts).toEqual({ exported: 4 });
  });

  it("gives up at the deadline: what waits and what is in flight counts as dropped, once", async () => {
    const { tools, counts, lengths, lines } = createRecorder();
    const exporter = createManualExporter();
    const queue = startBatchQueue(exporter, tools, OPTIONS);
    offer(queue, 6);
    await vi.advanceTimersByTimeAsync(1);
    const stopped = queue.stop(5000);
    await vi.advanceTimersByTimeAsync(5000);
    await stopped;
    exporter.results[0]?.(exportSuccess()); // Too late.
    await vi.advanceTimersByTimeAsync(10);
    expect(counts).toEqual({ shutdown: 6 });
    expect(lengths.at(-1)).toBe(0);
    expect(lines).toEqual(["warn spans dropped at stop"]);
  });

  it("ends a wait between two tries, and tries once more", async () => {
    const { tools, counts } = createRecorder();
    const exporter = createScriptedExporter([RETRYABLE, exportSuccess()]);
    const queue = startBatchQueue(exporter, tools, OPTIONS);
    offer(queue, 4);
    await vi.advanceTimersByTimeAsync(1);
    const stopped = queue.stop(5000);
    await vi.advanceTimersByTimeAsync(0);
    await stopped;
    expect(counts).toEqual({ exported: 4 });
  });

  it("takes no span afterwards, and is the same when called twice", async () => {
    const { tools, counts } = createRecorder();
    const queue = startBatchQueue(createScriptedExporter([exportSuccess()]), tools, OPTIONS);
    const stopped = queue.stop(5000);
    expect(queue.stop(1)).toBe(stopped);
    offer(queue, 1);
    await vi.advanceTimersByTimeAsync(1);
    await stopped;
    expect(counts).toEqual({ shutdown: 1 });
  });

  it.each([
    { why: "never ends its shutdown", shutdown: () => new Promise<void>(() => undefined) },
    { why: "fails in it", shutdown: () => Promise.reject(new Error("closed")) },
  ])("ends with an exporter that $why", async ({ shutdown }) => {
    const exporter = { ...createScriptedExporter([exportSuccess()]), shutdown };
    const stopped = startBatchQueue(exporter, createRecorder().tools, OPTIONS).stop(5000);
    await vi.advanceTimersByTimeAsync(1001);
    await expect(stopped).resolves.toBeUndefined();
  });
});

it("takes an exporter of OpenTelemetry's", async () => {
  const { tools, counts } = createRecorder();
  const exporter = new InMemorySpanExporter();
  const queue = startBatchQueue(exporter, tools, OPTIONS);
  offer(queue, 2);
  await vi.advanceTimersByTimeAsync(1001);
  expect(exporter.getFinishedSpans()).toEqual([SPAN, SPAN]);
  expect(counts).toEqual({ exported: 2 });
});
