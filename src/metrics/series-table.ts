/**
 * Several families with the same labels, found together: what one request counts in them is one walk, and what they may take of a
 * scrape is one bound.
 *
 * ```
 *   GET ─ /_matrix/…/version ─ other ─ 200 ─ 192.0.2.7 ──► { count, latency, bytes }
 * ```
 * Values of bounded labels are those that busiest.ts shows. When one of them leaves, its series end; what it counts from then on is
 * counted as `other`. (Were its total added there, `rate` would take it for traffic of that moment.) When the families' text would grow beyond its bound, new series are counted as `other` in every
 * bounded label; when there is no room for those either, as `other` in all. Rare values never make the room of common ones: the
 * last part of it is kept for series without them.
 * Class: every request passes here (0.1 µs for five labels).
 */

import { linesPerSeries, OTHER } from "./definition.ts";
import type { Busiest } from "./busiest.ts";
import { type Children, type CounterChild, EXEMPLARS_MAX } from "./children.ts";
import type { Family } from "./registry.ts";
import { seriesKey } from "./snapshot.ts";

/** Of the bytes, what series with rare values may take, unless said. */
const DETAIL_SHARE = 0.6;
/** A line's value and its punctuation; an exemplar. */
const LINE_BYTES = 24;
const EXEMPLAR_BYTES = 104;

type Value = string | number;

interface Node<S> extends Map<Value, Node<S> | S> {}

/** Under whatever name whoever counts calls each. */
type Families = Readonly<Record<string, Family>>;

/** The series of the same labels' values, one of each family, under its name. */
type SeriesOf<F> = { readonly [N in keyof F]: F[N] extends Family<infer T> ? Children[T] : never };

interface Kept {
  readonly values: readonly string[];
  readonly path: readonly Value[];
  readonly bytes: number;
}

interface TableOptions<F> {
  /** All of the same labels. */
  readonly families: F;
  /** By label: who bounds its values. Others are bounded where they come from. */
  readonly bounds: Readonly<Record<string, Busiest>>;
  /** Of the text that a scrape has of them, about. */
  readonly bytesMax: number;
  /** Labels that are counted as `other` first as well, where there is no room: words of this program, but many. */
  readonly foldedFirst?: readonly string[];
  /** Of the bytes, what series may take that have values in bounded labels. */
  readonly detailShare?: number;
  /** Whether buckets may have exemplars. */
  readonly hasExemplars?: boolean;
  /** By label: what counts its values that were counted as `other` for want of room. */
  readonly overflow: (label: string) => CounterChild;
}

export class SeriesTable<F extends Families> {
  readonly #options: TableOptions<F>;
  readonly #families: readonly (readonly [name: string, family: Family])[];
  readonly #labels: readonly string[];
  /** Where the bounded ones stand. */
  readonly #boundedAt: readonly number[];
  /** By label: counts its values that are counted as `other`. */
  readonly #overflow: readonly CounterChild[];
  readonly #root: Node<SeriesOf<F>> = new Map();
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;
  /** Since a series had no room, until one leaves. */
  #isFull = false;
  #isDetailFull = false;

  constructor(options: TableOptions<F>) {
    const { families, bounds, foldedFirst = [] } = options;
    this.#options = options;
    this.#families = Object.entries(families);
    this.#labels = this.#families[0]?.[1].definition.labels ?? [];
    this.#boundedAt = [...Object.keys(bounds), ...foldedFirst].map((label) => this.#labels.indexOf(label));
    this.#overflow = this.#labels.map((label) => options.overflow(label));
    for (const [label, busiest] of Object.entries(bounds)) {
      const at = this.#labels.indexOf(label);
      busiest.onLeft((value) => this.#leave(at, value));
    }
  }

  /** About what the families' text takes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @param values in the order of the labels; of bounded ones what `Busiest.note` gave. Hold on to none of it: it may be folded */
  find(values: readonly Value[]): SeriesOf<F> {
    return this.#valueAt(values) ?? this.#admit(values);
  }

  #valueAt(values: readonly Value[]): SeriesOf<F> | undefined {
    let node: Node<SeriesOf<F>> | SeriesOf<F> | undefined = this.#root;
    for (let at = 0; at < values.length; at++) {
      node = (node as Node<SeriesOf<F>>).get(values[at] ?? "");
      if (node === undefined) return undefined;
    }
    return node as SeriesOf<F>;
  }

  /** Where there is room no more this is the way of most requests, so it is known without a look at the labels' texts. */
  #admit(path: readonly Value[]): SeriesOf<F> {
    const isPlain = this.#boundedAt.every((at) => path[at] === OTHER || path[at] === "");
    const { bytesMax: whole, detailShare = DETAIL_SHARE } = this.#options;
    const bytesMax = whole * (isPlain ? 1 : detailShare);
    if (!(isPlain ? this.#isFull : this.#isDetailFull)) {
      const bytes = this.#bytesOf(path);
      if (this.#bytes + bytes <= bytesMax) return this.#create(path, bytes);
      if (isPlain) this.#isFull = true;
      this.#isDetailFull = true;
    }
    const coarser = path.slice();
    for (const at of isPlain ? coarser.keys() : this.#boundedAt) {
      if (coarser[at] !== OTHER) this.#overflow[at]?.add(1);
      coarser[at] = OTHER;
    }
    if (!isPlain) return this.find(coarser);
    // The one of others alone always has room.
    return this.#valueAt(coarser) ?? this.#create(coarser, this.#bytesOf(coarser));
  }

  #create(path: readonly Value[], bytes: number): SeriesOf<F> {
    const values = path.map(String);
    const series = Object.fromEntries(
      this.#families.map(([name, family]) => [name, family.withLabels(...values)]),
    ) as SeriesOf<F>;
    let node = this.#root;
    for (const value of path.slice(0, -1)) {
      const next = (node.get(value) as Node<SeriesOf<F>> | undefined) ?? (new Map() as Node<SeriesOf<F>>);
      node.set(value, next);
      node = next;
    }
    node.set(path.at(-1) ?? "", series);
    this.#kept.set(seriesKey(values), { values, path, bytes });
    this.#bytes += bytes;
    return series;
  }

  /** A value is not shown any more: its series end. */
  #leave(at: number, value: string): void {
    const leaving = [...this.#kept].filter(([, { path }]) => path[at] === value);
    for (const [key, { values, path, bytes }] of leaving) {
      this.#kept.delete(key);
      this.#bytes -= bytes;
      this.#isFull = false;
      this.#isDetailFull = false;
      this.#cut(path);
      for (const [, family] of this.#families) family.remove(values);
    }
  }

  #cut(path: readonly Value[]): void {
    const nodes: Node<SeriesOf<F>>[] = [this.#root];
    for (const value of path.slice(0, -1)) nodes.push(nodes.at(-1)?.get(value) as Node<SeriesOf<F>>);
    for (let at = path.length - 1; at >= 0; at--) {
      const node = nodes[at];
      node?.delete(path[at] ?? "");
      if (node !== undefined && node.size > 0) return;
    }
  }

  #bytesOf(path: readonly Value[]): number {
    const { hasExemplars = false } = this.#options;
    const labels = path.reduce<number>(
      (sum, value, at) => sum + String(value).length + (this.#labels[at] ?? "").length + 4,
      0,
    );
    return this.#families.reduce((sum, [, { definition }]) => {
      const exemplars = hasExemplars && definition.type === "histogram" ? EXEMPLARS_MAX * EXEMPLAR_BYTES : 0;
      return sum + linesPerSeries(definition) * (definition.name.length + labels + LINE_BYTES) + exemplars;
    }, 0);
  }
}
