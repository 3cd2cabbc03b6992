/**
 * One request's way to a connection, where none rests for it: it waits its turn, then for a connect, and where that
 * fails for one to the next address. Nothing of the request is sent meanwhile, so whatever its method is, it may move on.
 *
 * The connects of one request have `connect_timeout` in total. Each gets an equal share of what is left, so that an address
 * which swallows everything leaves time for the others (as Go's net.Dialer does: partialDeadline in
 * https://go.dev/src/net/dial.go).
 */

import type { ErrorCode } from "../core/errors.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";
import type { UpstreamMember, UpstreamPoolState } from "./upstream-member.ts";
import type { UpstreamConnector } from "./upstream-owner.ts";

/** Who wants a connection. One of the two is called, once, unless it is cancelled before. */
export interface UpstreamTaker {
  /** @param retries addresses that were tried before in vain */
  onUpstream(connection: UpstreamConnection, retries: number): void;
  /** @param detail the system's or OpenSSL's word for the last failure, for the log */
  onNoUpstream(code: ErrorCode, retries: number, detail?: string): void;
}

/** What a wait asks of its group. */
interface WaitOwner {
  readonly size: number;
  /** Lets it proceed to a member that was not tried, now or later. @returns false where there is none */
  goOn(wait: UpstreamWait, tried: ReadonlySet<UpstreamMember>): boolean;
  /** Takes it out of the queue, if it is there. */
  leave(wait: UpstreamWait): void;
}

/** The least share, as long as there is as much left: a lost SYN is sent again after a second (RFC 6298 section 2). Go's value. */
const CONNECT_SHARE_MIN_MS = 2000;

export class UpstreamWait implements UpstreamConnector {
  /** When it came into the queue. */
  sinceMs = 0;
  readonly #group: WaitOwner;
  readonly #pool: UpstreamPoolState;
  readonly #taker: UpstreamTaker;
  readonly #isFresh: boolean;
  #member: UpstreamMember | undefined;
  #connection: UpstreamConnection | undefined;
  #connectUntilMs: number | undefined;
  #tried: Set<UpstreamMember> | undefined;
  #retries = 0;

  /** @param isFresh whether only a new connection will do */
  constructor(group: WaitOwner, pool: UpstreamPoolState, taker: UpstreamTaker, isFresh: boolean) {
    this.#group = group;
    this.#pool = pool;
    this.#taker = taker;
    this.#isFresh = isFresh;
  }

  /** Members that could not be reached. */
  get tried(): ReadonlySet<UpstreamMember> | undefined {
    return this.#tried;
  }

  /** Its turn has come. @param member which has room */
  proceed(member: UpstreamMember): void {
    const idle = this.#isFresh ? undefined : member.takeIdle();
    if (idle !== undefined) {
      this.#taker.onUpstream(idle, this.#retries);
      return;
    }
    const nowMs = this.#pool.deadlines.nowMs();
    this.#connectUntilMs ??= nowMs + this.#pool.limits.connectTimeoutMs;
    const leftMs = this.#connectUntilMs - nowMs;
    const untried = Math.max(1, this.#group.size - (this.#tried?.size ?? 0));
    const shareMs = Math.min(leftMs, Math.max(CONNECT_SHARE_MIN_MS, leftMs / untried));
    this.#member = member;
    this.#connection = member.connect(this, nowMs + shareMs);
  }

  onConnect(connection: UpstreamConnection): void {
    this.#connection = undefined;
    this.#taker.onUpstream(connection, this.#retries);
  }

  onConnectFailure(_connection: UpstreamConnection, code: ErrorCode, detail: string | undefined): void {
    this.#connection = undefined;
    this.#tried ??= new Set();
    if (this.#member !== undefined) this.#tried.add(this.#member);
    const hasTime = this.#pool.deadlines.nowMs() < (this.#connectUntilMs ?? 0);
    this.#retries++; // Before it goes on, which may end at once with a connection that rests.
    if (hasTime && this.#group.goOn(this, this.#tried)) {
      this.#pool.events.onRetry("connect");
      return;
    }
    this.#retries--;
    this.refuse(code, detail);
  }

  /** Tells the taker that there is none. */
  refuse(code: ErrorCode, detail?: string): void {
    this.#taker.onNoUpstream(code, this.#retries, detail);
  }

  /** Nobody waits any more. */
  cancel(): void {
    this.#group.leave(this);
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.destroy();
  }
}
