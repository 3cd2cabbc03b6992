/**
 * One GET over HTTPS to a host whose addresses were checked: the answer's status, headers and body, or why there is none.
 *
 * The connection goes to one of the endpoints given, whatever the name resolves to by then; its certificate is verified by who opens
 * it, pins included. Endpoints are tried in their order, the next one with each that fails or keeps us waiting (RFC 8305), and the
 * first whose handshake is done is taken. Without a pool: a host is asked once an hour at most.
 * Not here: redirects, which heads are refused, and the meaning of the answer (well-known.ts, proof/fetch-keys.ts); whom to trust (given).
 */

import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { Endpoint } from "./destination.ts";

/** How a name is spoken to, as http1/upstream-tls.ts has it: begins a connection whose certificate is verified at `secureConnect`. */
interface SecureDialler {
  /** @param host an IP address without brackets */
  connect(host: string, port: number): TLSSocket;
}

/** @param name what the certificate must be for: a DNS name in lower case, or an IP address without brackets */
export type DialTo = (name: string) => SecureDialler;

/** Values of each field of an answer, by its name in lower case. */
export type HeadFields = Readonly<IncomingMessage["headersDistinct"]>;

/** Why a body is not read, by what stands before it: not a type that is wanted; something to save. */
export type HeadRefusal = "media-type" | "attachment";

export interface GetOptions {
  /** Checked, in the order to try them; at least one. */
  readonly endpoints: readonly Endpoint[];
  readonly tls: SecureDialler;
  /** Value of the Host header. */
  readonly hostHeader: string;
  /** Path and query. */
  readonly path: string;
  readonly accept: string;
  readonly bodyBytesMax: number;
  /** Asked where the status is 200: a word where the body is not to be read. @param fields values by name in lower case */
  readonly refuse?: (fields: HeadFields) => HeadRefusal | undefined;
  /** Ends the request, whatever it waits for. */
  readonly signal: AbortSignal;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** UTF-8; or why it was not read. */
  readonly body: { readonly text: string } | "too-large" | HeadRefusal;
}

/** The delay that RFC 8305, section 8, recommends before the next address. */
const NEXT_ENDPOINT_MS = 250;

/** @returns the answer, also of an error status; rejects where there is none */
export async function get(options: GetOptions): Promise<Reply> {
  const { request: send } = await import("node:http");
  const socket = await dialFirst(options);
  return new Promise((resolve, reject) => {
    const request = send({
      path: options.path,
      createConnection: () => socket,
      headers: { accept: options.accept, host: options.hostHeader, "user-agent": "fedtrace" },
      signal: options.signal,
    });
    request.on("response", (response) => {
      void readBody(response, options)
        .then(resolve, reject)
        .finally(() => request.destroy());
    });
    request.on("error", reject);
    request.end();
  });
}

async function readBody(response: IncomingMessage, { bodyBytesMax, refuse }: GetOptions): Promise<Reply> {
  const { statusCode: status = 0, headers, headersDistinct } = response;
  const refusal = status === 200 ? refuse?.(headersDistinct) : undefined;
  if (refusal !== undefined) return { status, headers, body: refusal };
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) return { status, headers, body: "too-large" };
    chunks.push(chunk);
  }
  return { status, headers, body: { text: Buffer.concat(chunks).toString("utf8") } };
}

/** @returns a connection that is verified; rejects with the last fault, or when the time is up */
function dialFirst({ endpoints, tls, signal }: GetOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const dialling = new Set<TLSSocket>();
    let next = 0;
    let timer: NodeJS.Timeout | undefined;

    function end(winner?: TLSSocket): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      next = endpoints.length;
      for (const socket of dialling) if (socket !== winner) socket.destroy();
      dialling.clear();
    }

    function stop(): void {
      end();
      reject(new Error("the time is up"));
    }

    function dialNext(): void {
      clearTimeout(timer);
      const endpoint = endpoints[next++];
      if (endpoint === undefined) return;
      const socket = tls.connect(endpoint.host, endpoint.port);
      dialling.add(socket);
      socket.once("secureConnect", () => {
        if (socket.destroyed) return; // By whoever compares pins.
        end(socket);
        resolve(socket);
      });
      socket.on("error", (error) => {
        if (!dialling.delete(socket)) return; // One that lost, or that request speaks for from now on.
        dialNext();
        if (dialling.size > 0) return;
        end();
        reject(error);
      });
      timer = setTimeout(dialNext, NEXT_ENDPOINT_MS).unref();
    }

    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    else dialNext();
  });
}
