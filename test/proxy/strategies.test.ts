/**
 * A sidecar whose strategy comes from elsewhere: a server that answers as Jaeger does, and a file of Jaeger's form. How each is read, and
 * when it is asked, is in test/strategies/; here is what becomes of it in a running sidecar.
 */

import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { runCli, temporaryDirectory } from "../support/cli.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { configText, inboundTo, OUTBOUND, startSidecar } from "../support/sidecar.ts";
import { exchangeRaw, recordingUpstream } from "../support/wire.ts";

const probabilistic = (samplingRate: number): string =>
  JSON.stringify({ strategyType: 0, probabilisticSampling: { samplingRate } });
const rateLimiting = (maxTracesPerSecond: number): string =>
  JSON.stringify({ strategyType: 1, rateLimitingSampling: { maxTracesPerSecond } });
const perOperation = JSON.stringify({
  strategyType: "PROBABILISTIC",
  operationSampling: {
    defaultSamplingProbability: 0,
    defaultLowerBoundTracesPerSecond: 0,
    perOperationStrategies: [
      { operation: "GET /_matrix/key/v2/server", probabilisticSampling: { samplingRate: 1 } },
    ],
  },
});

interface FakeJaeger {
  answer: string;
  readonly asked: string[];
  readonly url: string;
  stop(): void;
}

async function fakeJaeger(answer: string): Promise<FakeJaeger> {
  const jaeger = { answer, asked: [] as string[], url: "", stop: () => void server.close() };
  const server = createServer((request, response) => {
    jaeger.asked.push(request.url ?? "");
    response.end(jaeger.answer);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  jaeger.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/sampling`;
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return jaeger;
}

async function start(sampling: object): Promise<{
  readonly sidecar: TestSidecar;
  /** Whether a new trace to this path is recorded, and by which sampler. */
  readonly sampled: (
    path?: string,
  ) => Promise<{ readonly type: unknown; readonly param: unknown } | undefined>;
  readonly reload: (sampling: object) => Promise<void>;
}> {
  const upstream = await recordingUpstream();
  const document = { inbound: inboundTo(upstream.port) };
  const sidecar = await startInProcess({ ...document, sampling });
  onTestFinished(async () => {
    upstream.stop();
    await sidecar.sidecar.stop();
  });
  return {
    sidecar,
    sampled: async (path = "/") => {
      const before = sidecar.spans.length;
      await exchangeRaw(
        sidecar.port.inbound,
        `GET ${path} HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n\r\n`,
      );
      const attributes = sidecar.spans[before]?.attributes;
      return attributes && { type: attributes["sampler.type"], param: attributes["sampler.param"] };
    },
    reload: async (next) => {
      expect(await sidecar.reload({ ...document, sampling: next })).toEqual([]);
    },
  };
}

const remote = (url: string, more: object = {}) => ({
  type: "remote",
  param: 0,
  remote: { url, poll_interval: "100ms", ...more },
});

const POLLED = { timeout: 10_000, interval: 20 };

describe("remote", () => {
  it("decides by what Jaeger says from the first request on, and asks for the service's name", async () => {
    const jaeger = await fakeJaeger(probabilistic(1));
    const { sampled } = await start(remote(jaeger.url));
    expect(await sampled()).toEqual({ type: "probabilistic", param: 1 });
    expect(jaeger.asked[0]).toBe("/sampling?service=own.test+fedtrace");
  });

  it.each([
    { why: "none", answer: probabilistic(0), root: undefined, key: undefined },
    {
      why: "a rate",
      answer: rateLimiting(50),
      root: { type: "ratelimiting", param: 50 },
      key: { type: "ratelimiting", param: 50 },
    },
    { why: "by operation", answer: perOperation, root: undefined, key: { type: "probabilistic", param: 1 } },
  ])("follows each change: $why", async ({ answer, root, key }) => {
    const jaeger = await fakeJaeger(probabilistic(0.999999));
    const { sidecar, sampled } = await start(remote(jaeger.url));
    const changes = (): number => sidecar.logged.filter((line) => line.includes("strategy changed")).length;
    await expect.poll(changes, POLLED).toBe(1); // A start doesn't wait for the first answer longer than for a while.
    jaeger.answer = answer;
    await expect.poll(changes, POLLED).toBe(2);
    expect(await sampled()).toEqual(root);
    expect(await sampled("/_matrix/key/v2/server")).toEqual(key);
  });

  it("says what changed from and to, once", async () => {
    const jaeger = await fakeJaeger(probabilistic(0.5));
    const { sidecar } = await start(remote(jaeger.url));
    await expect.poll(() => sidecar.logged.join("\n"), POLLED).toContain("sampling strategy");
    jaeger.answer = rateLimiting(5);
    await expect.poll(() => jaeger.asked.length, POLLED).toBeGreaterThan(4);
    const lines = sidecar.logged.filter((line) => line.includes("sampling strategy"));
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain('"from":"probabilistic(0.5)","to":"ratelimiting(5)"');
  });

  it.each([
    { why: "a probability", answer: probabilistic(1), more: { max_probability: 0 }, sampled: undefined },
    {
      why: "a rate",
      answer: rateLimiting(1000),
      more: { max_per_second: 0.5 },
      sampled: { type: "ratelimiting", param: 0.5 },
    },
  ])("goes no further than the config lets it: $why", async ({ answer, more, sampled: expected }) => {
    const jaeger = await fakeJaeger(answer);
    const { sampled } = await start(remote(jaeger.url, more));
    expect(await sampled()).toEqual(expected);
  });

  it("has the param until there is an answer, and starts without one", async () => {
    const { sampled, sidecar } = await start({ ...remote("http://127.0.0.1:1/sampling"), param: 1 });
    expect(await sampled()).toEqual({ type: "probabilistic", param: 1 });
    expect(sidecar.logged.join("\n")).toContain("warn sampling strategy can't be had");
  });

  it("keeps the last good one over failures, and in its file over restarts", async () => {
    const cache = join(temporaryDirectory(), "sampling.json");
    const jaeger = await fakeJaeger(probabilistic(1));
    const first = await start(remote(jaeger.url, { cache_file: cache }));
    jaeger.answer = "nonsense";
    await expect
      .poll(() => first.sidecar.logged.some((line) => line.includes("can't be had")), POLLED)
      .toBe(true);
    expect(await first.sampled()).toEqual({ type: "probabilistic", param: 1 });
    const second = await start(remote(jaeger.url, { cache_file: cache }));
    expect(await second.sampled()).toEqual({ type: "probabilistic", param: 1 });
    expect(second.sidecar.logged.join("\n")).toContain("sampling strategy taken from its cache");
  });

  it("puts the operator's own rules first", async () => {
    const jaeger = await fakeJaeger(perOperation);
    const operations = [{ template: "/_matrix/key/*", type: "const", param: 0 }];
    const { sampled } = await start({ ...remote(jaeger.url), operations });
    expect(await sampled("/_matrix/key/v2/server")).toBeUndefined();
  });

  it("goes on over a reload that leaves it alone, and changes with one that doesn't", async () => {
    const one = await fakeJaeger(probabilistic(1));
    const other = await fakeJaeger(probabilistic(0));
    const { sampled, reload, sidecar } = await start(remote(one.url));
    await reload({ ...remote(one.url), max_per_second: 100 });
    expect(sidecar.logged.filter((line) => line.includes("strategy changed"))).toHaveLength(1);
    expect(await sampled()).toEqual({ type: "probabilistic", param: 1 });
    await reload(remote(other.url));
    expect(await sampled()).toBeUndefined();
    await reload({ type: "const", param: 1 });
    expect(await sampled()).toEqual({ type: "const", param: true });
  });

  it("asks nobody once the sidecar has stopped, or where tracing is disabled", async () => {
    const jaeger = await fakeJaeger(probabilistic(1));
    const { sidecar } = await start(remote(jaeger.url));
    await sidecar.sidecar.stop();
    const asked = jaeger.asked.length;
    const path = join(temporaryDirectory(), "sampling.json");
    const upstream = await recordingUpstream();
    onTestFinished(() => upstream.stop());
    const disabled = await startSidecar(
      {
        outbound: OUTBOUND,
        whitelist: ["127\\.0\\.0\\.1"],
        sampling: remote(jaeger.url, { cache_file: path }),
      },
      { environment: { OTEL_SDK_DISABLED: "true" } },
    );
    onTestFinished(async () => void (await disabled.stop()));
    expect(jaeger.asked.length).toBe(asked);
    // Not even the own server's wish has anything recorded.
    const host = `127.0.0.1:${upstream.port}`;
    const parent = "traceparent: 00-d4cda95b652f4a1592b449d5929fda1b-6e0c63257de34c92-01";
    await exchangeRaw(
      disabled.port.outbound,
      `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n${parent}\r\nConnection: close\r\n\r\n`,
    );
    expect(upstream.received()).toMatch(/\r\ntraceparent: \S+-00\r\n/);
  });
});

describe("a strategy file", () => {
  const file = (param: number): string =>
    JSON.stringify({
      service_strategies: [{ service: "own.test fedtrace", type: "probabilistic", param }],
      default_strategy: { type: "probabilistic", param: 0 },
    });

  it("decides, and is read again when it changes", async () => {
    const path = join(temporaryDirectory(), "strategies.json");
    writeFileSync(path, file(1));
    const { sampled, sidecar } = await start({ type: "remote", remote: { file: path } });
    expect(await sampled()).toEqual({ type: "probabilistic", param: 1 });
    writeFileSync(path, "{");
    await expect.poll(() => sidecar.logged.some((line) => line.includes("can't be had")), POLLED).toBe(true);
    expect(await sampled()).toEqual({ type: "probabilistic", param: 1 });
    writeFileSync(path, file(0));
    await expect.poll(() => sampled(), POLLED).toBeUndefined();
  });

  it.each([
    { why: "not JSON", text: "{" },
    { why: "not there", text: undefined },
    { why: "out of bounds", text: file(7) },
  ])("that can't be used is a fault with its place: $why", async ({ text }) => {
    const path = join(temporaryDirectory(), "strategies.json");
    if (text !== undefined) writeFileSync(path, text);
    const directory = temporaryDirectory();
    writeFileSync(
      join(directory, "fedtrace.yaml"),
      configText({ inbound: inboundTo(1), sampling: { type: "remote", remote: { file: path } } }),
    );
    const { status, stderr } = await runCli(["check", "--config", "fedtrace.yaml"], { directory });
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^fedtrace\.yaml:\d+:\d+: sampling\.remote\.file: names a file that can't be used: .+\n$/,
    );
  });
});
