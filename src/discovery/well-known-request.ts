/**
 * One GET over HTTPS to a host whose addresses were checked: the answer's status, headers and body, or why there is none.
 *
 * The connection goes to one of the addresses given, whatever the name resolves to by then; the certificate is verified
 * for the name. node's own client tries the addresses by turns (RFC 8305), without a pool: a host is asked once a day.
 * Not here: redirects and the meaning of the answer (well-known.ts).
 */

import type { IncomingHttpHeaders, IncomingMessage, RequestOptions } from "node:http";
import type * as Https from "node:https";
import { isIP, isIPv6, type LookupFunction } from "node:net";
import type * as Tls from "node:tls";
import type { SecureContext } from "node:tls";
import { withoutBrackets } from "../core/host.ts";

/** A .well-known has about 40 bytes; Synapse's bound as well. */
const BODY_BYTES_MAX = 50 * 1024;

const HTTPS_PORT = 443;

export interface GetOptions {
  /** In lower case; an IPv6 literal in brackets. */
  readonly host: string;
  readonly port: number;
  /** The port that a URL without one means, for the Host header. */
  readonly defaultPort: number | undefined;
  /** Path and query. */
  readonly path: string;
  /** Checked; at least one. */
  readonly addresses: readonly string[];
  /** Whom to trust: the context of all connections, since reading the system's roots takes 40 ms. */
  readonly trust: SecureContext;
  /** Ends the request, whatever it waits for. */
  readonly signal: AbortSignal;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** UTF-8; undefined where it is longer than 50 KiB. */
  readonly body: string | undefined;
}

/** @returns the answer, also of an error status; rejects where there is none */
export async function get(options: GetOptions): Promise<Reply> {
  const [https, { checkServerIdentity }] = await Promise.all([import("node:https"), import("node:tls")]);
  return new Promise((resolve, reject) => {
    const request = open(https, { ...options, checkServerIdentity }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const end = (body: string | undefined): void =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes <= BODY_BYTES_MAX) return;
        end(undefined);
        request.destroy();
      });
      response.on("end", () => end(Buffer.concat(chunks).toString("utf8")));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end();
  });
}

function open(
  https: typeof Https,
  options: GetOptions & Pick<typeof Tls, "checkServerIdentity">,
  onResponse: (response: IncomingMessage) => void,
): ReturnType<typeof Https.request> {
  const { host, port } = options;
  const name = withoutBrackets(host);
  // Handed on to tls.connect, which the types of node:https leave out.
  const request: RequestOptions & Https.RequestOptions & { readonly secureContext: SecureContext } = {
    method: "GET",
    host: name,
    port,
    path: options.path,
    agent: false,
    lookup: lookupAmong(options.addresses),
    // An address is never sent as a name (RFC 6066, section 3); node then verifies for `host`.
    servername: isIP(name) === 0 ? name : "",
    // By hand, since NODE_TLS_REJECT_UNAUTHORIZED=0 must not reach this far.
    rejectUnauthorized: true,
    secureContext: options.trust,
    // Without its common name, which names nothing (RFC 9525, section 2).
    checkServerIdentity: (asked, certificate) =>
      options.checkServerIdentity(asked, { ...certificate, subject: { ...certificate.subject, CN: "" } }),
    headers: {
      accept: "application/json",
      host: port === (options.defaultPort ?? HTTPS_PORT) ? host : `${host}:${port}`,
      "user-agent": "fedtrace",
    },
    signal: options.signal,
  };
  return https.request(request, onResponse);
}

/** node:net asks it instead of DNS, for names; an address as `host` is dialled as it is. */
function lookupAmong(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return (_host, { all }, done) => {
    const [first] = found;
    if (all === true || first === undefined) done(null, found);
    else done(null, first.address, first.family);
  };
}
