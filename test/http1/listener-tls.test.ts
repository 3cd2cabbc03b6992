/**
 * TLS on a listener: versions and suites, certificates by name, client certificates, resumed sessions, renewals.
 * Method: node:tls clients against a listener in this process; what it believes of a client is read as proxy/inbound.ts reads it.
 */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect as connectPlain, createServer, type Socket } from "node:net";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import type { ListenerTls } from "../../src/http1/listener-tls.ts";
import { ANSWER, GET, startServer } from "./server.ts";
import { connectPeer, type RawPeer } from "./sockets.ts";

/** Made by test/fixtures/certificates/make.sh, which says what each is. */
const read = (name: string): string => readFileSync(`test/fixtures/certificates/${name}`, "utf8");
const pair = (name: string) => ({ cert: read(`${name}.pem`), key: read(`${name}.key`) });

const MAIN: ListenerTls = { ...pair("server-main"), ticketKeys: Buffer.alloc(48, 1) };
const WITH_CA: ListenerTls = { ...MAIN, ca: read("ca.pem") };
const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;

type Server = Awaited<ReturnType<typeof startServer>>;

function startTls(tls: ListenerTls = MAIN, limits: Parameters<typeof startServer>[1] = {}): Promise<Server> {
  return startServer(10, { ...limits, tls });
}

interface Asked {
  readonly received: string;
  /** Of the server's certificate. */
  readonly names: string | undefined;
  readonly alpn: string | false | null;
  readonly isReused: boolean;
  /** What the server believes of the client's certificate; undefined: nothing. */
  readonly clientNames: string | undefined;
  readonly session: Buffer | undefined;
}

/** One request on a connection of its own. */
async function ask({ port, requests }: Server, options: ConnectionOptions = {}): Promise<Asked> {
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
  onTestFinished(() => void socket.destroy());
  let received = "";
  let session: Buffer | undefined;
  socket.on("data", (bytes: Buffer) => (received += bytes.toString("latin1")));
  socket.on("session", (ticket: Buffer) => (session = ticket));
  await once(socket, "secureConnect");
  const names = socket.getPeerCertificate().subjectaltname;
  socket.write(GET);
  const request = await requests.next();
  const seen = request.connection.socket as TLSSocket;
  const clientNames = seen.authorized ? seen.getPeerCertificate().subjectaltname : undefined;
  request.answer(ANSWER, false);
  await once(socket, "end");
  const asked = {
    received,
    names,
    alpn: socket.alpnProtocol,
    isReused: socket.isSessionReused(),
    clientNames,
  };
  socket.end();
  return { ...asked, session };
}

/** A handshake that must fail. @returns the client's error, and what the listener counted */
async function fail({ port, counted }: Server, options: ConnectionOptions): Promise<readonly string[]> {
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
  onTestFinished(() => void socket.destroy());
  const [error] = (await once(socket, "error").catch((thrown: unknown) => [thrown])) as [
    NodeJS.ErrnoException,
  ];
  return [error.code ?? "", await counted.next()];
}

/** The first bytes of a TLS 1.2 client, latin1. */
async function captureHello(servername: string): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect({ host: "127.0.0.1", port, maxVersion: "TLSv1.2", servername });
  client.on("error", () => undefined);
  const [socket] = (await once(server, "connection")) as [Socket];
  const [bytes] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  server.close();
  return bytes.toString("latin1");
}
const hello = await captureHello("a.example");

describe("versions and suites", () => {
  it.each(VERSIONS)("takes %s", async (version) => {
    const server = await startTls();
    const asked = await ask(server, { minVersion: version, maxVersion: version });
    expect(asked.received).toBe(ANSWER);
  });

  it.each([
    {
      options: { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" },
      error: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
      counted: "version",
      why: "TLS 1.1 (RFC 8996)",
    },
    {
      options: { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA" },
      error: "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
      counted: "cipher",
      why: "CBC and SHA-1",
    },
    {
      options: { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES256-SHA384" },
      error: "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
      counted: "cipher",
      why: "CBC",
    },
    {
      options: { ALPNProtocols: ["h2"] },
      error: "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
      counted: "alpn",
      why: "a client of HTTP/2 alone (RFC 7301, section 3.2)",
    },
  ] as const)("refuses $why, and counts it", async ({ options, error, counted }) => {
    const server = await startTls();
    const given = { ...options, ALPNProtocols: "ALPNProtocols" in options ? [...options.ALPNProtocols] : [] };
    expect(await fail(server, given)).toEqual([error, `handshake ${counted}`]);
    expect((await ask(server)).received).toBe(ANSWER);
  });

  it("refuses RSA key exchange, which keeps no session secret", async () => {
    const server = await startTls({ ...MAIN, ...pair("server-wild") });
    const options = { maxVersion: "TLSv1.2", ciphers: "AES128-GCM-SHA256" } as const;
    expect(await fail(server, options)).toEqual([
      "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
      "handshake cipher",
    ]);
  });

  it.each([
    { protocols: ["h2", "http/1.1"], alpn: "http/1.1", why: "offers both" },
    { protocols: undefined, alpn: false, why: "offers nothing" },
  ])("speaks HTTP/1.1 with a client that $why", async ({ protocols, alpn }) => {
    const server = await startTls();
    const asked = await ask(server, protocols === undefined ? {} : { ALPNProtocols: protocols });
    expect([asked.alpn, asked.received]).toEqual([alpn, ANSWER]);
  });

  it.each([
    { text: GET, counted: "plain-http", why: "plain HTTP" },
    { text: "SSH-2.0-OpenSSH_9.6\r\n", counted: "not-tls", why: "something else" },
  ])("counts $why", async ({ text, counted }) => {
    const server = await startTls();
    const client = await connectPeer(server.port);
    client.send(text);
    await client.ended();
    expect(await server.counted.next()).toBe(`handshake ${counted}`);
  });

  it.each<{ why: string; leave: (client: RawPeer) => void; counted: string }>([
    { why: "waits", leave: () => undefined, counted: "timeout" },
    { why: "ends its side", leave: ({ socket }) => void socket.end(), counted: "gone" },
    { why: "resets", leave: ({ socket }) => void socket.resetAndDestroy(), counted: "gone" },
    {
      why: "sends a part of its hello and waits",
      leave: (client) => client.send(hello.slice(0, -1)),
      counted: "timeout",
    },
    {
      why: "sends a part of its hello and ends its side",
      leave: ({ socket }) => void socket.end(hello.slice(0, -1), "latin1"),
      counted: "gone",
    },
    { why: "sends its hello and waits", leave: (client) => client.send(hello), counted: "timeout" },
  ])("counts a client that $why", async ({ leave, counted }) => {
    const server = await startTls(MAIN, { limits: { headTimeoutMs: 50 } });
    leave(await connectPeer(server.port));
    expect(await server.counted.next()).toBe(`handshake ${counted}`);
  });

  it.each([
    { alert: 42, why: "bad_certificate" },
    { alert: 45, why: "certificate_expired" },
    { alert: 46, why: "certificate_unknown" },
    { alert: 48, why: "unknown_ca" },
  ])(
    "counts a client that distrusts the certificate: alert $why (RFC 8446, section 6.2)",
    async ({ alert }) => {
      const server = await startTls();
      const client = await connectPeer(server.port);
      client.send(hello);
      await client.until("\x0e\x00\x00\x00"); // ServerHelloDone of TLS 1.2
      client.send(`\x15\x03\x03\x00\x02\x02${String.fromCharCode(alert)}`);
      expect(await server.counted.next()).toBe("handshake distrusted");
    },
  );
});

describe("certificates by name", () => {
  const tls: ListenerTls = { ...MAIN, further: [pair("server-wild"), pair("server-exact")] };

  it.each([
    { servername: "a.example", expected: "DNS:a.example", why: "the main one's own name" },
    {
      servername: "exact.example",
      expected: "DNS:exact.example, DNS:api.wild.example",
      why: "an exact name",
    },
    {
      servername: "EXACT.Example",
      expected: "DNS:exact.example, DNS:api.wild.example",
      why: "letter case aside",
    },
    {
      servername: "api.wild.example",
      expected: "DNS:exact.example, DNS:api.wild.example",
      why: "an exact name before another's wildcard",
    },
    {
      servername: "b.wild.example",
      expected: "DNS:*.wild.example, DNS:wild.example",
      why: "a wildcard (RSA)",
    },
    { servername: "wild.example", expected: "DNS:*.wild.example, DNS:wild.example", why: "a second name" },
    { servername: "c.b.wild.example", expected: "DNS:a.example", why: "a wildcard is one label" },
    {
      servername: "unknown.example",
      expected: "DNS:a.example",
      why: "an unknown name gets the main one, no alert",
    },
    { servername: "", expected: "DNS:a.example", why: "no name" },
  ])("gives $servername its own: $why", async ({ servername, expected }) => {
    const server = await startTls(tls);
    const asked = await ask(server, { servername });
    expect([asked.names, asked.received]).toEqual([expected, ANSWER]);
  });
});

it("gives a hello in very many pieces the main certificate, without a look at each", async () => {
  const server = await startTls({ ...MAIN, further: [pair("server-exact")] });
  const exact = await captureHello("exact.example");
  for (const pieces of [63, 64]) {
    const client = await connectPeer(server.port);
    for (const byte of exact.slice(0, pieces)) await client.deliver(byte);
    client.send(exact.slice(pieces));
    await client.until("\x0e\x00\x00\x00");
    expect(client.received.includes("exact.example")).toBe(pieces === 63);
  }
});

it("drains though the handshake of an adopted socket is not over, which nobody would time any more", async () => {
  const { listener } = await startTls(MAIN, { limits: { headTimeoutMs: 60_000 } });
  const accepted = createServer((socket) => listener.adopt(socket)).listen(0, "127.0.0.1");
  onTestFinished(() => void accepted.close());
  await once(accepted, "listening");
  const client = await connectPeer((accepted.address() as AddressInfo).port);
  await client.deliver(hello.slice(0, -1));
  await listener.drain();
  await client.ended();
});

describe("a client certificate", () => {
  it.each([
    { client: "client", expected: "DNS:hs2.example", why: "of an authority in ca" },
    { client: "client-chained", expected: "DNS:hs2.example", why: "with the authority between" },
    { client: "client-expired", expected: undefined, why: "that is out of date" },
    { client: "client-other", expected: undefined, why: "of another authority" },
    { client: "server-exact", expected: undefined, why: "that is self-signed" },
    { client: undefined, expected: undefined, why: "that is absent" },
  ])("$why names the client: $expected", async ({ client, expected }) => {
    const server = await startTls({ ...WITH_CA, further: [pair("server-exact")] });
    for (const version of VERSIONS) {
      for (const servername of ["a.example", "exact.example"]) {
        const shown = client === undefined ? {} : pair(client);
        const options = { ...shown, servername, minVersion: version, maxVersion: version } as const;
        const first = await ask(server, options);
        expect([first.received, first.isReused, first.clientNames]).toEqual([ANSWER, false, expected]);
        // The certificate is the session's: showing none with it, or another, changes nothing.
        for (const again of [{}, pair("client"), pair("client-other")]) {
          const second = await ask(server, {
            ...again,
            servername,
            minVersion: version,
            maxVersion: version,
            session: first.session,
          });
          expect([second.received, second.isReused, second.clientNames]).toEqual([ANSWER, true, expected]);
        }
      }
    }
  });

  it("is the first handshake's: there is no second one, in which another could be shown", async () => {
    const server = await startTls(WITH_CA);
    const socket = connect({
      ...pair("client"),
      host: "127.0.0.1",
      port: server.port,
      rejectUnauthorized: false,
      maxVersion: "TLSv1.2",
    });
    onTestFinished(() => void socket.destroy());
    await once(socket, "secureConnect");
    const failed = once(socket, "error").catch((thrown: unknown) => [thrown]);
    const renegotiated = new Promise((resolve) => {
      socket.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error === null));
    });
    const refused = failed.then(([error]) => (error as NodeJS.ErrnoException).code);
    expect(await Promise.race([refused, renegotiated])).toBe("ERR_SSL_NO_RENEGOTIATION");
  });

  it("is not asked for without ca", async () => {
    const server = await startTls();
    expect((await ask(server, pair("client"))).clientNames).toBeUndefined();
  });
});

describe("sessions", () => {
  /** @returns whether a session from before `change` is resumed after it, for each version */
  async function isResumed(tls: ListenerTls, change: (server: Server) => Promise<void> | void) {
    const resumed: boolean[] = [];
    for (const version of VERSIONS) {
      const server = await startTls(tls);
      const options = { ...pair("client"), minVersion: version, maxVersion: version } as const;
      const { session } = await ask(server, options);
      await change(server);
      const second = await ask(server, { ...options, session });
      expect(second.received).toBe(ANSWER);
      resumed.push(second.isReused);
    }
    return resumed;
  }

  it.each<{ tls?: ListenerTls; change: (server: Server) => Promise<void> | void; why: string; is: boolean }>([
    { change: () => undefined, is: true, why: "nothing happens" },
    {
      change: ({ listener }) => listener.setCertificates(pair("server-renewed")),
      is: true,
      why: "the certificate is renewed",
    },
    {
      change: ({ listener }) => listener.setTicketKeys(Buffer.alloc(48, 1)),
      is: true,
      why: "the same keys are set, as by another process",
    },
    {
      change: ({ listener }) => listener.setTicketKeys(Buffer.alloc(48, 2)),
      is: false,
      why: "other keys are set",
    },
    {
      tls: WITH_CA,
      change: ({ listener }) => listener.setCertificates({ ...pair("server-renewed"), ca: read("ca.pem") }),
      is: true,
      why: "the certificate is renewed, with the same authorities",
    },
    {
      tls: WITH_CA,
      change: ({ listener }) =>
        listener.setCertificates({ ...pair("server-main"), ca: read("other-ca.pem") }),
      is: false,
      why: "the authorities change",
    },
  ])("are resumed ($is) when $why", async ({ tls = MAIN, change, is }) => {
    expect(await isResumed(tls, change)).toEqual([is, is]);
  });

  it("are resumed by another process that has the same keys", async () => {
    const [first, second] = [await startTls(WITH_CA), await startTls(WITH_CA)];
    for (const version of VERSIONS) {
      const { session } = await ask(first, { ...pair("client"), maxVersion: version });
      const again = await ask(second, { session, maxVersion: version });
      expect([again.isReused, again.clientNames]).toEqual([true, "DNS:hs2.example"]);
    }
  });

  it("of an authority that is no longer trusted name nobody, in a new handshake either", async () => {
    const server = await startTls(WITH_CA);
    const { session } = await ask(server, pair("client"));
    await server.listener.setCertificates({ ...pair("server-main"), ca: read("other-ca.pem") });
    expect((await ask(server, { session })).clientNames).toBeUndefined();
    expect((await ask(server, pair("client"))).clientNames).toBeUndefined();
    expect((await ask(server, pair("client-other"))).clientNames).toBe("DNS:hs2.example");
  });
});

describe("a renewal", () => {
  const fingerprint = (socket: TLSSocket): string => socket.getPeerCertificate().fingerprint256;

  it("counts for new connections, main and further, and leaves open ones alone", async () => {
    const server = await startTls({ ...MAIN, further: [pair("server-exact")] });
    const open = connect({ host: "127.0.0.1", port: server.port, rejectUnauthorized: false });
    onTestFinished(() => void open.destroy());
    await once(open, "secureConnect");
    const before = fingerprint(open);
    await server.listener.setCertificates({ ...pair("server-renewed"), further: [pair("server-wild")] });

    const next = connect({ host: "127.0.0.1", port: server.port, rejectUnauthorized: false });
    onTestFinished(() => void next.destroy());
    await once(next, "secureConnect");
    expect(fingerprint(next)).not.toBe(before);
    expect((await ask(server, { servername: "b.wild.example" })).names).toContain("wild.example");
    expect((await ask(server, { servername: "exact.example" })).names).toBe("DNS:a.example");
    open.write(GET);
    (await server.requests.next()).answer();
    const [bytes] = (await once(open, "data")) as [Buffer];
    expect(bytes.toString("latin1")).toBe(ANSWER);
  });

  it.each([
    { next: { cert: read("server-main.pem"), key: read("client.key") }, why: "a key of another certificate" },
    { next: { cert: "nonsense", key: read("server-main.key") }, why: "no certificate" },
    {
      next: {
        ...pair("server-renewed"),
        further: [{ cert: read("client.pem"), key: read("server-main.key") }],
      },
      why: "a bad further one",
    },
  ])("changes nothing where it is $why", async ({ next }) => {
    const server = await startTls({ ...MAIN, further: [pair("server-exact")] });
    await expect(server.listener.setCertificates(next)).rejects.toThrow(/./);
    expect((await ask(server, { servername: "exact.example" })).names).toContain("exact.example");
    const socket = connect({ host: "127.0.0.1", port: server.port, ca: MAIN.cert, servername: "a.example" });
    onTestFinished(() => void socket.destroy());
    await once(socket, "secureConnect"); // Verified: it is still the old one.
  });
});

describe("places", () => {
  it("costs a client over its share no handshake", async () => {
    const server = await startTls(MAIN, {
      limits: { connectionsPerPeer: 1 },
      peerKeyOf: (address) => address,
    });
    const first = connect({ host: "127.0.0.1", port: server.port, rejectUnauthorized: false });
    onTestFinished(() => void first.destroy());
    await once(first, "secureConnect");
    const second = connectPlain({ host: "127.0.0.1", port: server.port });
    onTestFinished(() => void second.destroy());
    await once(second, "close");
    expect(await server.counted.next()).toBe("dropped peer-connections");
    first.destroy();
    await server.untilOpen(0);
    expect((await ask(server)).received).toBe(ANSWER);
  });

  it("takes an idle connection's place, once the handshake is over", async () => {
    const server = await startTls(MAIN, { limits: { connections: 1 } });
    const kept = connect({ host: "127.0.0.1", port: server.port, rejectUnauthorized: false });
    onTestFinished(() => void kept.destroy());
    kept.write(GET);
    (await server.requests.next()).answer();
    await once(kept, "data");
    const ended = once(kept, "end");
    expect((await ask(server)).received).toBe(ANSWER);
    await ended;
    expect(await server.counted.next()).toBe("evicted");
  });

  it("bounds the handshakes under way", async () => {
    const server = await startTls(MAIN, { limits: { connections: 1, headTimeoutMs: 60_000 } });
    for (let index = 0; index < 1 + 256; index++) await connectPeer(server.port);
    const over = await connectPeer(server.port);
    await over.ended();
    expect(await server.counted.next()).toBe("dropped handshakes");
  });
});
