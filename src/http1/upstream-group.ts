/**
 * The addresses of one upstream, and the requests that wait for a connection to any of them.
 *
 * A request goes to the least busy address that is in (upstream-health.ts), among equals they take turns; a target elsewhere has
 * an order of its own, and the first that is in is taken. Where all are out it goes to the one whose trial is due soonest: no
 * request is refused because of an opinion of ours. Where it takes long to connect, addresses race (upstream-wait.ts). Where all that
 * are in have `limits.upstream_connections`, a client that is slow with its body loses its place (upstream-slow.ts), or the
 * request waits, first in first out, at most `limits.connect_timeout` and beside at most `limits.upstream_queue` others.
 *
 * With one address and an idle connection nothing is allocated and nothing is searched: an array's pop.
 * Not here: where the addresses come from (proxy/upstream-names.ts; those of an outbound target were checked).
 */

import type { ErrorCode } from "../core/errors.ts";
import { type DeadlineOwner, NO_DEADLINE } from "./deadlines.ts";
import type { UpstreamAddress, UpstreamConnection } from "./upstream-connection.ts";
import type { UpstreamTls } from "./upstream-tls.ts";
import { UpstreamMember, type UpstreamPoolState } from "./upstream-member.ts";
import { type UpstreamTaker, UpstreamWait } from "./upstream-wait.ts";

/** Who is told what a group meets. Must not throw. */
export interface UpstreamGroupOwner {
  /** An address can't be reached, or a request waits and there is none: a look at where they come from may help. */
  onAddressesWanted(): void;
  onHealth(address: UpstreamAddress, isIn: boolean): void;
  /** A connection to an address that is in was opened; told of each. */
  onReached?(address: UpstreamAddress): void;
  /** There is no connection any more, and nobody waits. */
  onEmpty(): void;
}

/** Which address comes first: the least busy one, or the first as they were given; a connection that rests then comes before any. */
export type UpstreamOrder = "least-busy" | "given";

export class UpstreamGroup implements DeadlineOwner {
  /** When the first of the queue has waited for long enough. */
  deadlineMs = NO_DEADLINE;
  readonly #pool: UpstreamPoolState;
  readonly #owner: UpstreamGroupOwner;
  /** A Set keeps the order of arrival, and lets whoever goes away leave at once. */
  readonly #waiting = new Set<UpstreamWait>();
  readonly #order: UpstreamOrder;
  #members: readonly UpstreamMember[] = [];
  /** Requests that are neither served nor refused: those who wait, and those for whom connections are being opened. */
  #waits = 0;
  /** Where the next look at the members begins. */
  #turn = 0;

  constructor(pool: UpstreamPoolState, owner: UpstreamGroupOwner, order: UpstreamOrder) {
    this.#pool = pool;
    this.#owner = owner;
    this.#order = order;
  }

  /** How many addresses it has. */
  get size(): number {
    return this.#members.length;
  }

  /** Addresses that are in. */
  get healthy(): number {
    return this.#members.filter(({ health }) => health.outUntilMs === undefined).length;
  }

  /** Each address, and whether it is left alone at present. */
  get states(): readonly { readonly address: UpstreamAddress; readonly isOut: boolean }[] {
    return this.#members.map(({ address, health }) => ({ address, isOut: health.outUntilMs !== undefined }));
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /**
   * Replaces the addresses: new ones are used at once, connections to gone ones end with their exchanges. One whose TLS trusts
   * others than before is a new one. One that is given twice, by two SRV records, say, counts once.
   */
  use(addresses: readonly UpstreamAddress[]): void {
    const known = new Map(this.#members.map((member) => [member.address.key, member]));
    const wanted = new Map(addresses.map((address) => [address.key, address]));
    this.#members = [...wanted.values()].map((address) => {
      const member = known.get(address.key);
      if (member === undefined || tlsOf(member.address) !== tlsOf(address)) {
        return new UpstreamMember(address, this, this.#pool);
      }
      known.delete(address.key);
      return member;
    });
    for (const gone of known.values()) gone.retire();
    this.dispatch();
  }

  /**
   * A connection for one request; the taker is told now or later.
   *
   * @param isFresh whether only a new connection will do
   * @returns what can be cancelled; undefined where the taker was told already
   */
  take(taker: UpstreamTaker, isFresh: boolean): UpstreamWait | undefined {
    const { isClosed } = this.#pool;
    const resting = this.#order === "given" && !isClosed && !isFresh ? this.#takeIdle() : undefined;
    // Whoever waits was offered each room as it came, so what is left is for the next to ask.
    const member = isClosed || resting !== undefined ? undefined : (this.pick(undefined) ?? this.#makeRoom());
    const idle = member === undefined || isFresh ? resting : member.takeIdle();
    if (idle !== undefined) {
      taker.onUpstream(idle, 0);
      return undefined;
    }
    const wait = new UpstreamWait(this, this.#pool, taker, isFresh);
    this.#waits++;
    if (member !== undefined) wait.proceed(member);
    else if (!this.enqueue(wait)) {
      wait.refuse(isClosed ? "DRAINING" : "UPSTREAM_FULL");
      return undefined;
    }
    return wait;
  }

  /**
   * @param tried members to leave out
   * @returns the member with room that is next; undefined where there is none
   */
  pick(tried: ReadonlySet<UpstreamMember> | undefined): UpstreamMember | undefined {
    const members = this.#members;
    const [only] = members;
    if (members.length === 1 && tried === undefined) return only?.hasRoom === true ? only : undefined;
    return this.#order === "given" ? this.#pickFirst(tried) : this.#pickLeastBusy(tried);
  }

  #pickLeastBusy(tried: ReadonlySet<UpstreamMember> | undefined): UpstreamMember | undefined {
    const members = this.#members;
    let best: UpstreamMember | undefined;
    let soonest: UpstreamMember | undefined;
    let soonestMs = NO_DEADLINE;
    let isOneIn = false;
    this.#turn = (this.#turn + 1) % Math.max(1, members.length);
    for (let step = 0; step < members.length; step++) {
      const member = members[(this.#turn + step) % members.length];
      if (member === undefined || tried?.has(member) === true) continue;
      const { outUntilMs } = member.health;
      if (outUntilMs === undefined) {
        isOneIn = true;
        if (member.hasRoom && (best === undefined || isBetter(member, best))) best = member;
      } else if (member.hasRoom && outUntilMs < soonestMs) {
        soonest = member;
        soonestMs = outUntilMs;
      }
    }
    return soonest !== undefined && this.#isTrialDue(soonest, soonestMs)
      ? soonest
      : (best ?? (isOneIn ? undefined : soonest));
  }

  /** The first that is in or due for a trial; where all are out, the one whose trial is due soonest. */
  #pickFirst(tried: ReadonlySet<UpstreamMember> | undefined): UpstreamMember | undefined {
    let soonest: UpstreamMember | undefined;
    let soonestMs = NO_DEADLINE;
    let isOneIn = false;
    for (const member of this.#members) {
      if (tried?.has(member) === true) continue;
      const { outUntilMs } = member.health;
      isOneIn ||= outUntilMs === undefined;
      if (!member.hasRoom) continue;
      if (outUntilMs === undefined || this.#isTrialDue(member, outUntilMs)) return member;
      if (outUntilMs >= soonestMs) continue;
      soonest = member;
      soonestMs = outUntilMs;
    }
    return isOneIn ? undefined : soonest;
  }

  /** A connection that rests at any member that is in and has room. */
  #takeIdle(): UpstreamConnection | undefined {
    for (const member of this.#members) {
      const idle = member.hasRoom && member.health.outUntilMs === undefined ? member.takeIdle() : undefined;
      if (idle !== undefined) return idle;
    }
    return undefined;
  }

  isAllTried(tried: ReadonlySet<UpstreamMember>): boolean {
    return this.#members.every((member) => tried.has(member));
  }

  /** Those who wait are offered the room first. @returns the member that has room even so */
  #makeRoom(): UpstreamMember | undefined {
    return this.#members.some((member) => member.breakOffSlow()) ? this.pick(undefined) : undefined;
  }

  #isTrialDue({ health }: UpstreamMember, outUntilMs: number): boolean {
    const nowMs = this.#pool.deadlines.nowMs();
    if (outUntilMs > nowMs) return false;
    health.beginTrial(nowMs);
    return true;
  }

  #hasPlace(): boolean {
    if (this.#pool.isClosed) return false;
    if (this.#waiting.size < this.#pool.limits.upstreamQueue) return true;
    this.#pool.events.onQueueRefused("full");
    return false;
  }

  /** The last of those who wait. @returns false where no more may */
  enqueue(wait: UpstreamWait): boolean {
    if (!this.#hasPlace()) return false;
    wait.sinceMs = this.#pool.deadlines.nowMs();
    if (this.#waiting.size === 0) {
      this.deadlineMs = wait.sinceMs + this.#pool.limits.connectTimeoutMs;
      this.#pool.deadlines.add(this);
    }
    this.#waiting.add(wait);
    this.#pool.waiting++;
    if (this.#members.length === 0) this.#owner.onAddressesWanted();
    return true;
  }

  leave(wait: UpstreamWait): void {
    if (!this.#waiting.delete(wait)) return;
    this.#pool.waiting--;
    if (this.#waiting.size === 0) this.#pool.deadlines.delete(this);
  }

  /** Lets those go on who wait, as far as there is room. */
  dispatch(): void {
    for (const wait of this.#waiting) {
      const member = this.pick(wait.tried);
      if (member === undefined && wait.tried === undefined) return;
      if (member === undefined) continue; // The room is where it was already.
      this.leave(wait);
      wait.proceed(member);
    }
  }

  onDeadline(): void {
    for (const member of this.#members) member.breakOffSlow(); // Whoever waits the longest gets the room.
    const limitMs = this.#pool.limits.connectTimeoutMs;
    const nowMs = this.#pool.deadlines.nowMs();
    for (const wait of this.#waiting) {
      if (wait.sinceMs + limitMs > nowMs) {
        this.deadlineMs = wait.sinceMs + limitMs;
        return;
      }
      this.leave(wait);
      // Without an address it was not others who stood in its way.
      const isFull = this.#members.length > 0;
      if (isFull) this.#pool.events.onQueueRefused("timeout");
      wait.refuse(isFull ? "UPSTREAM_FULL" : "UPSTREAM_TIMEOUT");
    }
  }

  /** Tells all who wait that there is no connection. */
  refuseWaiting(code: ErrorCode): void {
    for (const wait of this.#waiting) {
      this.leave(wait);
      wait.refuse(code);
    }
  }

  onConnectFailure(): void {
    this.#owner.onAddressesWanted();
  }

  onReached({ address }: UpstreamMember): void {
    this.#owner.onReached?.(address);
  }

  onHealth({ address }: UpstreamMember, isIn: boolean): void {
    this.#owner.onHealth(address, isIn);
  }

  onWaitOver(): void {
    this.#waits--;
    this.onMemberEmpty();
  }

  onMemberEmpty(): void {
    if (this.#waits === 0 && this.#members.every(({ isEmpty }) => isEmpty)) this.#owner.onEmpty();
  }

  /** Closes idle connections; those of open exchanges close when they come back. Whoever waits is told. */
  close(): void {
    for (const member of this.#members) member.retire();
    this.refuseWaiting("DRAINING");
  }
}

/** The least busy one is what swallows all connects: nothing ever comes of those. */
function isBetter(member: UpstreamMember, best: UpstreamMember): boolean {
  const { isOutrun } = member;
  return isOutrun === best.isOutrun ? member.busy < best.busy : !isOutrun;
}

/** @returns how it is spoken to with TLS; undefined in the clear */
export function tlsOf(address: UpstreamAddress): UpstreamTls | undefined {
  return "tls" in address ? address.tls : undefined;
}
