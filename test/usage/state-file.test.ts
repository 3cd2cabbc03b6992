/** The file between two starts: whole or not at all, and never in the way of a start. */

import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { logFrom } from "../../src/core/log.ts";
import { createStateFile } from "../../src/usage/state-file.ts";
import { createUsageBook, type UsageBook } from "../../src/usage/usage-book.ts";
import { temporaryDirectory } from "../support/cli.ts";

const NOW = 1_796_000_000_000;
const TIMES = { startedUnixMs: NOW - 60_000, unixMs: NOW };

function bookOf(saved?: Parameters<typeof createUsageBook>[0], isAnonymous = true): UsageBook {
  let made = 0;
  const createSecret = (count: number): Uint8Array => new Uint8Array(count).fill(++made);
  return createUsageBook(saved, { isAnonymous, unixMs: NOW, createSecret });
}

const PART = {
  counts: { requestsIn: 10, requestsOut: 5, transactions: 3, pdus: 7, edus: 2, traces: 4 },
  peers: ["a.example", "b.example"],
  bytes: 1000,
  spans: 8,
  latency: undefined,
  process: { memoryKb: 5000, cpuMs: 600, runQueueMs: 0.5 },
};

function fileAt(path: string) {
  const lines: string[] = [];
  const log = logFrom(
    (level, message, facts) => void lines.push(`${level} ${message} ${String(facts["reason"])}`),
  );
  return { file: createStateFile(path, { log }), lines };
}

it("brings back all that was kept", async () => {
  const path = join(temporaryDirectory(), "usage.json");
  const { file, lines } = fileAt(path);
  const book = bookOf();
  book.add([PART], { unixMs: NOW, elapsedMs: 60_000 });
  await file.write(book.save(TIMES));
  expect(bookOf(file.read()).figures(NOW)).toEqual(book.figures(NOW));
  expect([lines, readdirSync(dirname(path))]).toEqual([[], ["usage.json"]]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(path, "utf8")).not.toMatch(/a\.example|b\.example/);
});

it("writes one after the other, the last one last", async () => {
  const path = join(temporaryDirectory(), "usage.json");
  const { file } = fileAt(path);
  const book = bookOf();
  const writes = Array.from({ length: 20 }, (_, index) => {
    book.add([PART], { unixMs: NOW, elapsedMs: 60_000 });
    return file.write(book.save({ ...TIMES, unixMs: NOW + index }));
  });
  await Promise.all(writes);
  expect(file.read()?.savedUnixMs).toBe(NOW + 19);
});

/** Of a file that is right, in its own text. */
const broken = (change: (text: string) => string): string => change(JSON.stringify(bookOf().save(TIMES)));

describe("begins anew, says so once, and is mended by the next write", () => {
  it.each([
    { text: "", reason: "not JSON", why: "empty, after a full disk" },
    { text: "\0".repeat(4096), reason: "not JSON", why: "NULs, after a loss of power" },
    { text: broken((text) => text.slice(0, 100)), reason: "not JSON", why: "cut off" },
    {
      text: broken((text) => text.replace('"format":1', '"format":2')),
      reason: "not what this program writes",
      why: "of another form",
    },
    {
      text: broken((text) => text.replace('"hours":[]', '"hours":[{"hour":-1,"counts":[]}]')),
      reason: "not what this program writes",
      why: "an hour before time",
    },
    {
      text: broken((text) =>
        text.replace(
          '"series":{}',
          '"series":{"latency":{"min":0,"max":1,"sum":1,"zeros":0,"counts":[99999,1]}}',
        ),
      ),
      reason: "not what this program writes",
      why: "a bucket that is none",
    },
    {
      text: broken((text) => text.replace('"memoryKb":0', '"memoryKb":-1')),
      reason: "not what this program writes",
      why: "less than nothing",
    },
    ...(
      [
        ['"savedUnixMs":1796000000000', '"savedUnixMs":1e999', "a time without end, which JSON can say"],
        ['"savedUnixMs":1796000000000', '"savedUnixMs":1e17', "a time that no calendar has"],
        ['"cpuMs":0', '"cpuMs":1e999', "a time of the processor without end"],
        ['"memoryKb":0', '"memoryKb":9007199254740991', "more memory than there is"],
        ['"hours":[]', '"hours":[{"hour":1,"counts":[0,0,0,0,0,9007199254740991]}]', "counts past all sums"],
        [
          '"series":{}',
          '"series":{"cpu":{"min":0,"max":1,"sum":1e999,"zeros":0,"counts":[1,1]}}',
          "a sum without end",
        ],
        [
          '"series":{}',
          '"series":{"cpu":{"min":2,"max":1,"sum":1,"zeros":0,"counts":[1,1]}}',
          "a least above the most",
        ],
        ['"peers":""', '"peers":"AAAA"', "half a peer"],
        ['"series":{}', '"series":{},"__proto__":{}', "a prototype"],
      ] as const
    ).map(([from, to, why]) => ({
      text: broken((text) => text.replace(from, to)),
      reason: "not what this program writes",
      why,
    })),
    {
      text: broken((text) => `${text.slice(0, -1)}${" ".repeat(5_000_000)}}`),
      reason: "more than 4194304 bytes",
      why: "huge",
    },
  ])("$why", async ({ text, reason }) => {
    const path = join(temporaryDirectory(), "usage.json");
    writeFileSync(path, text);
    const { file, lines } = fileAt(path);
    expect(file.read()).toBeUndefined();
    expect(lines).toEqual([`warn usage of earlier starts can't be read; counts begin anew ${reason}`]);
    await file.write(bookOf().save(TIMES));
    expect(file.read()).toBeDefined();
  });
});

describe("never replaces what is not its own, and says so once", () => {
  it.each([
    {
      make: (path: string) => writeFileSync(path, "server_name: hs\n"),
      why: "a config",
      reason: "what is there was not written by this program",
    },
    {
      make: (path: string) => mkdirSync(path),
      why: "a directory",
      reason: "what is there was not written by this program",
    },
    {
      make: (path: string) => void execFileSync("mkfifo", [path]),
      why: "a pipe, which a read of would wait for",
      reason: "what is there was not written by this program",
    },
    {
      make: (path: string) => symlinkSync("/dev/zero", path),
      why: "a device that never ends",
      reason: "what is there was not written by this program",
    },
    {
      make(path: string) {
        writeFileSync(path, "server_name: hs\n");
        truncateSync(path, 2 ** 40);
      },
      why: "a file that no memory holds",
      reason: "what is there was not written by this program",
    },
  ])("$why", async ({ make, reason }) => {
    const path = join(temporaryDirectory(), "usage.json");
    make(path);
    const { file, lines } = fileAt(path);
    for (let times = 0; times < 3; times++) await file.write(bookOf().save(TIMES));
    expect(lines).toEqual([`warn usage can't be kept for the next start ${reason}`]);
  });
});

it("goes on where its directory is gone", async () => {
  const { file, lines } = fileAt(join(temporaryDirectory(), "absent", "usage.json"));
  expect(file.read()).toBeUndefined();
  await file.write(bookOf().save(TIMES));
  expect(lines).toEqual(["warn usage can't be kept for the next start ENOENT"]);
});

it("leaves the old one where it ends within a write", async () => {
  const path = join(temporaryDirectory(), "usage.json");
  const { file } = fileAt(path);
  await file.write(bookOf().save(TIMES));
  writeFileSync(`${path}.tmp`, "half a fi"); // What a process that was killed leaves.
  expect(file.read()).toBeDefined();
  await file.write(bookOf().save(TIMES));
  expect(readdirSync(dirname(path))).toEqual(["usage.json"]);
});

it("makes new ids when reports become anonymous, or cease to be: one can't be told by the other", () => {
  const named = bookOf(undefined, false);
  const saved = named.save(TIMES);
  const ids = ({ installId, instanceId }: ReturnType<UsageBook["figures"]>): string[] => [
    installId,
    instanceId,
  ];
  expect(ids(bookOf(saved, false).figures(NOW))).toEqual(ids(named.figures(NOW)));
  const anonymous = createUsageBook(saved, {
    isAnonymous: true,
    unixMs: NOW,
    createSecret: (count) => new Uint8Array(count).fill(99),
  });
  expect(ids(anonymous.figures(NOW)).filter((id) => ids(named.figures(NOW)).includes(id))).toEqual([]);
});
