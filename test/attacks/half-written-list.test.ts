/**
 * A whitelist that a program is writing while it is read: a stranger waits for the moment in which half a line is a wider
 * pattern than the whole. Every place is tried at which a list can be cut off.
 *
 * Source: CWE-367, and CWE-362 for files that are read while they are written; https://man7.org/linux/man-pages/man2/rename.2.html
 * for how a reader never sees that.
 * Without the rule: `.*` of `.*\.friends\.example` admits everybody, until the writer's next flush or for good.
 * That the running sidecar keeps the list before: test/cli/reload.test.ts.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { RELOAD_CHECKS } from "../../src/commands/config-checks.ts";
import { loadConfig } from "../../src/config/load.ts";
import { createWhitelist } from "../../src/peer/whitelist.ts";

const directory = mkdtempSync(join(tmpdir(), "fedtrace-half-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Of whom no whole list here speaks; each is admitted by half of some line. */
const STRANGERS = ["stranger.invalid", "hs1.evil.test", "matrix.org", "matrix", "a.friends.e", "10.0.0.1"];

/** Who is admitted by a list that a running sidecar finds; undefined: it is refused. */
async function admittedBy(name: string, list: Buffer): Promise<readonly string[] | undefined> {
  const path = join(directory, "fedtrace.yaml");
  writeFileSync(join(directory, name), list);
  writeFileSync(
    path,
    `server_name: a.test\ninbound: { listen: 127.0.0.1:0, upstream: http://127.0.0.1:1 }\nwhitelist_file: ${name}\n`,
  );
  const loaded = await loadConfig(path, { ...RELOAD_CHECKS, listInForce: "" }, {});
  if (!loaded.ok) return undefined;
  const whitelist = await createWhitelist(loaded.config.whitelist);
  return [...STRANGERS, "a.friends.example"].filter((peer) => whitelist.decide(peer).isWhitelisted);
}

describe("no stranger is admitted, wherever it is cut off, by", () => {
  it.each([
    { name: "peers.txt", list: "# all friends\nhs1\\..*\\.example\n.*\\.friends\\.example\n" },
    {
      name: "peers.txt",
      list: "glob: *.friends.example\r\nmatrix(\\.org|x)\\.example\r\n(.*|a)\\.friends\\.example\r\n",
    },
    {
      name: "peers.txt",
      list: "[a-z.]+\\.friends\\.example\n[0-9.]*\\.example # é\n.*\\.friends\\.example\n",
    },
    { name: "peers.yaml", list: "- hs1\\..*\\.example\n- .*\\.friends\\.example\n" },
    {
      name: "peers.yaml",
      list: "- { regex: '.*\\.example', authenticate: mtls }\n- glob: '*.friends.example'\n",
    },
    { name: "peers.yaml", list: "['.*\\.example', { glob: '*.friends.example' }]\n" },
  ])("$name $list", async ({ name, list }) => {
    const bytes = Buffer.from(list);
    for (let length = 0; length < bytes.length; length++) {
      const admitted = (await admittedBy(name, bytes.subarray(0, length))) ?? [];
      const strangers = admitted.filter((peer) => peer !== "a.friends.example");
      expect({ length, strangers }).toEqual({ length, strangers: [] });
    }
    expect(await admittedBy(name, bytes)).toEqual(["a.friends.example"]);
  });
});
