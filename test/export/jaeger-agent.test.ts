/**
 * createJaegerAgentExporter against a UDP receiver of node:dgram on a real socket, of either family, there or not.
 * Method: packets are read back by others (jaeger-decode.ts). Every socket is on port 0; what a name resolves to is given by
 * the test, since machines differ in what "localhost" is.
 */

import { createSocket, type Socket } from "node:dgram";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createJaegerAgentExporter, type JaegerAgentOptions } from "../../src/export/jaeger-agent.ts";
import { createUdpChannel, sendFailure } from "../../src/export/jaeger-udp.ts";
import { readOutcome } from "../../src/export/outcome.ts";
import { decodeBinaryCall, decodeCall } from "./jaeger-decode.ts";
import { exportOnce } from "./recorder.ts";
import { exampleSpan } from "./spans.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Receiver {
  readonly port: number;
  readonly packets: readonly Buffer[];
  /** Resolves with the packets once there are so many. */
  packetsOf(count: number): Promise<readonly Buffer[]>;
  close(): Promise<void>;
}

async function startReceiver(address = "127.0.0.1", port = 0): Promise<Receiver> {
  const socket: Socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  const packets: Buffer[] = [];
  socket.on("message", (packet) => void packets.push(packet));
  await new Promise<void>((resolve) => void socket.bind(port, address, resolve));
  let isOpen = true;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      if (!isOpen) return resolve();
      isOpen = false;
      socket.close(() => resolve());
    });
  cleanups.push(close);
  return {
    port: socket.address().port,
    packets,
    packetsOf: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (packets.length < count) return;
          socket.off("message", look);
          resolve(packets);
        };
        socket.on("message", look);
        look();
      }),
    close,
  };
}

function exporterFor(port: number, changes: Partial<JaegerAgentOptions> = {}): SpanExporter {
  const exporter = createJaegerAgentExporter({ host: "127.0.0.1", port, protocol: "compact", ...changes });
  cleanups.push(() => exporter.shutdown());
  return exporter;
}

const SPANS = [exampleSpan({ name: "a" }), exampleSpan({ name: "b" })];
const EXPORTED = { isExported: true, rejectedSpans: 0 };

describe("a batch", () => {
  it.each([
    { protocol: "compact", decode: (packet: Buffer) => decodeCall("compact", packet) },
    { protocol: "binary", decode: decodeBinaryCall },
  ] as const)("is one packet of the $protocol protocol", async ({ protocol, decode }) => {
    const receiver = await startReceiver();
    expect(await exportOnce(exporterFor(receiver.port, { protocol }), SPANS)).toEqual(EXPORTED);
    const batches = (await receiver.packetsOf(1)).map(decode);
    expect(batches.map(({ spans }) => spans.map(({ operationName }) => operationName))).toEqual([["a", "b"]]);
  });

  it("is as many packets as it needs, each of at most 65,000 bytes", async () => {
    const receiver = await startReceiver();
    const spans = Array.from({ length: 512 }, (_, index) => exampleSpan({ name: String(index) }));
    expect(await exportOnce(exporterFor(receiver.port, { protocol: "binary" }), spans)).toEqual(EXPORTED);
    const packets = await receiver.packetsOf(9);
    const names = packets.flatMap((packet) =>
      decodeBinaryCall(packet).spans.map((span) => span.operationName),
    );
    expect(names).toEqual(spans.map(({ name }) => name));
    expect(packets).toHaveLength(9);
    const lengths = packets.map(({ length }) => length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(65_000);
    expect(Math.min(...lengths.slice(0, -1))).toBeGreaterThan(64_000);
  });

  it.each([
    { why: "fits as a packet of its own", bytes: 64_000, outcome: EXPORTED, names: ["a", "big", "b"] },
    {
      why: "is over the bound: rejected, and its neighbours sent",
      bytes: 65_000,
      outcome: { isExported: true, rejectedSpans: 1 },
      names: ["a", "b"],
    },
  ])("with a span that $why", async ({ bytes, outcome, names }) => {
    const receiver = await startReceiver();
    const big = exampleSpan({ name: "big", attributes: { long: "x".repeat(bytes) } });
    const [a = big, b = big] = SPANS;
    expect(await exportOnce(exporterFor(receiver.port), [a, big, b])).toEqual(outcome);
    // A packet that came later would still be missing here; what was sent before is read before.
    await exportOnce(exporterFor(receiver.port), [exampleSpan({ name: "last" })]);
    const isLast = (packet: Buffer): boolean => namesIn(packet).includes("last");
    for (let count = 1; !receiver.packets.some(isLast); count++) await receiver.packetsOf(count);
    expect(receiver.packets.flatMap(namesIn)).toEqual([...names, "last"]);
  });

  it("goes out from one socket for good", async () => {
    const receiver = await startReceiver();
    const exporter = exporterFor(receiver.port);
    const sources = new Set<number>();
    const other = createSocket("udp4");
    await new Promise<void>((resolve) => void other.bind(0, "127.0.0.1", resolve));
    cleanups.push(() => void other.close());
    other.on("message", (_, { port }) => void sources.add(port));
    const toOther = exporterFor(other.address().port);
    for (let batch = 0; batch < 3; batch++) {
      await exportOnce(toOther, SPANS);
      await exportOnce(exporter, SPANS);
    }
    await receiver.packetsOf(3);
    expect(sources.size).toBe(1);
  });

  it("waits for the one before, so that both keep the pace", async () => {
    const receiver = await startReceiver();
    const exporter = exporterFor(receiver.port);
    const startMs = performance.now();
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => exportOnce(exporter, SPANS)));
    expect(performance.now() - startMs).toBeGreaterThan(4 * 9); // 10 ms each; a timer may be a little early.
    expect(outcomes).toEqual([EXPORTED, EXPORTED, EXPORTED, EXPORTED]);
    expect(await receiver.packetsOf(4)).toHaveLength(4);
  });
});

function namesIn(packet: Buffer): readonly string[] {
  return decodeCall("compact", packet).spans.map(({ operationName }) => operationName);
}

it("sends to an IPv6 address", async () => {
  const receiver = await startReceiver("::1");
  expect(await exportOnce(exporterFor(receiver.port, { host: "::1" }), SPANS)).toEqual(EXPORTED);
  expect(await receiver.packetsOf(1)).toHaveLength(1);
});

describe("an agent that isn't there", () => {
  it("refuses: tried again later, and reached once it is there", async () => {
    const gone = await startReceiver();
    await gone.close();
    const exporter = exporterFor(gone.port);
    expect(await exportOnce(exporter, SPANS)).toEqual({
      isExported: false,
      reason: "ECONNREFUSED",
      isRetryable: true,
      retryAfterMs: undefined,
    });
    const back = await startReceiver("127.0.0.1", gone.port);
    expect(await exportOnce(exporter, SPANS)).toEqual(EXPORTED);
    expect(await back.packetsOf(1)).toHaveLength(1);
  });

  it("has a name that nobody knows: tried again later", async () => {
    const host = `${"x".repeat(64)}.invalid`; // No resolver asks for a label of 64 characters.
    expect(await exportOnce(exporterFor(1, { host }), SPANS)).toMatchObject({
      isExported: false,
      isRetryable: true,
    });
  });

  it.each([
    { code: "ECONNREFUSED", isRetryable: true, why: "it may be started" },
    { code: "ENETUNREACH", isRetryable: true, why: "the network may come up" },
    { code: "EHOSTUNREACH", isRetryable: true, why: "the host may come up" },
    { code: "ENOTFOUND", isRetryable: true, why: "the name may be there later" },
    { code: "EMSGSIZE", isRetryable: false, why: "the same packet is too large again" },
  ])("$code: $why", ({ code, isRetryable }) => {
    const result = sendFailure(Object.assign(new Error("send failed"), { code }));
    expect(readOutcome(result)).toEqual({
      isExported: false,
      reason: code,
      isRetryable,
      retryAfterMs: undefined,
    });
  });
});

describe("createUdpChannel", () => {
  const V4 = { address: "127.0.0.1", family: 4 };
  const V6 = { address: "::1", family: 6 };
  const PACKET = Buffer.from("packet");

  it("says when a packet is too large for UDP, and sends the next", async () => {
    const receiver = await startReceiver();
    const channel = createUdpChannel("127.0.0.1", receiver.port);
    cleanups.push(() => channel.close());
    await expect(channel.send(Buffer.alloc(65_508))).rejects.toMatchObject({ code: "EMSGSIZE" });
    await channel.send(PACKET);
    expect(await receiver.packetsOf(1)).toEqual([PACKET]);
  });

  it("goes to a name's next address when one refuses, and stays there", async () => {
    const receiver = await startReceiver();
    const resolve = vi.fn(() => Promise.resolve([V6, V4]));
    const channel = createUdpChannel("agent.test", receiver.port, resolve);
    cleanups.push(() => channel.close());
    await expect(channel.send(PACKET)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await channel.send(PACKET);
    await channel.send(PACKET);
    expect(await receiver.packetsOf(2)).toHaveLength(2);
    expect(resolve).toHaveBeenCalledTimes(2);
  });

  describe("looks a name up again", () => {
    afterEach(() => {
      vi.useRealTimers();
    });

    it.each([
      { why: "not before a minute", host: "agent.test", waitMs: 59_999, lookUps: 1 },
      { why: "after a minute", host: "agent.test", waitMs: 60_000, lookUps: 2 },
      { why: "never an address", host: "127.0.0.1", waitMs: 60_000, lookUps: 1 },
    ])("$why", async ({ host, waitMs, lookUps }) => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      const first = await startReceiver("127.0.0.1");
      const moved = await startReceiver("::1", first.port);
      const addresses = [[V4], [V6]];
      const resolve = vi.fn(() => Promise.resolve(addresses[resolve.mock.calls.length - 1] ?? []));
      const channel = createUdpChannel(host, first.port, resolve);
      cleanups.push(() => channel.close());
      await channel.send(PACKET);
      vi.advanceTimersByTime(waitMs);
      await channel.send(PACKET);
      const [second, before] = lookUps === 2 ? [moved, 0] : [first, 1];
      expect(await second.packetsOf(before + 1)).toHaveLength(before + 1);
      expect(resolve).toHaveBeenCalledTimes(lookUps);
    });
  });
});
