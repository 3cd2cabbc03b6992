/**
 * A small federating server for the demo: it signs what it sends and verifies what it gets, as a homeserver does,
 * and passes trace context along. Its way out is its sidecar, so it knows no peer's address.
 *
 * Source: https://spec.matrix.org/v1.11/server-server-api/ (keys, transactions, request authentication).
 * Not here: rooms, events, storage.
 */

import type { IncomingHttpHeaders, IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createSystemClock } from "../core/clock.ts";
import { loadSigning, signedForm } from "./signing.ts";

export interface Homeserver {
  readonly port: number;
  /** What it publishes at `/_matrix/key/v2/server`, once it has joined. */
  keyDocument(): string;
  /**
   * Tells the server its federation name and its way out; both are known only once its sidecar runs.
   * @param proxy undefined: it has no sidecar, and connects to the destination's port on this machine
   */
  join(serverName: string, proxy: Endpoint | undefined): void;
  /**
   * @param headers sent beside its own
   * @param origin whose name it uses; with another's it still signs with its own key
   * @returns the peer's status
   */
  sendTransaction(
    destination: string,
    transactionId: string,
    headers?: SentHeaders,
    origin?: string,
  ): Promise<number>;
  /** Asks with GET, signed. @returns the peer's status */
  ask(destination: string, uri: string, headers?: SentHeaders): Promise<number>;
  stop(): void;
}

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export type SentHeaders = Readonly<Record<string, string>>;

/** Headers that a traced server takes from a request and gives to the requests that this one causes. */
const CONTEXT_HEADERS = ["traceparent", "tracestate", "uber-trace-id", "b3"];
/** Takes its time, as a server does that has to look far back. */
const SLOW_ROUTE = /^\/_matrix\/federation\/v1\/backfill\//;
const SLOW_MS = 700;
/** As Synapse has it. */
const KEYS_VALID_MS = 24 * 3_600_000;
/** Fails, as a server does that lost its database. */
const FAILING_ROUTE = /^\/_matrix\/federation\/v1\/event\//;
const X_MATRIX = /^X-Matrix origin="([^"]+)",key="([^"]+)",sig="([^"]+)",destination="([^"]+)"$/;

/** Where nobody else need reach it. */
const LOOPBACK: Endpoint = { host: "127.0.0.1", port: 0 };

/** @param listenOn port 0 lets the system choose. Rejects where it can't be taken. */
export async function startHomeserver(listenOn = LOOPBACK): Promise<Homeserver> {
  const { createServer } = await import("node:http");
  const clock = createSystemClock();
  const signing = await loadSigning();
  const key = signing.createKey("ed25519:demo");
  let serverName = "";
  let proxy: Endpoint | undefined;

  async function send(
    destination: string,
    {
      method,
      uri,
      content,
      headers,
      origin = serverName,
    }: { method: string; uri: string; content?: object; headers: SentHeaders; origin?: string },
  ): Promise<{ status: number; body: string }> {
    const form = { method, uri, origin, destination };
    const signed = content === undefined ? form : { ...form, content: content as Record<string, string> };
    const signature = key.sign(signedForm(signed));
    const authorization = `X-Matrix origin="${origin}",key="${key.id}",sig="${signature}",destination="${destination}"`;
    const to =
      proxy === undefined
        ? { host: "127.0.0.1", port: Number(destination.split(":")[1]), path: uri }
        : { ...proxy, path: `http://${destination}${uri}` };
    return exchange(
      { ...to, method, setHost: false },
      { ...headers, host: destination, authorization, "user-agent": "demo homeserver" },
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
      headers: contextOf(incoming.headers),
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

  function keyDocument(): object {
    const document = {
      server_name: serverName,
      verify_keys: { [key.id]: { key: key.verifyKey } },
      old_verify_keys: {},
      valid_until_ts: Math.floor(clock.unixMs()) + KEYS_VALID_MS,
    };
    return { ...document, signatures: { [serverName]: { [key.id]: key.sign(document) } } };
  }

  async function answer(incoming: IncomingMessage): Promise<[status: number, body: object]> {
    const body = await textOf(incoming);
    if (incoming.url === "/_matrix/key/v2/server") return [200, keyDocument()];
    const { method, url = "" } = incoming;
    if (method === "GET" && FAILING_ROUTE.test(url)) return [500, { errcode: "M_UNKNOWN" }];
    if (method === "GET" && SLOW_ROUTE.test(url)) {
      await pause(SLOW_MS);
      return [200, { pdus: [] }];
    }
    if (method !== "PUT") return [404, { errcode: "M_UNRECOGNIZED" }];
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
  const port = await listen(server, listenOn);

  return {
    port,
    join(name, wayOut) {
      serverName = name;
      proxy = wayOut;
    },
    keyDocument: () => JSON.stringify(keyDocument()),
    async sendTransaction(destination, transactionId, headers = {}, origin = serverName) {
      const uri = `/_matrix/federation/v1/send/${transactionId}`;
      const content = { origin, pdus: [], edus: [] };
      return (await send(destination, { method: "PUT", uri, content, headers, origin })).status;
    },
    async ask(destination, uri, headers = {}) {
      return (await send(destination, { method: "GET", uri, headers })).status;
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

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

function listen(server: Server, { host, port }: Endpoint): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}
