/** Frames followed without being unmasked: RFC 6455 section 5.2, wherever the bytes are cut. */

import { array, assert, boolean, constantFrom, integer, property, record } from "fast-check";
import { describe, expect, it } from "vitest";
import { type WebSocketFrame, WebSocketFrames } from "../../src/http1/websocket-frames.ts";
import { webSocketFrame } from "../support/websocket.ts";

function follow(pieces: readonly Buffer[]) {
  const heads: number[] = [];
  const frames: WebSocketFrame[] = [];
  const reader = new WebSocketFrames({
    onHead: (opcode) => heads.push(opcode),
    onFrame: (frame) => frames.push(frame),
  });
  for (const piece of pieces) reader.read(piece);
  return { heads, frames, hasStopped: reader.hasStopped };
}

describe("a frame", () => {
  it.each([
    { why: "no payload", bytes: 0 },
    { why: "the longest short length", bytes: 125 },
    { why: "the shortest length in 16 bits", bytes: 126 },
    { why: "the longest length in 16 bits", bytes: 65_535 },
    { why: "the shortest length in 64 bits", bytes: 65_536 },
  ])("with $why, masked and not", ({ bytes }) => {
    for (const isMasked of [true, false]) {
      const frame = webSocketFrame({ opcode: 2, payload: Buffer.alloc(bytes, 0x82), isMasked });
      expect(follow([frame])).toEqual({
        heads: [2],
        frames: [{ opcode: 2, bytes, closeCode: undefined }],
        hasStopped: false,
      });
    }
  });

  it.each([
    { why: "a code", payload: [3, 232], isMasked: false, closeCode: 1000 },
    { why: "a code and a reason", payload: [3, 243, 111, 107], isMasked: false, closeCode: 1011 },
    { why: "a code of 0, which is none that may be sent", payload: [0, 0], isMasked: false, closeCode: 0 },
    { why: "nothing", payload: [], isMasked: false, closeCode: undefined },
    { why: "half a code", payload: [3], isMasked: false, closeCode: undefined },
    {
      why: "a code behind a mask, which is not looked behind",
      payload: [3, 232],
      isMasked: true,
      closeCode: undefined,
    },
  ])("that closes with $why", ({ payload, isMasked, closeCode }) => {
    const bytes = webSocketFrame({ opcode: 8, payload: Buffer.from(payload), isMasked });
    for (const pieces of [[bytes], [...bytes].map((byte) => Buffer.of(byte))]) {
      expect(follow(pieces).frames).toEqual([{ opcode: 8, bytes: payload.length, closeCode }]);
    }
  });

  it("is followed whatever its reserved bits and opcode are: extensions use them", () => {
    expect(follow([Buffer.of(0xf3, 1, 9, 0x8b, 0)]).frames.map(({ opcode }) => opcode)).toEqual([3, 11]);
  });

  it("that is cut off is no frame yet", () => {
    const bytes = webSocketFrame({ opcode: 1, payload: Buffer.from("hello"), isMasked: true });
    expect(follow([bytes.subarray(0, -1)])).toMatchObject({ heads: [1], frames: [] });
  });
});

it.each([
  {
    why: "the largest length that a number holds",
    length: [0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    stops: false,
  },
  { why: "one more", length: [0, 0x20, 0, 0, 0, 0, 0, 0], stops: true },
  { why: "the first bit, which must be 0", length: [0x80, 0, 0, 0, 0, 0, 0, 1], stops: true },
])("a length: $why", ({ length, stops }) => {
  const { hasStopped, heads, frames } = follow([
    Buffer.of(0x82, 127, ...length),
    Buffer.of(0x81, 0, 0x81, 0),
  ]);
  expect({ hasStopped, heads, frames }).toEqual({ hasStopped: stops, heads: stops ? [] : [2], frames: [] });
});

const frames = array(
  record({
    opcode: constantFrom(0, 1, 2, 8, 9, 10, 5),
    bytes: constantFrom(0, 1, 2, 3, 125, 126, 127, 300, 70_000),
    isMasked: boolean(),
  }),
  { maxLength: 6 },
);

it("reads the same wherever the bytes are cut", () => {
  assert(
    property(frames, array(integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 }), (sent, sizes) => {
      const all = Buffer.concat(
        sent.map(({ opcode, bytes, isMasked }) =>
          webSocketFrame({ opcode, payload: Buffer.alloc(bytes, 7), isMasked }),
        ),
      );
      const pieces: Buffer[] = [];
      for (let at = 0, turn = 0; at < all.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1;
        pieces.push(all.subarray(at, at + size));
        at += size;
      }
      const told = follow(pieces);
      expect(told.frames.map(({ opcode, bytes }) => [opcode, bytes])).toEqual(
        sent.map(({ opcode, bytes }) => [opcode, bytes]),
      );
      expect(told).toEqual(follow([all]));
    }),
    { numRuns: 50 },
  );
});

it("never throws, whatever comes", () => {
  assert(
    property(array(integer({ min: 0, max: 255 }), { maxLength: 60 }), (bytes) => {
      expect(() => follow([Buffer.from(bytes)])).not.toThrow();
    }),
  );
});
