/**
 * One connection to an upstream: a request is written to it, its response is read, then it goes back to the pool or is destroyed.
 *
 * ```
 *   connecting ──► idle ──► head ──► body ──► idle     failed: told once, the socket is gone
 *                    │        └─ detach() (101: an upgrade)
 *                    └─ takeSocket() (a tunnel)
 * ```
 * It is open once it is connected or, with TLS, once the handshake is done and the certificate verified. Nothing is written
 * before that, so a request whose connection could not be opened may go anywhere else.
 *
 * A response that comes when none is open, or bytes after a complete one, poison the connection: the next
 * client would get them as his answer (CWE-444, response queue poisoning). It is destroyed.
 *
 * Source: RFC 9112 sections 6.3, 8 (incomplete messages) and 9.3. Not here: which address (upstream-group.ts), how many of
 * them (upstream-member.ts), and what opens and ends their sockets (upstream-socket.ts).
 */

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { ErrorCode } from "../core/errors.ts";
import { BodyReader, mayHaveMore } from "./body-reader.ts";
import { type DeadlineOwner, NO_DEADLINE } from "./deadlines.ts";
import { UNTIL_CLOSE } from "./framing.ts";
import { HeadBuffer } from "./head-buffer.ts";
import { Outlet } from "./outlet.ts";
import { mayBeResponseHead, parseResponseHead, type ResponseHead } from "./response-head.ts";
import type { UpstreamConnector, UpstreamOwner } from "./upstream-owner.ts";
import { openingFailure, openSocket, wasReset } from "./upstream-socket.ts";
import type { UpstreamTls } from "./upstream-tls.ts";

/** Where to connect: `key` names it in the pool, together with the name that TLS asks for, if any; `host` is an IP address. */
export type UpstreamAddress =
  | { readonly key: string; readonly host: string; readonly port: number; readonly tls?: UpstreamTls }
  | { readonly key: string; readonly path: string };

/** A response as it comes. Nothing is called after `onResponseEnd` or `onUpstreamFailure`. */
export interface ResponseHandler {
  /** Also called for each 1xx but 101. */
  onResponseHead(head: ResponseHead): void;
  /** A 101: the connection is detached, its socket is the handler's. @param rest what came behind the head */
  onUpgraded(head: ResponseHead, rest: Buffer | undefined): void;
  /** @returns false to pause until `resumeBody()` */
  onResponseBytes(bytes: Buffer): boolean;
  /** @param trailers a trailer section with its empty line, or "" */
  onResponseEnd(trailers: string): void;
  /** All that was read is handed over, more is to come: what is held back should be sent. */
  onResponsePause(): void;
  onUpstreamDrain(): void;
  /** @param hasAnswered whether any byte of a response had come */
  onUpstreamFailure(code: ErrorCode, hasAnswered: boolean): void;
}

/** More interim responses than any server sends before its answer. */
const INTERIM_MAX = 16;
const STATUS_SWITCHING = 101;
/** An idle connection is dropped this long before the upstream said it would, so that no request meets the end. */
const KEEP_ALIVE_MARGIN_MS = 1000;

export class UpstreamConnection implements DeadlineOwner {
  readonly socket: Socket;
  readonly outlet: Outlet;
  /** When it began, was connected, and was secured (never, without TLS); on the monotonic clock. */
  readonly beganMs: number;
  connectedMs: number | undefined;
  securedMs: number | undefined;
  deadlineMs: number;
  /** Requests begun on it; above 1 it was taken from the pool. */
  requests = 0;
  readonly #owner: UpstreamOwner;
  /** The socket, where it speaks TLS. */
  readonly #tls: TLSSocket | undefined;
  readonly #head: HeadBuffer;
  #phase: "connecting" | "idle" | "head" | "body" | "closed" | "detached" = "connecting";
  #connector: UpstreamConnector | undefined;
  #handler: ResponseHandler | undefined;
  #method = "";
  #body: BodyReader | undefined;
  #isUntilClose = false;
  #isReusable = false;
  #hasAnswered = false;
  #isRequestWritten = false;
  #interim = 0;
  #idleMs: number;

  /** @param deadlineMs until when it must be open */
  constructor(owner: UpstreamOwner, connector: UpstreamConnector, deadlineMs: number) {
    this.#owner = owner;
    this.#connector = connector;
    this.#head = new HeadBuffer(owner.limits.headBytes);
    this.#idleMs = owner.limits.idleMs;
    this.deadlineMs = deadlineMs;
    this.beganMs = owner.deadlines.nowMs();
    const { socket, tls } = openSocket(owner.address);
    this.socket = socket;
    this.#tls = tls;
    this.outlet = new Outlet(this.socket);
    owner.deadlines.add(this);
    this.socket.on("connect", this.#onConnect);
    this.#tls?.once("secureConnect", this.#onSecure); // Told again when the peer asks for another handshake, and is refused it.
    this.socket.on("data", this.#onData);
    this.socket.on("end", this.#onEnd);
    this.socket.on("drain", this.#onDrain);
    this.socket.on("error", this.#onError);
    this.socket.on("close", this.#onClose);
  }

  get isOpen(): boolean {
    return this.#phase !== "closed" && this.#phase !== "detached";
  }

  get address(): UpstreamAddress {
    return this.#owner.address;
  }

  /** After `onResponseEnd`: whether the framing and the upstream, which may not have read all of this one, let a request follow. */
  get isReusable(): boolean {
    return this.#isReusable && this.#phase === "idle" && this.socket.writableLength === 0;
  }

  /** Takes the connection for one exchange; the request itself is written to `outlet`. */
  begin(method: string, handler: ResponseHandler): void {
    this.requests++;
    this.#method = method;
    this.#handler = handler;
    this.#phase = "head";
    this.#hasAnswered = false;
    this.#isRequestWritten = false;
    this.#interim = 0;
    this.deadlineMs = NO_DEADLINE;
  }

  /** What came of the request's body is written, and its client owes the rest. */
  awaitBody(): void {
    this.#owner.onBodyAwaited(this);
  }

  /** All of the request is written: the response has its time limit from now on. */
  expectResponse(): void {
    this.#isRequestWritten = true;
    this.#owner.onBodyDone(this);
    this.#limitWait();
  }

  /** The upstream's buffer is full: it has `body_timeout` to take some of the request. */
  expectDrain(): void {
    if (this.#phase !== "head") return;
    this.outlet.awaitDrain();
    this.#expectBytes();
  }

  /** While a response is awaited: no limit runs until the request is written, since its rest is the client's. */
  #limitWait(): void {
    if (this.#phase !== "head") return;
    this.deadlineMs = this.#isRequestWritten
      ? this.#owner.deadlines.nowMs() + this.#owner.limits.responseTimeoutMs
      : NO_DEADLINE;
  }

  #expectBytes(): void {
    this.deadlineMs = this.#owner.deadlines.nowMs() + this.#owner.limits.bodyTimeoutMs;
  }

  /**
   * After its exchange: back to its pool, or gone where it can't be used again. With TLS a turn later: node:tls tells of each
   * record by itself, and what stood in the next one would be taken for the answer to a request that was written in between.
   */
  release(): void {
    if (this.#tls === undefined || !this.isReusable) this.#owner.onReleased(this);
    else setImmediate(() => this.#owner.onReleased(this));
  }

  /** Back in the pool: the idle limit runs. */
  rest(): void {
    this.deadlineMs = this.#owner.deadlines.nowMs() + this.#idleMs;
  }

  readonly #onConnect = (): void => {
    this.connectedMs = this.#owner.deadlines.nowMs();
    if (this.#tls === undefined) this.#open();
  };

  readonly #onSecure = (): void => {
    if (this.socket.destroyed) return; // Its certificate is none of those pinned.
    this.securedMs = this.#owner.deadlines.nowMs();
    this.#open();
  };

  #open(): void {
    const connector = this.#connector;
    this.#connector = undefined;
    this.#phase = "idle";
    this.deadlineMs = NO_DEADLINE;
    this.#owner.onOpened();
    connector?.onConnect(this);
  }

  readonly #onData = (bytes: Buffer): void => {
    let at = 0;
    // A response's end ends the loop, even if its handler has begun the next exchange by then: what is left
    // was sent before that one's request, so it can't be its answer.
    for (let isOpen = true; isOpen && at < bytes.length;) {
      if (this.#phase === "head") at = this.#readHead(bytes, at);
      else if (this.#phase === "body") at = this.#readBody(bytes, at);
      else return this.destroy();
      isOpen = this.#phase === "body" || (this.#phase === "head" && this.#interim > 0);
    }
    if (this.#phase === "body") this.#handler?.onResponsePause();
  };

  #readHead(bytes: Buffer, from: number): number {
    this.#hasAnswered = true;
    const isBeginning = !this.#head.isPartial;
    const found = this.#head.take(bytes, from);
    if (found === "more" && !(isBeginning && !mayBeResponseHead(bytes, from))) return bytes.length;
    const isFault = typeof found === "string";
    const head = isFault
      ? undefined
      : parseResponseHead(found.text, this.#method, this.#owner.fields, this.#owner.limits.headLines);
    if (isFault || head === undefined) {
      this.fail("UPSTREAM_MALFORMED");
      return bytes.length;
    }
    if (head.status === STATUS_SWITCHING) {
      const handler = this.#handler;
      this.#owner.onAnswered();
      this.#detach();
      handler?.onUpgraded(head, found.end < bytes.length ? bytes.subarray(found.end) : undefined);
      return bytes.length;
    }
    if (head.status < 200) return this.#readInterim(head, found.end, bytes.length);
    this.#owner.onAnswered();
    this.#startBody(head);
    this.#handler?.onResponseHead(head);
    if (this.#phase === "body" && head.bodyLength === 0) this.#finish("", mayHaveMore(bytes, found.end));
    return found.end;
  }

  #readInterim(head: ResponseHead, end: number, bytesEnd: number): number {
    if (++this.#interim > INTERIM_MAX) {
      this.fail("UPSTREAM_MALFORMED");
      return bytesEnd;
    }
    this.#handler?.onResponseHead(head);
    return end;
  }

  #startBody(head: ResponseHead): void {
    this.#phase = "body";
    this.#isUntilClose = head.bodyLength === UNTIL_CLOSE;
    this.#isReusable = !this.#isUntilClose && !head.isHttp10 && !head.connection.isClose;
    if (head.keepAliveSeconds !== undefined) {
      this.#idleMs = Math.min(
        this.#owner.limits.idleMs,
        Math.max(0, head.keepAliveSeconds * 1000 - KEEP_ALIVE_MARGIN_MS),
      );
    }
    if (head.bodyLength === 0) return;
    this.#body = new BodyReader(head.bodyLength, this.#owner.limits.headBytes, this.#unframed);
    this.#expectBytes();
  }

  /** For a client of HTTP/1.0: the bytes of chunks without the coding (RFC 9112 section 7.1). */
  #unframed: ((bytes: Buffer) => void) | undefined;

  /** To be called in `onResponseHead`, before any of the body is read. */
  removeChunking(): void {
    this.#unframed = (bytes) => {
      if (this.#handler?.onResponseBytes(bytes) === false) this.#pause();
    };
    this.#body = new BodyReader(-1, this.#owner.limits.headBytes, this.#unframed);
  }

  #readBody(bytes: Buffer, from: number): number {
    const piece = this.#body?.read(bytes, from) ?? "chunk";
    if (typeof piece === "string") {
      this.fail("UPSTREAM_MALFORMED");
      return bytes.length;
    }
    // Bytes without their coding were passed on already, and may have met a client who has no room.
    if (!piece.isDone && !this.socket.isPaused()) this.#expectBytes();
    if (piece.passEnd > from && this.#unframed === undefined) {
      const part = from === 0 && piece.passEnd === bytes.length ? bytes : bytes.subarray(from, piece.passEnd);
      if (this.#handler?.onResponseBytes(part) === false && !piece.isDone) this.#pause();
    }
    if (piece.isDone) {
      const trailers = this.#unframed === undefined ? (this.#body?.trailers ?? "") : "";
      this.#finish(trailers, mayHaveMore(bytes, piece.end));
    }
    return piece.end;
  }

  #pause(): void {
    this.deadlineMs = NO_DEADLINE; // The wait is the client's, and has its own limit.
    this.socket.pause();
  }

  /** After `onResponseBytes` answered false. */
  resumeBody(): void {
    if (this.#phase !== "body") return;
    this.#expectBytes();
    this.socket.resume();
  }

  /** @param hasMore whether bytes came, or may have come, behind the response: nothing asked for them, so the connection is poisoned */
  #finish(trailers: string, hasMore: boolean): void {
    const handler = this.#handler;
    this.#phase = "idle";
    if (hasMore) this.#isReusable = false;
    this.#handler = undefined;
    this.#body = undefined;
    this.#unframed = undefined;
    this.deadlineMs = NO_DEADLINE;
    if (this.socket.isPaused()) this.socket.resume();
    handler?.onResponseEnd(trailers);
  }

  /** Gives away an open connection on which nothing was sent, for good: for a tunnel. @returns its socket, paused */
  takeSocket(): Socket {
    if (this.#phase !== "idle" || this.requests > 0) throw new Error("only a new socket can be given away");
    this.#detach();
    return this.socket;
  }

  /** Gives the socket away: nothing of this object touches it any more. */
  #detach(): void {
    this.#phase = "detached";
    this.#handler = undefined;
    this.deadlineMs = NO_DEADLINE;
    this.#owner.deadlines.delete(this);
    this.socket.off("data", this.#onData);
    this.socket.off("end", this.#onEnd);
    this.socket.off("drain", this.#onDrain);
    this.socket.pause();
  }

  readonly #onDrain = (): void => {
    this.outlet.drained();
    this.#limitWait();
    this.#handler?.onUpstreamDrain();
  };

  readonly #onEnd = (): void => {
    if (this.#phase === "connecting") return; // node:tls makes an error of it.
    if (this.#phase === "body" && this.#isUntilClose && !wasReset(this.socket, this.#owner.address)) {
      this.#finish("", false);
      this.destroy();
    } else {
      this.fail("UPSTREAM_CLOSED");
    }
  };

  readonly #onError = ({ code }: NodeJS.ErrnoException): void => {
    const isConnected = this.connectedMs !== undefined;
    if (this.#phase !== "connecting") this.fail("UPSTREAM_CLOSED");
    else this.fail(openingFailure(isConnected ? this.#tls : undefined, code), code);
  };

  readonly #onClose = (): void => {
    this.fail("UPSTREAM_CLOSED");
    if (this.#phase === "detached") this.#owner.onClosed(this);
  };

  onDeadline(): void {
    // Slow, but reading. Once the response has begun its own bytes are what the limit is about.
    if (this.#phase === "head" && this.outlet.hasDrainedSome) return this.expectDrain();
    this.fail(this.#phase === "idle" ? "UPSTREAM_CLOSED" : "UPSTREAM_TIMEOUT");
  }

  /** Ends the connection and tells who waits for it, or the open exchange, why. @param detail see UpstreamConnector */
  fail(code: ErrorCode, detail?: string): void {
    const handler = this.#handler;
    const connector = this.#connector;
    if (this.#phase === "connecting") this.#owner.onConnectFailure(code);
    else if (this.#phase === "head") this.#noteUnanswered(code);
    this.destroy();
    connector?.onConnectFailure(this, code, detail);
    handler?.onUpstreamFailure(code, this.#hasAnswered);
  }

  /** A malformed answer is one, however bad; and that an idle connection is closed just as it is taken is no fault. */
  #noteUnanswered(code: ErrorCode): void {
    const isStale = this.requests > 1 && !this.#hasAnswered;
    const isClosed = code === "UPSTREAM_CLOSED" && !isStale;
    if (isClosed || code === "UPSTREAM_TIMEOUT") this.#owner.onUnanswered();
  }

  /** Ends the connection without a word to anybody but its owner. */
  destroy(): void {
    if (this.#phase === "detached" || this.#phase === "closed") return;
    this.#phase = "closed";
    this.#handler = undefined;
    this.#connector = undefined;
    this.deadlineMs = NO_DEADLINE;
    this.#owner.deadlines.delete(this);
    this.socket.destroy();
    this.#owner.onClosed(this);
  }
}
