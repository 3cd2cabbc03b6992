/** Reloading: by SIGHUP or by a change of the file, all of it or nothing. */

import { mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryDirectory } from "../support/cli.ts";
import {
  ADMIN,
  type ConfigDocument,
  configText,
  inboundTo,
  type LogLine,
  type SpawnedSidecar,
  startSidecar,
} from "../support/sidecar.ts";
import { exchangeRaw, recordingUpstream } from "../support/wire.ts";

const TRACE_ID = "11111111111111111111111111111111";

function documentOf(whitelist: readonly string[], more: ConfigDocument = {}): ConfigDocument {
  return { inbound: inboundTo(1), admin: ADMIN, whitelist, ...more };
}

async function isWhitelisted({ port }: SpawnedSidecar, host: string): Promise<unknown> {
  const query = `direction=in&host=${host}`;
  const response = await fetch(`http://127.0.0.1:${port.admin}/api/fedtrace/decide?${query}`);
  return ((await response.json()) as { whitelisted: unknown }).whitelisted;
}

const count = (log: readonly LogLine[], message: string): number =>
  log.filter(({ msg }) => msg === message).length;

describe("takes over a changed whitelist when the file", () => {
  it("is written in place, is replaced by another, is removed and then made again", async () => {
    const ways: readonly (readonly [who: string, change: (path: string, text: string) => void])[] = [
      ["echo", (path, text) => writeFileSync(path, text)],
      [
        "most-editors",
        (path, text) => {
          writeFileSync(`${path}.new`, text);
          renameSync(`${path}.new`, path);
        },
      ],
      [
        "some-editors",
        (path, text) => {
          unlinkSync(path);
          writeFileSync(path, text);
        },
      ],
    ];
    let before = "old";
    const sidecar = await startSidecar(documentOf([`${before}\\.test`]));
    for (const [index, [who, change]] of ways.entries()) {
      expect(await isWhitelisted(sidecar, `${who}.test`)).toBe(false);
      change(sidecar.configPath, configText(documentOf([`${who}\\.test`])));
      await sidecar.untilLog((log) => count(log, "reloaded") === index + 1);
      expect(await isWhitelisted(sidecar, `${who}.test`)).toBe(true);
      expect(await isWhitelisted(sidecar, `${before}.test`)).toBe(false);
      before = who;
    }
  });

  it("is a link into a directory that is swapped, as Kubernetes does with a ConfigMap", async () => {
    const directory = temporaryDirectory();
    const addVersion = (version: string, whitelist: readonly string[]): void => {
      mkdirSync(join(directory, version));
      writeFileSync(join(directory, version, "fedtrace.yaml"), configText(documentOf(whitelist)));
    };
    addVersion("..v1", ["old\\.test"]);
    symlinkSync("..v1", join(directory, "..data"));
    symlinkSync("..data/fedtrace.yaml", join(directory, "fedtrace.yaml"));
    const sidecar = await startSidecar({}, { configPath: join(directory, "fedtrace.yaml") });

    addVersion("..v2", ["new\\.test"]);
    symlinkSync("..v2", join(directory, "..data_tmp"));
    renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
    await sidecar.untilLog((log) => count(log, "reloaded") === 1);
    expect(await isWhitelisted(sidecar, "new.test")).toBe(true);
  });
});

describe("whitelist_file", () => {
  const listed = (path: string, more: ConfigDocument = {}): ConfigDocument =>
    documentOf(["always\\.test"], { whitelist_file: path, ...more });

  it("is taken over when it changes, in whatever directory it is; a bad one changes nothing", async () => {
    const path = join(temporaryDirectory(), "peers.txt");
    writeFileSync(path, "old\\.test\n");
    const sidecar = await startSidecar(listed(path));
    expect(await isWhitelisted(sidecar, "old.test")).toBe(true);

    writeFileSync(path, "# one more\nnew\\.test\n(unclosed\n");
    const log = await sidecar.untilLog((lines) => count(lines, "reload refused") === 1);
    expect(log.find(({ msg }) => msg === "reload refused")).toMatchObject({
      fault: expect.stringMatching(/peers\.txt:3:1: whitelist_file: \S/) as string,
    });
    expect(await isWhitelisted(sidecar, "old.test")).toBe(true);

    writeFileSync(path, "new\\.test\n");
    await sidecar.untilLog((lines) => count(lines, "reloaded") === 1);
    expect(await isWhitelisted(sidecar, "new.test")).toBe(true);
    expect(await isWhitelisted(sidecar, "old.test")).toBe(false);
    expect(await isWhitelisted(sidecar, "always.test")).toBe(true);
  });

  it.each([
    {
      file: "peers.txt",
      old: "old\\.test\n",
      cut: "old\\.test\n.*",
      place: "2:3",
      whole: "old\\.test\n.*\\.friends\\.test\n",
    },
    {
      file: "peers.yaml",
      old: "- old\\.test\n",
      cut: "- .*",
      place: "1:5",
      whole: "- .*\\.friends\\.test\n",
    },
  ])("that is half-written admits nobody, $file, and is taken once it is whole", async (row) => {
    const path = join(temporaryDirectory(), row.file);
    writeFileSync(path, row.old);
    const sidecar = await startSidecar(listed(path));
    writeFileSync(path, row.cut);
    const log = await sidecar.untilLog((lines) => count(lines, "reload refused") > 0);
    expect(log.find(({ msg }) => msg === "reload refused")).toMatchObject({
      level: "error",
      fault: `${path}:${row.place}: whitelist_file: is cut off: the last line has no line end; the list before stays; write to another file and rename it`,
    });
    expect(await isWhitelisted(sidecar, "stranger.test")).toBe(false);
    expect(await isWhitelisted(sidecar, "old.test")).toBe(true);

    writeFileSync(`${path}.new`, row.whole);
    renameSync(`${path}.new`, path);
    await sidecar.untilLog((lines) => count(lines, "reloaded") === 1);
    expect(await isWhitelisted(sidecar, "a.friends.test")).toBe(true);
    expect(await isWhitelisted(sidecar, "stranger.test")).toBe(false);
  });

  it("may end without a line end at a start, and does not stand in the way of another change", async () => {
    const path = join(temporaryDirectory(), "peers.txt");
    writeFileSync(path, "old\\.test");
    const sidecar = await startSidecar(listed(path));
    const warned = (lines: readonly LogLine[]): number =>
      lines.filter(({ warning }) => String(warning).includes("has no line end after its last line")).length;
    await sidecar.untilLog((lines) => warned(lines) === 1);
    expect(await isWhitelisted(sidecar, "old.test")).toBe(true);
    writeFileSync(sidecar.configPath, configText(listed(path, { whitelist: ["more\\.test"] })));
    await sidecar.untilLog((lines) => count(lines, "reloaded") === 1 && warned(lines) === 2);
    expect(await isWhitelisted(sidecar, "more.test")).toBe(true);
    expect(await isWhitelisted(sidecar, "old.test")).toBe(true);
  });

  it("may be another file from now on, which is watched in its turn", async () => {
    const [first, second] = [join(temporaryDirectory(), "a.txt"), join(temporaryDirectory(), "b.txt")];
    writeFileSync(first, "first\\.test\n");
    writeFileSync(second, "second\\.test\n");
    const sidecar = await startSidecar(listed(first));
    writeFileSync(sidecar.configPath, configText(listed(second)));
    await sidecar.untilLog((lines) => count(lines, "reloaded") === 1);
    expect(await isWhitelisted(sidecar, "second.test")).toBe(true);
    writeFileSync(second, "third\\.test\n");
    await sidecar.untilLog((lines) => count(lines, "reloaded") === 2);
    expect(await isWhitelisted(sidecar, "third.test")).toBe(true);
  });

  it("is a link into a directory that is swapped, as Kubernetes does with a ConfigMap", async () => {
    const directory = temporaryDirectory();
    const addVersion = (version: string, text: string): void => {
      mkdirSync(join(directory, version));
      writeFileSync(join(directory, version, "peers.txt"), text);
    };
    addVersion("..v1", "old\\.test\n");
    symlinkSync("..v1", join(directory, "..data"));
    symlinkSync("..data/peers.txt", join(directory, "peers.txt"));
    const sidecar = await startSidecar(listed(join(directory, "peers.txt")));
    addVersion("..v2", "new\\.test\n");
    symlinkSync("..v2", join(directory, "..data_tmp"));
    renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
    await sidecar.untilLog((lines) => count(lines, "reloaded") === 1);
    expect(await isWhitelisted(sidecar, "new.test")).toBe(true);
  });

  it("is read again on SIGHUP, where no change can be seen; by several workers too", async () => {
    const elsewhere = join(temporaryDirectory(), "real.txt");
    const link = join(temporaryDirectory(), "peers.txt");
    writeFileSync(elsewhere, "old\\.test\n");
    symlinkSync(elsewhere, link);
    const sidecar = await startSidecar(listed(link, { workers: 2 }));
    expect(await isWhitelisted(sidecar, "old.test")).toBe(true);
    writeFileSync(elsewhere, "new\\.test\n");
    sidecar.signal("SIGHUP");
    await sidecar.untilLog((lines) => count(lines, "reloaded") === 1);
    expect(await isWhitelisted(sidecar, "new.test")).toBe(true);
  });
});

describe("an entry that admits every server is warned of", () => {
  const warnings = (lines: readonly LogLine[]): readonly string[] =>
    lines.map(({ warning }) => String(warning)).filter((text) => text.includes("admits every server"));

  it("at a start, in the config itself", async () => {
    const sidecar = await startSidecar(documentOf(["old\\.test", ".*"]));
    const log = await sidecar.untilLog((lines) => warnings(lines).length === 1);
    expect(warnings(log)).toEqual([
      expect.stringMatching(/yaml:\d+:\d+: whitelist\[1\]: admits every server, stranger\.invalid too$/),
    ]);
  });

  it("at a reload, in the list too", async () => {
    const path = join(temporaryDirectory(), "peers.txt");
    writeFileSync(path, "old\\.test\n");
    const sidecar = await startSidecar(documentOf([], { whitelist_file: path }));
    expect(warnings(sidecar.log())).toEqual([]);
    writeFileSync(path, "old\\.test\nglob: *\n");
    const log = await sidecar.untilLog((lines) => count(lines, "reloaded") === 1);
    expect(warnings(log)).toEqual([`${path}:2:7: whitelist_file: admits every server, stranger.invalid too`]);
  });
});

it("reloads on SIGHUP, where no change of the file can be seen", async () => {
  // A link to a file in another directory: only the link's directory is watched.
  const elsewhere = join(temporaryDirectory(), "real.yaml");
  const link = join(temporaryDirectory(), "fedtrace.yaml");
  writeFileSync(elsewhere, configText(documentOf(["old\\.test"])));
  symlinkSync(elsewhere, link);
  const sidecar = await startSidecar({}, { configPath: link });
  writeFileSync(elsewhere, configText(documentOf(["new\\.test"])));
  sidecar.signal("SIGHUP");
  await sidecar.untilLog((log) => count(log, "reloaded") === 1);
  expect(await isWhitelisted(sidecar, "new.test")).toBe(true);
});

it("goes by the new whitelist on a connection that was open before", async () => {
  const upstream = await recordingUpstream();
  onTestFinished(() => upstream.stop());
  const more = { inbound: inboundTo(upstream.port) };
  const sidecar = await startSidecar(documentOf([], more));
  const request =
    "GET / HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n" +
    `Authorization: X-Matrix origin="new.test",key="ed25519:1",sig="c2ln"\r\n` +
    `traceparent: 00-${TRACE_ID}-2222222222222222-01\r\n\r\n`;
  await exchangeRaw(sidecar.port.inbound, request);
  expect(upstream.received()).not.toContain(TRACE_ID);
  writeFileSync(sidecar.configPath, configText(documentOf(["new\\.test"], more)));
  await sidecar.untilLog((log) => count(log, "reloaded") === 1);
  await exchangeRaw(sidecar.port.inbound, request);
  expect(upstream.received()).toContain(`traceparent: 00-${TRACE_ID}-`);
});

describe("changes nothing", () => {
  it("by a bad file, of which it logs all faults, nor by one that is gone; and takes the next good one", async () => {
    const sidecar = await startSidecar(documentOf(["old\\.test"]));
    const bad = documentOf(["new\\.test"], { limits: { idle: "soon" }, colour: "red" });
    writeFileSync(sidecar.configPath, configText(bad));
    const log = await sidecar.untilLog((lines) => count(lines, "reload refused") === 2);
    const faults = log.filter(({ msg }) => msg === "reload refused").map(({ fault }) => String(fault));
    expect(faults[0]).toMatch(/^\S+fedtrace\.yaml:\d+:\d+: limits\.idle: \S/);
    expect(faults[1]).toMatch(/^\S+fedtrace\.yaml:\d+:\d+: colour: \S/);
    expect(await isWhitelisted(sidecar, "old.test")).toBe(true);
    expect(await isWhitelisted(sidecar, "new.test")).toBe(false);

    unlinkSync(sidecar.configPath);
    await sidecar.untilLog((lines) => count(lines, "reload refused") === 3);
    expect(await isWhitelisted(sidecar, "old.test")).toBe(true);
    writeFileSync(sidecar.configPath, configText(documentOf(["new\\.test"])));
    await sidecar.untilLog((lines) => count(lines, "reloaded") === 1);
    expect(await isWhitelisted(sidecar, "new.test")).toBe(true);
  });

  // One sidecar for all: it stays what it was.
  it("by a file that changes what needs a restart, and says which key", async () => {
    const changes: readonly (readonly [key: string, change: ConfigDocument])[] = [
      ["server_name", { server_name: "other.test" }],
      ["inbound", { inbound: { ...inboundTo(1), listen: "127.0.0.1:1" } }],
      ["outbound", { outbound: { listen: "127.0.0.1:0" } }],
      ["inbound", { inbound: { ...inboundTo(1), keys: { fetches_per_second: 1 } } }],
      ["admin", { admin: { listen: "127.0.0.1:1" } }],
      ["inbound", { inbound: { ...inboundTo(1), trusted_proxies: ["127.0.0.1"], proxy_protocol: true } }],
      ["export", { export: [{ file: { path: "/nowhere/traces.jsonl" } }] }],
      ["metrics", { metrics: { enabled: false } }],
    ];
    const sidecar = await startSidecar(documentOf(["old\\.test"]));
    for (const [index, [, change]] of changes.entries()) {
      writeFileSync(sidecar.configPath, configText(documentOf(["new\\.test"], change)));
      await sidecar.untilLog((lines) => count(lines, "reload refused") === index + 1);
    }
    const refused = sidecar.log().filter(({ msg }) => msg === "reload refused");
    expect(refused).toMatchObject(
      changes.map(([key]) => ({
        level: "error",
        fault: "these keys need a restart",
        keys: expect.arrayContaining([key]) as string[],
      })),
    );
    expect(await isWhitelisted(sidecar, "old.test")).toBe(true);
    expect(await isWhitelisted(sidecar, "new.test")).toBe(false);
  });
});

describe("a look at a file that has not changed", () => {
  const log = { level: "debug" };

  /** A file of somebody else's in the config's directory. */
  function touchNeighbour({ configPath }: SpawnedSidecar): void {
    writeFileSync(join(dirname(configPath), "traces.jsonl"), "a line\n");
  }

  it("changes and tells nothing, and is answered where SIGHUP asked; so are faults that were told", async () => {
    const sidecar = await startSidecar(documentOf(["old\\.test"], { log }));
    touchNeighbour(sidecar);
    await sidecar.untilLog((lines) => count(lines, "config unchanged") === 1);
    sidecar.signal("SIGHUP");
    const asked = await sidecar.untilLog((lines) => count(lines, "config unchanged") === 2);
    expect(asked.at(-1)).toMatchObject({ level: "info" });
    expect(count(asked, "reloaded")).toBe(0);

    writeFileSync(sidecar.configPath, configText(documentOf([], { log, colour: "red" })));
    await sidecar.untilLog((lines) => count(lines, "reload refused") === 1);
    touchNeighbour(sidecar);
    await sidecar.untilLog((lines) => count(lines, "config unchanged") === 3);
    expect(count(sidecar.log(), "reload refused")).toBe(1);
    sidecar.signal("SIGHUP");
    await sidecar.untilLog((lines) => count(lines, "reload refused") === 2);
  });
});
