/**
 * A recursive DNS server over UDP on 127.0.0.1, with a zone given as data: it follows CNAMEs, counts what it is asked, and
 * can fail, stay silent, or hold its answers back until told.
 *
 * Messages are encoded by dns-packet. Not here: TCP, so answers must fit into one datagram (about 50 addresses).
 */

import { createSocket, type RemoteInfo } from "node:dgram";
import type { AddressInfo } from "node:net";
import { type Answer, decode, encode, type Packet } from "dns-packet";

/** What a name has; a kind that is left out doesn't exist (NODATA). */
export interface DnsRecords {
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  readonly SRV?: readonly (readonly [priority: number, weight: number, port: number, target: string])[];
  readonly CNAME?: string;
  /** Seconds; 300 by default. */
  readonly ttl?: number;
  /** In place of an answer, for these kinds. */
  readonly fails?: Partial<Record<Kind, "SERVFAIL" | "REFUSED" | "silent">>;
}

type Kind = "A" | "AAAA" | "SRV";

/**
 * Name → records, or what they are at the n-th query (from 0) for them; `*.name` for every label before it that has no entry of
 * its own (RFC 4592, of one label alone). A name that isn't there is NXDOMAIN.
 */
export type DnsZone = Readonly<Record<string, DnsRecords | ((query: number) => DnsRecords)>>;

export interface DnsServer {
  readonly resolver: { readonly host: string; readonly port: number };
  /** `KIND name`, in the order they came; taken out by the call. */
  takeQueries(): readonly string[];
  setZone(zone: DnsZone): void;
  /** Answers wait until what it returns is called. */
  hold(): () => void;
  stop(): void;
}

const RCODE = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
const TTL_SECONDS = 300;

export async function startDnsServer(initial: DnsZone = {}): Promise<DnsServer> {
  const socket = createSocket("udp4");
  let zone = initial;
  let queries: string[] = [];
  let held: (() => void)[] | undefined;
  const asked = new Map<string, number>();

  function answer(message: Buffer, from: RemoteInfo): void {
    const packet = decode(message);
    const [question] = packet.questions ?? [];
    if (question === undefined) return;
    const kind = question.type as Kind;
    const name = question.name.toLowerCase();
    const key = `${kind} ${name}`;
    queries.push(key);
    const count = asked.get(key) ?? 0;
    asked.set(key, count + 1);
    const reply = answerTo(zone, kind, name, count);
    if (reply === "silent") return;
    const { rcode, answers } = reply;
    // Response, recursion desired and available.
    const flags = 0x0180 | RCODE[rcode];
    const bytes = encode({
      type: "response",
      id: packet.id ?? 0,
      flags,
      questions: [question],
      answers,
    } as Packet);
    const send = (): void => socket.send(bytes, from.port, from.address);
    if (held === undefined) send();
    else held.push(send);
  }

  socket.on("message", answer);
  await new Promise<void>((resolve) => {
    socket.bind(0, "127.0.0.1", resolve);
  });
  const { address: host, port }: AddressInfo = socket.address();
  return {
    resolver: { host, port },
    takeQueries() {
      const taken = queries;
      queries = [];
      return taken;
    },
    setZone(next) {
      zone = next;
      asked.clear();
    },
    hold() {
      held = [];
      return () => {
        const waiting = held ?? [];
        held = undefined;
        for (const send of waiting) send();
      };
    },
    stop: () => void socket.close(),
  };
}

interface Reply {
  readonly rcode: keyof typeof RCODE;
  readonly answers: Answer[];
}

/** Follows at most one chain of eight names; the rest of it is in the same zone. */
function answerTo(zone: DnsZone, kind: Kind, asked: string, count: number): Reply | "silent" {
  const answers: Answer[] = [];
  let name = asked;
  for (let steps = 0; steps < 8; steps++) {
    const entry = zone[name] ?? zone[name.replace(/^[^.]*/, "*")];
    if (entry === undefined) return { rcode: "NXDOMAIN", answers };
    const records = typeof entry === "function" ? entry(count) : entry;
    const fails = records.fails?.[kind];
    if (fails === "silent") return "silent";
    if (fails !== undefined) return { rcode: fails, answers: [] };
    const ttl = records.ttl ?? TTL_SECONDS;
    if (records.CNAME === undefined) {
      return { rcode: "NOERROR", answers: [...answers, ...toAnswers(records, kind, name, ttl)] };
    }
    answers.push({ type: "CNAME", name, ttl, data: records.CNAME });
    name = records.CNAME;
  }
  return { rcode: "SERVFAIL", answers: [] };
}

function toAnswers(records: DnsRecords, kind: Kind, name: string, ttl: number): Answer[] {
  if (kind !== "SRV") return (records[kind] ?? []).map((data) => ({ type: kind, name, ttl, data }));
  return (records.SRV ?? []).map(([priority, weight, port, target]) => ({
    type: "SRV",
    name,
    ttl,
    data: { priority, weight, port, target },
  }));
}
