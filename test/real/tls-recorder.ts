/**
 * A peer's front door that writes down what comes: terminates TLS, and hands every byte on over TLS of its own.
 *
 * It stands where the other server's requests arrive, so that what is on the wire is seen on the wire, not told by the
 * program under test. It listens at once, since a server's name holds the port; where it hands on to is said later.
 */

import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";

export interface TlsRecorder {
  readonly port: number;
  /** A port of 127.0.0.1 that speaks TLS and is `name` by its certificate. Until it is known connections are closed. */
  forwardTo(port: number, name: string): void;
  /** Request lines with their fields, of all connections, in the order they came; latin1. */
  requestHeads(): readonly string[];
  /** The same of the answers, status lines first. */
  responseHeads(): readonly string[];
  /** Everything that clients sent, bodies too; latin1. */
  requestText(): string;
  /** Names that clients asked a certificate for (SNI), each once; "" for those that named none. */
  serverNames(): readonly string[];
  stop(): void;
}

export interface RecorderFiles {
  readonly certificate: string;
  readonly privateKey: string;
  /** Authority of what it hands on to. */
  readonly ca: string;
}

export async function startTlsRecorder(files: RecorderFiles): Promise<TlsRecorder> {
  const ca = readFileSync(files.ca);
  const sockets = new Set<TLSSocket>();
  const requests: { text: string }[] = [];
  const responses: { text: string }[] = [];
  const serverNames = new Set<string>();
  let upstream: { readonly port: number; readonly name: string } | undefined;

  function record(from: TLSSocket, to: TLSSocket, log: { text: string }[]): void {
    const entry = { text: "" };
    log.push(entry);
    sockets.add(from);
    from.on("data", (bytes: Buffer) => {
      entry.text += bytes.toString("latin1");
    });
    from.pipe(to);
    from.on("error", () => void to.destroy());
    from.on("close", () => {
      sockets.delete(from);
      to.destroySoon();
    });
  }
  const server = createServer(
    { cert: readFileSync(files.certificate), key: readFileSync(files.privateKey) },
    (client) => {
      // The types of Node leave it out of the socket that a server gets; false where there was none.
      const { servername } = client as TLSSocket & { readonly servername: string | false };
      serverNames.add(servername === false ? "" : servername);
      if (upstream === undefined) return void client.destroy();
      const { port, name } = upstream;
      const onward = connect({ host: "127.0.0.1", port, servername: name, ca });
      record(client, onward, requests);
      record(onward, client, responses);
    },
  );
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    forwardTo(port, name) {
      upstream = { port, name };
    },
    requestHeads: () => requests.flatMap(({ text }) => headsIn(text)),
    responseHeads: () => responses.flatMap(({ text }) => headsIn(text)),
    requestText: () => requests.map(({ text }) => text).join(""),
    serverNames: () => [...serverNames],
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** A body can't be mistaken for a head: what is sent here are JSON without line ends and random bytes. */
function headsIn(text: string): readonly string[] {
  return text.match(/(?:[A-Z]+ \/\S* HTTP\/1\.1|HTTP\/1\.1 \d{3} [^\r\n]*)\r\n(?:[^\r\n]+\r\n)*\r\n/g) ?? [];
}
