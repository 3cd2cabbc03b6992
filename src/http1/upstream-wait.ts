/**
 * One request's way to a connection, where none rests for it: it waits its turn, then for a connect, and where that fails or
 * takes long for one to the next address. Nothing of the request is sent meanwhile, so whatever its method is, it may move on.
 *
 * The addresses race ("happy eyeballs", RFC 8305 section 5): an attempt that is not open after 250 ms gets the next address as
 * its rival, one that fails is followed by the next at once, and the first that is open, with TLS: verified, ends all others.
 * They are no failures: whoever lost was only slower. All have the rest of `connect_timeout`.
 */

import type { ErrorCode } from "../core/errors.ts";
import { type DeadlineOwner, NO_DEADLINE } from "./deadlines.ts";
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
  /** A member with room that was not tried. */
  pick(tried: ReadonlySet<UpstreamMember>): UpstreamMember | undefined;
  isAllTried(tried: ReadonlySet<UpstreamMember>): boolean;
  /** Lets it wait for room. @returns false where no more may */
  enqueue(wait: UpstreamWait): boolean;
  /** Takes it out of the queue, if it is there. */
  leave(wait: UpstreamWait): void;
  /** Once: nothing is asked any more. */
  onWaitOver(): void;
}

/** RFC 8305 section 5: the recommended Connection Attempt Delay. Deadlines are looked at every 100 ms, so it may be 350. */
const ATTEMPT_DELAY_MS = 250;

export class UpstreamWait implements UpstreamConnector, DeadlineOwner {
  /** When it came into the queue. */
  sinceMs = 0;
  /** When the next address is tried beside those that are not open yet. */
  deadlineMs = NO_DEADLINE;
  readonly #group: WaitOwner;
  readonly #pool: UpstreamPoolState;
  readonly #taker: UpstreamTaker;
  readonly #isFresh: boolean;
  /** Connections that are being opened, in the order in which they began: bounded by the group's addresses. */
  readonly #attempts = new Map<UpstreamConnection, UpstreamMember>();
  #connectUntilMs: number | undefined;
  #tried: Set<UpstreamMember> | undefined;
  #retries = 0;
  #isOver = false;

  /** @param isFresh whether only a new connection will do */
  constructor(group: WaitOwner, pool: UpstreamPoolState, taker: UpstreamTaker, isFresh: boolean) {
    this.#group = group;
    this.#pool = pool;
    this.#taker = taker;
    this.#isFresh = isFresh;
  }

  /** Members that could not be reached, or are being tried. */
  get tried(): ReadonlySet<UpstreamMember> | undefined {
    return this.#tried;
  }

  /** Its turn has come. @param member which has room */
  proceed(member: UpstreamMember): void {
    const idle = this.#isFresh ? undefined : member.takeIdle();
    if (idle !== undefined) return this.onConnect(idle);
    const nowMs = this.#pool.deadlines.nowMs();
    this.#connectUntilMs ??= nowMs + this.#pool.limits.connectTimeoutMs;
    this.#tried ??= new Set();
    this.#tried.add(member);
    this.#attempts.set(member.connect(this, this.#connectUntilMs), member);
    this.#awaitDelay(this.#tried, nowMs);
  }

  #awaitDelay(tried: ReadonlySet<UpstreamMember>, nowMs: number): void {
    if (this.#group.isAllTried(tried)) return this.#endDelay();
    this.deadlineMs = nowMs + ATTEMPT_DELAY_MS;
    this.#pool.deadlines.add(this);
  }

  #endDelay(): void {
    this.deadlineMs = NO_DEADLINE;
    this.#pool.deadlines.delete(this);
  }

  onDeadline(): void {
    const nowMs = this.#pool.deadlines.nowMs();
    const tried = this.#tried;
    if (tried === undefined || nowMs >= (this.#connectUntilMs ?? 0)) return;
    const member = this.#group.pick(tried);
    if (member !== undefined) this.proceed(member);
    else this.#awaitDelay(tried, nowMs); // Those that are left are full.
  }

  /** The first that is open wins. */
  onConnect(connection: UpstreamConnection): void {
    this.#end(connection);
    this.#taker.onUpstream(connection, this.#retries);
  }

  onConnectFailure(connection: UpstreamConnection, code: ErrorCode, detail: string | undefined): void {
    this.#attempts.delete(connection);
    this.#retries++; // Before it goes on, which may end at once with a connection that rests.
    if (this.#goOn()) {
      this.#pool.events.onRetry("connect");
      return;
    }
    this.#retries--;
    this.refuse(code, detail);
  }

  /** To the next address; else it waits for those that are being tried, or for room. @returns false where there is no way on */
  #goOn(): boolean {
    const tried = this.#tried;
    const hasTime = this.#pool.deadlines.nowMs() < (this.#connectUntilMs ?? 0);
    const member = hasTime && tried !== undefined ? this.#group.pick(tried) : undefined;
    if (member !== undefined) {
      this.proceed(member);
      return true;
    }
    if (this.#attempts.size > 0) return true;
    this.#endDelay();
    return hasTime && tried !== undefined && !this.#group.isAllTried(tried) && this.#group.enqueue(this);
  }

  /** Tells the taker that there is none. */
  refuse(code: ErrorCode, detail?: string): void {
    this.#end(undefined);
    this.#taker.onNoUpstream(code, this.#retries, detail);
  }

  /** Nobody waits any more. */
  cancel(): void {
    if (this.#isOver) return;
    this.#group.leave(this);
    this.#end(undefined);
  }

  /** Nothing is tried any more. @param winner which stays */
  #end(winner: UpstreamConnection | undefined): void {
    this.#isOver = true;
    this.#endDelay();
    let isAhead = winner !== undefined;
    for (const [attempt, member] of this.#attempts) {
      this.#attempts.delete(attempt);
      if (attempt === winner) {
        isAhead = false;
        continue;
      }
      if (isAhead) member.noteOutrun(); // It began before the winner.
      attempt.destroy();
    }
    this.#group.onWaitOver();
  }
}
