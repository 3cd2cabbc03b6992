/**
 * One request on its way: stands between the client's connection and the upstream's, and hands on what either delivers.
 *
 * Whatever ends first (answer, failure, abort) ends the span. An attempt that met a dead connection and is sent again ends
 * a span of its own, outbound: the conventions have one CLIENT span for each time that a request is sent
 * (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-request-retries-and-redirects).
 * Not here: the steps before the request has somewhere to go (exchange.ts), and CONNECT (tunnel.ts).
 */

import { ERROR_STATUS, type ErrorCode } from "../core/errors.ts";
import { inBrackets } from "../core/host.ts";
import type { Cuts } from "../http1/fields.ts";
import { CHUNKED, UNTIL_CLOSE } from "../http1/framing.ts";
import { upstreamLabel } from "../http1/upstream-label.ts";
import { REQUEST_REFUSALS, type RequestRefusal } from "../http1/refusals.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import type { ServerConnection } from "../http1/server-connection.ts";
import type { ResponseHandler, UpstreamConnection } from "../http1/upstream-connection.ts";
import type { UpstreamTaker, UpstreamWait } from "../http1/upstream-wait.ts";
import type { TraceContext } from "../propagation/context.ts";
import { formatContextLines } from "../propagation/inject.ts";
import { type Answer, answerBytes, formatAnswer } from "./answers.ts";
import { BodyContexts } from "./body-contexts.ts";
import type { Exchange, ExchangeContext } from "./exchange.ts";
import { endAttempt, endExchange, noteAttempt, noteUpgrade } from "./exchange-end.ts";
import type { ExchangeFacts } from "./exchange-span.ts";
import { followBody } from "./follow-body.ts";
import { GrpcWatch } from "./grpc-watch.ts";
import { formatRequest, formatResponse, formatTrailers, withHostCut } from "./rewrite.ts";
import type { Location } from "./side.ts";
import { spliceSockets } from "./splice.ts";
import { TransactionUnits } from "./transaction-units.ts";
import { isWebSocket, openWebSocketSession, type WebSocketSession } from "./websocket-watch.ts";

/** Methods that may be sent again when an idle connection turns out to be dead (RFC 9110 section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** The template whose bodies may carry trace contexts (body-contexts.ts), and hold events (transaction-units.ts). */
const TRANSACTION_ROUTE = "/_matrix/federation/v1/send/{txnId}";

/** What becomes of the request's head: which lines are left out, and which are added before the context. */
interface HeadChanges {
  readonly cuts: Cuts;
  /** Each with its CRLF. */
  readonly lines: string;
}

export class Forward implements Exchange, ResponseHandler, UpstreamTaker {
  readonly #context: ExchangeContext;
  readonly #connection: ServerConnection;
  readonly facts: ExchangeFacts;
  readonly #changes: HeadChanges;
  readonly #bodyContexts: BodyContexts | undefined;
  readonly #readUnits: ((bytes: Buffer) => void) | undefined;
  readonly #grpc: GrpcWatch | undefined;
  /** Within `openExchange`: the body may lie right behind the head, and then both leave in one write. */
  isOpening = true;
  #located: Location | undefined;
  #wait: UpstreamWait | undefined;
  #upstream: UpstreamConnection | undefined;
  /** Body that came before the upstream was known; at most one read, since the client is paused then. */
  #early: Buffer | undefined;
  #hasSentBody = false;
  #isRequestDone = false;
  #requestTrailers = "";
  #hasAnswered = false;
  #isClientReusable: boolean;
  #isOver = false;

  constructor(
    context: ExchangeContext,
    connection: ServerConnection,
    facts: ExchangeFacts,
    changes: HeadChanges,
  ) {
    this.#context = context;
    this.#connection = connection;
    this.facts = facts;
    this.#changes = changes;
    const { head, route } = facts;
    const isTransaction = route === TRANSACTION_ROUTE;
    this.#bodyContexts = isTransaction ? new BodyContexts() : undefined;
    if (isTransaction && context.usage !== undefined) {
      const units = new TransactionUnits();
      facts.units = units;
      this.#readUnits = followBody(head.bodyLength, (bytes) => units.read(bytes));
    }
    this.#grpc = context.traffic && GrpcWatch.of(head, facts.target.path);
    this.#isClientReusable = !head.isHttp10 && !head.connection.isClose;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Asks for a connection; what comes of the body meanwhile waits. */
  send(located: Location): void {
    if (this.#isOver) return; // The client went away while the name was resolved.
    this.#located = located;
    this.#wait = this.#context.pool.take(located.place, this);
  }

  #formatHead(): string {
    const { head, target, crossing } = this.facts;
    const { lines } = this.#changes;
    let { cuts } = this.#changes;
    let { host } = target;
    const discovered = this.#located?.host;
    if (discovered !== undefined && discovered !== head.host) {
      host = discovered;
      cuts = withHostCut(head, cuts);
    }
    const added =
      (host === undefined ? "" : `host: ${host}\r\n`) +
      lines +
      (crossing.mayInject ? formatContextLines(this.#context.policy.formats, this.#contextToSend()) : "");
    return formatRequest(head, target.path, cuts, added);
  }

  /** Ours, or for a peer that is given ids of its own those; this attempt's span then says which. */
  #contextToSend(): TraceContext {
    const facts = this.facts;
    const { context, peer } = facts.crossing;
    const { outboundIds } = this.#context.policy;
    if (outboundIds === undefined || facts.direction === "inbound") return context;
    facts.sent = outboundIds.contextFor(context, peer.name ?? "");
    return facts.sent;
  }

  /** Sends the request's head, then what came of the body meanwhile. */
  onUpstream(upstream: UpstreamConnection, retries: number): void {
    this.#wait = undefined;
    this.facts.resendCount += retries;
    this.#upstream = upstream;
    this.facts.opened = upstream.requests === 0 ? upstream : undefined;
    upstream.begin(this.facts.head.method, this);
    upstream.outlet.text(this.#formatHead());
    const early = this.#early;
    this.#early = undefined;
    const hasRoom = early === undefined || this.onRequestBytes(early);
    if (this.#isRequestDone) this.onRequestEnd(this.#requestTrailers);
    else {
      if (!this.isOpening) this.onRequestPause(); // The client may wait for a 100 before it sends more.
      if (early !== undefined && hasRoom) this.#connection.resumeBody();
    }
  }

  onNoUpstream(code: ErrorCode, retries: number, detail?: string): void {
    this.#wait = undefined;
    this.facts.resendCount += retries;
    this.answer({ code, detail });
  }

  // ── from the client ────────────────────────────────────────────────────────────────────────────────────

  onRequestBytes(bytes: Buffer): boolean {
    const upstream = this.#upstream;
    if (upstream === undefined) {
      this.#early = this.#early === undefined ? bytes : Buffer.concat([this.#early, bytes]);
      return false;
    }
    this.#hasSentBody = true;
    this.facts.requestBytes += bytes.length;
    this.#bodyContexts?.read(bytes);
    this.#readUnits?.(bytes);
    this.#grpc?.readRequest(bytes);
    const hasRoom = upstream.outlet.bytes(bytes);
    if (!hasRoom) upstream.expectDrain();
    return hasRoom;
  }

  onRequestPause(): void {
    this.#upstream?.outlet.flush();
    this.#upstream?.awaitBody();
  }

  onRequestEnd(trailers: string): void {
    this.#isRequestDone = true;
    const upstream = this.#upstream;
    if (upstream === undefined) {
      this.#requestTrailers = trailers;
      return;
    }
    if (trailers !== "") upstream.outlet.text(this.#scrubTrailers(trailers, false));
    upstream.outlet.flush();
    upstream.expectResponse();
  }

  onClientDrain(): void {
    this.#upstream?.resumeBody();
  }

  onClientGone(code: ErrorCode, refusal: RequestRefusal | undefined): void {
    if (this.#isOver) return;
    if (code === "CLIENT_ABORTED") {
      this.#end(code);
      return;
    }
    this.answer(refusal === undefined ? { code } : REQUEST_REFUSALS[refusal]);
  }

  // ── from the upstream ──────────────────────────────────────────────────────────────────────────────────

  onResponseHead(head: ResponseHead): void {
    const { head: request } = this.facts;
    const isInterim = head.status < 200;
    if (isInterim && request.isHttp10) return; // RFC 9110 section 15.2: no 1xx to a client of HTTP/1.0.
    const isUnchunked = request.isHttp10 && head.bodyLength === CHUNKED;
    if (!isInterim) {
      this.#hasAnswered = true;
      this.facts.status = head.status;
      // An answer before the request's end: its rest would be read only to be thrown away.
      if (head.bodyLength === UNTIL_CLOSE || !this.#isRequestDone || this.#context.isDraining()) {
        this.#isClientReusable = false;
      }
      this.#connection.beginAnswer();
      if (isUnchunked) this.#upstream?.removeChunking();
      this.#grpc?.beginResponse(isUnchunked ? UNTIL_CLOSE : head.bodyLength);
    }
    const added = isInterim || this.#isClientReusable ? "" : "connection: close\r\n";
    this.#writeResponseHead(head, { isUnchunked, isSwitching: false, added });
    if (isInterim) this.#connection.outlet.flush();
  }

  #writeResponseHead(
    head: ResponseHead,
    rules: { readonly isUnchunked: boolean; readonly isSwitching: boolean; readonly added: string },
  ): void {
    const { isUnchunked, isSwitching, added } = rules;
    const mayNameTrace = this.facts.crossing.isWhitelisted;
    const { text, removed } = formatResponse(head, { mayNameTrace, isUnchunked, isSwitching, added });
    this.#noteRemoved(removed);
    this.#connection.outlet.text(text);
  }

  onResponseBytes(bytes: Buffer, payload: number): boolean {
    this.facts.responseBytes += payload;
    this.#grpc?.readResponse(bytes);
    const hasRoom = this.#connection.outlet.bytes(bytes);
    if (!hasRoom) this.#connection.expectDrain();
    return hasRoom;
  }

  onResponsePause(): void {
    this.#connection.outlet.flush();
  }

  onUpstreamDrain(): void {
    this.#connection.resumeBody();
  }

  onResponseEnd(trailers: string): void {
    if (this.#isOver) return;
    if (trailers !== "") {
      this.#connection.outlet.text(this.#scrubTrailers(trailers, this.facts.crossing.isWhitelisted));
    }
    const upstream = this.#upstream;
    this.#end(undefined);
    if (upstream !== undefined) {
      if (this.#isRequestDone && !this.facts.head.hasExpectedBody) upstream.release();
      else upstream.destroy(); // Its rest was never sent, or may not have been read: nothing may follow here.
    }
    this.#connection.finish(this.#isClientReusable);
  }

  onUpgraded(head: ResponseHead, rest: Buffer | undefined): void {
    const upstream = this.#upstream;
    if (upstream === undefined || !this.facts.isUpgrade) {
      upstream?.socket.destroy();
      this.onUpstreamFailure("UPSTREAM_MALFORMED");
      return;
    }
    this.#hasAnswered = true;
    this.facts.status = head.status;
    this.#writeResponseHead(head, {
      isUnchunked: false,
      isSwitching: true,
      added: "connection: Upgrade\r\n",
    });
    this.#connection.outlet.flush();
    noteUpgrade(this.#context, this.facts);
    const ahead = this.#connection.detach();
    const session = this.#openSession(head);
    spliceSockets(
      { socket: this.#connection.socket, ahead, watch: session?.watch.fromClient },
      { socket: upstream.socket, ahead: rest, watch: session?.watch.fromServer },
      this.#context.tunnelIdleMs,
      (error) => {
        session?.end();
        this.#end(error);
      },
    );
  }

  /** Of a WebSocket at the front door. */
  #openSession(head: ResponseHead): WebSocketSession | undefined {
    const { traffic, clock } = this.#context;
    if (traffic === undefined || this.facts.direction !== "inbound" || !isWebSocket(head)) return undefined;
    return openWebSocketSession(traffic.webSocket, this.facts.clientAddress, () => clock.monotonicMs());
  }

  onUpstreamFailure(code: ErrorCode, hasUpstreamAnswered = true): void {
    if (this.#isOver) return;
    const located = this.#located;
    if (located === undefined || hasUpstreamAnswered || !this.#mayResend(code)) return this.answer({ code });
    if (this.facts.direction === "outbound") this.#beginAttempt(code);
    this.facts.resendCount++;
    this.#upstream = undefined;
    this.#wait = this.#context.pool.takeFresh(located.place, this);
  }

  /** The span of the attempt that failed ends here; the next one has ids of its own, and they are what is sent. */
  #beginAttempt(error: ErrorCode): void {
    const facts = this.facts;
    const { clock, random, metrics } = this.#context;
    const { context } = facts.crossing;
    facts.error = error;
    facts.upstream = this.#upstream?.address;
    endAttempt(this.#context, facts);
    facts.error = undefined;
    facts.previous = context.isSampled ? context : undefined;
    facts.crossing = { ...facts.crossing, context: { ...context, spanId: random.spanId() } };
    facts.startUnixMs = clock.unixMs();
    facts.startMs = clock.monotonicMs();
    facts.located = undefined;
    facts.sent = undefined;
    noteAttempt(metrics, facts);
  }

  /**
   * Whether the upstream only closed an idle connection just as it was taken: nothing was read there, or will be. The next
   * one is new, so there is one more try at most; a body of which nothing was sent then follows on it.
   */
  #mayResend(code: ErrorCode): boolean {
    const isStale = code === "UPSTREAM_CLOSED" && (this.#upstream?.requests ?? 0) > 1;
    return isStale && !this.#hasSentBody && IDEMPOTENT.has(this.facts.head.method);
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────────────

  /** Answers in the upstream's place; where its answer has begun, breaks it off instead. */
  answer(answer: Answer): void {
    if (this.#isOver) return;
    if (this.#hasAnswered) {
      this.#end(answer.code);
      this.#connection.breakOff();
      return;
    }
    const isLast = !this.#isClientReusable || !this.#isRequestRead() || this.#context.isDraining();
    const text = formatAnswer(answer, isLast, this.facts.head.method === "HEAD");
    this.facts.status = ERROR_STATUS[answer.code];
    this.facts.responseBytes = answerBytes(text);
    this.#end(answer.code, answer.detail);
    this.#connection.outlet.text(text);
    this.#connection.finish(!isLast);
  }

  #isRequestRead(): boolean {
    return this.#isRequestDone || this.facts.head.bodyLength === 0;
  }

  /** Once: the upstream's connection is let go unless `onResponseEnd` keeps it, the span is written. */
  #end(error: ErrorCode | undefined, detail?: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const facts = this.facts;
    facts.upstream = this.#upstream?.address;
    facts.bodyContexts = this.#bodyContexts?.count ?? 0;
    endExchange(this.#context, facts, error, detail);
    this.#endCall();
    if (error === undefined) return;
    this.#wait?.cancel();
    this.#upstream?.destroy();
  }

  #endCall(): void {
    const { traffic, clock } = this.#context;
    const { direction, target, startMs } = this.facts;
    if (this.#grpc === undefined || traffic === undefined || this.#upstream === undefined) return;
    const { server } = target;
    const plugin =
      direction === "inbound" || server === undefined
        ? upstreamLabel(this.#upstream.address)
        : `${inBrackets(server.address)}:${server.port ?? 0}`;
    this.#grpc.end(traffic.grpc, plugin, (clock.monotonicMs() - startMs) / 1000);
  }

  #scrubTrailers(section: string, mayNameTrace: boolean): string {
    const { text, removed } = formatTrailers(section, this.#context.fields, mayNameTrace);
    this.#noteRemoved(removed);
    return text;
  }

  #noteRemoved(removed: number): void {
    if (removed === 0) return;
    this.facts.removed += removed;
    this.#context.metrics.removed[this.facts.direction].add(removed);
  }
}
