/** Sends a row's bytes through a proxy and gathers what came of them on both sides. */

import { rawClient } from "../../support/wire.ts";
import { turn } from "../sockets.ts";
import { readAnswers } from "./client-view.ts";
import { HOST } from "./row.ts";

export interface Outcome {
  /** Final statuses, in order; the probe's is left out. */
  readonly statuses: readonly number[];
  /** What the upstream's answers say they answer, in order; the probe's is left out. */
  readonly answers: readonly string[];
  /** Whether the connection took one more request, and answered that one. */
  readonly isOpen: boolean;
  /** Bytes that the client can't read as answers. */
  readonly rest: string;
}

const PROBE = `GET /probe HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`;
const PROBE_ANSWER = "GET own.test /probe";

/** A proxy that waits for more than was sent is given up after this; no row of ours needs it. */
const GIVE_UP_MS = 2000;

export interface Sending {
  readonly port: number;
  /** As they go out; between two of them the proxy has time to read. */
  readonly pieces: readonly string[];
  readonly methods: readonly string[];
  /** Answers to wait for before the probe is sent; undefined: it is not sent. */
  readonly answersBeforeProbe: number | undefined;
  readonly giveUpMs?: number;
}

export async function sendRow(sending: Sending): Promise<Outcome> {
  const { port, pieces, methods, answersBeforeProbe, giveUpMs = GIVE_UP_MS } = sending;
  const client = await rawClient(port);
  const timer = setTimeout(() => client.socket.destroy(), giveUpMs);
  const read = () => readAnswers(client.received(), [...methods, "GET"]);
  for (const piece of pieces) {
    if (client.socket.writable) client.send(piece);
    if (pieces.length > 1) await turns();
  }
  if (answersBeforeProbe !== undefined) {
    await client.until(() => read().answers.length >= answersBeforeProbe).catch(() => undefined);
    if (client.socket.writable) client.send(PROBE);
  }
  await client.closed();
  clearTimeout(timer);
  const { answers, rest } = read();
  const isOpen = answers.at(-1)?.answers === PROBE_ANSWER;
  const own = isOpen ? answers.slice(0, -1) : answers;
  return {
    statuses: own.map(({ status }) => status),
    answers: own.flatMap(({ answers: belief }) => (belief === undefined ? [] : [belief])),
    isOpen,
    rest,
  };
}

/** On loopback written is readable: the next poll, between two turns, takes it. */
export async function turns(): Promise<void> {
  for (let count = 0; count < 3; count++) await turn();
}

/** Methods of the requests that a row means to send, so that an answer to HEAD is read as one. */
export function methodsOf(reaches: readonly string[]): readonly string[] {
  return reaches.map((request) => request.split(" ", 1)[0] ?? "");
}
