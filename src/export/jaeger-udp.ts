/**
 * One UDP socket to a Jaeger agent: resolved, connected, paced.
 *
 * It is connected, so that the kernel reports an agent that isn't there (https://man7.org/linux/man-pages/man7/udp.7.html, "Error
 * handling"). Such a report comes after the packet, from another host even after the batch; what is sent next fails with it
 * then. Nothing else ever tells that a packet was lost. Not here: what the packets hold (jaeger-agent.ts).
 */

import type { Socket } from "node:dgram";
import type { LookupAddress } from "node:dns";
import { isIP } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { ExportResult } from "@opentelemetry/core";
import { exportFailure } from "./outcome.ts";

/**
 * After each packet. A receiver whose socket has Linux's default buffer (net.core.rmem_default, 208 KiB) holds some three packets
 * of 65,000 bytes, so this lets it do something else for 30 ms. Measured with Jaeger 2.13 and 20,000 spans at once: up to 1,690
 * lost without a pause, 174 with 2 ms; with 5 ms a packet now and then on a busy machine. What is left is 6.5 MB a second, some
 * 7,000 spans compact and 5,000 binary: what is more waits in the queue, which counts what it drops. Nobody counts what a
 * receiver loses.
 */
const PACKET_PAUSE_MS = 10;

/** A name is looked up again after this long: nobody would tell that the agent has moved. */
const NAME_MS_MAX = 60_000;

export interface UdpChannel {
  /** One packet, then the pause. Rejects with the system's error, its own or one that came in since the last; one at a time. */
  send(packet: Buffer): Promise<void>;
  close(): void;
}

interface ConnectedSocket {
  readonly socket: Socket;
  /** What was reported since it was opened, not tied to a packet. */
  error: Error | undefined;
  isStale: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** From a name, or an address, to at least one address; the system's unless a test has its own. */
type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

/** Nothing is opened before the first packet. The socket doesn't keep the process alive. */
export function createUdpChannel(host: string, port: number, resolve: Resolve = lookUp): UdpChannel {
  let current: ConnectedSocket | undefined;
  let failures = 0;

  function close(): void {
    clearTimeout(current?.timer);
    current?.socket.close();
    current = undefined;
  }

  return {
    async send(packet) {
      try {
        if (current?.isStale === true) close();
        if (current === undefined) {
          const addresses = await resolve(host);
          // The next one after a failure: "localhost" often has two, and an agent on one of them.
          const address = addresses[failures % addresses.length] ?? { address: host, family: 4 };
          current = await openSocket(address, port, isIP(host) === 0);
        }
        await sendAndPause(current, packet);
      } catch (error) {
        failures++;
        close();
        throw error;
      }
    },
    close,
  };
}

/** What a rejection of `send` means. A packet that is too large for the way stays so; all else may pass. */
export function sendFailure(error: unknown): ExportResult {
  const reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
  return exportFailure(reason, { isRetryable: reason !== "EMSGSIZE", retryAfterMs: undefined });
}

async function lookUp(host: string): Promise<readonly LookupAddress[]> {
  const { lookup } = await import("node:dns/promises");
  return lookup(host, { all: true });
}

async function openSocket(
  { address, family }: LookupAddress,
  port: number,
  isNamed: boolean,
): Promise<ConnectedSocket> {
  const { createSocket } = await import("node:dgram");
  const socket = createSocket(family === 6 ? "udp6" : "udp4").unref();
  const opened: ConnectedSocket = { socket, error: undefined, isStale: false, timer: undefined };
  socket.on("error", (error) => {
    opened.error = error;
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject); // It can't be bound.
      socket.connect(port, address, (error?: Error) => (error ? reject(error) : resolve()));
    });
  } catch (error) {
    socket.close();
    throw error;
  }
  if (isNamed) {
    opened.timer = setTimeout(() => {
      opened.isStale = true;
    }, NAME_MS_MAX).unref();
  }
  return opened;
}

async function sendAndPause(opened: ConnectedSocket, packet: Buffer): Promise<void> {
  if (opened.error !== undefined) throw opened.error;
  await new Promise<void>((resolve, reject) => {
    opened.socket.send(packet, (error) => (error === null ? resolve() : reject(error)));
  });
  await pause(PACKET_PAUSE_MS, undefined, { ref: false });
  if (opened.error !== undefined) throw opened.error; // An agent on this host is known by now to be there or not.
}
