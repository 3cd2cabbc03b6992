/**
 * The admin listener: who may ask it, which route answers, and how an answer is written.
 *
 * It has no password, so it must not be reached by a web page through its reader's browser: a Host or Origin
 * that is not the listener's own is refused (DNS rebinding: CWE-350), and nothing here changes anything. Not here: what
 * the routes show.
 */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { isIP } from "node:net";
import { FedtraceError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { type AdminAnswer, type AdminRoute, refusal } from "./answer.ts";
import { createRouteFinder, type FindRoute } from "./route-finder.ts";
import { writeAnswer } from "./write-answer.ts";

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  /** `admin.hosts`: names it may be called by, besides loopback names and IP literals; lower case. */
  readonly hosts: () => readonly string[];
  readonly routes: readonly AdminRoute[];
  /** Told of routes that break, which is a fault of this program. */
  readonly log: Log;
}

export interface AdminServer {
  readonly address: string;
  stop(): Promise<void>;
}

/** Enough for a scraper, a probe and a few browsers. */
const CONNECTIONS_MAX = 100;
const REQUEST_TIMEOUT_MS = 10_000;

/** @throws FedtraceError LISTEN_FAILED when the address can't be taken */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  const { createServer } = await import("node:http"); // Only those wait for it who asked for the listener.
  const find = createRouteFinder(options.routes);
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    void respond(options, find, request, response);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const where = `${options.host}:${options.port}`;
      const message = `cannot listen on ${where}: ${cause.code ?? cause.message}`;
      reject(new FedtraceError("LISTEN_FAILED", message, { address: where }, cause));
    });
    server.listen({ host: options.host, port: options.port }, resolve);
  });
  return {
    address: addressOf(server),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(
  options: AdminOptions,
  find: FindRoute,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    await writeAnswer(request, response, refuse(options, request) ?? (await answer(options, find, request)));
  } catch (error) {
    if (response.destroyed) return; // The reader went away.
    options.log.error("admin route failed", { reason: String(error) });
    // What has begun must not look whole.
    if (response.headersSent) response.destroy();
    else await writeAnswer(request, response, refusal(500, "this is a fault of fedtrace; its log says more"));
  }
}

function refuse(options: AdminOptions, { headers, method }: IncomingMessage): AdminAnswer | undefined {
  if (!isOwnName(headers.host, options.hosts())) {
    return refusal(403, "Host is not this listener's: a loopback name, an IP address or one of admin.hosts");
  }
  const { origin } = headers;
  if (origin !== undefined && !isOwnName(/^https?:\/\/([^/]+)$/.exec(origin)?.[1], options.hosts())) {
    return refusal(403, "Origin is not this listener's");
  }
  if (method === "GET" || method === "HEAD") return undefined;
  return { ...refusal(405, "only GET and HEAD are answered here"), headers: { allow: "GET, HEAD" } };
}

async function answer(
  { routes }: AdminOptions,
  find: FindRoute,
  { url = "", headers }: IncomingMessage,
): Promise<AdminAnswer> {
  const at = url.indexOf("?");
  const path = at === -1 ? url : url.slice(0, at);
  const found = find(path);
  if (found === undefined) {
    const patterns = routes.map(({ pattern }) => pattern).join(", ");
    return refusal(404, `there is nothing here; there is ${patterns}`);
  }
  return found.route.answer({
    parameters: found.parameters,
    query: new URLSearchParams(at === -1 ? "" : url.slice(at + 1)),
    header(name) {
      const value = headers[name];
      return typeof value === "string" ? value : value?.join(", ");
    },
  });
}

/** Whether a `host[:port]` names this machine or one of the names the operator gave. */
function isOwnName(authority: string | undefined, hosts: readonly string[]): boolean {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/.exec(authority ?? "") ?? [];
  const name = (bracketed ?? plain ?? "").toLowerCase();
  return name === "localhost" || name.endsWith(".localhost") || isIP(name) !== 0 || hosts.includes(name);
}

function addressOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === "string") return "";
  return address.family === "IPv6"
    ? `[${address.address}]:${address.port}`
    : `${address.address}:${address.port}`;
}
