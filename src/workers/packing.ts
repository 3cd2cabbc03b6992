/**
 * How a message goes over the channel: as JSON, and what JSON has no word for (maps, bytes, undefined) as V8's serialization of it.
 *
 * Node can serialize whole channels so (`serialization: "advanced"`), but then each connection that is handed over costs some 75 µs
 * more (docs/decisions/0004-workers.md); the two messages of a connection are plain.
 */

import type * as v8 from "node:v8";
import type { FromWorker, ToWorker } from "./messages.ts";

type Message = ToWorker | FromWorker;

interface Packed {
  /** base64 */
  readonly packed: string;
}

export interface Packing {
  readonly pack: (message: Message) => Message | Packed;
  /** @param received what `pack` made on the other side */
  readonly unpack: (received: unknown) => Message;
}

/** @param v8 the module, which only processes of several load */
export function createPacking({
  serialize,
  deserialize,
}: Pick<typeof v8, "serialize" | "deserialize">): Packing {
  return {
    pack(message) {
      const isPlain = "tell" in message ? message.tell === "connection" : message.say === "took";
      return isPlain ? message : { packed: serialize(message).toString("base64") };
    },
    unpack(received) {
      const message = received as Message | Packed;
      return "packed" in message ? (deserialize(Buffer.from(message.packed, "base64")) as Message) : message;
    },
  };
}
