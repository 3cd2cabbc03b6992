/**
 * Faults that need no waiting, for counting what they leave: each takes one request, and is over when both of its ends are.
 * Which fault a request is in stands in its path, so one upstream plays them all.
 */

import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** How a fault is counted once it is over. */
export interface FaultKind {
  /** A word for the path. */
  readonly name: string;
  /** What the upstream does when the head is there; it answers whole otherwise. */
  readonly upstream?: (socket: Socket) => void;
  /** What the client sends, if not a GET. @param host its Host line's value */
  readonly request?: (target: string, host: string) => string;
  /** What the client does once it has sent that, or once bytes come. */
  readonly client?: { readonly when: "sent" | "answered"; readonly act: (socket: Socket) => void };
  /** Whether the sidecar begins an exchange, so that there is a span. */
  readonly hasSpan: boolean;
  /** With TLS: what is sent in the handshake's place. */
  readonly hello?: string;
}

const LENGTH = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n";
const UNTIL_CLOSE = "HTTP/1.1 200 OK\r\n\r\n";
const WHOLE = `${LENGTH}1234567890`;

/** Of a TLS connection only an end without its goodbye can be asked of node:tls. */
const reset = (socket: Socket): void =>
  void ("encrypted" in socket ? socket.destroy() : socket.resetAndDestroy());
const destroy = (socket: Socket): void => void socket.destroy();
const after =
  (sent: string, end: (socket: Socket) => void) =>
  (socket: Socket): void =>
    void socket.write(sent, "latin1", () => end(socket));
const silent = (): void => undefined;
const put = (target: string, host: string, lines: string, body: string): string =>
  `PUT ${target} HTTP/1.1\r\nHost: ${host}\r\n${lines}\r\n${body}`;

export const FAULT_KINDS: readonly FaultKind[] = [
  ...[
    "",
    LENGTH.slice(0, 20),
    LENGTH,
    `${LENGTH}12345`,
    `${CHUNKED}5\r\nab`,
    `${CHUNKED}2\r\nab\r\n`,
    `${UNTIL_CLOSE}ab`,
  ].flatMap((sent, index) => [
    { name: `fin${index}`, upstream: after(sent, destroy), hasSpan: true },
    { name: `rst${index}`, upstream: after(sent, reset), hasSpan: true },
  ]),
  { name: "garbage", upstream: (socket) => void socket.write("SSH-2.0-x\r\n"), hasSpan: true },
  { name: "chunk", upstream: (socket) => void socket.write(`${CHUNKED}nonsense\r\n`), hasSpan: true },
  { name: "stray", upstream: (socket) => void socket.write(WHOLE + WHOLE), hasSpan: true },
  { name: "switch", upstream: (socket) => void socket.write(SWITCHED), hasSpan: true },
  {
    name: "early",
    upstream: after("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", destroy),
    request: (target, host) => put(target, host, "Content-Length: 100\r\n", "some"),
    hasSpan: true,
  },
  {
    name: "bad-chunk",
    upstream: silent,
    request: (target, host) => put(target, host, "Transfer-Encoding: chunked\r\n", "nonsense\r\n"),
    hasSpan: true,
  },
  {
    name: "bad-head",
    request: (target, host) => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nHost: two\r\n\r\n`,
    hasSpan: false,
  },
  { name: "none", request: () => "", client: { when: "sent", act: reset }, hasSpan: false },
  {
    name: "in-head",
    request: (target) => `GET ${target} HT`,
    client: { when: "sent", act: destroy },
    hasSpan: false,
  },
  // The rest leaves when the upstream has its request, so that its exchange has surely begun.
  ...(["", "ab"] as const).map((body, index) => ({
    name: `in-body${index}`,
    upstream: (socket: Socket) => void socket.write("HTTP/1.1 100 Continue\r\n\r\n"),
    request: (target: string, host: string) => put(target, host, "Content-Length: 5\r\n", body),
    client: { when: "answered" as const, act: index === 0 ? reset : destroy },
    hasSpan: true,
  })),
  {
    name: "waiting",
    upstream: (socket) => void socket.write("HTTP/1.1 103 Early Hints\r\n\r\n"),
    client: { when: "answered", act: reset },
    hasSpan: true,
  },
  {
    name: "receiving",
    upstream: (socket) => void socket.write(`${LENGTH}12345`),
    client: { when: "answered", act: reset },
    hasSpan: true,
  },
];

export const UPGRADE_KINDS: readonly FaultKind[] = [
  { act: reset, name: "reset" },
  { act: destroy, name: "close" },
].flatMap(({ name, act }) => {
  const request = (target: string, host: string): string =>
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n`;
  return [
    {
      name: `client-${name}`,
      upstream: (socket: Socket) => void socket.write(SWITCHED),
      request,
      client: { when: "answered" as const, act },
      hasSpan: true,
    },
    { name: `upstream-${name}`, upstream: after(`${SWITCHED}bytes`, act), request, hasSpan: true },
    { name: `refused-${name}`, upstream: after("", act), request, hasSpan: true },
  ];
});

/** The first bytes of a ClientHello that says it has 512. */
const HELLO = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

/** On a listener with TLS: handshakes that end early, and requests whose client goes away. */
export const TLS_KINDS: readonly FaultKind[] = [
  ...["", HELLO.slice(0, 3), HELLO, "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x00\x02\x01\x00"].flatMap(
    (hello, index) =>
      [reset, destroy].map((act, way) => ({
        name: `hello${index}-${way}`,
        hello,
        client: { when: "sent" as const, act },
        hasSpan: false,
      })),
  ),
  ...FAULT_KINDS.filter(({ name }) =>
    /^(?:none|in-head|in-body|waiting|receiving|rst[16]|bad-head)/.test(name),
  ),
];

export interface FaultyUpstream {
  readonly port: number;
  readonly server: Server;
  /** Its open connections. */
  readonly sockets: ReadonlySet<Socket>;
}

/** Plays the kind that a request's path names; answers any other whole. */
export async function startFaultyUpstream(kinds: readonly FaultKind[]): Promise<FaultyUpstream> {
  const byName = new Map(kinds.map((kind) => [kind.name, kind]));
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      const [, name] = /^[A-Z]+ \/([\w-]+) HTTP/.exec(bytes.toString("latin1", 0, 64)) ?? [];
      if (name === undefined) return; // A body's bytes.
      const act = byName.get(name)?.upstream;
      if (act === undefined) socket.write(WHOLE);
      else act(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", 511, resolve));
  return { port: (server.address() as AddressInfo).port, server, sockets };
}

/** A client's connection, and the event that says it is open. */
export type Dial = () => { readonly socket: Socket; readonly opened: string };

/** One fault, from the connect to the close of the client's socket. */
function runFault(
  { name, request, client, hello }: FaultKind,
  port: number,
  dial: Dial | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    const plain = (): ReturnType<Dial> => ({
      socket: connect({ port, host: "127.0.0.1", noDelay: true }),
      opened: "connect",
    });
    const { socket, opened } = hello === undefined && dial !== undefined ? dial() : plain();
    const asked = request?.(`/${name}`, "own.test") ?? `GET /${name} HTTP/1.1\r\nHost: own.test\r\n\r\n`;
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    socket.on("data", () => {
      if (client?.when === "answered") client.act(socket);
      else socket.end(); // An answer of the sidecar's, which keeps the connection.
    });
    socket.on(opened, () => {
      socket.write(hello ?? asked, "latin1", () => {
        if (client?.when === "sent") client.act(socket);
      });
    });
  });
}

interface FaultRun {
  readonly port: number;
  readonly count: number;
  /** Connections at a time. */
  readonly width: number;
  /** A whole number from 0, below its argument. */
  readonly pick: (below: number) => number;
  /** For TLS. */
  readonly dial?: Dial | undefined;
}

/** @returns how many of them have spans */
export async function runFaults(kinds: readonly FaultKind[], run: FaultRun): Promise<number> {
  let left = run.count;
  let spans = 0;
  async function runSome(): Promise<void> {
    while (left-- > 0) {
      const kind = kinds[run.pick(kinds.length)];
      if (kind === undefined) throw new Error("no kind");
      if (kind.hasSpan) spans++;
      await runFault(kind, run.port, run.dial);
    }
  }
  await Promise.all(Array.from({ length: run.width }, runSome));
  return spans;
}
