/**
 * Several families with the same labels, found together: what one request counts in them is one walk, and what they may take of a
 * scrape is one bound.
 *
 * ```
 *   GET ─ /_matrix/…/version ─ other ─ 200 ─ 192.0.2.7 ──► { count, latency, bytes }
 *
 *   no room?  its `folds`, one after the other:   GET ─ /_matrix/…/version ─ other ─ 200 ─ other
 *                                                 other ─ other ─ other ─ 200 ─ other               always has room:
 *                                                                                       other ─ other ─ other ─ other ─ other
 * ```
 * Each fold names labels whose values are then counted as `other`, and what of the bytes all series may take that need it or one before
 * it. So what is folded last is seen whatever came before, and values that strangers choose never take the room of the others.
 * Where there is no room a new series waits, counted as a coarser one, until it has surely been asked for twice as often as the idlest of
 * its kind, or of coarser ones that have more than what is theirs alone: then it takes their room, as a value takes a place in
 * busiest.ts, and for the same reasons. How often those that wait were asked for is a lower bound, and so many wait at a time (Misra,
 * Gries: Finding repeated elements, 1982).
 * A series ends when it gives its room away, or when a value of its labels is not shown any more; what it counts from then on is
 * counted as `other`. (Were its total added there, `rate` would take it for traffic of that moment.)
 * Class: every request passes here (0.1 µs for five labels).
 */

import { linesPerSeries, OTHER } from "./definition.ts";
import { type Children, type CounterChild, EXEMPLARS_MAX } from "./children.ts";
import type { Busiest } from "./busiest.ts";
import type { Family } from "./registry.ts";
import { createSomeOf } from "./some-of.ts";

/** A line's value and its punctuation; an exemplar. */
const LINE_BYTES = 24;
const EXEMPLAR_BYTES = 104;
/** How much busier a series must be to take others' room. */
const LEAD = 2;
/** Series that wait for room and are counted. */
const WAITING_MAX = 128;
/** Once so many wait, one in eight of the others is considered: to begin to wait costs more than all else that is counted. */
const CONSIDER_EVERY = 8;
/** A look for idle series goes along all that are kept: after one in vain the next may come when this part of them was found. */
const LOOK_PART = 16;
const HALVE_EVERY = 1 << 17;

type Value = string | number;

/** Under whatever name whoever counts calls each. */
type Families = Readonly<Record<string, Family>>;

/** The series of the same labels' values, one of each family, under its name. */
type SeriesOf<F> = { readonly [N in keyof F]: F[N] extends Family<infer T> ? Children[T] : never };

/** What is known of one combination of values. */
interface Entry<F> {
  readonly path: readonly Value[];
  /** The first fold that would make it coarser; as many as there are folds: none but `other` in all; one more: that one. */
  readonly level: number;
  /** Undefined: it waits for room. */
  series: SeriesOf<F> | undefined;
  /** What its series take of a scrape; 0 while it waits. */
  bytes: number;
  /** As which it is counted while it waits. */
  coarser: Entry<F> | undefined;
  /** Whether the tree has it. If not, another one of its path may be there later. */
  isFound: boolean;
  /** How often it was asked for, or less; halved now and then. */
  hits: number;
}

/** By a label's value: what is found of the next label; of the last one, the entry. */
interface Node<F> extends Map<Value, Node<F> | Entry<F>> {}

/** What there is to be counted as `other` where there is no room. */
export interface Fold {
  readonly labels: readonly string[];
  /** Of the bytes, what the series may take that this fold, or one before it, would make coarser. */
  readonly share: number;
}

interface TableOptions<F> {
  /** All of the same labels. */
  readonly families: F;
  /** By label: who bounds its values. Others are bounded where they come from. */
  readonly bounds: Readonly<Record<string, Busiest>>;
  readonly folds: readonly Fold[];
  /** Of the text that a scrape has of them, about. */
  readonly bytesMax: number;
  /** Whether buckets may have exemplars. */
  readonly hasExemplars?: boolean;
  /** By label: what counts its values that were counted as `other` for want of room. */
  readonly overflow: (label: string) => CounterChild;
}

export class SeriesTable<F extends Families> {
  readonly #families: readonly (readonly [name: string, family: Family])[];
  readonly #labels: readonly string[];
  /** By level and label: whether it is `other` in what is one level coarser. */
  readonly #isFolded: readonly (readonly boolean[])[];
  /** By label: counts its values that are counted as `other`; "" is none. */
  readonly #overflow: readonly CounterChild[];
  readonly #exemplarBytes: number;
  readonly #root: Node<F> = new Map();
  readonly #kept = new Set<Entry<F>>();
  readonly #waiting = new Set<Entry<F>>();
  /** By level: bytes that its series take, and that all up to it may take. */
  readonly #bytes: number[];
  readonly #bytesMax: readonly number[];
  /** By level: since a series of it had no room, until one ends. */
  readonly #isFull: boolean[];
  /** By level: what waits and was asked for less than twice as often takes nobody's room. */
  readonly #leastHits: number[];
  /** By level: finds before which nothing that waits looks for room again. */
  readonly #looksAt: number[];
  #found = 0;
  /** More wanted to wait than may, since the counts were halved. */
  #isCrowded = false;
  readonly #isConsidered = createSomeOf(CONSIDER_EVERY);

  constructor(options: TableOptions<F>) {
    const { families, bounds, folds, bytesMax, hasExemplars = false } = options;
    this.#families = Object.entries(families);
    this.#labels = this.#families[0]?.[1].definition.labels ?? [];
    const folded = folds.map((_, level) => folds.slice(0, level + 1).flatMap(({ labels }) => labels));
    this.#isFolded = folded.map((labels) => this.#labels.map((label) => labels.includes(label)));
    this.#overflow = this.#labels.map((label) => options.overflow(label));
    this.#exemplarBytes = hasExemplars ? EXEMPLARS_MAX * EXEMPLAR_BYTES : 0;
    this.#bytesMax = [...folds.map(({ share }) => share * bytesMax), bytesMax, Infinity];
    this.#bytes = this.#bytesMax.map(() => 0);
    this.#isFull = this.#bytesMax.map(() => false);
    this.#leastHits = this.#bytesMax.map(() => 0);
    this.#looksAt = this.#bytesMax.map(() => 0);
    for (const [label, busiest] of Object.entries(bounds)) {
      const at = this.#labels.indexOf(label);
      busiest.onLeft((value) => this.#leave(at, value));
    }
  }

  /** About what the families' text takes. */
  get bytes(): number {
    return this.#bytes.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** @param path the labels' values in their order; of bounded ones what `Busiest.note` gave. Hold on to none of what is found: it may end */
  find(path: readonly Value[]): SeriesOf<F> {
    const entry = this.#entryOf(path);
    entry.hits++;
    if (++this.#found === HALVE_EVERY) this.#halve();
    return entry.series ?? this.#findWaiting(entry);
  }

  #entryOf(path: readonly Value[]): Entry<F> {
    let node: Node<F> | Entry<F> | undefined = this.#root;
    for (let at = 0; at < path.length && node !== undefined; at++)
      node = (node as Node<F>).get(path[at] ?? "");
    return (node as Entry<F> | undefined) ?? this.#admit(path);
  }

  #admit(path: readonly Value[]): Entry<F> {
    const level = this.#levelOf(path);
    const entry = { path, level, series: undefined, bytes: 0, coarser: undefined, isFound: false, hits: 0 };
    if (!this.#isFull[level]) {
      const bytes = this.#bytesOf(path);
      if (this.#hasRoom(level, bytes)) return this.#keep(entry, bytes);
      this.#isFull[level] = true;
    }
    // What no fold makes coarser is of no stranger's choice, and an error that must be seen.
    const isFolded = level < this.#isFolded.length;
    if (isFolded && this.#isCrowded && !this.#isConsidered()) return entry;
    if (this.#waiting.size < WAITING_MAX) {
      this.#put(entry);
      this.#waiting.add(entry);
    } else {
      this.#isCrowded = true;
      this.#discount((hits) => hits - 1);
    }
    return entry;
  }

  #levelOf(path: readonly Value[]): number {
    const level = this.#isFolded.findIndex((isFolded) =>
      path.some((value, at) => isFolded[at] && value !== OTHER && value !== ""),
    );
    if (level !== -1) return level;
    return this.#isFolded.length + Number(path.every((value) => value === OTHER));
  }

  /** Whether all that may take its bytes have them. */
  #hasRoom(level: number, bytes: number): boolean {
    return this.#bytesMax.every((_, at) => at < level || this.#missing(at, bytes) <= 0);
  }

  /** What all up to this level would have too much with so many more. */
  #missing(level: number, bytes: number): number {
    let taken = bytes;
    for (let at = 0; at <= level; at++) taken += this.#bytes[at] ?? 0;
    return taken - (this.#bytesMax[level] ?? 0);
  }

  #keep(entry: Entry<F>, bytes: number): Entry<F> {
    const { path, level } = entry;
    const values = path.map(String);
    entry.series = Object.fromEntries(
      this.#families.map(([name, family]) => [name, family.withLabels(...values)]),
    ) as SeriesOf<F>;
    entry.bytes = bytes;
    this.#put(entry);
    this.#waiting.delete(entry);
    this.#kept.add(entry);
    this.#bytes[level] = (this.#bytes[level] ?? 0) + bytes;
    this.#leastHits.fill(0);
    return entry;
  }

  #put(entry: Entry<F>): void {
    let node = this.#root;
    for (const value of entry.path.slice(0, -1)) {
      const next = (node.get(value) as Node<F> | undefined) ?? (new Map() as Node<F>);
      node.set(value, next);
      node = next;
    }
    node.set(entry.path.at(-1) ?? "", entry);
    entry.isFound = true;
  }

  #findWaiting(entry: Entry<F>): SeriesOf<F> {
    let as = entry;
    while (as.series === undefined && !this.#takeRoom(as)) {
      as = this.#coarserOf(as);
      as.hits++;
    }
    for (let at = 0; at < entry.path.length; at++) {
      if (entry.path[at] !== as.path[at] && entry.path[at] !== "") this.#overflow[at]?.add(1);
    }
    return as.series as SeriesOf<F>;
  }

  #coarserOf(entry: Entry<F>): Entry<F> {
    if (entry.coarser?.isFound !== true) {
      const isFolded = this.#isFolded[entry.level];
      entry.coarser = this.#entryOf(
        entry.path.map((value, at) => (isFolded?.[at] === false ? value : OTHER)),
      );
    }
    return entry.coarser;
  }

  /** @returns whether some were so idle that it has their room now */
  #takeRoom(entry: Entry<F>): boolean {
    const { level, hits } = entry;
    if (hits <= LEAD * (this.#leastHits[level] ?? 0) || this.#found < (this.#looksAt[level] ?? 0))
      return false;
    const bytes = this.#bytesOf(entry.path);
    const leaving = this.#idleEnough(entry, bytes);
    if (leaving === undefined) {
      this.#looksAt[level] = this.#found + this.#kept.size / LOOK_PART;
      return false;
    }
    for (const kept of leaving) this.#end(kept);
    this.#keep(entry, bytes);
    return true;
  }

  /**
   * Those of its own level first; then of each coarser one that has more than is kept for it, or it would not lack room.
   * @returns whose room together is enough; undefined: some of them are too busy
   */
  #idleEnough({ level, hits }: Entry<F>, bytes: number): readonly Entry<F>[] | undefined {
    const idlestFirst = this.#idlerThan(hits / LEAD, level);
    const leaving = new Set<Entry<F>>();
    let left = 0;
    for (let at = level; at < this.#bytesMax.length; at++) {
      const missing = this.#missing(at, bytes);
      for (const kept of idlestFirst) {
        if (left >= missing) break;
        if ((kept.level !== level && kept.level !== at) || leaving.has(kept)) continue;
        leaving.add(kept);
        left += kept.bytes;
      }
      if (left < missing) return undefined;
    }
    return [...leaving];
  }

  /** @returns of this level or coarser, in their order */
  #idlerThan(hits: number, level: number): readonly Entry<F>[] {
    let leastHits = Infinity;
    const idle = [];
    for (const kept of this.#kept) {
      if (kept.level < level) continue;
      leastHits = Math.min(leastHits, kept.hits);
      if (kept.hits < hits) idle.push(kept);
    }
    this.#leastHits[level] = leastHits;
    return idle.toSorted((one, two) => one.hits - two.hits);
  }

  #halve(): void {
    this.#found = 0;
    this.#isCrowded = false;
    for (const kept of this.#kept) kept.hits = Math.floor(kept.hits / 2);
    this.#discount((hits) => Math.floor(hits / 2));
    this.#leastHits.fill(0);
    this.#looksAt.fill(0);
  }

  #discount(less: (hits: number) => number): void {
    for (const entry of this.#waiting) {
      entry.hits = less(entry.hits);
      if (entry.hits <= 0) this.#forget(entry);
    }
  }

  #forget(entry: Entry<F>): void {
    this.#waiting.delete(entry);
    this.#cut(entry);
  }

  /** A value is not shown any more. */
  #leave(at: number, value: string): void {
    for (const kept of this.#kept) if (kept.path[at] === value) this.#end(kept);
    for (const entry of this.#waiting) if (entry.path[at] === value) this.#forget(entry);
  }

  #end(kept: Entry<F>): void {
    const { path, level, bytes } = kept;
    this.#kept.delete(kept);
    this.#bytes[level] = (this.#bytes[level] ?? 0) - bytes;
    this.#cut(kept);
    for (const [, family] of this.#families) family.remove(path.map(String));
    this.#isFull.fill(false);
    this.#leastHits.fill(0);
    this.#looksAt.fill(0);
  }

  /** A map without anything in it goes too, or each value that ever was would leave one. */
  #cut(entry: Entry<F>): void {
    const { path } = entry;
    entry.isFound = false;
    const nodes = [this.#root];
    for (const value of path.slice(0, -1)) nodes.push(nodes.at(-1)?.get(value) as Node<F>);
    for (let at = path.length - 1; at >= 0; at--) {
      const node = nodes[at];
      node?.delete(path[at] ?? "");
      if (node !== undefined && node.size > 0) return;
    }
  }

  #bytesOf(path: readonly Value[]): number {
    const labels = path.reduce<number>(
      (sum, value, at) => sum + String(value).length + (this.#labels[at] ?? "").length + 4,
      0,
    );
    return this.#families.reduce((sum, [, { definition }]) => {
      const exemplars = definition.type === "histogram" ? this.#exemplarBytes : 0;
      return sum + linesPerSeries(definition) * (definition.name.length + labels + LINE_BYTES) + exemplars;
    }, 0);
  }
}
