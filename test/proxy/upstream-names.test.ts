/** From the config's entries to addresses: what is looked up, when, and what is kept where a look-up fails. A fake resolver. */

import { describe, expect, it, onTestFinished } from "vitest";
import { logFrom } from "../../src/core/log.ts";
import type { UpstreamAddress } from "../../src/http1/upstream-connection.ts";
import { createUpstreamNames, type UpstreamEntry } from "../../src/proxy/upstream-names.ts";
import { startTime, turn } from "../http1/sockets.ts";

const tcp = (host: string, port = 80): UpstreamEntry => ({ kind: "tcp", host, port });

function start() {
  const { deadlines, pass } = startTime();
  const asked: string[] = [];
  const given: (readonly string[])[] = [];
  const refused: string[] = [];
  const logged: string[] = [];
  /** What a name leads to; undefined: it can't be resolved. */
  const zone: Record<string, readonly string[] | undefined> = {};
  let held: (() => void)[] | undefined;
  let failures = 0;
  const names = createUpstreamNames({
    group: {
      use: (addresses: readonly UpstreamAddress[]) => void given.push(addresses.map(({ key }) => key)),
      refuseWaiting: (code) => void refused.push(code),
    },
    async resolve(name) {
      asked.push(name);
      if (held !== undefined) await new Promise<void>((resolve) => held?.push(resolve));
      const addresses = zone[name];
      if (addresses === undefined) throw new Error("no such name");
      return addresses;
    },
    deadlines,
    log: logFrom((level, message) => void logged.push(`${level} ${message}`)),
    onLookUpFailed: () => void failures++,
  });
  onTestFinished(() => names.stop());
  return {
    names,
    asked,
    given,
    refused,
    logged,
    zone,
    failures: () => failures,
    /** Look-ups wait from now on, until the function is called. */
    hold: () => {
      held = [];
      return () => {
        const waiting = held ?? [];
        held = undefined;
        for (const go of waiting) go();
      };
    },
    pass: async (ms: number) => {
      await pass(ms);
      await turn();
    },
  };
}

it.each([
  { why: "IPv4", entries: [tcp("192.0.2.1", 8008)], keys: ["192.0.2.1 8008"] },
  { why: "IPv6", entries: [tcp("::1")], keys: ["::1 80"] },
  { why: "a socket", entries: [{ kind: "unix", path: "/run/s" } as const], keys: ["/run/s"] },
  {
    why: "several, one twice",
    entries: [tcp("::1"), tcp("::1", 81), tcp("::1")],
    keys: ["::1 80", "::1 81"],
  },
])("what is an address is never looked up: $why", async ({ entries, keys }) => {
  const { names, asked, given, pass } = start();
  names.use(entries);
  await pass(60_000);
  names.lookAgain();
  await pass(60_000);
  expect([asked, given]).toEqual([[], [keys]]);
});

describe("a name", () => {
  it("is looked up at once, and every address of it counts", async () => {
    const { names, zone, asked, given } = start();
    zone["a"] = ["::1", "127.0.0.1"];
    names.use([tcp("a", 1), tcp("192.0.2.1", 2), tcp("a", 3)]);
    await turn();
    expect(asked).toEqual(["a"]);
    expect(given.at(-1)).toEqual(["::1 1", "127.0.0.1 1", "192.0.2.1 2", "::1 3", "127.0.0.1 3"]);
  });

  it("is looked up again after 30 s, and a change is taken over, another order not", async () => {
    const { names, zone, asked, given, pass } = start();
    zone["a"] = ["192.0.2.1", "192.0.2.2"];
    names.use([tcp("a")]);
    await pass(29_999);
    expect(asked).toHaveLength(1);
    zone["a"] = ["192.0.2.2", "192.0.2.1"];
    await pass(1);
    expect([asked.length, given.length]).toEqual([2, 1]);
    zone["a"] = ["192.0.2.3"];
    await pass(30_000);
    expect(given).toEqual([["192.0.2.1 80", "192.0.2.2 80"], ["192.0.2.3 80"]]);
  });

  it("is looked up again when an address can't be reached, but not twice in a second", async () => {
    const { names, zone, asked, pass } = start();
    zone["a"] = ["192.0.2.1"];
    names.use([tcp("a")]);
    names.lookAgain();
    await pass(999);
    expect(asked).toHaveLength(1);
    await pass(1);
    expect(asked).toHaveLength(2);
    await pass(5000);
    names.lookAgain();
    names.lookAgain();
    await pass(1);
    expect(asked).toHaveLength(3);
  });

  it("is looked up once at a time", async () => {
    const { names, zone, asked, given, hold, pass } = start();
    zone["a"] = ["192.0.2.1"];
    const go = hold();
    names.use([tcp("a")]);
    names.lookAgain();
    await pass(60_000);
    expect([asked.length, given.length]).toEqual([1, 0]);
    go();
    await turn();
    expect(given).toEqual([["192.0.2.1 80"]]);
  });

  it("keeps its last addresses while it can't be resolved; that is told once, counted each time", async () => {
    const { names, zone, given, refused, logged, failures, pass } = start();
    zone["a"] = ["192.0.2.1"];
    names.use([tcp("a")]);
    await turn();
    zone["a"] = undefined;
    await pass(30_000);
    zone["a"] = [];
    await pass(30_000);
    expect([given.length, refused, failures()]).toEqual([1, [], 2]);
    zone["a"] = ["192.0.2.1"];
    await pass(30_000);
    expect(logged).toEqual([
      "debug upstream addresses",
      "warn upstream name can't be resolved",
      "info upstream name resolved again",
    ]);
  });

  it("without any address yet refuses those who wait, and is tried again when asked", async () => {
    const { names, zone, given, refused, pass } = start();
    names.use([tcp("a")]);
    await turn();
    expect(refused).toEqual(["UPSTREAM_REFUSED"]);
    zone["a"] = ["192.0.2.1"];
    names.lookAgain();
    await pass(1000);
    expect(given).toEqual([["192.0.2.1 80"]]);
  });

  it("refuses nobody as long as another is still looked up", async () => {
    const { names, zone, given, refused, hold, pass } = start();
    const go = hold();
    names.use([tcp("a")]);
    await turn();
    names.use([tcp("a"), tcp("b")]);
    zone["b"] = ["192.0.2.1"];
    go();
    await pass(0);
    expect([refused, given]).toEqual([[], [["192.0.2.1 80"]]]);
  });

  it("that a reload has taken out gives nothing any more", async () => {
    const { names, zone, asked, given, hold, pass } = start();
    zone["a"] = ["192.0.2.1"];
    const go = hold();
    names.use([tcp("a")]);
    names.use([tcp("192.0.2.9")]);
    go();
    await pass(60_000);
    expect([asked.length, given]).toEqual([1, [["192.0.2.9 80"]]]);
  });
});

it("nothing comes of a look-up that ends after the stop", async () => {
  const { names, zone, given, refused, logged, hold, pass } = start();
  const go = hold();
  zone["a"] = ["192.0.2.1"];
  names.use([tcp("a"), tcp("b")]);
  names.stop();
  go();
  await pass(60_000);
  expect([given, refused, logged]).toEqual([[], [], []]);
});

it.each([
  { why: "all of one", entries: 1, found: 64, used: 64 },
  { why: "one more than that", entries: 1, found: 65, used: 64 },
  { why: "a share for each of several", entries: 3, found: 64, used: 63 },
])("of many addresses $used are used: $why", async ({ entries, found, used }) => {
  const { names, zone, given } = start();
  for (let entry = 0; entry < entries; entry++) {
    zone[`h${entry}`] = Array.from({ length: found }, (_, index) => `10.${entry}.0.${index}`);
  }
  names.use(Object.keys(zone).map((host) => tcp(host)));
  await turn();
  await turn();
  expect(given.at(-1)).toHaveLength(used);
});

it("which of too many addresses are used does not hang on their order", async () => {
  const { names, zone, given, pass } = start();
  const addresses = Array.from({ length: 70 }, (_, index) => `10.0.0.${index}`);
  zone["a"] = addresses;
  names.use([tcp("a")]);
  await turn();
  zone["a"] = addresses.toReversed();
  await pass(30_000);
  expect(given).toHaveLength(1);
});
