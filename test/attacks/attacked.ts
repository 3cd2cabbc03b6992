/**
 * A sidecar under attack: its own server behind it, peers in front of it, and everything that an attack could show in: the bytes
 * that arrived on either side, spans, log lines and metrics.
 *
 * Names are claimed here, in so many words: the attacks of this folder are those that a whitelisted peer, or who passes for
 * one, can make too. What a name must prove is in origin-spoofing.test.ts.
 */

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
  /** One from the own server to a host outside; its name must end in `.test`. */
  passOut(host: string, lines: readonly string[]): Promise<Passed>;
  /** Series of /metrics, with their labels, and their values. */
  scrape(): Promise<ReadonlyMap<string, number>>;
  stop(): Promise<void>;
}

type Document = Readonly<Record<string, unknown>>;

const WHITELIST = ["friend\\.test", { regex: "trusted\\.test", sampling: "trust", forced_per_second: 1 }];

/**
 * @param document beside the listeners, an admin listener and the whitelist
 * @param inbound beside where it listens and leads
 */
export async function startAttacked(document: Document = {}, inbound: Document = {}): Promise<Attacked> {
  let answer = OK_RESPONSE;
  const upstream = await recordingUpstream(() => answer);
  const listen = "127.0.0.1:0";
  const sidecar = await startInProcess({
    inbound: { listen, upstream: `http://127.0.0.1:${upstream.port}`, authenticate: "claimed", ...inbound },
    outbound: { listen, allow_networks: ["127.0.0.0/8"] },
    admin: { listen },
    whitelist: WHITELIST,
    ...document,
  });

  async function pass(port: number, text: string): Promise<Passed> {
    const [known, spans] = [upstream.received().length, sidecar.spans.length];
    const received = await exchangeRaw(port, text);
    return { arrived: upstream.received().slice(known), received, span: sidecar.spans[spans] };
  }

  return {
    ...sidecar,
    upstream,
    answerWith(text) {
      answer = text;
    },
    passIn(lines, { line = "GET /x", body = "" } = {}) {
      const head = [`${line} HTTP/1.1`, "Host: own.test", ...lines, "Connection: close"];
      return pass(sidecar.port.inbound, `${head.join("\r\n")}\r\n\r\n${body}`);
    },
    passOut(host, lines) {
      const authority = `${host}:${upstream.port}`;
      const head = [
        `GET http://${authority}/x HTTP/1.1`,
        `Host: ${authority}`,
        ...lines,
        "Connection: close",
      ];
      return pass(sidecar.port.outbound, `${head.join("\r\n")}\r\n\r\n`);
    },
    async scrape() {
      const answered = await fetch(`http://127.0.0.1:${sidecar.port.admin}/metrics`);
      const lines = (await answered.text()).split("\n").filter((line) => /^[^#]/.test(line));
      return new Map(
        lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]),
      );
    },
    async stop() {
      await sidecar.sidecar.stop();
      upstream.stop();
    },
  };
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
