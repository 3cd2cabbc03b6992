/** A back end that doesn't answer: sampling falls in steps before spans are dropped, says so once, and comes back. Real sockets. */

import { metricsText } from "../support/metrics.ts";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { inboundTo } from "../support/sidecar.ts";
import { OK_RESPONSE, rawClient, recordingUpstream } from "../support/wire.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: own.test\r\n\r\n";
/** The queue holds 8,192; half of it and the batch that is under way. */
const REQUESTS = 4700;
const CHUNK = 200;

/** Takes batches and says nothing, until it is let. */
async function silentCollector(): Promise<{ readonly url: string; readonly answer: () => void }> {
  const held: ServerResponse[] = [];
  let isAnswering = false;
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      if (isAnswering) response.end();
      else held.push(response);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    answer() {
      isAnswering = true;
      for (const response of held) response.end();
    },
  };
}

function metric({ sidecar }: TestSidecar, series: string): number {
  const at = metricsText(sidecar.registry).split("\n");
  return Number(at.find((line) => line.startsWith(`${series} `))?.split(" ")[1] ?? 0);
}

it("samples less while exporters are behind, and as before once they have caught up", async () => {
  const collector = await silentCollector();
  const upstream = await recordingUpstream(() => OK_RESPONSE);
  const sidecar = await startInProcess({
    inbound: inboundTo(upstream.port),
    sampling: { type: "const", param: 1 },
    export: [{ otlp: { url: collector.url, timeout: "60s" } }],
  });
  onTestFinished(async () => {
    upstream.stop();
    await sidecar.sidecar.stop();
  });
  const client = await rawClient(sidecar.port.inbound);
  onTestFinished(() => void client.socket.destroy());

  /** How many of so many new requests are sampled. */
  async function send(count: number): Promise<number> {
    const before = sidecar.spans.length;
    const started = metric(sidecar, 'fedtrace_spans_sampled_total{direction="inbound"}');
    for (let sent = 0; sent < count; sent += CHUNK) {
      const known = client.received().length;
      client.send(REQUEST.repeat(Math.min(CHUNK, count - sent)));
      const whole = known + OK_RESPONSE.length * Math.min(CHUNK, count - sent);
      await client.until((received) => received.length >= whole);
    }
    const sampled = metric(sidecar, 'fedtrace_spans_sampled_total{direction="inbound"}') - started;
    await sidecar.spansOf(before + sampled);
    return sampled;
  }

  expect(await send(REQUESTS)).toBe(REQUESTS);
  expect(metric(sidecar, "fedtrace_sampling_pressure")).toBeLessThanOrEqual(1);
  sidecar.advance(1000);
  await send(1);
  sidecar.advance(1000);
  await send(1);
  const step = metric(sidecar, "fedtrace_sampling_pressure");
  expect(step).toBeGreaterThanOrEqual(2);
  const sampled = await send(400);
  // A quarter of 400 at the second step, fewer at the next: 100 and more than six times the deviation of 8.7.
  expect(sampled).toBeLessThan(160);
  for (const span of sidecar.spans.slice(-1)) {
    expect(span.spanContext().traceState?.serialize()).toMatch(/^ot=th:[c-f][0-9a-f]*$/);
  }
  expect(metric(sidecar, 'fedtrace_sampling_withheld_total{reason="pressure"}')).toBeGreaterThan(0);
  expect(metric(sidecar, 'fedtrace_spans_dropped_total{exporter="otlp[0]",reason="queue_full"}')).toBe(0);

  collector.answer();
  await expect.poll(() => metric(sidecar, "fedtrace_queue_length"), { timeout: 15_000 }).toBeLessThan(2000);
  for (let seconds = 0; seconds < 90 && metric(sidecar, "fedtrace_sampling_pressure") > 0; seconds++) {
    sidecar.advance(1000);
  }
  expect(await send(100)).toBe(100);
  const lines = sidecar.logged.filter((line) => line.includes("exporters"));
  expect(lines.map((line) => line.split(" ")[0])).toEqual(["warn", "info"]);
});
