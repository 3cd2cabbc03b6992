/**
 * Sends a planned request over HTTP/1.1 with connections that stay open, and reads its answer to the end.
 * Not here: TLS, upgrades, retries: what a connection's end costs is part of what is measured.
 */

import { Agent, type ClientRequest, request } from "node:http";
import type { PlannedRequest } from "./request-plan.ts";
import type { Failure, Outcome } from "./tally.ts";

/** Runs it once, later. @returns takes it back */
export type SetTimer = (run: () => void, ms: number) => () => void;

export interface SenderOptions {
  readonly host: string;
  readonly port: number;
  /** At least as many as may be in flight, or requests would wait unseen. */
  readonly connections: number;
  /** From sending to the last byte of the answer. */
  readonly answerTimeoutMs: number;
  readonly setTimer: SetTimer;
}

export interface Sender {
  /** Never rejects. */
  send(planned: PlannedRequest): Promise<Outcome>;
  /** What is in flight ends as `stopped`, and so does what comes after it. */
  stop(): void;
}

/** Less than servers wait for a next request (Node's: 5 s), so that it doesn't cross with their end of the connection. */
const IDLE_MS = 4000;

const FAILURE_OF: Readonly<Record<string, Failure>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  ETIMEDOUT: "timeout",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  ENOTFOUND: "unreachable",
  EAI_AGAIN: "unreachable",
};

export function createSender(options: SenderOptions): Sender {
  const { host, port, connections, answerTimeoutMs, setTimer } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: connections, timeout: IDLE_MS });
  const open = new Map<ClientRequest, (outcome: Outcome) => void>();
  let isStopped = false;

  return {
    send({ method, target, headers, body }) {
      if (isStopped) return Promise.resolve("stopped");
      return new Promise((resolve) => {
        const sent = request({ host, port, agent, method, path: target, headers, setHost: false });
        const cancelTimer = setTimer(() => settle("timeout"), answerTimeoutMs);
        function settle(outcome: Outcome): void {
          if (!open.delete(sent)) return;
          cancelTimer();
          if (typeof outcome !== "number") sent.destroy();
          resolve(outcome);
        }
        open.set(sent, settle);
        sent.on("response", (response) => {
          response.on("end", () => settle(response.complete ? (response.statusCode ?? 0) : "reset"));
          response.on("error", (error) => settle(failureOf(error)));
          response.resume();
        });
        sent.on("error", (error) => settle(failureOf(error)));
        sent.on("close", () => settle("reset"));
        sent.end(body);
      });
    },
    stop() {
      isStopped = true;
      for (const settle of open.values()) settle("stopped");
      agent.destroy();
    },
  };
}

function failureOf(error: NodeJS.ErrnoException): Failure {
  const { code = "" } = error;
  return FAILURE_OF[code] ?? (code.startsWith("HPE_") ? "malformed" : "other");
}
