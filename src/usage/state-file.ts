/**
 * The file that usage is kept in between two starts.
 *
 * It is replaced whole: written beside, synced, renamed; so after a crash, or a loss of power, it is the old one or the new one. What
 * can't be read is said once and counted anew: no start fails for it. A file that is not of this program is never replaced.
 */

import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import type { Log } from "../core/log.ts";
import { checkSavedUsage, type SavedUsage } from "./saved-usage.ts";

export interface StateFile {
  /** Never throws. @returns undefined where there is none that can be used */
  read(): SavedUsage | undefined;
  /** Never rejects. One at a time: whoever calls it meanwhile waits for the one that is under way, and then writes. */
  write(saved: SavedUsage): Promise<void>;
}

/** Twice what 30,000 peers and seven full series take. */
const FILE_BYTES_MAX = 4 * 1024 * 1024;
/** Nobody else needs it: it says how busy this server is. */
const MODE = 0o600;

export function createStateFile(path: string, { log }: { readonly log: Log }): StateFile {
  let last: Promise<void> = Promise.resolve();
  let lastFault: string | undefined;

  async function replace(saved: SavedUsage): Promise<void> {
    if (isForeign(path)) throw new Error("what is there was not written by this program");
    const draft = `${path}.tmp`; // Always the same: what a process that was killed leaves is written over.
    try {
      const file = await open(draft, "w", MODE);
      try {
        await file.writeFile(JSON.stringify(saved));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, path);
    } catch (error) {
      await rm(draft, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  async function write(saved: SavedUsage): Promise<void> {
    try {
      await replace(saved);
      lastFault = undefined;
    } catch (error) {
      const reason = codeOf(error);
      if (reason !== lastFault) log.warn("usage can't be kept for the next start", { file: path, reason });
      lastFault = reason;
    }
  }

  return {
    read() {
      const saved = readSaved(path);
      if (typeof saved !== "string") return saved;
      log.warn("usage of earlier starts can't be read; counts begin anew", { file: path, reason: saved });
      return undefined;
    },
    write: (saved) => (last = last.then(() => write(saved))),
  };
}

/** @returns undefined where there is no file; a word where it is none of these */
export function readSaved(path: string): SavedUsage | string | undefined {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return "not a file";
    if (stat.size > FILE_BYTES_MAX) return `more than ${FILE_BYTES_MAX} bytes`;
    return checkSavedUsage(JSON.parse(readFileSync(path, "utf8"))) ?? "not what this program writes";
  } catch (error) {
    if (error instanceof SyntaxError) return "not JSON";
    const code = codeOf(error);
    return code === "ENOENT" ? undefined : code;
  }
}

/** How each begins, whatever became of the rest: a damaged one may be replaced, a config or a key that was named by mistake may not. */
const BEGINNING = '{"format":';

function isForeign(path: string): boolean {
  try {
    const stat = statSync(path);
    // A pipe would be waited for, and a device or a huge file read for ever, by all of the process.
    if (!stat.isFile()) return true;
    if (stat.size > FILE_BYTES_MAX) return !readBeginning(path).startsWith(BEGINNING);
    const text = readFileSync(path, "latin1");
    // Empty is what a full disk leaves; NULs are what a loss of power leaves.
    return !text.startsWith(BEGINNING) && text.replaceAll("\0", "") !== "";
  } catch (error) {
    return codeOf(error) !== "ENOENT";
  }
}

function readBeginning(path: string): string {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(BEGINNING.length);
    return bytes.toString("latin1", 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error ? String(error.code) : error.message;
}
