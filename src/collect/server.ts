/**
 * The collector's listener: which path receives, which are read, who may, and how an answer is written.
 *
 * Senders and readers share its connections, of which there is always room for one more (admin/connections.ts). Exports are written
 * at their readers' pace, a few at a time. Not here: what a report has to be (receive.ts), who may read (access.ts).
 */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AdminAnswer, AdminRoute } from "../admin/answer.ts";
import { readAsked } from "../admin/asked.ts";
import { boundConnections, boundStreams, type Streams } from "../admin/connections.ts";
import { listen } from "../admin/listening.ts";
import { createRouteFinder, type FindRoute } from "../admin/route-finder.ts";
import { isStream, writeAnswer } from "../admin/write-answer.ts";
import type { Log } from "../core/log.ts";
import type { CheckReader } from "./access.ts";
import type { FindClient } from "./client.ts";
import { errorAnswer, laterAnswer } from "./error-answer.ts";
import type { Receive } from "./receive.ts";

export interface CollectServerOptions {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  /** Where reports are sent to. */
  readonly paths: readonly string[];
  readonly receive: Receive;
  readonly findClient: FindClient;
  readonly checkReader: CheckReader;
  /** Of those that begin with /api/ it is asked who reads. */
  readonly routes: readonly AdminRoute[];
  /** Throttled; told of what breaks. */
  readonly log: Log;
  readonly limits: ServerLimits;
}

export interface ServerLimits {
  readonly connectionsMax: number;
  /** Exports at a time. */
  readonly streamsMax: number;
  /** In which a connection neither sends nor takes a byte; longer than the database may take for an answer. */
  readonly stalledMs: number;
  /** In which a head has to be there. */
  readonly headMs: number;
  /** For a kept connection's next request. A proxy in front must give up first; most do after 60 s. */
  readonly idleMs: number;
  /** How long a stop waits for what is under way. */
  readonly drainMs: number;
}

export interface CollectServer {
  /** `127.0.0.1:9411`. */
  readonly address: string;
  /** Takes nothing new; resolves when what was under way is answered, or late. */
  stop(): Promise<void>;
}

/** Node looks for connections beyond their limits so often. */
const CHECK_MS = 1000;
const HEAD_BYTES_MAX = 16 * 1024;
const BUSY_SECONDS = 5;
const READ_METHODS = "GET, HEAD";

/** @throws FedtraceError LISTEN_FAILED when the address can't be taken */
export async function startCollectServer(options: CollectServerOptions): Promise<CollectServer> {
  const { limits } = options;
  const server = createServer({
    maxHeaderSize: HEAD_BYTES_MAX,
    headersTimeout: limits.headMs,
    requestTimeout: limits.stalledMs,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: CHECK_MS,
  });
  server.timeout = limits.stalledMs;
  // Node leaves out what comes after the 2,000th, and who stands between may write his own last. The head's bytes are bounded.
  server.maxHeadersCount = 0;
  boundConnections(server, limits.connectionsMax);
  const answerer: Answerer = {
    ...options,
    find: createRouteFinder(options.routes),
    streams: boundStreams(server, limits.streamsMax),
    isStopping: () => !server.listening,
    receivers: new Set(options.paths),
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (!request.socket.destroyed) void respond(answerer, request, response);
  };
  server.on("request", onRequest);
  server.on("checkContinue", onRequest); // body.ts asks for the body, once it is wanted.
  const address = await listen(server, options);
  return { address, stop: () => stop(server, limits.drainMs) };
}

async function stop(server: Server, drainMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(timer);
}

interface Answerer extends CollectServerOptions {
  readonly find: FindRoute;
  readonly streams: Streams;
  readonly receivers: ReadonlySet<string>;
  readonly isStopping: () => boolean;
}

async function respond(
  answerer: Answerer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const found = await answer(answerer, request, response);
    if (found === undefined || response.destroyed) return;
    const hasRoom = !isStream(found) || answerer.streams.take(request, response);
    // Else its sender would go on until the stop is late, and what is then under way is cut off.
    if (answerer.isStopping() && !response.headersSent) response.setHeader("connection", "close");
    const full = "as many exports as there may be are being read already; try again";
    await writeAnswer(request, response, hasRoom ? found : laterAnswer("COLLECTOR_BUSY", full, BUSY_SECONDS));
  } catch (error) {
    if (response.destroyed) return; // The reader went away.
    answerer.log.error("request failed", { reason: error instanceof Error ? error.message : String(error) });
    // What has begun must not look whole.
    if (response.headersSent) response.destroy();
    else
      await writeAnswer(
        request,
        response,
        errorAnswer("INTERNAL", "this is a fault of fedtrace; its log says more"),
      );
  }
}

async function answer(
  { receivers, receive, findClient, checkReader, find }: Answerer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<AdminAnswer | undefined> {
  const asked = readAsked(request);
  const { path } = asked;
  const client = findClient(request);
  if (receivers.has(path)) return receive(request, response, client);
  const found = find(path);
  if (found === undefined) return errorAnswer("PATH_UNKNOWN", "there is nothing here");
  if (request.method !== "GET" && request.method !== "HEAD")
    return errorAnswer("METHOD_REFUSED", `only ${READ_METHODS} are answered here`, { allow: READ_METHODS });
  const refused = path.startsWith("/api/") ? checkReader(request, client) : undefined;
  if (refused !== undefined)
    return errorAnswer(
      refused.code,
      refused.sentence,
      refused.code === "TOKEN_WRONG" ? { "www-authenticate": 'Bearer realm="fedtrace"' } : {},
    );
  return found.route.answer({ ...asked, parameters: found.parameters });
}
