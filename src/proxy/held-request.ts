/**
 * A request whose body must be read before it is known who sent it: its head waits here, and nothing of it has left.
 *
 * ```
 *   head ──► held ──► body's end ──► signature right or wrong ──► forwarded, all of it
 *              └─► too long, no room, or the client is gone ──► goes on as it is, from somebody unproven
 * ```
 * Tracing sheds itself, never traffic (contract rule 11): whatever stands against the check, the request goes on, and only its
 * context is lost. What all held requests keep together is bounded; the one that was held longest goes on where room is needed,
 * so that bodies which never end can't shut out those that do.
 * Not here: who needs proof (standing.ts), and the check itself (proof/).
 */

import type { ErrorCode } from "../core/errors.ts";
import { ChunkedReader } from "../http1/chunked.ts";
import { CHUNKED } from "../http1/framing.ts";
import type { RequestRefusal } from "../http1/refusals.ts";
import type { RequestHandler } from "../http1/server-connection.ts";
import type { BodyCheck, ProofRefusal } from "../proof/prover.ts";

/** Bytes that all held bodies of a process may keep: 256 of the default limit at a time, each for as long as it takes to arrive. */
const HELD_BYTES_MAX = 16 * 1024 * 1024;

const NOTHING = Buffer.alloc(0);

/** All requests that are held. */
export interface HeldRequests {
  readonly bytes: number;
  /** Makes room for so many bytes more, by letting go of others. */
  grow(held: HeldRequest, bytes: number): void;
  delete(held: HeldRequest): void;
}

export function createHeldRequests(bytesMax = HELD_BYTES_MAX): HeldRequests {
  /** The one that was held longest first. */
  const all = new Set<HeldRequest>();
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    grow(held, more) {
      all.add(held);
      bytes += more;
      for (const oldest of all) {
        if (bytes <= bytesMax) return;
        oldest.letGo("body-room");
      }
    },
    delete(held) {
      if (all.delete(held)) bytes -= held.bytes;
    },
  };
}

/** What becomes of a request once it is known who sent it. */
export interface HeldOptions {
  readonly requests: HeldRequests;
  /** Of the request's head. */
  readonly bodyLength: number;
  /** `inbound.authenticate_body_limit`, the body's framing included. */
  readonly bytesMax: number;
  readonly check: BodyCheck;
  /** Makes the exchange, without beginning to forward. @param refusal undefined: proven */
  readonly open: (refusal: ProofRefusal | undefined) => OpenedRequest;
}

export interface OpenedRequest {
  readonly handler: RequestHandler;
  readonly isOver: boolean;
  /** Begins to forward. */
  start(): void;
}

export class HeldRequest implements RequestHandler {
  readonly #options: HeldOptions;
  /** As it came, framing included, and room behind it: twice as much with each growth, so that many pieces are not joined over and over. */
  #kept: Buffer = NOTHING;
  #length = 0;
  #opened: OpenedRequest | undefined;
  /** What the opened request said to the bytes it was given. */
  #hasRoom = true;

  constructor(options: HeldOptions) {
    this.#options = options;
  }

  /** What it takes of the room for all. */
  get bytes(): number {
    return this.#kept.length;
  }

  onRequestBytes(bytes: Buffer): boolean {
    if (this.#opened !== undefined) return this.#opened.handler.onRequestBytes(bytes);
    const before = this.#kept.length;
    this.#keep(bytes);
    this.#options.requests.grow(this, this.#kept.length - before);
    if (this.#length > this.#options.bytesMax) this.letGo("body-size");
    return this.#hasRoom;
  }

  /** The first piece is kept as it is: most bodies come in one. */
  #keep(bytes: Buffer): void {
    const length = this.#length + bytes.length;
    if (this.#length === 0) this.#kept = bytes;
    else if (length <= this.#kept.length) bytes.copy(this.#kept, this.#length);
    else {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * this.#length));
      this.#kept.copy(grown, 0, 0, this.#length);
      bytes.copy(grown, this.#length);
      this.#kept = grown;
    }
    this.#length = length;
  }

  onRequestEnd(trailers: string): void {
    if (this.#opened === undefined) this.letGo(this.#options.check(this.#content()));
    this.#opened?.handler.onRequestEnd(trailers);
  }

  /** Goes on: with what is known of its sender, and with all that came of it. @param refusal undefined: proven */
  letGo(refusal: ProofRefusal | undefined): void {
    if (this.#opened !== undefined) return;
    this.#options.requests.delete(this);
    const opened = this.#options.open(refusal);
    const kept = this.#kept.subarray(0, this.#length);
    this.#opened = opened;
    this.#kept = NOTHING;
    opened.start();
    if (opened.isOver || kept.length === 0) return;
    this.#hasRoom = opened.handler.onRequestBytes(kept);
    opened.handler.onRequestPause();
  }

  /** What is signed: the body without its coding, which the connection has checked. */
  #content(): Buffer {
    const kept = this.#kept.subarray(0, this.#length);
    if (this.#options.bodyLength !== CHUNKED) return kept;
    const pieces: Buffer[] = [];
    new ChunkedReader(Number.POSITIVE_INFINITY, (bytes) => void pieces.push(bytes)).read(kept, 0);
    return Buffer.concat(pieces);
  }

  onRequestPause(): void {
    this.#opened?.handler.onRequestPause();
  }

  onClientDrain(): void {
    this.#opened?.handler.onClientDrain();
  }

  onClientGone(code: ErrorCode, refusal: RequestRefusal | undefined): void {
    if (this.#opened === undefined) {
      this.#options.requests.delete(this);
      this.#opened = this.#options.open("body"); // For its span and its answer alone: nothing is sent.
    }
    this.#opened.handler.onClientGone(code, refusal);
  }
}
