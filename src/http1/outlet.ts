/**
 * The writing side of a socket: a head waits for the first bytes of its body, so that both leave in one
 * system call and one packet.
 *
 * A string below 16 KiB is written by Node without a buffer of its own (libuv tries at once from its stack),
 * which is why small bodies are joined to their head as text; latin1 keeps every byte.
 */

import type { Socket } from "node:net";

/** Node's stack buffer for strings (StreamBase::WriteString). */
const JOINED_MAX = 16_384;

export class Outlet {
  readonly #socket: Socket;
  #text = "";
  #unwritten = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Holds latin1 text back until `bytes` or `flush`. */
  text(text: string): void {
    this.#text += text;
  }

  /** @returns false where the socket's buffer is full: wait for its "drain" */
  bytes(bytes: Buffer): boolean {
    const text = this.#text;
    if (text === "") return this.#socket.write(bytes);
    this.#text = "";
    if (text.length + bytes.length < JOINED_MAX) {
      return this.#socket.write(text + bytes.toString("latin1", 0, bytes.length), "latin1");
    }
    this.#socket.cork();
    this.#socket.write(text, "latin1");
    const hasRoom = this.#socket.write(bytes);
    this.#socket.uncork();
    return hasRoom;
  }

  /** Writes what is held back. @returns as for `bytes` */
  flush(): boolean {
    if (this.#text === "") return true;
    const text = this.#text;
    this.#text = "";
    return this.#socket.write(text, "latin1");
  }

  /** The reader is given time: notes what waits for it now. */
  awaitDrain(): void {
    this.#unwritten = this.#socket.writableLength;
  }

  /** Whether bytes wait for the reader, and it is given time. */
  get isAwaited(): boolean {
    return this.#unwritten > 0;
  }

  /** Whether it has taken some of what waited since then: it is slow, but reads. */
  get hasDrainedSome(): boolean {
    return this.#socket.writableLength < this.#unwritten;
  }

  /** Nothing is waited for any more. */
  drained(): void {
    this.#unwritten = 0;
  }
}
