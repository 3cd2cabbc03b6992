/**
 * A small federating server for the demo: it signs what it sends and verifies what it gets, as a homeserver does,
 * and passes trace context along. Its way out is its sidecar, so it knows no peer's address.
 *
 * Source: https://spec.matrix.org/v1.11/server-server-api/ (keys, transactions, request authentication).
 * Not here: rooms, events, storage.
 */

import type { IncomingHttpHeaders, IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { loadSigning, signedForm } from "./signing.ts";

export interface Homeserver {
  readonly port: number;
  /** Tells the server its federation name and its way out; both are known only once its sidecar runs. */
  join(serverName: string, outboundPort: number): void;
  /** Sends one transaction. @returns the peer's status */
  sendTransaction(destination: string, transactionId: string): Promise<number>;
  stop(): void;
}

/** Headers that a traced server takes from a request and gives to the requests that this one causes. */
const CONTEXT_HEADERS = ["traceparent", "tracestate", "uber-trace-id", "b3"];
const X_MATRIX = /^X-Matrix origin="([^"]+)",key="([^"]+)",sig="([^"]+)",destination="([^"]+)"$/;

export async function startHomeserver(): Promise<Homeserver> {
  const { createServer } = await import("node:http");
  const signing = await loadSigning();
  const key = signing.createKey("ed25519:demo");
  let serverName = "";
  let outboundPort = 0;

  async function send(
    destination: string,
    {
      method,
      uri,
      content,
      context,
    }: { method: string; uri: string; content?: object; context: IncomingHttpHeaders },
  ): Promise<{ status: number; body: string }> {
    const form = { method, uri, origin: serverName, destination };
    const signed = content === undefined ? form : { ...form, content: content as Record<string, string> };
    const signature = key.sign(signedForm(signed));
    const authorization = `X-Matrix origin="${serverName}",key="${key.id}",sig="${signature}",destination="${destination}"`;
    return exchange(
      { host: "127.0.0.1", port: outboundPort, method, path: `http://${destination}${uri}`, setHost: false },
      { ...contextOf(context), host: destination, authorization, "user-agent": "demo homeserver" },
      content === undefined ? "" : JSON.stringify(content),
    );
  }

  /** Verifies X-Matrix with the origin's own key, asked for by the way out. */
  async function isAuthentic(incoming: IncomingMessage, body: string): Promise<boolean> {
    const [, origin = "", , signature = "", destination = ""] =
      X_MATRIX.exec(incoming.headers.authorization ?? "") ?? [];
    if (destination !== serverName) return false;
    const keys = await send(origin, {
      method: "GET",
      uri: "/_matrix/key/v2/server",
      context: incoming.headers,
    });
    const verifyKey = /"ed25519:demo":\{"key":"([^"]+)"\}/.exec(keys.body)?.[1] ?? "";
    const { method = "", url: uri = "" } = incoming;
    const content = JSON.parse(body) as Record<string, string>;
    return signing.isSignedBy(
      signedForm({ method, uri, origin, destination, content }),
      signature,
      verifyKey,
    );
  }

  async function answer(incoming: IncomingMessage): Promise<[status: number, body: object]> {
    const body = await textOf(incoming);
    if (incoming.url === "/_matrix/key/v2/server") {
      const document = { server_name: serverName, verify_keys: { [key.id]: { key: key.verifyKey } } };
      return [200, { ...document, signatures: { [serverName]: { [key.id]: key.sign(document) } } }];
    }
    if (incoming.method !== "PUT") return [404, { errcode: "M_UNRECOGNIZED" }];
    return (await isAuthentic(incoming, body)) ? [200, { pdus: {} }] : [401, { errcode: "M_UNAUTHORIZED" }];
  }

  const server = createServer((incoming, response) => {
    answer(incoming)
      .catch((error: unknown): [number, object] => [500, { errcode: "M_UNKNOWN", error: String(error) }])
      .then(([status, body]) => {
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      })
      .catch(() => response.destroy());
  });
  const port = await listen(server);

  return {
    port,
    join(name, proxyPort) {
      serverName = name;
      outboundPort = proxyPort;
    },
    async sendTransaction(destination, transactionId) {
      const uri = `/_matrix/federation/v1/send/${transactionId}`;
      const content = { origin: serverName, pdus: [], edus: [] };
      const { status } = await send(destination, { method: "PUT", uri, content, context: {} });
      return status;
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function contextOf(headers: IncomingHttpHeaders): Record<string, string> {
  const taken = CONTEXT_HEADERS.flatMap((name) => {
    const value = headers[name];
    return typeof value === "string" ? [[name, value] as const] : [];
  });
  return Object.fromEntries(taken);
}

async function exchange(
  target: { host: string; port: number; method: string; path: string; setHost: boolean },
  headers: Record<string, string>,
  body: string,
): Promise<{ status: number; body: string }> {
  const { request } = await import("node:http");
  return new Promise((resolve, reject) => {
    const length =
      body === "" ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    request({ ...target, headers: { ...headers, ...length } }, (response) => {
      textOf(response).then((text) => resolve({ status: response.statusCode ?? 0, body: text }), reject);
    })
      .on("error", reject)
      .end(body);
  });
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of message.setEncoding("utf8")) text += String(chunk);
  return text;
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
