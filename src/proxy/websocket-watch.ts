/**
 * What a WebSocket session does, counted by its frames' opcodes: how many each way, their bytes, and how long an answer took.
 *
 * The protocol says what answers a ping and a close. What answers a message only the two ends know: here it is the next message the
 * other way, in order, which is right for those that ask and answer, and says of a server that pushes how often it does.
 */

import { FIELD, fieldValue, MARK_SIZE } from "../http1/fields.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { OPCODE, WebSocketFrames } from "../http1/websocket-frames.ts";
import type { WebSocketCounts, WebSocketEvent } from "../metrics/traffic-counts.ts";

const EVENTS: Readonly<Partial<Record<number, WebSocketEvent>>> = {
  [OPCODE.CONTINUATION]: "continuation",
  [OPCODE.TEXT]: "text",
  [OPCODE.BINARY]: "binary",
  [OPCODE.CLOSE]: "close",
  [OPCODE.PING]: "ping",
  [OPCODE.PONG]: "pong",
};

/** From an opcode to the line in which its answer is waited for. */
const ASKS: Readonly<Partial<Record<number, Line>>> = {
  [OPCODE.TEXT]: "message",
  [OPCODE.BINARY]: "message",
  [OPCODE.PING]: "ping",
  [OPCODE.CLOSE]: "close",
};
const ANSWERS: Readonly<Partial<Record<number, Line>>> = {
  [OPCODE.TEXT]: "message",
  [OPCODE.BINARY]: "message",
  [OPCODE.PONG]: "ping",
  [OPCODE.CLOSE]: "close",
};

type Line = "message" | "ping" | "close";

interface Asked {
  readonly event: WebSocketEvent;
  readonly atMs: number;
}

/** Frames of a line that wait for their answer; of one more the oldest will have none. */
const WAITING_MAX = 64;

/** RFC 6455 section 7.4.1: a session that is over, and an end that goes away, are no errors. */
const CLOSE_OK: ReadonlySet<number> = new Set([1000, 1001]);

export interface WebSocketSession {
  readonly watch: WebSocketWatch;
  end(): void;
}

/** @param source the client's address @param nowMs monotonic */
export function openWebSocketSession(
  counts: WebSocketCounts,
  source: string,
  nowMs: () => number,
): WebSocketSession {
  counts.sessionBegan(source);
  return { watch: watchWebSocket(counts, nowMs), end: () => counts.sessionEnded(source) };
}

/** Whether a 101 says that this is what it switches to (RFC 6455 section 4.2.2); other protocols' bytes are nobody's frames. */
export function isWebSocket({ text, marks }: ResponseHead): boolean {
  for (let index = 0; index < marks.length; index += MARK_SIZE) {
    if (marks[index] === FIELD.UPGRADE) return fieldValue(text, marks, index).toLowerCase() === "websocket";
  }
  return false;
}

/** Reads what passes each way. Neither throws, whatever passes. */
interface WebSocketWatch {
  readonly fromClient: (bytes: Buffer) => void;
  readonly fromServer: (bytes: Buffer) => void;
}

/** @param nowMs monotonic */
function watchWebSocket(counts: WebSocketCounts, nowMs: () => number): WebSocketWatch {
  const waiting: Readonly<Record<Line, Asked[]>> = { message: [], ping: [], close: [] };
  const client = new WebSocketFrames({
    onHead: () => undefined,
    onFrame({ opcode, bytes }) {
      const event = EVENTS[opcode] ?? "other";
      counts.request(event, bytes);
      const line = ASKS[opcode];
      if (line === undefined) return;
      waiting[line].push({ event, atMs: nowMs() });
      if (waiting[line].length > WAITING_MAX) waiting[line].shift();
    },
  });
  const server = new WebSocketFrames({
    onHead(opcode) {
      const line = ANSWERS[opcode];
      const asked = line && waiting[line].shift();
      if (asked !== undefined) counts.answered(asked.event, (nowMs() - asked.atMs) / 1000);
    },
    onFrame({ opcode, bytes, closeCode }) {
      const event = EVENTS[opcode] ?? "other";
      counts.response(event, bytes);
      if (closeCode !== undefined && !CLOSE_OK.has(closeCode)) counts.errorResponse(event);
    },
  });
  return {
    fromClient: (bytes) => client.read(bytes),
    fromServer: (bytes) => server.read(bytes),
  };
}
