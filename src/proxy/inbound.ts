/**
 * Inbound: remote peers → the own server, as a reverse proxy.
 *
 * X-Forwarded-For, -Proto and -Host are written anew, not appended to: Synapse believes the first address of
 * the list, and whoever is outside could have written it
 * (https://element-hq.github.io/synapse/latest/reverse_proxy.html). Forwarded, which says the same (RFC 7239), is taken out.
 * What a trusted proxy in front wrote there is read first (client.ts). Host stays, since requests are signed for it.
 */

import type { TLSSocket } from "node:tls";
import { REQUEST_REFUSALS } from "../http1/refusals.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { ServerConnection } from "../http1/server-connection.ts";
import type { UpstreamGroup } from "../http1/upstream-group.ts";
import { parseCertificateNames } from "../peer/certificate.ts";
import type { Evidence, Peer } from "../peer/identify.ts";
import type { Answer } from "./answers.ts";
import { parseAuthority, toOriginForm } from "./authority.ts";
import { createFindClient, type FindClientOptions } from "./client.ts";
import type { Location, Side, Target } from "./side.ts";

export interface InboundOptions extends FindClientOptions {
  /** The own server. */
  readonly upstream: UpstreamGroup;
  readonly isTls: boolean;
  /** Whether clients may show certificates. */
  readonly hasClientCa: boolean;
  readonly identify: (evidence: Evidence) => Peer;
}

const NO_NAMES: readonly string[] = [];

export function createInbound(options: InboundOptions): Side {
  const scheme = options.isTls ? "https" : "http";
  const own: Location = { place: options.upstream, host: undefined, step: undefined };
  /** A certificate is read once a connection. */
  const certificateNames = new WeakMap<ServerConnection, readonly string[]>();

  function namesOf(connection: ServerConnection): readonly string[] {
    if (!options.hasClientCa) return NO_NAMES;
    const known = certificateNames.get(connection);
    if (known !== undefined) return known;
    const socket = connection.socket as TLSSocket;
    const names = socket.authorized ? parseCertificateNames(certificateOf(socket)?.subjectaltname) : [];
    certificateNames.set(connection, names);
    return names;
  }

  return {
    direction: "inbound",
    readTarget: (head) => readTarget(head, scheme),
    findClient: createFindClient(options),
    admit: () => undefined,
    identify: (fields, connection, _target, client) =>
      options.identify({
        authorization: fields.authorization,
        signature: fields.signature,
        signatureInput: fields.signatureInput,
        certificateNames: namesOf(connection),
        address: client?.ownAddress ?? connection.clientAddress,
      }),
    forwardedLines(head, connection, client) {
      const host = client?.host ?? head.host;
      const hostLine = host === "" ? "" : `x-forwarded-host: ${host}\r\n`;
      const address = client?.address ?? connection.clientAddress;
      // On a unix socket a client has no address, and an empty one would be read as somebody's.
      const forLine = address === "" ? "" : `x-forwarded-for: ${address}\r\n`;
      return `${forLine}x-forwarded-proto: ${client?.scheme ?? scheme}\r\n${hostLine}`;
    },
    locate: (_target, done) => done(own),
  };
}

/** RFC 9112 section 3.2: origin-form, or absolute-form for the host that Host names, or `OPTIONS *`. */
function readTarget(head: RequestHead, scheme: "http" | "https"): Target {
  const { method, target, host } = head;
  const server = parseAuthority(host);
  const kept: Target = {
    form: "origin",
    path: target,
    scheme,
    authority: host,
    server,
    host: undefined,
    refused: undefined,
  };
  if (/^(?:TRACE|CONNECT)$/i.test(method)) return { ...kept, refused: refuseMethod(method) };
  if (target.startsWith("/") || target === "*") {
    // HTTP/1.0 without Host: the upstream is spoken to in HTTP/1.1, which needs the line and lets it be empty.
    return host === "" ? { ...kept, host } : kept;
  }
  const [, authority = "", path = ""] = /^https?:\/\/([^/?]+)(.*)$/i.exec(target) ?? [];
  if (authority.toLowerCase() !== host.toLowerCase()) {
    return {
      ...kept,
      refused: REQUEST_REFUSALS["host-differs"],
    };
  }
  return { ...kept, path: toOriginForm(method, path) };
}

/**
 * TRACE sends the request back as its body, and with it the context that was injected behind the border. Some servers
 * know it in small letters too.
 */
function refuseMethod(method: string): Answer {
  return { code: "FORM_UNSUPPORTED", sentence: `${method} is not forwarded to the server` };
}

/** Node's types leave out that there is none once the socket is destroyed. */
function certificateOf(socket: TLSSocket): { readonly subjectaltname?: string } | null {
  return socket.getPeerCertificate();
}
