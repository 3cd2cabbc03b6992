/**
 * TLS on accepted sockets: which versions, suites and certificate, and sessions that are resumed.
 *
 * Versions and suites (tls-suites.ts) are those of Mozilla's "intermediate" profile, where the client chooses among them.
 * Curves are OpenSSL's own choice, so that a newer one brings its hybrid key exchange along.
 *
 * Sessions are resumed by tickets alone (RFC 5077; RFC 8446, section 2.2): nothing is kept here, and whoever holds the
 * keys can resume, other processes too. A ticket carries the client's certificate and what came of its verification, so
 * the keys are derived from the authorities as well: with other authorities no ticket of before is worth anything.
 * A connection has one handshake, so that what its certificate proves can't change afterwards: no renegotiation (RFC 9325,
 * section 3.5), as with nginx and haproxy.
 * A handshake begins when the ClientHello is there (listener-hello.ts): its server name says which certificate to show, and
 * a client that sends nothing costs no TLS state.
 * Not here: reading and watching files (app-tls.ts); the bound on handshakes (listener-room.ts).
 */

import type { Socket } from "node:net";
import type { Server, TlsOptions, TLSSocket } from "node:tls";
import { readHello } from "./listener-hello.ts";
import type { Announcement } from "./proxy-header.ts";
import { CIPHERS } from "./tls-suites.ts";

/** PEM texts: a certificate, then its intermediates; and its key. */
interface ListenerCertificate {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** What a renewal replaces. */
export interface ListenerCertificates extends ListenerCertificate {
  /** PEM of authorities. With it a client may show a certificate; one that does not verify counts as none. */
  readonly ca?: string | Buffer | undefined;
  /** Beside the main one: taken for the DNS names they are issued for. */
  readonly further?: readonly ListenerCertificate[];
}

export interface ListenerTls extends ListenerCertificates {
  /** Secret, 48 random bytes: who has them can read what resumed sessions carry. Renew them at least daily. */
  readonly ticketKeys: Uint8Array;
}

/** Why a handshake failed, in words that are as few as the metric's series. */
export type HandshakeFailure = (typeof FAILURES)[keyof typeof FAILURES] | "other";

const FAILURES = {
  ECONNRESET: "gone",
  EPIPE: "gone",
  ERR_SSL_HTTP_REQUEST: "plain-http",
  ERR_SSL_NO_APPLICATION_PROTOCOL: "alpn",
  ERR_SSL_NO_SHARED_CIPHER: "cipher",
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: "cipher",
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: "distrusted",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "distrusted",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: "distrusted",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "distrusted",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "version",
  ERR_SSL_WRONG_VERSION_NUMBER: "not-tls",
  ERR_TLS_HANDSHAKE_TIMEOUT: "timeout",
} as const;

/** `sessionIdContext` is the same in every process, or none could resume another's sessions. */
const SHARED = {
  minVersion: "TLSv1.2",
  ciphers: CIPHERS,
  honorCipherOrder: false,
  sessionIdContext: "fedtrace",
  ALPNProtocols: ["http/1.1"],
  rejectUnauthorized: false,
} satisfies TlsOptions;

export interface TlsAcceptor {
  /** Starts a handshake on a socket that is just accepted, or that only `announcement` was read from. */
  accept(socket: Socket, announcement?: Announcement): void;
  /**
   * For handshakes from now on; sockets that are open keep what they have. Call it again only when it has resolved.
   *
   * @throws what OpenSSL says, and nothing has changed
   */
  setCertificates(certificates: ListenerCertificates): Promise<void>;
  /** Sessions of before end with their connections. */
  setTicketKeys(ticketKeys: Uint8Array): void;
}

export interface TlsAcceptorOptions {
  readonly handshakeTimeoutMs: number;
  onSecure(socket: TLSSocket, announcement: Announcement | undefined): void;
  /** The socket is gone by then. */
  onFailed(reason: HandshakeFailure): void;
}

/** One node:tls server, which listens nowhere, for each certificate. */
interface Servers {
  readonly main: Server;
  readonly further: readonly Server[];
  /** By DNS name in lower case, wildcards as they are written. */
  readonly byName: ReadonlyMap<string, Server>;
  readonly ca: string | Buffer | undefined;
}

/** @throws what OpenSSL says of a certificate, a key or an authority that it can't use */
export async function createTlsAcceptor(tls: ListenerTls, options: TlsAcceptorOptions): Promise<TlsAcceptor> {
  // node:tls takes its share of the start-up time, so only those pay who use it.
  const [{ createServer }, { constants, createHash, hkdfSync, X509Certificate }] = await Promise.all([
    import("node:tls"),
    import("node:crypto"),
  ]);
  let { ticketKeys } = tls;
  const announcements = new WeakMap<object, Announcement>();

  function deriveTicketKeys(ca: string | Buffer | undefined): Buffer {
    const authorities = createHash("sha256")
      .update(ca ?? "")
      .digest();
    return Buffer.from(hkdfSync("sha256", ticketKeys, authorities, "fedtrace session tickets", 48));
  }

  function createOne({ cert, key }: ListenerCertificate, ca: string | Buffer | undefined): Server {
    const server = createServer(
      {
        ...SHARED,
        // A client could show another certificate in a second handshake, and node:tls would go on calling it authorized.
        secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
        cert,
        key,
        ca,
        handshakeTimeout: options.handshakeTimeoutMs,
        requestCert: ca !== undefined,
      },
      (socket) => {
        socket.allowHalfOpen = true;
        options.onSecure(socket, announcements.get(rawSocketOf(socket)));
      },
    );
    // A failed or too slow handshake: node:tls only tells of it, and the socket would stay open for good.
    server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
      socket.destroy();
      options.onFailed(failureOf(error.code));
    });
    return server;
  }

  /** A server's context takes milliseconds to make: never within a handshake, and one a turn, so that traffic goes on. */
  async function createServers({ ca, further = [], ...first }: ListenerCertificates): Promise<Servers> {
    const byName = new Map<string, Server>();
    const servers: Server[] = [];
    for (const certificate of [first, ...further]) {
      const server = createOne(certificate, ca);
      servers.push(server);
      for (const name of dnsNames(new X509Certificate(certificate.cert).subjectAltName)) {
        if (!byName.has(name)) byName.set(name, server);
      }
      await new Promise((resolve) => void setImmediate(resolve));
    }
    const [main = createOne(first, ca), ...others] = servers;
    return { main, further: others, byName, ca };
  }

  function applyTicketKeys({ main, further, ca }: Servers): void {
    const keys = deriveTicketKeys(ca);
    for (const server of [main, ...further]) server.setTicketKeys(keys);
  }

  let servers = await createServers(tls);
  applyTicketKeys(servers);
  return {
    accept(socket, announcement) {
      if (announcement !== undefined) announcements.set(socket, announcement);
      readHello(socket, options.handshakeTimeoutMs, (hello) => {
        if (typeof hello === "string") options.onFailed(hello);
        else {
          // Half a handshake is none: who ends his side in it is gone, and node:tls would wait for him until the time limit.
          socket.allowHalfOpen = false;
          findServer(servers, hello.serverName ?? "").emit("connection", socket);
        }
      });
    },
    async setCertificates(next) {
      const made = await createServers(next);
      applyTicketKeys(made);
      servers = made;
    },
    setTicketKeys(next) {
      ticketKeys = next;
      applyTicketKeys(servers);
    },
  };
}

/**
 * The socket that a handshake was begun on. Node has no documented way back to it, but this field has been there as long as the
 * class; where it is not, a test fails, and what a proxy announced is lost: the listener then closes the connection.
 */
function rawSocketOf(socket: TLSSocket): object {
  const raw: unknown = Reflect.get(socket, "_parent");
  return typeof raw === "object" && raw !== null ? raw : socket;
}

function failureOf(code: string | undefined): HandshakeFailure {
  const known: Readonly<Record<string, HandshakeFailure>> = FAILURES;
  return known[code ?? ""] ?? "other";
}

const DNS_ENTRY = /^DNS:((?:\*\.)?[\w-]+(?:\.[\w-]+)*)$/;

/** @param subjectAltName as node:crypto shows it; entries that are no plain DNS name are passed over */
function dnsNames(subjectAltName: string | undefined): readonly string[] {
  return (subjectAltName ?? "").split(", ").flatMap((entry) => {
    const [, name] = DNS_ENTRY.exec(entry) ?? [];
    return name === undefined ? [] : [name.toLowerCase()];
  });
}

/**
 * The exact name, then the name with `*` for its first label, which stands for one label (RFC 9525, section 6.3); for a
 * name that nobody knows the main certificate, as nginx's default server.
 */
function findServer({ main, byName }: Servers, serverName: string): Server {
  const exact = byName.get(serverName);
  if (exact !== undefined) return exact;
  const dot = serverName.indexOf(".");
  return (dot === -1 ? undefined : byName.get(`*${serverName.slice(dot)}`)) ?? main;
}
