/**
 * The admin listener: who may ask it, which route answers, and how an answer is written.
 *
 * Nothing here changes anything. Readers may be slow, or stop reading: what they can take is bounded in time, in connections
 * (connections.ts) and in answers that are written piece by piece, so that health and metrics are answered beside them.
 * Not here: what the routes show, and which names are the listener's own (own-names.ts).
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Log } from "../core/log.ts";
import { type AdminAnswer, AnswerGone, type AdminRoute, refusal } from "./answer.ts";
import { readAsked } from "./asked.ts";
import { boundConnections, boundStreams, type Streams } from "./connections.ts";
import { listen } from "./listening.ts";
import { findForeignName } from "./own-names.ts";
import { createRouteFinder, type FindRoute } from "./route-finder.ts";
import { isStream, writeAnswer } from "./write-answer.ts";

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  /** `admin.hosts`: names it may be called by, besides loopback names and IP literals; lower case. */
  readonly hosts: () => readonly string[];
  readonly routes: readonly AdminRoute[];
  /** Told of routes that break, which is a fault of this program. */
  readonly log: Log;
  /** For tests; else LIMITS. */
  readonly limits?: Partial<AdminLimits>;
}

export interface AdminLimits {
  readonly connectionsMax: number;
  /** Answers that are being written piece by piece. */
  readonly streamsMax: number;
  /** Milliseconds in which a connection neither sent nor took a byte; it may last twice as long until that is noticed. */
  readonly stalledMs: number;
}

export interface AdminServer {
  readonly address: string;
  stop(): Promise<void>;
}

/**
 * Connections: enough for a scraper, a probe and a few browsers. Streams: a browser opens six connections, so four trace
 * pages and a Grafana; each holds a few pieces of an answer, some 500 KB with gzip. Stalled: whoever reads at all takes a byte
 * in ten seconds.
 */
const LIMITS: AdminLimits = { connectionsMax: 100, streamsMax: 32, stalledMs: 10_000 };
const REQUEST_TIMEOUT_MS = 10_000;
const STREAMS_FULL = "as many answers as there may be are being read already, try again";

/** @throws FedtraceError LISTEN_FAILED when the address can't be taken */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  const { createServer } = await import("node:http"); // Only those wait for it who asked for the listener.
  const limits = { ...LIMITS, ...options.limits };
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS });
  boundConnections(server, limits.connectionsMax);
  const streams = boundStreams(server, limits.streamsMax);
  const find = createRouteFinder(options.routes);
  server.on("request", (request, response) => {
    if (!request.socket.destroyed) void respond({ ...options, find, streams }, request, response);
  });
  server.timeout = limits.stalledMs; // What is left unread counts as well, and the connection is then destroyed.
  const address = await listen(server, options);
  return {
    address,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answerer extends AdminOptions {
  readonly find: FindRoute;
  readonly streams: Streams;
}

async function respond(
  answerer: Answerer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const found = refuse(request, answerer.hosts()) ?? (await answer(answerer, request));
    const hasRoom = !isStream(found) || answerer.streams.take(request, response);
    await writeAnswer(request, response, hasRoom ? found : refusal(503, STREAMS_FULL));
  } catch (error) {
    if (error instanceof AnswerGone) response.destroy();
    if (response.destroyed) return; // The reader went away, or what it read.
    answerer.log.error("admin route failed", { reason: String(error) });
    // What has begun must not look whole.
    if (response.headersSent) response.destroy();
    else await writeAnswer(request, response, refusal(500, "this is a fault of fedtrace; its log says more"));
  }
}

async function answer({ routes, find }: Answerer, request: IncomingMessage): Promise<AdminAnswer> {
  const asked = readAsked(request);
  const found = find(asked.path);
  if (found === undefined) {
    const patterns = routes.map(({ pattern }) => pattern).join(", ");
    return refusal(404, `there is nothing here; there is ${patterns}`);
  }
  return found.route.answer({ ...asked, parameters: found.parameters });
}

function refuse(request: IncomingMessage, hosts: readonly string[]): AdminAnswer | undefined {
  const foreign = findForeignName(request, hosts);
  if (foreign === "Host") {
    return refusal(403, "Host is not this listener's: a loopback name, an IP address or one of admin.hosts");
  }
  if (foreign === "Origin")
    return refusal(403, "Origin is not this listener's: the Host or one of admin.hosts");
  if (foreign === "Sec-Fetch-Site") return refusal(403, "a page of another site asks for this");
  if (request.method === "GET" || request.method === "HEAD") return undefined;
  return { ...refusal(405, "only GET and HEAD are answered here"), headers: { allow: "GET, HEAD" } };
}
