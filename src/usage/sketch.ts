/**
 * What a series of numbers was like, in bounded memory: least, most, mean, median and mode.
 *
 * A histogram with buckets that grow by a constant factor, after DDSketch (Masson, Rim, Lee: "DDSketch: A Fast and Fully-Mergeable
 * Quantile Sketch with Relative-Error Guarantees", VLDB 2019, https://www.vldb.org/pvldb/vol12/p2195-masson.pdf). Least, most and mean
 * are exact. The median is off by at most 1 % of its value. So is the mode: it is the middle of the bucket that most values fell
 * into, the lower one of two. Sketches of one series can be added. Not here: other quantiles; a report has none.
 */

/** Of a value that is read back from a bucket. */
export const RELATIVE_ERROR = 0.01;

/** What a report says of a series. */
export interface SeriesSummary {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly median: number;
  readonly mode: number;
}

/** As it is sent between processes and kept in a file: JSON of some 10 bytes a bucket in use. */
export interface SavedSketch {
  readonly min: number;
  readonly max: number;
  readonly sum: number;
  readonly zeros: number;
  /** Bucket, count, bucket, count, …; buckets rise. */
  readonly counts: readonly number[];
}

const GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const LOG_GROWTH = Math.log(GROWTH);
/** What is less counts as zero: a microsecond where milliseconds are counted. */
const LEAST = 0.001;
/** What is more counts into the last bucket; a petabyte. */
const MOST = 1e15;
const FIRST_INDEX = Math.ceil(Math.log(LEAST) / LOG_GROWTH);
/** 2,073 buckets, of 8 bytes each: 17 kB, whatever comes. */
const BUCKETS = Math.ceil(Math.log(MOST) / LOG_GROWTH) - FIRST_INDEX + 1;

export class Sketch {
  readonly #counts = new Float64Array(BUCKETS);
  #zeros = 0;
  #values = 0;
  #min = Infinity;
  #max = -Infinity;
  #sum = 0;

  /** Values so far. */
  get count(): number {
    return this.#values;
  }

  /** @param value not negative, else it counts as zero; what is no finite number is not counted */
  add(value: number): void {
    if (!Number.isFinite(value)) return;
    const counted = value < 0 ? 0 : value;
    this.#values++;
    this.#sum += counted;
    if (counted < this.#min) this.#min = counted;
    if (counted > this.#max) this.#max = counted;
    if (counted < LEAST) this.#zeros++;
    else {
      const bucket = bucketOf(counted);
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    }
  }

  /** Adds what another one has seen. */
  merge({ min, max, sum, zeros, counts }: SavedSketch): void {
    let values = zeros;
    for (let at = 0; at + 1 < counts.length; at += 2) {
      const bucket = counts[at] ?? 0;
      const count = counts[at + 1] ?? 0;
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
      values += count;
    }
    if (values === 0) return;
    this.#zeros += zeros;
    this.#values += values;
    this.#sum += sum;
    this.#min = Math.min(this.#min, min);
    this.#max = Math.max(this.#max, max);
  }

  /** @returns undefined where nothing was seen */
  save(): SavedSketch | undefined {
    if (this.#values === 0) return undefined;
    const counts: number[] = [];
    for (const [bucket, count] of this.#counts.entries()) if (count > 0) counts.push(bucket, count);
    return { min: this.#min, max: this.#max, sum: this.#sum, zeros: this.#zeros, counts };
  }

  clear(): void {
    this.#counts.fill(0);
    this.#zeros = this.#values = this.#sum = 0;
    this.#min = Infinity;
    this.#max = -Infinity;
  }

  /** @returns undefined where nothing was seen */
  summary(): SeriesSummary | undefined {
    if (this.#values === 0) return undefined;
    // The lower of two middle values, as the paper has it.
    const rank = Math.floor((this.#values - 1) / 2);
    let seen = this.#zeros;
    let median = seen > rank ? 0 : undefined;
    let mode = 0;
    let most = this.#zeros;
    for (const [bucket, count] of this.#counts.entries()) {
      if (count === 0) continue;
      seen += count;
      if (median === undefined && seen > rank) median = valueOf(bucket);
      if (count > most) {
        most = count;
        mode = valueOf(bucket);
      }
    }
    const within = (value: number): number => Math.min(this.#max, Math.max(this.#min, value));
    return {
      min: this.#min,
      max: this.#max,
      mean: this.#sum / this.#values,
      median: within(median ?? 0),
      mode: within(mode),
    };
  }
}

/** How many buckets there are; what is read from a file has none above. */
export const BUCKETS_MAX = BUCKETS;

function bucketOf(value: number): number {
  return Math.min(BUCKETS - 1, Math.max(0, Math.ceil(Math.log(value) / LOG_GROWTH) - FIRST_INDEX));
}

/** Within the error of every value of the bucket. */
function valueOf(bucket: number): number {
  return (2 * GROWTH ** (bucket + FIRST_INDEX)) / (GROWTH + 1);
}
