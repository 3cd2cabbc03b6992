/** What is kept of usage between two starts, as its file has it, and the check that a file is one. */

import * as v from "valibot";
import { isPeers } from "./active-peers.ts";
import { DAILY } from "./day-counts.ts";
import { BUCKETS_MAX } from "./sketch.ts";

/** What a report says of one series a minute. */
export const SERIES = ["runQueue", "memory", "cpu", "requests", "bytes", "spans", "latency"] as const;
export type SeriesName = (typeof SERIES)[number];

const BASE64_LENGTH_MAX = 1_000_000;
/** No server comes near to it in a day, and sums of them are still exact. */
const COUNT_MAX = 2 ** 40;
/** What a report may say, and so no infinity, which JSON can write (1e999). */
const NUMBER_MAX = 2 ** 53;
/** Of a Date. */
const UNIX_MS_MAX = 8.64e15;

/** Made when a file is read: most starts read none. */
function createSchema() {
  const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(COUNT_MAX));
  const positive = v.pipe(v.number(), v.minValue(0), v.maxValue(NUMBER_MAX));
  const unixMs = v.pipe(v.number(), v.minValue(0), v.maxValue(UNIX_MS_MAX));
  /** Counts of buckets, which come in pairs and rise. */
  const counts = v.pipe(
    v.array(whole),
    v.maxLength(2 * BUCKETS_MAX),
    v.check(
      (pairs) =>
        pairs.length % 2 === 0 && pairs.every((value, index) => index % 2 === 1 || value < BUCKETS_MAX),
    ),
    v.readonly(),
  );
  const sketch = v.optional(
    v.pipe(
      v.strictObject({ min: positive, max: positive, sum: positive, zeros: whole, counts }),
      v.check(({ min, max }) => min <= max),
    ),
  );
  const base64 = v.pipe(v.string(), v.maxLength(BASE64_LENGTH_MAX), v.regex(/^[A-Za-z0-9+/]*={0,2}$/));
  const id = v.pipe(v.string(), v.uuid());

  return v.strictObject({
    /** Of this form. Another one is another program's, and not read. */
    format: v.literal(1),
    /** For whoever opens the file. */
    about: v.string(),
    installId: id,
    instanceId: id,
    /** The ids were made for reports of this kind: they change with it, so that one can't be told by the other. */
    isAnonymous: v.boolean(),
    /** What names of peers are hashed with. */
    secret: v.pipe(base64, v.minLength(24)),
    peers: v.pipe(
      base64,
      v.check((text) => isPeers(Buffer.from(text, "base64"))),
    ),
    hours: v.pipe(
      v.array(
        v.strictObject({ hour: whole, counts: v.pipe(v.array(whole), v.length(DAILY.length), v.readonly()) }),
      ),
      v.maxLength(48),
      v.readonly(),
    ),
    /** Since the last report. */
    window: v.strictObject({
      cpuMs: positive,
      elapsedMs: positive,
      series: v.strictObject({
        runQueue: sketch,
        memory: sketch,
        cpu: sketch,
        requests: sketch,
        bytes: sketch,
        spans: sketch,
        latency: sketch,
      }),
    }),
    /** Of the process that wrote it. */
    memoryKb: whole,
    startedUnixMs: unixMs,
    savedUnixMs: unixMs,
  });
}

export type SavedUsage = v.InferOutput<ReturnType<typeof createSchema>>;

/** @returns undefined where it is none, or one of another form */
export function checkSavedUsage(value: unknown): SavedUsage | undefined {
  const result = v.safeParse(createSchema(), value);
  return result.success ? result.output : undefined;
}
