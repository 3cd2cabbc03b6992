/**
 * WebSocket frames as they pass, followed without being unmasked, held or changed.
 *
 * Source: RFC 6455 section 5.2. Only a frame's head is looked at, and of a server's close the two bytes of its code, which are not
 * masked. What can't be a frame ends the following, not the traffic: whoever made it and whoever reads it may know better.
 */

/** A frame that has passed whole. */
export interface WebSocketFrame {
  /** 0 to 15. */
  readonly opcode: number;
  /** Of its payload. */
  readonly bytes: number;
  /** Of a close that is not masked; undefined where it has none. */
  readonly closeCode: number | undefined;
}

export interface FrameListener {
  /** A frame's head has come. */
  onHead(opcode: number): void;
  onFrame(frame: WebSocketFrame): void;
}

export const OPCODE = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

/** Two bytes, eight of a length, four of a mask. */
const HEAD_MAX = 14;
const CODE_BYTES = 2;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

export class WebSocketFrames {
  readonly #listener: FrameListener;
  readonly #head = Buffer.alloc(HEAD_MAX);
  #have = 0;
  #need = 2;
  #opcode = 0;
  #bytes = 0;
  /** Of the payload. */
  #left = 0;
  /** Of a code: whether there is one, how many bytes of it are still to be read, and what it is so far. */
  #hasCode = false;
  #codeLeft = 0;
  #code = 0;
  #hasStopped = false;

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  /** Whether it met what can't be a frame; nothing is told any more. */
  get hasStopped(): boolean {
    return this.#hasStopped;
  }

  /** Never throws but what its listener does. */
  read(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && !this.#hasStopped) {
      at = this.#left > 0 ? this.#readPayload(bytes, at) : this.#readHead(bytes, at);
    }
  }

  #readHead(bytes: Buffer, from: number): number {
    const end = Math.min(bytes.length, from + this.#need - this.#have);
    bytes.copy(this.#head, this.#have, from, end);
    this.#have += end - from;
    if (this.#have < this.#need) return end;
    const [first = 0, second = 0] = this.#head;
    const isMasked = (second & 0x80) !== 0;
    const short = second & 0x7f;
    this.#need = 2 + (short === LENGTH_64 ? 8 : short === LENGTH_16 ? 2 : 0) + (isMasked ? 4 : 0);
    if (this.#have < this.#need) return end;
    this.#beginPayload(first & 0x0f, this.#lengthOf(short), isMasked);
    return end;
  }

  #lengthOf(short: number): number {
    if (short < LENGTH_16) return short;
    if (short === LENGTH_16) return this.#head.readUInt16BE(2);
    return this.#head.readUInt32BE(2) * 2 ** 32 + this.#head.readUInt32BE(6);
  }

  #beginPayload(opcode: number, length: number, isMasked: boolean): void {
    this.#have = 0;
    this.#need = 2;
    if (length > Number.MAX_SAFE_INTEGER) {
      this.#hasStopped = true; // Eight exabytes: the first bit must be 0, and nobody means the next ten either.
      return;
    }
    this.#opcode = opcode;
    this.#bytes = length;
    this.#left = length;
    this.#code = 0;
    this.#hasCode = opcode === OPCODE.CLOSE && !isMasked && length >= CODE_BYTES;
    this.#codeLeft = this.#hasCode ? CODE_BYTES : 0;
    this.#listener.onHead(opcode);
    if (length === 0) this.#end();
  }

  #readPayload(bytes: Buffer, from: number): number {
    const end = Math.min(bytes.length, from + this.#left);
    this.#left -= end - from;
    for (let at = from; at < end && this.#codeLeft > 0; at++, this.#codeLeft--) {
      this.#code = this.#code * 256 + (bytes[at] ?? 0);
    }
    if (this.#left === 0) this.#end();
    return end;
  }

  #end(): void {
    this.#listener.onFrame({
      opcode: this.#opcode,
      bytes: this.#bytes,
      closeCode: this.#hasCode ? this.#code : undefined,
    });
  }
}
