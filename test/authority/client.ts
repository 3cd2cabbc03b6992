/** A TLS client as a homeserver is one: what OpenSSL and node:tls make of a certificate, on real sockets. */

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect as connectPlain, createServer, isIP } from "node:net";
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  TLSSocket,
} from "node:tls";
import { onTestFinished } from "vitest";

/** What a fixture of test/fixtures/authority has. */
export function fixture(name: string): { readonly certificatePem: string; readonly privateKeyPem: string } {
  const read = (ending: string): string => readFileSync(`test/fixtures/authority/${name}.${ending}`, "utf8");
  return { certificatePem: read("pem"), privateKeyPem: read("key") };
}

/** @returns "authorized", or the code or the words by which the client refuses the certificate under that name */
export function askServer(
  shown: { readonly cert: string; readonly key: string },
  name: string,
  ca: string,
): Promise<string> {
  return askContext(createSecureContext(shown), name, ca);
}

/** The same, of a context, as a tunnel has it. */
export async function askContext(secureContext: SecureContext, name: string, ca: string): Promise<string> {
  const server = createServer((socket) => {
    const secure = new TLSSocket(socket, { isServer: true, secureContext });
    secure.on("error", () => socket.destroy());
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const outcome = await ask((server.address() as AddressInfo).port, name, ca);
  server.close();
  return outcome;
}

/** Addresses by OpenSSL: Node 22 knows no IPv6 address in a certificate. */
function checkIdentity(name: string, certificate: PeerCertificate): Error | undefined {
  const isItsAddress = isIP(name) !== 0 && new X509Certificate(certificate.raw).checkIP(name) !== undefined;
  return isItsAddress ? undefined : checkServerIdentity(name, certificate);
}

function ask(port: number, name: string, ca: string): Promise<string> {
  const socket = connectPlain(port, "127.0.0.1");
  const servername = isIP(name) === 0 ? { servername: name } : {};
  const client = connect({ socket, host: name, ca, checkServerIdentity: checkIdentity, ...servername });
  return new Promise((resolve) => {
    client.once("secureConnect", () => {
      resolve(client.authorized ? "authorized" : String(client.authorizationError));
      client.destroy();
    });
    client.once("error", (error: NodeJS.ErrnoException) => {
      // node:tls knows few of OpenSSL's reasons by a code.
      resolve(error.code === undefined || error.code === "UNSPECIFIED" ? error.message : error.code);
      client.destroy();
    });
  });
}
