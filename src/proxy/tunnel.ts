/**
 * CONNECT: a tunnel to one checked address, whose bytes pass unseen, with a span of how many and for how long; or, where its
 * target is one to look into, handed over to intercept.ts.
 *
 * Source: RFC 9110 section 9.3.6. Nothing of the request leaves, so no context is injected. What the client sends before it
 * is answered waits on its connection and is the first that goes through.
 */

import { ERROR_STATUS, type ErrorCode } from "../core/errors.ts";
import type { ServerConnection } from "../http1/server-connection.ts";
import type { UpstreamConnection } from "../http1/upstream-connection.ts";
import type { UpstreamTaker, UpstreamWait } from "../http1/upstream-wait.ts";
import { type Answer, formatAnswer } from "./answers.ts";
import type { Exchange, ExchangeContext } from "./exchange.ts";
import { endExchange, noteExchange, noteUpgrade } from "./exchange-end.ts";
import type { ExchangeFacts } from "./exchange-span.ts";
import type { Location } from "./side.ts";
import { spliceSockets } from "./splice.ts";

const STATUS_OK = 200;
/** Everything up to the empty line is all there is: a 2xx to CONNECT has no framing fields (RFC 9110 section 9.3.6). */
export const ESTABLISHED = `HTTP/1.1 ${STATUS_OK} Connection established\r\n\r\n`;

export class Tunnel implements Exchange, UpstreamTaker {
  readonly #context: ExchangeContext;
  readonly #connection: ServerConnection;
  readonly facts: ExchangeFacts;
  isOpening = true;
  #wait: UpstreamWait | undefined;
  #isStarted = false;
  #isOver = false;

  constructor(context: ExchangeContext, connection: ServerConnection, facts: ExchangeFacts) {
    this.#context = context;
    this.#connection = connection;
    this.facts = facts;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  send(located: Location): void {
    if (this.#isOver) return; // The client went away while the name was resolved.
    const { intercept, pool, isDraining } = this.#context;
    const { target } = this.facts;
    // It would be open for as long as the drain lasts, and no request inside would be answered.
    if (isDraining()) return this.answer({ code: "DRAINING" });
    if (intercept?.isMeant(target) !== true) {
      this.#start();
      this.#wait = pool.takeNew(located.place, this);
      return;
    }
    // Each request inside has a span; the tunnel itself leads nowhere.
    this.#isOver = true;
    intercept.take(this.#connection, target);
  }

  onUpstream(upstream: UpstreamConnection, retries: number): void {
    this.#wait = undefined;
    const facts = this.facts;
    facts.resendCount += retries;
    facts.upstream = upstream.address;
    facts.opened = upstream;
    facts.status = STATUS_OK;
    const remote = upstream.takeSocket();
    this.#connection.outlet.text(ESTABLISHED);
    this.#connection.outlet.flush();
    noteUpgrade(this.#context, facts);
    const ahead = this.#connection.detach();
    spliceSockets(
      { socket: this.#connection.socket, ahead },
      { socket: remote, ahead: undefined },
      this.#context.tunnelIdleMs,
      (error) => {
        facts.tunnel = { sentBytes: remote.bytesWritten, receivedBytes: remote.bytesRead };
        this.#end(error);
      },
    );
  }

  onNoUpstream(code: ErrorCode, retries: number, detail?: string): void {
    this.#wait = undefined;
    this.facts.resendCount += retries;
    this.answer({ code, detail });
  }

  /** A CONNECT has no body (outbound-target.ts refuses one), so nothing of it comes but its end. */
  onRequestBytes(): boolean {
    return true;
  }

  onRequestPause(): void {}

  onRequestEnd(): void {}

  onClientDrain(): void {}

  onClientGone(code: ErrorCode): void {
    if (code === "CLIENT_ABORTED") this.#end(code);
    else this.answer({ code });
  }

  /** The connection closes behind it: what the client has sent ahead was meant for the other end of the tunnel. */
  answer(answer: Answer): void {
    if (this.#isOver) return;
    this.facts.status = ERROR_STATUS[answer.code];
    this.#end(answer.code, answer.detail);
    this.#connection.outlet.text(formatAnswer(answer, true, false));
    this.#connection.finish(false);
  }

  /** Once it is sure to have a span. */
  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    noteExchange(this.#context.metrics, this.facts);
  }

  #end(error: ErrorCode | undefined, detail?: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#start();
    this.#wait?.cancel();
    const facts = this.facts;
    // Outside the tunnel there is none yet, or no more; without these words it would be shown as a request for a URL.
    facts.tunnel ??= { sentBytes: 0, receivedBytes: 0 };
    endExchange(this.#context, facts, error, detail);
  }
}
