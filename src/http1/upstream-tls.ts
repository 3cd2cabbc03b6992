/**
 * TLS towards upstreams: whom a certificate must be for, and by whom it must be issued.
 *
 * A certificate is always verified, against the name that was asked for and not the address that is dialled. The name must be
 * among its subject alternative names; a common name names nothing (RFC 9525, section 2). No switch turns that off: a peer with a
 * certificate of its own making is trusted by naming that certificate (a pin). Then neither issuer, nor dates, nor names count:
 * the fingerprint says that it is the very one (Synapse's federation_certificate_verification_whitelist takes any).
 *
 * All connections share one context, which takes milliseconds to make; another trust is another context. The server name is sent
 * for DNS names alone (RFC 6066, section 3). No renegotiation (RFC 9325, section 3.5), so what was verified stays so.
 * Sessions are not resumed: measured on loopback (Node 20, P-256, a chain of one) that saves 0.5 ms of the 1.8 ms of CPU that a new
 * connection costs, and no round trip with TLS 1.3; connections are kept, and a store of sessions by name and address is a
 * store of secrets and of verdicts that may be out of date.
 * Not here: which name that is (discovery), where authorities and pins come from (app), when a connection counts as open
 * (upstream-connection.ts).
 */

import { isIP } from "node:net";
import type { ConnectionOptions, SecureContext, TLSSocket } from "node:tls";
import { foldName } from "../core/host.ts";
import { CIPHERS } from "./tls-suites.ts";

/** How one name is spoken to. The same object for the same name, so that connections made with another trust can be told apart. */
export interface UpstreamTls {
  /** What the certificate must be for: a DNS name in lower case, or an IP address without brackets. */
  readonly name: string;
  /**
   * Begins a connection. It is as it should be at `secureConnect`, unless it is destroyed by then: a certificate that is none of
   * those pinned is told as an error, as is every other fault.
   */
  connect(host: string, port: number): TLSSocket;
}

export interface UpstreamTlsOptions {
  /** Of `createTrust`. */
  readonly trust: SecureContext;
  /** Name → SHA-256 fingerprints of the certificates that may be shown for it: hex without colons, in either case. */
  readonly pins: Readonly<Record<string, readonly string[]>>;
}

/** Names kept, about 1 KB each; the oldest goes, and at worst its idle connections with it. As many as resolved names. */
const NAMES_MAX = 4096;

/** The error's code where the certificate is none of those pinned. */
export const NOT_PINNED = "CERT_NOT_PINNED";

/**
 * Whom to trust, as every connection to others shares it: reading a system's roots takes 40 ms, and a megabyte.
 *
 * @param ca PEM: all roots to trust; with none, only pinned certificates are
 * @throws what OpenSSL says of an authority that it can't read
 */
export async function createTrust(ca: readonly string[]): Promise<SecureContext> {
  const [{ createSecureContext }, { constants }] = await Promise.all([
    import("node:tls"),
    import("node:crypto"),
  ]);
  return createSecureContext({
    ca: [...ca],
    ciphers: CIPHERS,
    minVersion: "TLSv1.2",
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  });
}

/** @returns how to speak to a name */
export async function createUpstreamTls(options: UpstreamTlsOptions): Promise<(name: string) => UpstreamTls> {
  // node:tls takes its share of the start-up time, so only those pay who use it.
  const [{ checkServerIdentity, connect }, { X509Certificate }] = await Promise.all([
    import("node:tls"),
    import("node:crypto"),
  ]);
  const secureContext = options.trust;
  const pins = new Map(
    Object.entries(options.pins).map(([name, prints]) => [
      foldName(name),
      new Set(prints.map((print) => print.toLowerCase())),
    ]),
  );
  const known = new Map<string, UpstreamTls>();

  function create(name: string): UpstreamTls {
    const pinned = pins.get(name);
    const settings: ConnectionOptions = {
      secureContext,
      ALPNProtocols: ["http/1.1"],
      ...(isIP(name) === 0 ? { servername: name } : {}),
      // Said even where it is the default, which an environment variable can turn round (NODE_TLS_REJECT_UNAUTHORIZED).
      rejectUnauthorized: pinned === undefined,
      // node:tls asks for the name that it dialled, and would fall back on the common name. Of addresses OpenSSL is asked: Node 22
      // knows no IPv6 address in a certificate (22.23 refuses every one).
      checkServerIdentity: (_dialled, certificate) =>
        isIP(name) !== 0 && new X509Certificate(certificate.raw).checkIP(name) !== undefined
          ? undefined
          : checkServerIdentity(name, { ...certificate, subject: { ...certificate.subject, CN: "" } }),
    };
    return {
      name,
      connect(host, port) {
        const socket = connect({ ...settings, host, port });
        socket.setNoDelay(true);
        if (pinned !== undefined) socket.once("secureConnect", () => refuseUnlessPinned(socket, pinned));
        return socket;
      },
    };
  }

  return (asked) => {
    const name = foldName(asked);
    const kept = known.get(name);
    if (kept !== undefined) return kept;
    const [oldest] = known.keys();
    if (known.size >= NAMES_MAX && oldest !== undefined) known.delete(oldest);
    const made = create(name);
    known.set(name, made);
    return made;
  };
}

/** The first to be told of the handshake: on a socket that is destroyed nobody after it can write. */
function refuseUnlessPinned(socket: TLSSocket, pinned: ReadonlySet<string>): void {
  const print = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(":", "").toLowerCase();
  if (print !== undefined && pinned.has(print)) return;
  const message = "the certificate is none of those pinned for its name";
  socket.destroy(Object.assign(new Error(message), { code: NOT_PINNED }));
}
