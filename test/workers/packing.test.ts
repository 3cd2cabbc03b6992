/** That a message is the same at the other end of a channel, which carries JSON. */

import * as v8 from "node:v8";
import { expect, it } from "vitest";
import type { FromWorker, ToWorker } from "../../src/workers/messages.ts";
import { createPacking } from "../../src/workers/packing.ts";

const { pack, unpack } = createPacking(v8);
const overChannel = (message: ToWorker | FromWorker): unknown =>
  unpack(JSON.parse(JSON.stringify(pack(message))));

it.each<{ why: string; message: ToWorker | FromWorker }>([
  { why: "nothing but its name", message: { tell: "stop" } },
  { why: "bytes", message: { tell: "ticket-keys", ticketKeys: new Uint8Array([0, 255, 10, 128]) } },
  {
    why: "a map, and a value that is there and undefined",
    message: {
      tell: "ask",
      id: 7,
      kind: "search",
      asked: { service: "é 😀", operation: undefined, tags: new Map([["__proto__", "\ud800"]]), limit: 1 },
    },
  },
  {
    why: "numbers that JSON has no form for",
    message: { say: "part", id: 1, part: [Infinity, Number.NaN, -0] },
  },
])("keeps $why", ({ message }) => {
  expect(overChannel(message)).toEqual(message);
});

it.each<{ message: ToWorker | FromWorker }>([
  { message: { tell: "connection", listener: "inbound" } },
  { message: { say: "took", connections: 3 } },
])("leaves plain what each connection costs: %o", ({ message }) => {
  expect(pack(message)).toBe(message);
  expect(overChannel(message)).toEqual(message);
});
