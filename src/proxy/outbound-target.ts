/**
 * Where an outbound request goes, read from its request line.
 *
 * Forms: `http://` and `https://` (RFC 9112 section 3.2.2, absolute-form; Host is replaced by the target's authority),
 * `CONNECT host:port` (RFC 9112 section 3.2.3), and `matrix-federation://NAME/…`, which Synapse asks of the workers in
 * `outbound_federation_restricted_to` (synapse/http/matrixfederationclient.py): NAME is a server name before any delegation.
 *
 * Methods and ports are bounded. A homeserver can be made to send requests by anyone it federates with, and a port that
 * belongs to another protocol takes a request's lines for commands of its own (cross-protocol request forgery,
 * https://fetch.spec.whatwg.org/#port-blocking). Not here: addresses (discovery, allowed-targets.ts).
 */

import { isIP } from "node:net";
import { detach } from "../core/text.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { parseServerName } from "../peer/server-name.ts";
import type { Answer } from "./answers.ts";
import { parseAuthority, toOriginForm } from "./authority.ts";
import type { Target, TargetForm } from "./side.ts";

/** Those of RFC 9110 and RFC 5789, and QUERY, but TRACE and what only other protocols on top of HTTP use. */
const METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "PATCH",
  "OPTIONS",
  "QUERY",
]);

/** The port that a form implies. A Matrix name without one leads to 8448, unless discovery says otherwise. */
const DEFAULT_PORT = { http: 80, https: 443, federation: 8448 } as const;

const SCHEME_FORM: Readonly<Record<string, "http" | "https" | "federation">> = {
  http: "http",
  https: "https",
  "matrix-federation": "federation",
};

const ABSOLUTE_FORM = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?]+)(.*)$/;

/** @returns the target of a request to the way out, with the reason where it can't be taken */
export function readOutboundTarget(head: RequestHead): Target {
  const { method, target } = head;
  if (method === "CONNECT") return readTunnel(head);
  const [, scheme = "", authority = "", path = ""] = ABSOLUTE_FORM.exec(target) ?? [];
  const form = SCHEME_FORM[scheme.toLowerCase()];
  const server = parseAuthority(authority);
  const isSame = head.host.toLowerCase() === authority.toLowerCase();
  return {
    form: form ?? "http",
    path: toOriginForm(method, path),
    scheme: form === "https" || form === "federation" ? "https" : "http",
    authority: detach(authority), // It outlives the request in the caches of names.
    server: server && { address: server.address, port: server.port ?? DEFAULT_PORT[form ?? "http"] },
    // Which Host a Matrix name is asked by is for discovery to say.
    host: isSame || form === "federation" ? undefined : authority,
    refused: refuseTarget(method, target, scheme, form, isServer(form, authority, server)),
  };
}

/** RFC 9110 section 9.3.6: host and port, and nothing but them; the wire has checked its form. */
function readTunnel({ target, bodyLength }: RequestHead): Target {
  const server = parseAuthority(target);
  const refused: Answer | undefined =
    server === undefined || !isHostName(server.address)
      ? { code: "REQUEST_MALFORMED", sentence: "the target of CONNECT is host:port" }
      : bodyLength === 0
        ? undefined
        : { code: "REQUEST_MALFORMED", sentence: "a CONNECT has no body (RFC 9110 section 9.3.6)" };
  return {
    form: "tunnel",
    path: "",
    scheme: "https",
    authority: detach(target),
    server,
    host: undefined,
    refused,
  };
}

/** @returns why requests of this method are not sent to other servers, or undefined */
export function refuseMethod(method: string): Answer | undefined {
  return METHODS.has(method)
    ? undefined
    : { code: "FORM_UNSUPPORTED", sentence: `${method} is not sent to other servers` };
}

function isServer(form: TargetForm | undefined, authority: string, server: Target["server"]): boolean {
  if (server === undefined || !isHostName(server.address)) return false;
  return form !== "federation" || parseServerName(authority) !== undefined;
}

function refuseTarget(
  method: string,
  target: string,
  scheme: string,
  form: TargetForm | undefined,
  hasServer: boolean,
): Answer | undefined {
  const refused = refuseMethod(method);
  if (refused !== undefined) return refused;
  if (target.startsWith("/") || target === "*") {
    const sentence =
      "a proxy is asked in absolute-form: http://, https:// or matrix-federation:// (RFC 9112 section 3.2.2)";
    return { code: "REQUEST_MALFORMED", sentence };
  }
  if (form === undefined) {
    return { code: "FORM_UNSUPPORTED", sentence: `targets of the scheme ${scheme} are not available` };
  }
  return hasServer ? undefined : { code: "REQUEST_MALFORMED", sentence: "the target has no valid host" };
}

/**
 * Ports of other protocols that browsers refuse as well: https://fetch.spec.whatwg.org/#bad-port, as of 2026. 0 is no port
 * at all.
 */
const BAD_PORTS: ReadonlySet<number> = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
  109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
  526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
  3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);

/** @param allowed `outbound.allow_ports`: ports that may be targets all the same */
export function createAllowedPorts(allowed: readonly number[]): (port: number) => boolean {
  const listed = new Set(allowed);
  return (port) => listed.has(port) || !BAD_PORTS.has(port);
}

/**
 * A DNS name of at most 253 characters, or an IP literal without a zone, which would mean this machine's.
 *
 * Not what ends in a number and is no IP literal (`127.1`, `0x7f.1`, `2130706433`): no such name is in DNS, but getaddrinfo and
 * browsers read an address in it (https://url.spec.whatwg.org/#ends-in-a-number-checker), so that two programs would see two hosts.
 */
export function isHostName(host: string): boolean {
  if (isIP(host) !== 0) return !host.includes("%");
  return host.length <= HOST_LENGTH_MAX && HOST_NAME.test(host) && !ENDS_IN_NUMBER.test(host);
}

/** RFC 1035 section 2.3.4, without the root's dot. */
const HOST_LENGTH_MAX = 253;
const HOST_NAME = /^[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*\.?$/;
const ENDS_IN_NUMBER = /(?:^|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?$/;
