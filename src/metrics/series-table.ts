/**
 * Several families with the same labels, found together: what one request counts in them is one walk, and what they may take of a
 * scrape is one bound.
 *
 * ```
 *   GET ─ /_matrix/…/version ─ other ─ 200 ─ 192.0.2.7 ──► { count, latency, bytes }
 * ```
 * Series that have a rare value, one that somebody outside chose, may take a part of the bytes, and never the room of the others. Where
 * that part is taken, a new one waits, and is counted as `other` in all of its rare labels, until it has surely been asked for twice as
 * often as the idlest that have room: then it takes theirs, as a value takes a place in busiest.ts, and for the same reasons. How often
 * those that wait were asked for is a lower bound, and so many wait at a time (Misra, Gries: Finding repeated elements, 1982). When
 * there is no room for the others either, new ones of them are counted as `other` in all labels.
 * A series ends when it gives its room away, or when a value of its labels is not shown any more; what it counts from then on is
 * counted as `other`. (Were its total added there, `rate` would take it for traffic of that moment.)
 * Class: every request passes here (0.1 µs for five labels).
 */

import { linesPerSeries, OTHER } from "./definition.ts";
import { type Children, type CounterChild, EXEMPLARS_MAX } from "./children.ts";
import type { Busiest } from "./busiest.ts";
import type { Family } from "./registry.ts";

/** Of the bytes, what series with rare values may take, unless said. */
const RARE_SHARE = 0.6;
/** A line's value and its punctuation; an exemplar. */
const LINE_BYTES = 24;
const EXEMPLAR_BYTES = 104;
/** How much busier a series must be to take others' room. */
const LEAD = 2;
/** Series that wait for room and are counted. */
const WAITING_MAX = 128;
/** Once so many wait, one in eight of the others is considered: a look costs more than all else that is counted. */
const CONSIDER_EVERY = 8;
const HALVE_EVERY = 1 << 17;

type Value = string | number;

/** Under whatever name whoever counts calls each. */
type Families = Readonly<Record<string, Family>>;

/** The series of the same labels' values, one of each family, under its name. */
type SeriesOf<F> = { readonly [N in keyof F]: F[N] extends Family<infer T> ? Children[T] : never };

/** What is found of one combination of values. */
interface Entry<F> {
  readonly path: readonly Value[];
  readonly isRare: boolean;
  /** Its own; while it waits, those of `as`. */
  readonly series: SeriesOf<F>;
  /** As which it is counted while it waits for room; never one that waits, or that may end. */
  readonly as: Entry<F> | undefined;
  /** What its series take of a scrape; none while it waits. */
  readonly bytes: number;
  /** Of its series' labels. */
  readonly values: readonly string[];
  /** How often it was asked for, or less; halved now and then. */
  hits: number;
}

/** By a label's value: what is found of the next label; of the last one, the entry. */
interface Node<F> extends Map<Value, Node<F> | Entry<F>> {}

interface TableOptions<F> {
  /** All of the same labels. */
  readonly families: F;
  /** By label: who bounds its values, which are rare. Others are bounded where they come from. */
  readonly bounds: Readonly<Record<string, Busiest>>;
  /** Labels whose values are counted as rare too: words of this program, but many. */
  readonly rare?: readonly string[];
  /** Of the text that a scrape has of them, about. */
  readonly bytesMax: number;
  /** Of the bytes, what series with rare values may take. */
  readonly rareShare?: number;
  /** Whether buckets may have exemplars. */
  readonly hasExemplars?: boolean;
  /** By label: what counts its values that were counted as `other` for want of room. */
  readonly overflow: (label: string) => CounterChild;
}

export class SeriesTable<F extends Families> {
  readonly #families: readonly (readonly [name: string, family: Family])[];
  readonly #labels: readonly string[];
  /** By label: whether its values are rare. */
  readonly #isRare: readonly boolean[];
  /** By label: counts its values that are counted as `other`. */
  readonly #overflow: readonly CounterChild[];
  readonly #bytesMax: number;
  readonly #rareBytesMax: number;
  readonly #exemplarBytes: number;
  readonly #root: Node<F> = new Map();
  readonly #kept = new Set<Entry<F>>();
  readonly #waiting = new Set<Entry<F>>();
  #bytes = 0;
  #rareBytes = 0;
  /** Since a series had no room, until one ends. */
  #isFull = false;
  #isRareFull = false;
  /** What waits and was asked for less than twice as often takes nobody's room. */
  #leastHits = 0;
  #found = 0;
  #passedOver = 0;

  constructor(options: TableOptions<F>) {
    const { families, bounds, rare = [], bytesMax, rareShare = RARE_SHARE, hasExemplars = false } = options;
    this.#families = Object.entries(families);
    this.#labels = this.#families[0]?.[1].definition.labels ?? [];
    this.#isRare = this.#labels.map((label) => label in bounds || rare.includes(label));
    this.#overflow = this.#labels.map((label) => options.overflow(label));
    this.#bytesMax = bytesMax;
    this.#rareBytesMax = bytesMax * rareShare;
    this.#exemplarBytes = hasExemplars ? EXEMPLARS_MAX * EXEMPLAR_BYTES : 0;
    for (const [label, busiest] of Object.entries(bounds)) {
      const at = this.#labels.indexOf(label);
      busiest.onLeft((value) => this.#leave(at, value));
    }
  }

  /** About what the families' text takes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @param path the labels' values in their order; of bounded ones what `Busiest.note` gave. Hold on to none of what is found: it may end */
  find(path: readonly Value[]): SeriesOf<F> {
    const entry = this.#entryAt(path) ?? this.#admit(path);
    entry.hits++;
    if (++this.#found === HALVE_EVERY) this.#halve();
    return entry.as === undefined ? entry.series : this.#findWaiting(entry, entry.as);
  }

  #entryAt(path: readonly Value[]): Entry<F> | undefined {
    let node: Node<F> | Entry<F> | undefined = this.#root;
    for (let at = 0; at < path.length; at++) {
      node = (node as Node<F>).get(path[at] ?? "");
      if (node === undefined) return undefined;
    }
    return node as Entry<F>;
  }

  #admit(path: readonly Value[]): Entry<F> {
    const isRare = path.some((value, at) => this.#isRare[at] && value !== OTHER && value !== "");
    // The one of others alone always has room.
    if (path.every((value) => value === OTHER)) return this.#create(path, { isRare, hits: 0 });
    if (!(isRare ? this.#isRareFull : this.#isFull)) {
      if (this.#missing(this.#bytesOf(path), isRare) <= 0) return this.#create(path, { isRare, hits: 0 });
      this.#isRareFull = true;
      if (!isRare) this.#isFull = true;
    }
    return this.#wait(path, isRare);
  }

  /** Bytes of room, so that as many have some. */
  #missing(bytes: number, isRare: boolean): number {
    const missing = this.#bytes + bytes - this.#bytesMax;
    return isRare ? Math.max(missing, this.#rareBytes + bytes - this.#rareBytesMax) : missing;
  }

  #create(path: readonly Value[], { isRare, hits }: Pick<Entry<F>, "isRare" | "hits">): Entry<F> {
    const values = path.map(String);
    const series = Object.fromEntries(
      this.#families.map(([name, family]) => [name, family.withLabels(...values)]),
    ) as SeriesOf<F>;
    const entry = { path, isRare, series, as: undefined, bytes: this.#bytesOf(path), values, hits };
    this.#put(entry);
    this.#kept.add(entry);
    this.#bytes += entry.bytes;
    if (isRare) this.#rareBytes += entry.bytes;
    this.#leastHits = 0;
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
  }

  #wait(path: readonly Value[], isRare: boolean): Entry<F> {
    const coarser = path.map((value, at) => (isRare && !this.#isRare[at] ? value : OTHER));
    const known = this.#entryAt(coarser) ?? this.#admit(coarser);
    const as = known.as ?? known;
    const entry = { path, isRare, series: as.series, as, bytes: 0, values: [], hits: 0 };
    if (this.#waiting.size < WAITING_MAX) {
      this.#put(entry);
      this.#waiting.add(entry);
    } else if (++this.#passedOver % CONSIDER_EVERY === 0) {
      this.#discount((hits) => hits - 1);
    }
    return entry;
  }

  #findWaiting(entry: Entry<F>, as: Entry<F>): SeriesOf<F> {
    if (entry.isRare && entry.hits > LEAD * this.#leastHits && this.#waiting.has(entry)) {
      if (this.#makeRoom(this.#bytesOf(entry.path), entry.hits)) {
        this.#waiting.delete(entry);
        return this.#create(entry.path, entry).series;
      }
    }
    for (let at = 0; at < entry.path.length; at++) {
      if (entry.path[at] !== as.path[at]) this.#overflow[at]?.add(1);
    }
    as.hits++;
    return as.series;
  }

  /** @returns whether there are so idle ones that they have to make room; they are gone then */
  #makeRoom(bytes: number, hits: number): boolean {
    let missing = this.#missing(bytes, true);
    if (missing <= 0) return true;
    const idlest = [...this.#kept].filter(({ isRare }) => isRare).toSorted((one, two) => one.hits - two.hits);
    const leaving = [];
    for (const kept of idlest) {
      if (missing <= 0) break;
      this.#leastHits = kept.hits;
      if (hits <= LEAD * kept.hits) return false;
      leaving.push(kept);
      missing -= kept.bytes;
    }
    if (missing > 0) return false;
    for (const kept of leaving) this.#end(kept);
    return true;
  }

  #halve(): void {
    this.#found = 0;
    for (const kept of this.#kept) kept.hits = Math.floor(kept.hits / 2);
    this.#discount((hits) => Math.floor(hits / 2));
    this.#leastHits = 0;
  }

  #discount(less: (hits: number) => number): void {
    for (const entry of this.#waiting) {
      entry.hits = less(entry.hits);
      if (entry.hits <= 0) this.#forget(entry);
    }
  }

  #forget(waiting: Entry<F>): void {
    this.#waiting.delete(waiting);
    this.#cut(waiting.path);
  }

  /** A value is not shown any more. */
  #leave(at: number, value: string): void {
    for (const kept of this.#kept) if (kept.path[at] === value) this.#end(kept);
    for (const waiting of this.#waiting) if (waiting.path[at] === value) this.#forget(waiting);
  }

  #end(kept: Entry<F>): void {
    this.#kept.delete(kept);
    this.#bytes -= kept.bytes;
    if (kept.isRare) this.#rareBytes -= kept.bytes;
    this.#cut(kept.path);
    for (const [, family] of this.#families) family.remove(kept.values);
    this.#isRareFull = false;
    this.#leastHits = 0;
    if (!this.#isFull) return;
    this.#isFull = false;
    // They may be counted as less coarse ones now.
    for (const waiting of this.#waiting) this.#forget(waiting);
  }

  /** A map without anything in it goes too, or each value that ever was would leave one. */
  #cut(path: readonly Value[]): void {
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
