/**
 * The last good answer, kept in a file: a sidecar that starts while Jaeger is down samples as before.
 *
 * The file is replaced whole, by rename: several workers may share it, and whoever reads it sees one of their answers. It isn't
 * synced to the disk: after a loss of power it may be empty, which costs one line in the log. What can't be read or written is never
 * more than that. Not here: what the text means; it is checked and bounded again as a fresh one is.
 */

import { readFileSync, statSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import type { StrategyTools } from "./strategy-source.ts";

/** Whose answer it is: another's is not taken. */
export interface CacheOwner {
  readonly service: string;
  readonly url: string;
}

interface CachedText {
  readonly text: string;
  /** Since it was written, which is when it changed; 0 where the clock was set back since. */
  readonly ageMs: number;
}

export interface StrategyCache {
  /** Never throws. @returns undefined where there is none of this owner's */
  read(): CachedText | undefined;
  /** Never throws, and doesn't wait; of several texts in a row the last one is sure to be written. */
  write(text: string): void;
}

interface Saved extends CacheOwner {
  readonly savedUnixMs: number;
  readonly text: string;
}

/** A text of 1 MiB, where JSON escapes much of it. */
const FILE_BYTES_MAX = 8 * 1024 * 1024;
/** Who may read it: an address may have a password in it. */
const MODE = 0o600;

/** @param path its directory must be there */
export function createStrategyCache(
  path: string,
  { service, url }: CacheOwner,
  { clock, random, log }: Pick<StrategyTools, "clock" | "random" | "log">,
): StrategyCache {
  let next: string | undefined;
  let isWriting = false;
  let lastFault: string | undefined;

  async function replace(text: string): Promise<void> {
    const saved: Saved = { service, url, savedUnixMs: Math.round(clock.unixMs()), text };
    if (isForeign(path)) throw new Error("what is there is no cache of this program");
    const draft = `${path}.${process.pid}-${random.spanId()}.tmp`;
    try {
      await writeFile(draft, JSON.stringify(saved), { mode: MODE, flag: "wx" });
      await rename(draft, path);
    } catch (error) {
      await rm(draft, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  async function writeAll(): Promise<void> {
    isWriting = true;
    for (let text = next; text !== undefined; text = next) {
      next = undefined;
      try {
        await replace(text);
        lastFault = undefined;
      } catch (error) {
        const fault = codeOf(error);
        if (fault !== lastFault) log.warn("sampling strategy not cached", { file: path, reason: fault });
        lastFault = fault;
      }
    }
    isWriting = false;
  }

  return {
    read() {
      const saved = readSaved(path);
      if (saved === undefined) return undefined;
      if (typeof saved === "string") {
        log.warn("cached sampling strategy can't be read", { file: path, reason: saved });
        return undefined;
      }
      if (saved.service !== service || saved.url !== url) {
        log.info("cached sampling strategy is another service's or address's", { file: path });
        return undefined;
      }
      return { text: saved.text, ageMs: Math.max(0, clock.unixMs() - saved.savedUnixMs) };
    },
    write(text) {
      next = text;
      if (!isWriting) void writeAll();
    },
  };
}

/** @returns undefined where there is no file; a word where it is no cache */
function readSaved(path: string): Saved | string | undefined {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return "not a file";
    if (stat.size > FILE_BYTES_MAX) return `more than ${FILE_BYTES_MAX} bytes`;
    const saved: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isSaved(saved) ? saved : "not what this program writes";
  } catch (error) {
    if (error instanceof SyntaxError) return "not JSON";
    const code = codeOf(error);
    return code === "ENOENT" ? undefined : code;
  }
}

/** Whatever else somebody named by mistake: a config, a key, a device. An empty file is what a full disk leaves of a cache. */
function isForeign(path: string): boolean {
  if (typeof readSaved(path) !== "string") return false;
  const stat = statSync(path);
  return !stat.isFile() || stat.size > 0;
}

function isSaved(value: unknown): value is Saved {
  if (typeof value !== "object" || value === null) return false;
  const { service, url, savedUnixMs, text } = value as Partial<Record<keyof Saved, unknown>>;
  const areTexts = [service, url, text].every((each) => typeof each === "string");
  return areTexts && Number.isFinite(savedUnixMs);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
