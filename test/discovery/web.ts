/** HTTPS hosts on 127.0.0.1 for the tests of .well-known, with the certificates of test/fixtures/discovery. */

import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import type { DialTo } from "../../src/discovery/https-get.ts";
import { createTrust, createUpstreamTls } from "../../src/http1/upstream-tls.ts";

const fixture = (name: string): string => readFileSync(`test/fixtures/discovery/${name}`, "utf8");

export const CA = fixture("ca.pem");

/** TLS as the program speaks it, that trusts these authorities alone. @param pins name → fingerprints */
export async function dialTo(ca?: string, pins: Readonly<Record<string, string[]>> = {}): Promise<DialTo> {
  return createUpstreamTls({ trust: await createTrust(ca === undefined ? [] : [ca]), pins });
}

export interface Web {
  readonly port: number;
  /** What it was asked, as `Host path`, with the name of TLS behind it where that is another; taken out by the call. */
  takeRequests(): readonly string[];
  answer(next: (request: IncomingMessage, response: ServerResponse) => void): void;
  stop(): void;
}

/** @param leaf "server": by the CA, for a.example, b.example, c.example and 127.0.0.1; "forger": by nobody */
export async function startWeb(leaf: "server" | "forger" = "server"): Promise<Web> {
  let requests: string[] = [];
  let respond: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) =>
    response.writeHead(404).end();
  const tls = { key: fixture(`${leaf}.key`), cert: fixture(`${leaf}.pem`) };
  const server = createServer(tls, (request, response) => {
    const { host = "", connection = "" } = request.headers;
    const { servername } = request.socket as TLSSocket & { readonly servername: string | false };
    const isSame = servername === host.split(":")[0];
    requests.push(`${host} ${request.url ?? ""}${isSame ? "" : ` TLS ${String(servername)}`}`);
    if (connection !== "close" || request.headers.cookie !== undefined) requests.push("kept alive");
    respond(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    takeRequests() {
      const taken = requests;
      requests = [];
      return taken;
    },
    answer(next) {
      respond = next;
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Answers of hosts' .well-known by host; a host that isn't there answers 404. */
export function answerDelegations(web: Web, delegations: Readonly<Record<string, string>>): void {
  web.answer((request, response) => {
    const server = delegations[request.headers.host ?? ""];
    if (server === undefined) response.writeHead(404).end("nothing here");
    else response.end(JSON.stringify({ "m.server": server }));
  });
}
