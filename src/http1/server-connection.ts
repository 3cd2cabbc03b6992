/**
 * One client's connection: requests are read from it one after the other, answers are written in that order.
 *
 * ```
 *   head ──► body ──► answer ──► flush ──► head …   flush: the answer waits for a client that does not read
 *     │        │         └─ detach() ─► the socket is somebody else's (an upgrade)
 *     └────────┴─ malformed, too large, too slow: the owner answers, then closing: what comes is thrown away
 * ```
 * Only one request is open at a time. What a client sends ahead (pipelining) waits in one buffer and the socket
 * is paused, so order needs no queue and memory stays bounded.
 *
 * Source: RFC 9112 sections 9.3 (pipelining), 9.6 (closing in two steps, so that a reset can't overtake the
 * answer). Not here: what a request means, and what is answered.
 */

import type { Socket } from "node:net";
import type { ErrorCode } from "../core/errors.ts";
import { BodyReader } from "./body-reader.ts";
import { type DeadlineOwner, type Deadlines, NO_DEADLINE } from "./deadlines.ts";
import type { FieldTable } from "./fields.ts";
import { HeadBuffer } from "./head-buffer.ts";
import type { ConnectionLimits } from "./limits.ts";
import { Outlet } from "./outlet.ts";
import type { Announcement } from "./proxy-header.ts";
import { REQUEST_REFUSALS, type RequestRefusal } from "./refusals.ts";
import { parseRequestHead, type RequestHead } from "./request-head.ts";

/** What follows a request's head. Nothing is called after `onClientGone`. */
export interface RequestHandler {
  /** Bytes of the body, framing included. @returns false to pause until `resumeBody()` */
  onRequestBytes(bytes: Buffer): boolean;
  /** @param trailers a trailer section with its empty line, or "" */
  onRequestEnd(trailers: string): void;
  /** All that was read is handed over, more is to come: what is held back should be sent. */
  onRequestPause(): void;
  /** The client has room again. */
  onClientDrain(): void;
  /** The client went away, was too slow, or sent a malformed body. The connection still takes an answer unless `CLIENT_ABORTED`. */
  onClientGone(code: ErrorCode, refusal: RequestRefusal | undefined): void;
}

/** What a listener gives all its connections. */
export interface ServerConnectionOwner {
  readonly limits: ConnectionLimits;
  readonly fields: FieldTable;
  readonly deadlines: Deadlines;
  /** Whether connections should end with their open request. */
  readonly isDraining: boolean;
  /** @returns who takes the rest of the request; undefined where it was answered already */
  onRequest(head: RequestHead, connection: ServerConnection): RequestHandler | undefined;
  /** A head that can't be taken. The owner answers with `refuse`. */
  onRefused(refusal: RequestRefusal | "head-timeout", connection: ServerConnection): void;
  onClosed(connection: ServerConnection): void;
}

/** How long the rest of a refused or unread request is thrown away before the socket is destroyed. */
const LINGER_MS = 2000;

/**
 * A client that ends its side has most often gone away, but may still read (RFC 9112 section 9.6): TCP shows no
 * difference. It gets an answer that comes this soon; then the upstream's work is given up.
 */
const HALF_CLOSED_MS = 5000;

export class ServerConnection implements DeadlineOwner {
  readonly socket: Socket;
  readonly outlet: Outlet;
  deadlineMs: number;
  /** Since when it waits for a request, on the deadlines' clock; means something while `isIdle`. */
  idleSinceMs: number;
  readonly #owner: ServerConnectionOwner;
  readonly #head: HeadBuffer;
  #phase: "head" | "body" | "answer" | "flush" | "closing" | "detached" = "head";
  #handler: RequestHandler | undefined;
  #body: BodyReader | undefined;
  #incoming: Buffer | undefined;
  #at = 0;
  #isAdvancing = false;
  #hasEnded = false;
  #isAnswering = false;
  /** Whether `head_timeout` runs, and not the idle limit. */
  #isHeadTimed = true;
  #clientAddress: string | undefined;
  /** What a trusted proxy said of the connection before its first byte (PROXY protocol). */
  readonly announcement: Announcement | undefined;

  constructor(socket: Socket, owner: ServerConnectionOwner, announcement?: Announcement) {
    this.socket = socket;
    this.announcement = announcement;
    this.outlet = new Outlet(socket);
    this.#owner = owner;
    this.#head = new HeadBuffer(owner.limits.headBytes);
    this.idleSinceMs = owner.deadlines.nowMs();
    this.deadlineMs = this.idleSinceMs + owner.limits.headTimeoutMs;
    owner.deadlines.add(this);
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("drain", this.#onDrain);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
  }

  /** The client's IP address as it was announced, else the socket's; "" on a unix socket. */
  get clientAddress(): string {
    return (this.#clientAddress ??= this.announcement?.address ?? this.socket.remoteAddress ?? "");
  }

  /** The IP address of the socket's other end, which may be a proxy; "" on a unix socket. */
  get peerAddress(): string {
    return this.announcement === undefined ? this.clientAddress : (this.socket.remoteAddress ?? "");
  }

  get isIdle(): boolean {
    return this.#phase === "head" && !this.#head.isPartial;
  }

  /** Whether it is idle between two requests, not before its first. */
  get isKept(): boolean {
    return this.isIdle && !this.#isHeadTimed;
  }

  /** Whether the next request can still come on this connection, as far as the client is concerned. */
  get isRequestComplete(): boolean {
    return this.#phase === "answer";
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#phase === "closing") return;
    if (this.#incoming === undefined) {
      this.#incoming = bytes;
      this.#at = 0;
    } else {
      // Sent ahead before the pause took effect: at most what the socket had read already.
      this.#incoming = Buffer.concat([this.#incoming.subarray(this.#at), bytes]);
      this.#at = 0;
    }
    this.#advance();
  };

  /** Reads as far as the phase and the bytes allow. */
  #advance(): void {
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    while (this.#incoming !== undefined) {
      if (this.#phase === "head") this.#readHead(this.#incoming);
      else if (this.#phase === "body") this.#readBody(this.#incoming);
      else break;
    }
    this.#isAdvancing = false;
    if (this.#phase === "body") this.#handler?.onRequestPause();
    if (this.#incoming !== undefined && this.#phase === "answer") this.socket.pause(); // Sent ahead.
    if (this.#hasEnded && this.isIdle) this.close();
  }

  /** Marks the bytes up to `end` as read. */
  #consume(bytes: Buffer, end: number): void {
    this.#at = end;
    if (end >= bytes.length) this.#incoming = undefined;
  }

  #readHead(bytes: Buffer): void {
    const owner = this.#owner;
    const found = this.#head.take(bytes, this.#at);
    if (found === "more") {
      // The time limit starts with the first byte; the first head's started with the connection.
      if (this.#head.isPartial && !this.#isHeadTimed) {
        this.#isHeadTimed = true;
        this.deadlineMs = this.#owner.deadlines.nowMs() + this.#owner.limits.headTimeoutMs;
      }
      this.#incoming = undefined;
      return;
    }
    if (typeof found === "string") return this.#refuse(found);
    const head = parseRequestHead(found.text, owner.fields, owner.limits.headLines);
    if (typeof head === "string") return this.#refuse(head);

    this.#consume(bytes, found.end);
    this.deadlineMs = NO_DEADLINE;
    const hasBody = head.bodyLength !== 0;
    this.#phase = hasBody ? "body" : "answer";
    this.#body = hasBody ? new BodyReader(head.bodyLength, owner.limits.headBytes) : undefined;
    if (hasBody) this.#expectBytes();
    this.#handler = owner.onRequest(head, this);
    if (!hasBody) this.#handler?.onRequestEnd("");
  }

  #expectBytes(): void {
    this.deadlineMs = this.#owner.deadlines.nowMs() + this.#owner.limits.bodyTimeoutMs;
  }

  /** Where an answer's bytes wait for the client at the same time, that limit goes on: the upstream may be waiting for them. */
  #expectNoBytes(): void {
    if (!this.outlet.isAwaited) this.deadlineMs = NO_DEADLINE;
  }

  #refuse(refusal: RequestRefusal): void {
    this.#incoming = undefined;
    this.#owner.onRefused(refusal, this);
  }

  #readBody(bytes: Buffer): void {
    const body = this.#body;
    const handler = this.#handler;
    if (body === undefined || handler === undefined) {
      this.#incoming = undefined; // Answered before its body came: the rest is not read (see finish()).
      return;
    }
    const from = this.#at;
    const piece = body.read(bytes, from);
    if (typeof piece === "string") {
      this.#incoming = undefined;
      this.#lose(REQUEST_REFUSALS[piece].code, piece);
      return;
    }
    this.#consume(bytes, piece.end);
    if (piece.isDone) {
      this.#phase = "answer";
      this.#expectNoBytes();
    } else {
      this.#expectBytes();
    }
    if (piece.passEnd > from) {
      const part = from === 0 && piece.passEnd === bytes.length ? bytes : bytes.subarray(from, piece.passEnd);
      if (!handler.onRequestBytes(part) && !piece.isDone) {
        this.#expectNoBytes(); // The wait is the upstream's, and has its own limit.
        this.socket.pause();
      }
    }
    if (piece.isDone) handler.onRequestEnd(body.trailers);
  }

  /** After `onRequestBytes` answered false. */
  resumeBody(): void {
    if (this.#phase !== "body") return;
    this.#expectBytes();
    this.socket.resume();
  }

  /** The answer's head is there: from now on a client that ended its side is still reading, or breaks off. */
  beginAnswer(): void {
    this.#isAnswering = true;
    if (this.#phase === "answer") this.deadlineMs = NO_DEADLINE;
  }

  /** An answer's bytes wait for the client: it has `body_timeout` to take some. */
  expectDrain(): void {
    this.outlet.awaitDrain();
    this.deadlineMs = this.#owner.deadlines.nowMs() + this.#owner.limits.bodyTimeoutMs;
  }

  readonly #onDrain = (): void => {
    this.outlet.drained();
    if (this.#phase === "flush") {
      if (this.#owner.isDraining) this.close();
      else this.#awaitRequest();
      return;
    }
    const isBodyAwaited = this.#phase === "body" && !this.socket.isPaused();
    if (this.#isAnswering && this.#phase !== "closing" && !isBodyAwaited) this.deadlineMs = NO_DEADLINE;
    this.#handler?.onClientDrain();
  };

  /**
   * The answer is written. Reads the next request, or closes where the answer said so or a part of the request
   * was never read: its rest could be taken for a request.
   */
  finish(isReusable: boolean): void {
    this.outlet.flush();
    this.#handler = undefined;
    this.#body = undefined;
    if (!isReusable || this.#phase !== "answer" || this.#owner.isDraining) {
      this.close();
    } else if (this.socket.writableNeedDrain) {
      // A client that sends on but reads nothing must not fill our memory with answers.
      this.#phase = "flush";
      this.socket.pause();
      this.expectDrain();
    } else {
      this.#awaitRequest();
    }
  }

  #awaitRequest(): void {
    this.#phase = "head";
    this.#isHeadTimed = false;
    this.#isAnswering = false;
    this.idleSinceMs = this.#owner.deadlines.nowMs();
    this.deadlineMs = this.idleSinceMs + this.#owner.limits.idleMs;
    if (this.socket.isPaused()) this.socket.resume();
    this.#advance();
  }

  /** Says the last word: what is written is still sent, what comes is thrown away, then the socket goes. */
  close(): void {
    if (this.#phase === "closing" || this.#phase === "detached") return;
    this.outlet.flush();
    this.#phase = "closing";
    this.#incoming = undefined;
    this.#handler = undefined;
    this.expectDrain();
    this.socket.once("finish", this.#onFinish);
    if (this.#hasEnded) this.socket.destroySoon();
    else this.socket.end();
    this.socket.resume();
  }

  readonly #onFinish = (): void => {
    this.outlet.drained();
    this.deadlineMs = this.#owner.deadlines.nowMs() + LINGER_MS;
  };

  /** Breaks off an answer so that the client can't take it for whole: by a reset where the socket can. */
  breakOff(): void {
    this.#phase = "closing";
    this.#handler = undefined;
    const isTcp = this.socket.remoteAddress !== undefined && !("encrypted" in this.socket);
    if (isTcp) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  /** Ends it now, whatever it is doing: a request that has no answer yet is refused, an answer that has begun is broken off. */
  cut(): void {
    this.#lose("DRAINING", undefined);
    this.socket.destroy();
  }

  /** Gives the socket away, with what was read ahead; nothing of this object touches it any more. */
  detach(): Buffer | undefined {
    const rest = this.#incoming?.subarray(this.#at);
    this.#phase = "detached";
    this.#incoming = undefined;
    this.#handler = undefined;
    this.deadlineMs = NO_DEADLINE;
    this.#owner.deadlines.delete(this);
    this.socket.off("data", this.#onData);
    this.socket.off("end", this.#onEnd);
    this.socket.off("drain", this.#onDrain);
    this.socket.pause();
    return rest;
  }

  onDeadline(): void {
    if (this.outlet.hasDrainedSome) this.expectDrain();
    else if (this.#phase === "closing" && this.socket.writableLength === 0) this.socket.destroy();
    else if (this.#phase === "closing" || this.#phase === "flush") this.breakOff();
    else if (this.#phase === "head") this.#onHeadDeadline();
    else if (this.#phase === "body" && !this.socket.isPaused()) this.#lose("BODY_TIMEOUT", undefined);
    else this.#lose("CLIENT_ABORTED", undefined);
  }

  #onHeadDeadline(): void {
    if (this.#head.isPartial) this.#owner.onRefused("head-timeout", this);
    else this.close();
  }

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    if (this.#phase === "head") this.close();
    else if (this.#phase === "body") this.#lose("CLIENT_ABORTED", undefined);
    else if (this.#phase === "answer" && !this.#isAnswering) {
      this.deadlineMs = this.#owner.deadlines.nowMs() + HALF_CLOSED_MS;
    }
  };

  readonly #onError = (): void => {
    this.socket.destroy();
  };

  readonly #onClose = (): void => {
    this.#owner.deadlines.delete(this);
    this.#lose("CLIENT_ABORTED", undefined);
    this.#phase = this.#phase === "detached" ? "detached" : "closing";
    this.#owner.onClosed(this);
  };

  #lose(code: ErrorCode, refusal: RequestRefusal | undefined): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.onClientGone(code, refusal);
    if (code === "CLIENT_ABORTED" && this.#phase !== "detached") this.breakOff();
  }
}
