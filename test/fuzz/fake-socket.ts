/**
 * A socket of which only the wires are missing: bytes are given to it one piece after the other, what is written to it is
 * kept, and nothing waits, so that thousands of connections a second can be looked at. It pauses as node's does.
 * Not here: a full buffer, and time.
 */

import { EventEmitter } from "node:events";
import type { Socket } from "node:net";

export class FakeSocket extends EventEmitter {
  readonly remoteAddress = "192.0.2.1";
  readonly writableNeedDrain = false;
  readonly writableLength = 0;
  written = "";
  destroyed = false;
  #isPaused = false;
  readonly #waiting: Buffer[] = [];

  /** A piece from the peer; it waits while the socket is paused. */
  receive(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#flow();
  }

  #flow(): void {
    while (!this.#isPaused && !this.destroyed) {
      const bytes = this.#waiting.shift();
      if (bytes === undefined) return;
      this.emit("data", bytes);
    }
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#flow();
  }

  isPaused(): boolean {
    return this.#isPaused;
  }

  write(bytes: Buffer | string): boolean {
    this.written += typeof bytes === "string" ? bytes : bytes.toString("latin1");
    return true;
  }

  cork(): void {}

  uncork(): void {}

  end(): void {
    this.emit("finish");
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit("close");
  }

  destroySoon(): void {
    this.end();
    this.destroy();
  }

  resetAndDestroy(): void {
    this.destroy();
  }

  /** For whom it is a socket. */
  asSocket(): Socket {
    return this as unknown as Socket;
  }
}
