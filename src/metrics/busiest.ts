/**
 * The busiest values of a label whose values come from outside: a peer can send as many as it likes, and a series for each is what
 * fills a scraper's memory.
 *
 * Space-Saving (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams, ICDT 2005): a fixed
 * number of counters; a value without one takes over the smallest, and its count, which is the most that it may have missed. So
 * whatever is seen more often than one in `slots` has a counter, and `count - error` is sure. The first K values are shown at once;
 * later ones take the place of the least busy one shown when they have surely been seen twice as often: with less, equals would
 * take each other's places for ever, and each time a series ends. A value that comes once never does.
 * Once all counters are taken, one in eight of the values without one is considered, so that a flood of them costs little more than a
 * look: a busy value is seen often enough. Counts are halved now and then, so that what was busy last month makes room.
 * Class: every request passes here (0.1 µs).
 */

import { detach } from "../core/text.ts";
import { OTHER } from "./definition.ts";
import { createSomeOf } from "./some-of.ts";

/** Counters for each place that is shown: with more, rarer values are told apart, in a flood of values that come once. */
const SLOTS_PER_PLACE = 8;
/** Longer ones are nobody's name, and would fill a scrape: a path may have 64 KiB. */
const LENGTH_MAX = 120;
/** What names, addresses and paths consist of (RFC 3986); what holds anything else was not meant to be read by people. */
const PLAIN = /^[!#-;=?-Z_a-z~[\]]*$/;
const HALVE_EVERY = 1 << 17;
const CONSIDER_EVERY = 8;
/** How much busier a value must be to take another one's place. */
const LEAD = 2;

function isName(value: string): boolean {
  return value !== OTHER && value.length <= LENGTH_MAX && PLAIN.test(value);
}

export class Busiest {
  readonly #places: number;
  readonly #slots: number;
  readonly #onOverflow: () => void;
  readonly #onLeft: ((value: string) => void)[] = [];
  readonly #slotOf = new Map<string, number>();
  readonly #values: string[] = [];
  readonly #counts: Float64Array;
  readonly #errors: Float64Array;
  readonly #isShown: Uint8Array;
  #shown = 0;
  /** Not above the count of any that is shown. */
  #leastShown = 0;
  /** The smallest count of those that aren't, and where the next slot of that count may be. */
  #least = 0;
  #cursor = 0;
  #noted = 0;
  readonly #isConsidered = createSomeOf(CONSIDER_EVERY);

  /** @param places values shown at a time, at least 1 @param onOverflow told of each value that is counted as `other` */
  constructor(places: number, onOverflow: () => void) {
    this.#places = places;
    this.#slots = places * SLOTS_PER_PLACE;
    this.#onOverflow = onOverflow;
    this.#counts = new Float64Array(this.#slots);
    this.#errors = new Float64Array(this.#slots);
    this.#isShown = new Uint8Array(this.#slots);
  }

  /** @param listener told of each value that is not shown any more, before the next is noted */
  onLeft(listener: (value: string) => void): void {
    this.#onLeft.push(listener);
  }

  /** @returns the value, where it is one that is shown; else `other` */
  note(value: string): string {
    let slot = this.#slotOf.get(value);
    if (slot === undefined) {
      const isFull = this.#values.length === this.#slots;
      const isPassedOver = isFull && !this.#isConsidered();
      if (isPassedOver || !isName(value)) return this.#overflow();
      slot = this.#take(value);
    }
    const count = (this.#counts[slot] ?? 0) + 1;
    this.#counts[slot] = count;
    if (++this.#noted === HALVE_EVERY) this.#halve();
    if (this.#isShown[slot] !== 1) {
      if (this.#shown < this.#places) this.#show(slot);
      else if (count - (this.#errors[slot] ?? 0) <= LEAD * this.#leastShown || !this.#displace(slot)) {
        return this.#overflow();
      }
    }
    return this.#values[slot] ?? OTHER;
  }

  #overflow(): string {
    this.#onOverflow();
    return OTHER;
  }

  #take(value: string): number {
    const kept = detach(value);
    if (this.#values.length < this.#slots) {
      this.#slotOf.set(kept, this.#values.length);
      return this.#values.push(kept) - 1;
    }
    const slot = this.#smallest();
    this.#slotOf.delete(this.#values[slot] ?? "");
    this.#slotOf.set(kept, slot);
    this.#values[slot] = kept;
    this.#errors[slot] = this.#counts[slot] ?? 0;
    return slot;
  }

  /** One look along all slots finds a count that many have, so that the next looks only go on from there. */
  #smallest(): number {
    for (;;) {
      while (this.#cursor < this.#slots) {
        const slot = this.#cursor++;
        if (this.#isShown[slot] === 0 && this.#counts[slot] === this.#least) return slot;
      }
      this.#cursor = 0;
      this.#least = Infinity;
      for (let slot = 0; slot < this.#slots; slot++) {
        if (this.#isShown[slot] === 0) this.#least = Math.min(this.#least, this.#counts[slot] ?? 0);
      }
    }
  }

  #show(slot: number): void {
    this.#isShown[slot] = 1;
    this.#shown++;
    this.#leastShown = 0;
  }

  /** @returns whether it has the place of a less busy one now */
  #displace(slot: number): boolean {
    let idlest = -1;
    this.#leastShown = Infinity;
    for (let other = 0; other < this.#slots; other++) {
      const count = this.#counts[other] ?? 0;
      if (this.#isShown[other] !== 1 || count >= this.#leastShown) continue;
      this.#leastShown = count;
      idlest = other;
    }
    if ((this.#counts[slot] ?? 0) - (this.#errors[slot] ?? 0) <= LEAD * this.#leastShown) return false;
    this.#isShown[idlest] = 0;
    this.#shown--;
    this.#least = Math.min(this.#least, this.#counts[idlest] ?? 0);
    this.#show(slot);
    for (const listener of this.#onLeft) listener(this.#values[idlest] ?? OTHER);
    return true;
  }

  #halve(): void {
    this.#noted = 0;
    for (let slot = 0; slot < this.#slots; slot++) {
      this.#counts[slot] = Math.floor((this.#counts[slot] ?? 0) / 2);
      this.#errors[slot] = Math.floor((this.#errors[slot] ?? 0) / 2);
    }
    this.#leastShown = 0;
    this.#cursor = this.#slots;
  }
}
