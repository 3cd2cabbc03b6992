/** A body that somebody follows while it passes: what its chunks hold, where it comes in chunks, and never their framing. */

import { ChunkedReader } from "../http1/chunked.ts";
import { CHUNKED } from "../http1/framing.ts";

/** A trailer section of what is only followed; the connection has read it, and has its own bound. */
const TRAILERS_MAX = 65_536;

/** @param bodyLength as the head says it (http1/framing.ts) @returns takes what passes of one body, in any pieces */
export function followBody(bodyLength: number, read: (bytes: Buffer) => void): (bytes: Buffer) => void {
  if (bodyLength !== CHUNKED) return read;
  const chunks = new ChunkedReader(TRAILERS_MAX, read);
  return (bytes) => void chunks.read(bytes, 0);
}
