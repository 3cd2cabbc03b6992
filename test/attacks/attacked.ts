/**
 * A sidecar under attack: its own server behind it, peers in front of it, and everything that an attack could show in: the bytes
 * that arrived on either side, spans, log lines and metrics.
 *
 * Names are claimed here, in so many words: the attacks of this folder are those that a whitelisted peer, or who passes for
 * one, can make too. What a name must prove is in origin-spoofing.test.ts and forged-proof.test.ts, which give a sidecar the keys that
 * its peers publish, and with them the default of `authenticate`.
 */

import { readFileSync } from "node:fs";
import { text as textOf } from "node:stream/consumers";
import { connect } from "node:tls";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { exchangeRaw, OK_RESPONSE, recordingUpstream, type RecordingUpstream } from "../support/wire.ts";

export const TRACE = "d4cda95b652f4a1592b449d5929fda1b";
export const SPAN = "6e0c63257de34c92";

/** An X-Matrix line that claims to come from `name`. */
export function from(name: string): string {
  return `Authorization: X-Matrix origin="${name}",key="ed25519:a",sig="AA"`;
}

/** On the whitelist of every sidecar here, with `sampling: accept`. */
export const FRIEND = from("friend.test:8448");
/** On it too, with `sampling: trust` and one forced trace a second. */
export const TRUSTED = from("trusted.test");
export const STRANGER = from("stranger.test");

/** Who sends: the lines that name him. */
export const SENDERS: readonly (readonly [who: string, lines: readonly string[]])[] = [
  ["a whitelisted peer", [FRIEND]],
  ["a stranger", [STRANGER]],
  ["somebody without a name", []],
];

interface Sent {
  /** `GET /x` unless said. */
  readonly line?: string;
  /** Behind the head; its framing is the caller's to write. */
  readonly body?: string;
  /** What Host says; this server's name unless said. */
  readonly host?: string;
}

export interface Passed {
  /** What the server behind, or the peer outside, got: latin1. */
  readonly arrived: string;
  /** What the sender got back. */
  readonly received: string;
  /** Of this request, where it was recorded. */
  readonly span: TestSidecar["spans"][number] | undefined;
}

export interface Attacked extends TestSidecar {
  /** Of the own server, and of every peer outside. */
  readonly upstream: RecordingUpstream;
  answerWith(text: string): void;
  /** One request from outside to the own server, on a connection of its own. */
  passIn(lines: readonly string[], sent?: Sent): Promise<Passed>;
  /** The same over TLS. @param pair of test/fixtures/spoofing; undefined: no certificate */
  passInWith(pair: string | undefined, lines: readonly string[]): Promise<Passed>;
  /** One from the own server to a host outside; its name must end in `.test`. */
  passOut(host: string, lines: readonly string[]): Promise<Passed>;
  /** Series of /metrics, with their labels, and their values. */
  scrape(): Promise<ReadonlyMap<string, number>>;
  /** The rows of the peers' table. */
  peers(): Promise<readonly Readonly<Record<string, unknown>>[]>;
  stop(): Promise<void>;
}

type Document = Readonly<Record<string, unknown>>;

/** In the place of the network. */
interface AttackedTools {
  readonly resolve?: Parameters<typeof startInProcess>[1];
  /** Of whitelisted Matrix servers. Where it is given, names need what they need by default: a signature. */
  readonly fetchServerKeys?: Parameters<typeof startInProcess>[2];
}

/** An inbound listener with a certificate, which asks for those of test/fixtures/spoofing. */
export const TLS = {
  certificate: "test/fixtures/tls/server.pem",
  private_key: "test/fixtures/tls/server.key",
  client_ca: "test/fixtures/spoofing/ca.pem",
};

const WHITELIST = ["friend\\.test", { regex: "trusted\\.test", sampling: "trust", forced_per_second: 1 }];

/**
 * @param document beside the listeners, an admin listener and the whitelist
 * @param inbound beside where it listens and leads
 */
export async function startAttacked(
  document: Document = {},
  inbound: Document = {},
  { resolve, fetchServerKeys }: AttackedTools = {},
): Promise<Attacked> {
  let answer = OK_RESPONSE;
  const upstream = await recordingUpstream(() => answer);
  const listen = "127.0.0.1:0";
  const authenticate = fetchServerKeys === undefined ? { authenticate: "claimed" } : {};
  const all = {
    inbound: { listen, upstream: `http://127.0.0.1:${upstream.port}`, ...authenticate, ...inbound },
    outbound: { listen, allow_networks: ["127.0.0.0/8"] },
    admin: { listen },
    whitelist: WHITELIST,
    ...document,
  };
  const sidecar = await startInProcess(all, resolve, fetchServerKeys);

  async function pass(exchange: () => Promise<string>): Promise<Passed> {
    const [known, spans] = [upstream.received().length, sidecar.spans.length];
    const received = await exchange();
    return { arrived: upstream.received().slice(known), received, span: sidecar.spans[spans] };
  }

  function headIn(line: string, lines: readonly string[], host = "own.test"): string {
    return `${[`${line} HTTP/1.1`, `Host: ${host}`, ...lines, "Connection: close"].join("\r\n")}\r\n\r\n`;
  }

  const ask = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${sidecar.port.admin}${path}`);

  return {
    ...sidecar,
    upstream,
    answerWith(text) {
      answer = text;
    },
    passIn(lines, { line = "GET /x", body = "", host } = {}) {
      return pass(() => exchangeRaw(sidecar.port.inbound, headIn(line, lines, host) + body));
    },
    passInWith(pair, lines) {
      return pass(() => {
        const socket = connect({
          host: "127.0.0.1",
          port: sidecar.port.inbound,
          ca: readFileSync(TLS.certificate),
          ...(pair === undefined ? {} : { cert: fixture(`${pair}.pem`), key: fixture(`${pair}.key`) }),
        });
        socket.write(headIn("GET /x", lines));
        return textOf(socket);
      });
    },
    passOut(host, lines) {
      const authority = `${host}:${upstream.port}`;
      const head = [
        `GET http://${authority}/x HTTP/1.1`,
        `Host: ${authority}`,
        ...lines,
        "Connection: close",
      ];
      return pass(() => exchangeRaw(sidecar.port.outbound, `${head.join("\r\n")}\r\n\r\n`));
    },
    async scrape() {
      const lines = (await (await ask("/metrics")).text()).split("\n").filter((line) => /^[^#]/.test(line));
      return new Map(
        lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]),
      );
    },
    async peers() {
      const { peers } = (await (await ask("/api/fedtrace/peers")).json()) as PeersAnswer;
      return peers;
    },
    async stop() {
      await sidecar.sidecar.stop();
      upstream.stop();
    },
  };
}

interface PeersAnswer {
  readonly peers: readonly Readonly<Record<string, unknown>>[];
}

function fixture(name: string): string {
  return readFileSync(`test/fixtures/spoofing/${name}`, "utf8");
}

/** `name: value` lines of a head that arrived, names in lower case. */
export function linesOf(arrived: string): readonly string[] {
  const [head = ""] = arrived.split("\r\n\r\n");
  return head
    .split("\r\n")
    .slice(1)
    .map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase()));
}

/** Lines that the border writes itself; what an attacker sent under these names must be gone. */
const OWN_LINES = [
  /^traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-0([0-3])$/,
  /^uber-trace-id: ([0-9a-f]{32}):([0-9a-f]{16}):0:([01])$/,
  /^b3: ([0-9a-f]{32})-([0-9a-f]{16})-([01])$/,
] as const;

export interface Injected {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

/**
 * The one context that a head carries.
 *
 * @throws where a format is missing or there twice, or two of them differ
 */
export function injectedIn(arrived: string): Injected {
  const lines = linesOf(arrived);
  const found = OWN_LINES.map((own): Injected => {
    const name = own.source.slice(1, own.source.indexOf(":"));
    const [line = "", ...more] = lines.filter((one) => one.startsWith(`${name}:`));
    const [, traceId = "", spanId = "", flags = ""] = own.exec(line) ?? [];
    if (traceId === "" || more.length > 0)
      throw new Error(`not one line of the border's: ${line} ${more.join()}`);
    return { traceId, spanId, isSampled: Number(flags) % 2 === 1 };
  });
  const [first, ...others] = found;
  if (first === undefined || others.some((one) => JSON.stringify(one) !== JSON.stringify(first))) {
    throw new Error(`the formats differ: ${JSON.stringify(found)}`);
  }
  return first;
}
