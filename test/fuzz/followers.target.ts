/**
 * What follows WebSocket frames and gRPC messages: whatever comes, in whatever pieces, ends as a reader of the whole says, and never
 * in a throw.
 */

import { deepEqual } from "node:assert/strict";
import fc from "fast-check";
import { type WebSocketFrame, WebSocketFrames } from "../../src/http1/websocket-frames.ts";
import { GrpcMessages } from "../../src/proxy/grpc-watch.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, cutAt, cutPlaces, damaged, piecesOf } from "./texts.ts";

/** Bytes that mean something in a frame's head, or in a message's prefix. */
const PIECES = [
  "\x81",
  "\x82",
  "\x88",
  "\x89",
  "\x8a",
  "\0",
  "\x01",
  "\x02",
  "\x03",
  "\x7d",
  "\x7e",
  "\x7f",
  "\x80",
  "\xfe",
  "\xff",
  "\x03\xe8",
  "abc",
];
const texts = fc.oneof(piecesOf(PIECES, 40), damaged(piecesOf(PIECES, 20), PIECES), anyBytes(60));

/** RFC 6455 section 5.2, read from the whole at once. */
function framesOf(bytes: Buffer): readonly WebSocketFrame[] {
  const frames: WebSocketFrame[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const opcode = (bytes[at] ?? 0) & 15;
    const isMasked = (bytes[at + 1] ?? 0) >= 128;
    const short = (bytes[at + 1] ?? 0) & 127;
    const wide = short === 127 ? 8 : short === 126 ? 2 : 0;
    const from = at + 2 + wide + (isMasked ? 4 : 0);
    if (from > bytes.length) break;
    let length = wide === 0 ? BigInt(short) : 0n;
    for (let digit = 0; digit < wide; digit++) length = length * 256n + BigInt(bytes[at + 2 + digit] ?? 0);
    if (length > BigInt(Number.MAX_SAFE_INTEGER) || from + Number(length) > bytes.length) break;
    const hasCode = opcode === 8 && !isMasked && length >= 2n;
    frames.push({ opcode, bytes: Number(length), closeCode: hasCode ? bytes.readUInt16BE(from) : undefined });
    at = from + Number(length);
  }
  return frames;
}

/** Prefixes that came whole, but for those of trailers. */
function messagesOf(bytes: Buffer): number {
  let count = 0;
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt32BE(at + 1)) {
    if (((bytes[at] ?? 0) & 0x7e) !== 0) break;
    if ((bytes[at] ?? 0) < 128) count++;
  }
  return count;
}

export const WEB_SOCKET_FRAMES: FuzzTarget = createTarget(
  "websocket-frames",
  fc.property(fc.record({ text: texts, places: cutPlaces }), ({ text, places }) => {
    const expected = framesOf(Buffer.from(text, "latin1"));
    for (const cuts of [[], places]) {
      const frames: WebSocketFrame[] = [];
      const reader = new WebSocketFrames({ onHead: () => undefined, onFrame: (frame) => frames.push(frame) });
      for (const piece of cutAt(text, cuts)) reader.read(piece);
      deepEqual(frames, expected);
    }
  }),
);

export const GRPC_MESSAGES: FuzzTarget = createTarget(
  "grpc-messages",
  fc.property(fc.record({ text: texts, places: cutPlaces }), ({ text, places }) => {
    const expected = messagesOf(Buffer.from(text, "latin1"));
    for (const cuts of [[], places]) {
      const messages = new GrpcMessages();
      for (const piece of cutAt(text, cuts)) messages.read(piece);
      deepEqual(messages.count, expected);
    }
  }),
);
