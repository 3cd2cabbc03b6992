/**
 * What is known of this server's usage: the counts of days and months, and the series since the last report. Parts of all processes go
 * in once a minute; a report can be read at any time.
 *
 * It is kept in a file between starts (state-file.ts). Not here: when reports are made, and where they go.
 */

import { type ActivePeers, PeerDays } from "./active-peers.ts";
import { type DailyCounts, DayCounts } from "./day-counts.ts";
import { type SavedUsage, SERIES, type SeriesName } from "./saved-usage.ts";
import { type SeriesSummary, Sketch } from "./sketch.ts";
import type { UsagePart } from "./usage-part.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const SECRET_BYTES = 32;
const ABOUT =
  "Counts for fedtrace's usage reports. Names of peers stand in it as keyed hashes alone. It may be deleted: the counts then begin anew.";

interface UsageIds {
  readonly installId: string;
  readonly instanceId: string;
}

export interface UsageFigures extends UsageIds {
  readonly daily: DailyCounts;
  readonly peers: ActivePeers;
  readonly series: Readonly<Record<SeriesName, SeriesSummary | undefined>>;
  /** Per cent of one core since the last report. */
  readonly cpuAverage: number;
  /** Of all processes, kB. */
  readonly memoryKb: number;
}

export interface UsageBook {
  /** What all processes counted in the time since the last call. */
  add(parts: readonly UsagePart[], now: { readonly unixMs: number; readonly elapsedMs: number }): void;
  figures(unixMs: number): UsageFigures;
  /** Times that a peer was not counted for lack of room, since this was last asked. */
  takeOverflow(): number;
  /** A report has been made of it: the series begin anew. */
  beginWindow(): void;
  save(times: { readonly startedUnixMs: number; readonly unixMs: number }): SavedUsage;
}

export interface BookTools {
  readonly isAnonymous: boolean;
  readonly unixMs: number;
  readonly createSecret: (count: number) => Uint8Array;
  /** The least time that is a value of a series; half a minute. */
  readonly sampleMs?: number;
}

/** @param saved of an earlier start; what is of no use in it is left out */
export function createUsageBook(saved: SavedUsage | undefined, tools: BookTools): UsageBook {
  const { isAnonymous, createSecret, sampleMs = MINUTE_MS / 2 } = tools;
  const kept = saved?.isAnonymous === isAnonymous ? saved : undefined;
  const ids: UsageIds = kept ?? { installId: randomUuid(createSecret), instanceId: randomUuid(createSecret) };
  const secret = saved === undefined ? createSecret(SECRET_BYTES) : Buffer.from(saved.secret, "base64");
  const peers = new PeerDays(secret);
  const days = new DayCounts();
  const series = bySeries(() => new Sketch());
  const window = { cpuMs: 0, elapsedMs: 0 };
  /** What is in no series yet: a rate of a moment, such as between a minute's end and a report, would be taken for one of a minute. */
  let minute = emptyMinute();
  let memoryKb = saved?.memoryKb ?? 0;

  if (saved !== undefined) {
    peers.load(Buffer.from(saved.peers, "base64"), hourOf(tools.unixMs));
    days.load(saved.hours);
    window.cpuMs = saved.window.cpuMs;
    window.elapsedMs = saved.window.elapsedMs;
    for (const name of SERIES) {
      const sketch = saved.window.series[name];
      if (sketch !== undefined) series[name].merge(sketch);
    }
  }

  function sample(): void {
    const { elapsedMs, cpuMs, requests, bytes, spans, waitedMs } = minute;
    minute = emptyMinute();
    const perMinute = (value: number): number => (value * MINUTE_MS) / elapsedMs;
    series.requests.add(perMinute(requests));
    series.bytes.add(perMinute(bytes));
    series.spans.add(perMinute(spans));
    series.memory.add(memoryKb);
    series.cpu.add((cpuMs / elapsedMs) * 100);
    series.runQueue.add(waitedMs / elapsedMs);
  }

  return {
    add(parts, { unixMs, elapsedMs }) {
      if (parts.length === 0) return; // Nobody counts any more: that is no minute without requests and memory.
      const hour = hourOf(unixMs);
      const sum = (of: (part: UsagePart) => number): number =>
        parts.reduce((total, part) => total + of(part), 0);
      for (const part of parts) {
        days.add(hour, part.counts);
        for (const name of part.peers) peers.met(name, hour);
        if (part.latency !== undefined) series.latency.merge(part.latency);
      }
      memoryKb = sum(({ process }) => process.memoryKb);
      const cpuMs = sum(({ process }) => process.cpuMs);
      window.cpuMs += cpuMs;
      window.elapsedMs += elapsedMs;
      minute.elapsedMs += elapsedMs;
      minute.cpuMs += cpuMs;
      minute.requests += sum(({ counts }) => counts.requestsIn + counts.requestsOut);
      minute.bytes += sum(({ bytes }) => bytes);
      minute.spans += sum(({ spans }) => spans);
      // Of several processes the one whose work waited longest.
      minute.waitedMs += elapsedMs * Math.max(0, ...parts.map(({ process }) => process.runQueueMs));
      if (minute.elapsedMs >= sampleMs) sample();
    },
    figures(unixMs) {
      const hour = hourOf(unixMs);
      return {
        installId: ids.installId,
        instanceId: ids.instanceId,
        daily: days.total(hour),
        peers: peers.count(hour),
        series: bySeries((name) => series[name].summary()),
        cpuAverage:
          window.elapsedMs >= 1
            ? Math.min(Number.MAX_SAFE_INTEGER, Math.floor((window.cpuMs / window.elapsedMs) * 100))
            : 0,
        memoryKb,
      };
    },
    takeOverflow() {
      const { overflow } = peers;
      peers.overflow = 0;
      return overflow;
    },
    beginWindow() {
      window.cpuMs = window.elapsedMs = 0;
      for (const name of SERIES) series[name].clear();
    },
    save({ startedUnixMs, unixMs }) {
      peers.forget(hourOf(unixMs));
      return {
        format: 1,
        about: ABOUT,
        installId: ids.installId,
        instanceId: ids.instanceId,
        isAnonymous,
        secret: Buffer.from(secret).toString("base64"),
        peers: Buffer.from(peers.save()).toString("base64"),
        hours: days.save(),
        window: { ...window, series: bySeries((name) => series[name].save()) },
        memoryKb,
        startedUnixMs,
        savedUnixMs: unixMs,
      };
    },
  };
}

function bySeries<T>(valueOf: (name: SeriesName) => T): Record<SeriesName, T> {
  return Object.fromEntries(SERIES.map((name) => [name, valueOf(name)])) as Record<SeriesName, T>;
}

function emptyMinute() {
  return { elapsedMs: 0, cpuMs: 0, requests: 0, bytes: 0, spans: 0, waitedMs: 0 };
}

function hourOf(unixMs: number): number {
  return Math.max(0, Math.floor(unixMs / HOUR_MS));
}

/** Version 4: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-4 */
function randomUuid(createSecret: (count: number) => Uint8Array): string {
  const bytes = Buffer.from(createSecret(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
