/**
 * The admin listener: health, metrics, and what the sidecar would decide. Read-only.
 *
 * It has no password, so it must not be reached by a web page through its reader's browser: a Host or Origin
 * that is not the listener's own is refused (DNS rebinding: CWE-350), and nothing here changes anything.
 */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { isIP } from "node:net";
import { FedtraceError } from "../core/errors.ts";

/** What one path answers. */
export interface AdminAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** @param query of the request; never throws for what is in it */
export type AdminRoute = (query: URLSearchParams) => AdminAnswer;

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  /** `admin.hosts`: names it may be called by, besides loopback names and IP literals; lower case. */
  readonly hosts: () => readonly string[];
  readonly routes: ReadonlyMap<string, AdminRoute>;
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
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    respond(response, answer(options, request), request.method === "HEAD");
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

function answer(options: AdminOptions, request: IncomingMessage): AdminAnswer {
  if (!isOwnName(request.headers.host, options.hosts())) {
    return refusal(403, "Host is not this listener's: a loopback name, an IP address or one of admin.hosts");
  }
  const { origin } = request.headers;
  if (origin !== undefined && !isOwnName(/^https?:\/\/([^/]+)$/.exec(origin)?.[1], options.hosts())) {
    return refusal(403, "Origin is not this listener's");
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    return refusal(405, "only GET and HEAD are answered here");
  }
  const [path = "", query = ""] = (request.url ?? "").split("?", 2);
  return (
    options.routes.get(path)?.(new URLSearchParams(query)) ??
    refusal(404, `there is nothing here; there is ${[...options.routes.keys()].join(", ")}`)
  );
}

/** Whether a `host[:port]` names this machine or one of the names the operator gave. */
function isOwnName(authority: string | undefined, hosts: readonly string[]): boolean {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/.exec(authority ?? "") ?? [];
  const name = (bracketed ?? plain ?? "").toLowerCase();
  return name === "localhost" || name.endsWith(".localhost") || isIP(name) !== 0 || hosts.includes(name);
}

/** @param sentence what is wrong, and what is allowed */
export function refusal(status: number, sentence: string): AdminAnswer {
  return jsonAnswer(status, { error: sentence });
}

export function jsonAnswer(status: number, value: unknown): AdminAnswer {
  return { status, type: "application/json", body: `${JSON.stringify(value)}\n` };
}

function respond(response: ServerResponse, { status, type, body }: AdminAnswer, isHead: boolean): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(status === 405 ? { allow: "GET, HEAD" } : {}),
  });
  response.end(isHead ? undefined : body);
}

function addressOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === "string") return "";
  return address.family === "IPv6"
    ? `[${address.address}]:${address.port}`
    : `${address.address}:${address.port}`;
}
