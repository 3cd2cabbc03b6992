/**
 * One exchange: the life of one proxied request, from its head to the end of its span.
 *
 * `openExchange` is the whole order of the steps that need the head alone; no step calls the next one. From then
 * on an `Exchange` stands between two connections and hands on what either delivers:
 *
 * ```
 *   client ──head──► openExchange ──► locate ──► upstream: head, body ──► response head ──► body ──► end
 *                        │ 400 403 407 501   │ 403 502       │ 502 503 504        │ broken off: the client sees it
 *                        └───────────────────┴───────────────┴── own answer ──────┴──► span ends, once
 * ```
 * Not here: what each step does, and the bytes on the wire (http1/).
 */

import type { Clock } from "../core/clock.ts";
import type { ErrorCode } from "../core/errors.ts";
import { ERROR_STATUS } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type { FieldTable } from "../http1/fields.ts";
import { CHUNKED, UNTIL_CLOSE } from "../http1/framing.ts";
import { REQUEST_REFUSALS, type RequestRefusal } from "../http1/refusals.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import type { RequestHandler, ServerConnection } from "../http1/server-connection.ts";
import type { ResponseHandler, UpstreamConnection } from "../http1/upstream-connection.ts";
import type { UpstreamPlace, UpstreamPool } from "../http1/upstream-pool.ts";
import type { UpstreamTaker, UpstreamWait } from "../http1/upstream-wait.ts";
import type { ProxyMetrics } from "../metrics/proxy-metrics.ts";
import type { PeerBook } from "../peer/peer-book.ts";
import { formatContextLines } from "../propagation/inject.ts";
import type { MatchRoute } from "../span/routes.ts";
import type { SpanIntake } from "../span/span-draft.ts";
import { spanName } from "../span/span-name.ts";
import { type Answer, formatAnswer } from "./answers.ts";
import { type BorderPolicy, crossBorder } from "./border.ts";
import { type ExchangeFacts, toMeeting, toSpanDraft } from "./exchange-span.ts";
import { readRequestFields } from "./request-fields.ts";
import { formatRequest, formatResponse, formatTrailers } from "./rewrite.ts";
import type { Side } from "./side.ts";
import { spliceSockets } from "./splice.ts";

/** What every exchange of one listener is given. */
export interface ExchangeContext {
  readonly side: Side;
  /** Replaced as a whole by a reload; an open exchange keeps what it began with. */
  policy: BorderPolicy;
  readonly matchRoute: MatchRoute;
  readonly pool: UpstreamPool;
  readonly fields: FieldTable;
  readonly random: Random;
  readonly clock: Clock;
  readonly metrics: ProxyMetrics;
  readonly peers: PeerBook;
  readonly spans: SpanIntake;
  /** Throttled: what peers cause goes into it. */
  readonly log: Log;
  readonly isDraining: () => boolean;
  readonly tunnelIdleMs: number;
}

/** Methods that may be sent again when an idle connection turns out to be dead (RFC 9110 section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Begins an exchange. @returns who takes the rest of the request; undefined where it is answered already */
export function openExchange(
  context: ExchangeContext,
  head: RequestHead,
  connection: ServerConnection,
): RequestHandler | undefined {
  const { side, policy, metrics } = context;
  const { direction } = side;
  const startUnixMs = context.clock.unixMs();
  const startMs = context.clock.monotonicMs();

  const target = side.readTarget(head, connection);
  const isInbound = direction === "inbound";
  const fields = readRequestFields(head, { isForwardedCut: isInbound, isHostCut: target.host !== undefined });
  const refused = side.admit(fields) ?? target.refused;
  const peer = side.identify(fields, connection, target);
  const route = context.matchRoute(head.method, target.path);
  const operation = spanName(head.method, route);
  const crossing = crossBorder(
    context,
    direction,
    { peer, fields, isAdmitted: refused === undefined },
    operation,
  );
  metrics.started[direction].add(1);
  if (crossing.context.isSampled) metrics.sampled[direction].add(1);
  if (fields.removed > 0) metrics.removed[direction].add(fields.removed);

  const added =
    (target.host === undefined ? "" : `host: ${target.host}\r\n`) +
    fields.framing +
    (fields.upgrade === undefined ? "" : "connection: Upgrade\r\n") +
    side.forwardedLines(head, connection) +
    // Last of all (contract rule 9): nothing after this can take it away or put another beside it.
    (crossing.mayInject ? formatContextLines(policy.formats, crossing.context) : "");
  const exchange = new Exchange(context, connection, {
    direction,
    head,
    target,
    route,
    operation,
    crossing,
    clientAddress: connection.clientAddress,
    clientPort: connection.socket.remotePort,
    userAgent: fields.userAgent,
    startUnixMs,
    startMs,
    removed: fields.removed,
    isUpgrade: fields.upgrade !== undefined,
    status: undefined,
    error: undefined,
    upstream: undefined,
    resendCount: 0,
  });

  if (refused !== undefined) {
    exchange.answer(refused);
    return undefined;
  }
  side.locate(target, (place) => {
    if (typeof place === "string") exchange.answer({ code: place });
    else exchange.send(place, formatRequest(head, target.path, fields.cuts, added));
  });
  exchange.isOpening = false;
  return exchange.isOver ? undefined : exchange;
}

class Exchange implements RequestHandler, ResponseHandler, UpstreamTaker {
  readonly #context: ExchangeContext;
  readonly #connection: ServerConnection;
  readonly #facts: ExchangeFacts;
  /** Within `openExchange`: the body may lie right behind the head, and then both leave in one write. */
  isOpening = true;
  #place: UpstreamPlace | undefined;
  #wait: UpstreamWait | undefined;
  #upstream: UpstreamConnection | undefined;
  /** The head as sent, for one more try. */
  #sentHead = "";
  /** Body that came before the upstream was known; at most one read, since the client is paused then. */
  #early: Buffer | undefined;
  #hasSentBody = false;
  #isRequestDone = false;
  #requestTrailers = "";
  #hasAnswered = false;
  #isClientReusable: boolean;
  #isOver = false;

  constructor(context: ExchangeContext, connection: ServerConnection, facts: ExchangeFacts) {
    this.#context = context;
    this.#connection = connection;
    this.#facts = facts;
    const { head } = facts;
    this.#isClientReusable = !head.isHttp10 && !head.connection.isClose;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Asks for a connection; what comes of the body meanwhile waits. */
  send(place: UpstreamPlace, text: string): void {
    if (this.#isOver) return; // The client went away while the name was resolved.
    this.#place = place;
    this.#sentHead = text;
    this.#wait = this.#context.pool.take(place, this);
  }

  /** Sends the request's head, then what came of the body meanwhile. */
  onUpstream(upstream: UpstreamConnection, retries: number): void {
    this.#wait = undefined;
    this.#facts.resendCount += retries;
    this.#upstream = upstream;
    upstream.begin(this.#facts.head.method, this);
    upstream.outlet.text(this.#sentHead);
    const early = this.#early;
    this.#early = undefined;
    const hasRoom = early === undefined || this.onRequestBytes(early);
    if (this.#isRequestDone) this.onRequestEnd(this.#requestTrailers);
    else {
      if (!this.isOpening) this.onRequestPause(); // The client may wait for a 100 before it sends more.
      if (early !== undefined && hasRoom) this.#connection.resumeBody();
    }
  }

  onNoUpstream(code: ErrorCode, retries: number): void {
    this.#wait = undefined;
    this.#facts.resendCount += retries;
    this.answer({ code });
  }

  // ── from the client ────────────────────────────────────────────────────────────────────────────────────

  onRequestBytes(bytes: Buffer): boolean {
    const upstream = this.#upstream;
    if (upstream === undefined) {
      this.#early = this.#early === undefined ? bytes : Buffer.concat([this.#early, bytes]);
      return false;
    }
    this.#hasSentBody = true;
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
    const { head: request } = this.#facts;
    const isInterim = head.status < 200;
    if (isInterim && request.isHttp10) return; // RFC 9110 section 15.2: no 1xx to a client of HTTP/1.0.
    const isUnchunked = request.isHttp10 && head.bodyLength === CHUNKED;
    if (!isInterim) {
      this.#hasAnswered = true;
      this.#facts.status = head.status;
      // An answer before the request's end: its rest would be read only to be thrown away.
      if (head.bodyLength === UNTIL_CLOSE || !this.#isRequestDone || this.#context.isDraining()) {
        this.#isClientReusable = false;
      }
      this.#connection.beginAnswer();
      if (isUnchunked) this.#upstream?.removeChunking();
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
    const mayNameTrace = this.#facts.crossing.isWhitelisted;
    const { text, removed } = formatResponse(head, { mayNameTrace, isUnchunked, isSwitching, added });
    this.#noteRemoved(removed);
    this.#connection.outlet.text(text);
  }

  onResponseBytes(bytes: Buffer): boolean {
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
      this.#connection.outlet.text(this.#scrubTrailers(trailers, this.#facts.crossing.isWhitelisted));
    }
    const upstream = this.#upstream;
    this.#end(undefined);
    if (upstream !== undefined) {
      if (this.#isRequestDone && !this.#facts.head.hasExpectedBody) upstream.release();
      else upstream.destroy(); // Its rest was never sent, or may not have been read: nothing may follow here.
    }
    this.#connection.finish(this.#isClientReusable);
  }

  onUpgraded(head: ResponseHead, rest: Buffer | undefined): void {
    const upstream = this.#upstream;
    if (upstream === undefined || !this.#facts.isUpgrade) {
      upstream?.socket.destroy();
      this.onUpstreamFailure("UPSTREAM_MALFORMED");
      return;
    }
    this.#hasAnswered = true;
    this.#facts.status = head.status;
    this.#writeResponseHead(head, {
      isUnchunked: false,
      isSwitching: true,
      added: "connection: Upgrade\r\n",
    });
    this.#connection.outlet.flush();
    const ahead = this.#connection.detach();
    spliceSockets(
      { socket: this.#connection.socket, ahead },
      { socket: upstream.socket, ahead: rest },
      this.#context.tunnelIdleMs,
      (error) => this.#end(error),
    );
  }

  onUpstreamFailure(code: ErrorCode, hasUpstreamAnswered = true): void {
    if (this.#isOver) return;
    const place = this.#place;
    if (place === undefined || hasUpstreamAnswered || !this.#mayResend(code)) return this.answer({ code });
    this.#facts.resendCount++;
    this.#upstream = undefined;
    this.#wait = this.#context.pool.takeFresh(place, this);
  }

  /**
   * Whether the upstream only closed an idle connection just as it was taken: nothing was read there, or will be. The next
   * one is new, so there is one more try at most; a body of which nothing was sent then follows on it.
   */
  #mayResend(code: ErrorCode): boolean {
    const isStale = code === "UPSTREAM_CLOSED" && (this.#upstream?.requests ?? 0) > 1;
    return isStale && !this.#hasSentBody && IDEMPOTENT.has(this.#facts.head.method);
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
    this.#facts.status = ERROR_STATUS[answer.code];
    this.#end(answer.code);
    this.#connection.outlet.text(formatAnswer(answer, isLast, this.#facts.head.method === "HEAD"));
    this.#connection.finish(!isLast);
  }

  #isRequestRead(): boolean {
    return this.#isRequestDone || this.#facts.head.bodyLength === 0;
  }

  /** Once: the upstream's connection is let go unless `onResponseEnd` keeps it, the span is written. */
  #end(error: ErrorCode | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const facts = this.#facts;
    const { clock, metrics, peers, spans, log } = this.#context;
    facts.error = error;
    facts.upstream = this.#upstream?.address;
    const endUnixMs = facts.startUnixMs + clock.monotonicMs() - facts.startMs;
    if (facts.crossing.context.isSampled) spans.take(toSpanDraft(facts, endUnixMs));
    peers.note(facts.crossing.peer.name, toMeeting(facts, endUnixMs));
    if (error === undefined) return;
    this.#wait?.cancel();
    this.#upstream?.destroy();
    metrics.failed(facts.direction, error);
    const { traceId, spanId } = facts.crossing.context;
    log[ERROR_STATUS[error] >= 500 ? "warn" : "info"]("exchange failed", {
      code: error,
      direction: facts.direction,
      operation: facts.operation,
      trace_id: traceId,
      span_id: spanId,
    });
  }

  #scrubTrailers(section: string, mayNameTrace: boolean): string {
    const { text, removed } = formatTrailers(section, this.#context.fields, mayNameTrace);
    this.#noteRemoved(removed);
    return text;
  }

  #noteRemoved(removed: number): void {
    if (removed === 0) return;
    this.#facts.removed += removed;
    this.#context.metrics.removed[this.#facts.direction].add(removed);
  }
}
