/** Many reports to a collector over connections that stay open, and which of them were acknowledged. */

import { Agent, request } from "node:http";
import { PUSH, SYNAPSE_AGENT, synapseDocument } from "../support/collect.ts";

export interface LoadedReport {
  readonly homeserver: string;
  readonly timestamp: number;
}

export interface ReportLoad {
  readonly acknowledged: readonly LoadedReport[];
  /** Status, or the code of a broken connection → how many. */
  readonly others: Readonly<Record<string, number>>;
  readonly ms: number;
}

const CONNECTIONS = 32;

/** `count` for each of `servers`, a second apart, ending `now`: all servers' first ones first. */
export function reportsOf(servers: number, count: number, now: number): readonly LoadedReport[] {
  return Array.from({ length: servers * count }, (_, index) => ({
    homeserver: `hs${index % servers}.test`,
    timestamp: now - count + Math.floor(index / servers),
  }));
}

/** @param onAcknowledged told of how many there are so far, after each */
export async function loadReports(
  port: number,
  reports: readonly LoadedReport[],
  onAcknowledged: (count: number) => void = () => undefined,
): Promise<ReportLoad> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const acknowledged: LoadedReport[] = [];
  const others: Record<string, number> = {};
  const rest = reports.values();
  const fromMs = performance.now();
  async function sendInTurn(): Promise<void> {
    for (const report of rest) {
      const outcome = await sendOne(port, report, agent);
      if (outcome === "200") {
        acknowledged.push(report);
        onAcknowledged(acknowledged.length);
      } else others[outcome] = (others[outcome] ?? 0) + 1;
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, sendInTurn));
  agent.destroy();
  return { acknowledged, others, ms: performance.now() - fromMs };
}

/** @returns the status, or the code of what broke */
function sendOne(port: number, report: LoadedReport, agent: Agent): Promise<string> {
  const body = JSON.stringify(synapseDocument({ ...report }));
  const headers = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "user-agent": SYNAPSE_AGENT,
  };
  return new Promise((resolve) => {
    const sent = request(
      { host: "127.0.0.1", port, path: PUSH, method: "PUT", headers, agent },
      (response) => {
        response.resume();
        response.once("end", () => resolve(String(response.statusCode)));
        response.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      },
    );
    sent.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.end(body);
  });
}
