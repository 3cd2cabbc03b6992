/**
 * One upstream address: its connections, those in exchanges and those that rest, and its health.
 *
 * The last used rests on top: the warmest socket is taken, the others age and go. Taking one is a pop from an array.
 */

import type { ErrorCode } from "../core/errors.ts";
import type { Deadlines } from "./deadlines.ts";
import type { FieldTable } from "./fields.ts";
import type { ConnectionLimits } from "./limits.ts";
import { type UpstreamAddress, UpstreamConnection } from "./upstream-connection.ts";
import { UpstreamHealth } from "./upstream-health.ts";
import type { UpstreamConnector, UpstreamOwner } from "./upstream-owner.ts";
import { SlowBodies } from "./upstream-slow.ts";

/**
 * Idle connections kept for one address; more are closed when they come back. As many as exchanges hold by default: with 256,
 * a thousand clients at once opened three of four connections anew, at twice the cost a request.
 */
const IDLE_PER_ADDRESS_MAX = 1024;

/** The longest back-off of upstream-health.ts: one request in as long a time waits for a rival. */
const OUTRUN_MS = 30_000;

export type UpstreamLimits = ConnectionLimits & {
  /** Connections that exchanges may hold to one address at a time. */
  readonly upstreamConnections: number;
  /** Requests that may wait for one, of each group. */
  readonly upstreamQueue: number;
};

/** What a pool counts, and who is told. Must not throw. */
export interface UpstreamEvents {
  onConnect(): void;
  onConnectFailure(code: ErrorCode): void;
  /** A request goes on elsewhere. `connect`: an address could not be reached. `stale`: an idle connection was closed. */
  onRetry(why: "connect" | "stale"): void;
  /** A request got no connection. `full`: as many wait as may. `timeout`: it has waited `connect_timeout`. */
  onQueueRefused(why: "full" | "timeout"): void;
}

/** What all members of a pool share. `limits` and `fields` may change between two requests. */
export interface UpstreamPoolState {
  readonly limits: UpstreamLimits;
  readonly fields: FieldTable;
  readonly deadlines: Deadlines;
  readonly events: UpstreamEvents;
  /** Connections: of exchanges, idle and upgraded ones. */
  open: number;
  /** The idle ones, the longest idle first. */
  readonly resting: Set<UpstreamConnection>;
  /** Above it the one that is idle longest is closed. */
  readonly idleMax: number;
  /** Requests. */
  waiting: number;
  isClosed: boolean;
}

/** What a member asks of the group that it is in. */
interface MemberOwner {
  /** Whether requests wait for a connection. */
  readonly isWaiting: boolean;
  /** A connection rests, or one may be opened. */
  dispatch(): void;
  onReached(member: UpstreamMember): void;
  onConnectFailure(member: UpstreamMember): void;
  onHealth(member: UpstreamMember, isIn: boolean): void;
  /** It has no connection any more. */
  onMemberEmpty(): void;
}

export class UpstreamMember implements UpstreamOwner {
  readonly address: UpstreamAddress;
  readonly health = new UpstreamHealth();
  /** Connections that are being opened, are in an exchange, or are upgraded: what "least busy" compares. */
  busy = 0;
  readonly #group: MemberOwner;
  readonly #pool: UpstreamPoolState;
  readonly #idle: UpstreamConnection[] = [];
  readonly #slow = new SlowBodies();
  #outrunUntilMs = 0;
  #isRetired = false;

  constructor(address: UpstreamAddress, group: MemberOwner, pool: UpstreamPoolState) {
    this.address = address;
    this.#group = group;
    this.#pool = pool;
  }

  get limits(): UpstreamLimits {
    return this.#pool.limits;
  }

  get fields(): FieldTable {
    return this.#pool.fields;
  }

  get deadlines(): Deadlines {
    return this.#pool.deadlines;
  }

  /** Whether an exchange more may have a connection. */
  get hasRoom(): boolean {
    return this.busy < this.#pool.limits.upstreamConnections;
  }

  /** Whether another was open before it, though that one began later: it may swallow all that is sent there. */
  get isOutrun(): boolean {
    return this.#outrunUntilMs > 0 && this.#outrunUntilMs > this.deadlines.nowMs();
  }

  /** No failure, but where others are as good it is left alone for a while. */
  noteOutrun(): void {
    this.#outrunUntilMs = this.deadlines.nowMs() + OUTRUN_MS;
  }

  /** Whether it has no connection at all. */
  get isEmpty(): boolean {
    return this.busy === 0 && this.#idle.length === 0;
  }

  /** An idle connection, which then is the taker's. */
  takeIdle(): UpstreamConnection | undefined {
    const connection = this.#idle.pop();
    if (connection === undefined) return undefined;
    this.busy++;
    this.#pool.resting.delete(connection);
    return connection;
  }

  /** A new connection. @param deadlineMs until when it must be open */
  connect(connector: UpstreamConnector, deadlineMs: number): UpstreamConnection {
    this.busy++;
    this.#pool.open++;
    this.#pool.events.onConnect();
    return new UpstreamConnection(this, connector, deadlineMs);
  }

  /** No longer an address of the upstream: idle connections close, those of open exchanges when they come back. */
  retire(): void {
    this.#isRetired = true;
    for (const connection of this.#idle.slice()) connection.destroy(); // Each leaves the list.
  }

  /** Makes room where a client is too slow with its body. @returns whether there is room now */
  breakOffSlow(): boolean {
    return this.#slow.breakOffOne(this.deadlines.nowMs());
  }

  onBodyAwaited(connection: UpstreamConnection): void {
    this.#slow.await(connection, this.deadlines.nowMs());
  }

  onBodyDone(connection: UpstreamConnection): void {
    this.#slow.done(connection);
  }

  onReleased(connection: UpstreamConnection): void {
    const pool = this.#pool;
    const hasPlace = this.#group.isWaiting || this.#idle.length < IDLE_PER_ADDRESS_MAX;
    if (!connection.isReusable || !hasPlace || this.#isRetired || pool.isClosed) {
      connection.destroy();
      return;
    }
    this.busy--;
    this.#idle.push(connection);
    pool.resting.add(connection);
    connection.rest();
    if (this.#group.isWaiting) this.#group.dispatch();
    if (pool.resting.size <= pool.idleMax) return;
    const [oldest] = pool.resting;
    oldest?.destroy();
  }

  onClosed(connection: UpstreamConnection): void {
    this.#slow.done(connection);
    const at = this.#idle.indexOf(connection);
    if (at === -1) {
      this.busy--;
    } else {
      this.#idle.splice(at, 1);
      this.#pool.resting.delete(connection);
    }
    this.#pool.open--;
    if (this.isEmpty) this.#group.onMemberEmpty();
    if (this.#group.isWaiting) this.#group.dispatch();
  }

  onOpened(): void {
    // What is out comes back with an answer.
    if (this.health.outUntilMs === undefined) this.#group.onReached(this);
  }

  onAnswered(): void {
    if (this.health.noteAnswer()) this.#group.onHealth(this, true);
  }

  onUnanswered(): void {
    if (this.health.noteNoAnswer(this.deadlines.nowMs())) this.#group.onHealth(this, false);
  }

  onConnectFailure(code: ErrorCode): void {
    this.#pool.events.onConnectFailure(code);
    if (this.health.noteConnectFailure(this.deadlines.nowMs())) this.#group.onHealth(this, false);
    this.#group.onConnectFailure(this);
  }
}
