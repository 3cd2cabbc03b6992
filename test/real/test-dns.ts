/**
 * A DNS server over UDP that knows one thing: every name under `.test` is 127.0.0.1. For sidecars, which are told where to
 * ask (`outbound.resolver`); Synapse itself can't be.
 *
 * RFC 1035 section 4.1. Queries with one question, as resolvers send them; no EDNS, no TCP, no compression but in the answer.
 */

import { createSocket } from "node:dgram";

export interface TestDns {
  readonly port: number;
  /** Names that were asked for so far, in lower case: some resolvers mix the case of what they ask. */
  readonly asked: readonly string[];
  stop(): void;
}

const HEADER_BYTES = 12;
const TYPE_A = 1;
/** A response, authoritative, recursion desired and available. */
const FLAGS = 0x8580;
const NO_SUCH_NAME = 3;

export async function startTestDns(): Promise<TestDns> {
  const asked: string[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    const question = readQuestion(query);
    asked.push(question.name.toLowerCase());
    socket.send(answerTo(query, question), from.port, from.address);
  });
  await new Promise<void>((resolve) => void socket.bind(0, "127.0.0.1", resolve));
  return { port: socket.address().port, asked, stop: () => void socket.close() };
}

interface Question {
  readonly name: string;
  readonly type: number;
  /** Where it is over in the query. */
  readonly end: number;
}

function readQuestion(query: Buffer): Question {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** A name that is known has no records but its address: other types get an empty answer. */
function answerTo(query: Buffer, { name, type, end }: Question): Buffer {
  const isKnown = /\.test$/i.test(name);
  const hasAnswer = isKnown && type === TYPE_A;
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2); // Its id.
  header.writeUInt16BE(isKnown ? FLAGS : FLAGS | NO_SUCH_NAME, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(hasAnswer ? 1 : 0, 6);
  // The name as in the question, at byte 12; type A, class IN, a minute, four bytes.
  const record = Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
  return Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...(hasAnswer ? [record] : [])]);
}
