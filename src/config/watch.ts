/**
 * Tells when a file of the config has changed, however it was replaced.
 *
 * The directory is watched, not the file: editors and Kubernetes replace the file (a ConfigMap swaps a symbolic
 * link two levels up), and a watch on a file goes deaf when its inode goes. Whether the bytes differ is the
 * caller's to see, by the text of loadConfig; this only says "look".
 */

import { watch } from "node:fs";
import { dirname } from "node:path";

/** Editors write a file in several steps; one look a moment after the first of them sees the last. */
const QUIET_MS = 200;

/** @param onChange called a moment after a change, at most five times a second; @returns stop() */
export function watchFile(path: string, onChange: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(dirname(path), { persistent: false }, () => {
    // A running timer is not moved: a neighbour that is written all the time must not put the look off for good.
    timer ??= setTimeout(() => {
      timer = undefined;
      onChange();
    }, QUIET_MS);
  });
  // A directory that goes away ends the watch; SIGHUP still works.
  watcher.on("error", () => watcher.close());
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}

/** Of several files, which may be others later. */
export interface FilesWatch {
  /** Watches these from now on, and no others. @throws what the system says of a directory that can't be watched */
  follow(paths: readonly string[]): void;
  stop(): void;
}

/** @param onChange as watchFile's; it is called once for each directory in which something changed */
export function watchFiles(onChange: () => void): FilesWatch {
  /** By directory: two files of one need one watch. */
  const watches = new Map<string, () => void>();

  function follow(paths: readonly string[]): void {
    const wanted = new Map(paths.map((path) => [dirname(path), path]));
    for (const [directory, stop] of watches) {
      if (wanted.has(directory)) continue;
      stop();
      watches.delete(directory);
    }
    for (const [directory, path] of wanted) {
      if (!watches.has(directory)) watches.set(directory, watchFile(path, onChange));
    }
  }

  return { follow, stop: () => follow([]) };
}
