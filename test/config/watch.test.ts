/** watchFiles: which changes are told, and that those of a file which is not followed any more are not. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { watchFiles } from "../../src/config/watch.ts";
import { poll } from "../support/poll.ts";

function temporaryFile(): string {
  const directory = mkdtempSync(join(tmpdir(), "fedtrace-watch-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return join(directory, "file");
}

it("follows files of several directories, and others later", async () => {
  const [config, first, second] = [temporaryFile(), temporaryFile(), temporaryFile()];
  let looks = 0;
  const watch = watchFiles(() => void looks++);
  onTestFinished(() => watch.stop());
  const looksAfter = async (path: string, expected: number): Promise<void> => {
    writeFileSync(path, "changed");
    await poll(() => Promise.resolve(looks >= expected || undefined), 10_000);
    expect(looks).toBe(expected);
  };
  watch.follow([config, first]);
  await looksAfter(config, 1);
  await looksAfter(first, 2);
  watch.follow([config, second]);
  // Had it been seen, it would be told before what changes after it.
  writeFileSync(first, "changed again");
  await looksAfter(second, 3);
  await looksAfter(config, 4);
});
