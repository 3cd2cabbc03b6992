/**
 * What every storage of reports has to do, as tests that are run on each: test/collect/sqlite-store.test.ts, and
 * test/real/collector.test.ts on PostgreSQL.
 */

import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import type { PageQuery, ReportStore, SummaryRange } from "../../src/collect/report-store.ts";
import { fedtraceDocument, NOW, reportOf, synapseDocument } from "./collect.ts";
import { plainlyTold, sentReport, STEP, toldOf } from "./plain-summary.ts";

const DAY = 86_400;
const TODAY = NOW / DAY;
const EVERYTHING: PageQuery = {
  since: 0,
  until: NOW * 2,
  instance: undefined,
  after: undefined,
  max: 1000,
};
const RANGE: SummaryRange = { fromDay: TODAY - 2, toDay: TODAY, activeFrom: NOW - DAY };

export interface StoreOpener {
  /** An empty one with room for `reportersMax`, which is gone after the test. */
  readonly open: (reportersMax: number) => Promise<ReportStore>;
  /** Another one on what the last `open` made. */
  readonly reopen: () => Promise<ReportStore>;
}

export function testReportStore({ open, reopen }: StoreOpener): void {
  async function opened(reportersMax = 1000): Promise<ReportStore> {
    const store = await open(reportersMax);
    onTestFinished(() => store.close());
    return store;
  }

  it("keeps a report once, whenever it comes again, and the first one stays", async () => {
    const store = await opened();
    const first = reportOf(synapseDocument({ daily_messages: 1 }));
    const again = reportOf(synapseDocument({ daily_messages: 2 }));
    expect(await store.write([first, again])).toEqual(["stored", "known"]);
    expect(await store.write([again])).toEqual(["known"]);
    const kept = await store.readPage(EVERYTHING);
    expect(kept).toEqual([
      {
        kind: "synapse",
        instance: "hs1.test",
        timestamp: NOW,
        received: NOW,
        version: "1.163.2",
        document: first.document,
      },
    ]);
    const { reports, days, last } = await store.summarize(RANGE);
    expect({ reports, messages: days.map(({ messages }) => messages), last }).toMatchObject({
      reports: 1,
      messages: [1],
      last: [{ reports: 1, messages: 1 }],
    });
  });

  it("takes a Synapse and its sidecar, which have one name, for two reporters", async () => {
    const store = await opened();
    const reports = [reportOf(synapseDocument()), reportOf(fedtraceDocument())];
    expect(await store.write(reports)).toEqual(["stored", "stored"]);
    expect(await store.countReporters()).toBe(2);
  });

  it("sums up exactly: each reporter's last report of a day, in whatever order they came", async () => {
    const store = await opened();
    const synapse = (homeserver: string, timestamp: number, daily: number): ReturnType<typeof reportOf> =>
      reportOf(
        synapseDocument({
          homeserver,
          timestamp,
          daily_messages: daily,
          daily_sent_messages: daily * 2,
          daily_active_users: daily * 3,
        }),
      );
    await store.write([
      synapse("a.test", NOW + 20, 5),
      synapse("a.test", NOW + 10, 900),
      synapse("b.test", NOW - 1, 7),
      synapse("b.test", NOW - DAY, 11),
    ]);
    await store.write([
      synapse("a.test", NOW + 15, 800),
      synapse("b.test", NOW - 2, 700),
      synapse("c.test", NOW - 3 * DAY, 13),
      reportOf(fedtraceDocument({ homeserver: "a.test", timestamp: NOW + 1 })),
    ]);
    const summary = await store.summarize(RANGE);
    const none = {
      messages: 0,
      sent_messages: 0,
      users: 0,
      pdus: 0,
      requests_in: 0,
      requests_out: 0,
      peers: 0,
    };
    expect(summary).toMatchObject({
      servers: 4,
      reports: 8,
      active: { synapse: 2, fedtrace: 1 },
      days: [
        { ...none, day: TODAY - 1, synapse: 1, fedtrace: 0, messages: 7, sent_messages: 14, users: 21 },
        {
          day: TODAY,
          synapse: 1,
          fedtrace: 1,
          messages: 5,
          sent_messages: 10,
          users: 15,
          pdus: 500,
          requests_in: 1000,
          requests_out: 900,
          peers: 12,
        },
      ],
      versions: [
        { kind: "synapse", version: "1.163.2", servers: 2 },
        { kind: "fedtrace", version: "0.1.0", servers: 1 },
      ],
      contexts: [],
    });
    expect(summary.newcomers).toEqual(
      new Map([
        [TODAY - 1, 1],
        [TODAY, 2],
      ]),
    );
    expect(summary.last.map(({ instance, kind, last }) => [instance, kind, last])).toEqual([
      ["a.test", "synapse", NOW + 20],
      ["a.test", "fedtrace", NOW + 1],
      ["b.test", "synapse", NOW - 1],
      ["c.test", "synapse", NOW - 3 * DAY],
    ]);
    expect(summary.last[0]).toMatchObject({
      first: NOW + 10,
      reports: 3,
      messages: 5,
      users: 15,
      context: null,
    });
  });

  it("sums up again what has changed since", async () => {
    const store = await opened();
    const write = (timestamp: number, messages: number): Promise<unknown> =>
      store.write([reportOf(synapseDocument({ timestamp, daily_messages: messages }))]);
    const messages = async (): Promise<readonly number[]> =>
      (await store.summarize(RANGE)).days.map((day) => day.messages);
    await write(NOW, 1);
    expect(await messages()).toEqual([1]);
    await write(NOW + 1, 2);
    expect(await messages()).toEqual([2]);
    await write(NOW - DAY, 4);
    expect(await messages()).toEqual([4, 2]);
    const another = await reopen();
    onTestFinished(() => another.close());
    await another.write([reportOf(synapseDocument({ homeserver: "b.test", daily_messages: 8 }))]);
    expect(await messages()).toEqual([4, 10]);
  });

  it("sums up what no integer holds, and what strangers claim", async () => {
    const store = await opened();
    const most = Array.from({ length: 20 }, (_, index) =>
      reportOf(synapseDocument({ homeserver: `h${index}.test`, daily_messages: 2 ** 53, cpu_average: 0.25 })),
    );
    await store.write(most);
    const { days, last } = await store.summarize(RANGE);
    expect(days[0]?.messages).toBe(20 * 2 ** 53);
    expect(last[0]).toMatchObject({ messages: 2 ** 53, cpu_average: 0.25 });
  });

  it("lists what is most and what came last, and no more of it than a page shows", async () => {
    const store = await opened();
    const reports = Array.from({ length: 300 }, (_, index) =>
      reportOf(
        synapseDocument({
          homeserver: `h${String(index).padStart(3, "0")}.test`,
          timestamp: NOW + index,
          server_context: index < 200 ? "family" : `c${index}`,
        }),
      ),
    );
    await store.write(reports.map((report, index) => ({ ...report, version: `1.${index % 60}` })));
    const { servers, versions, contexts, last } = await store.summarize(RANGE);
    expect({ servers, versions: versions.length, contexts: contexts.length, last: last.length }).toEqual({
      servers: 300,
      versions: 50,
      contexts: 50,
      last: 200,
    });
    expect(contexts[0]).toEqual({ context: "family", servers: 200 });
    expect(versions[0]).toEqual({ kind: "synapse", version: "1.0", servers: 5 });
    expect(last[0]?.instance).toBe("h299.test");
  });

  it("takes no more reporters than may be, and goes on with those that are known", async () => {
    const store = await opened(2);
    const of = (homeserver: string, timestamp = NOW): ReturnType<typeof reportOf> =>
      reportOf(synapseDocument({ homeserver, timestamp }));
    expect(await store.write([of("a.test"), of("c.test"), of("b.test"), of("c.test")])).toEqual([
      "stored",
      "full",
      "stored",
      "full",
    ]);
    expect(await store.write([of("a.test", NOW + 1), of("c.test"), of("b.test")])).toEqual([
      "stored",
      "full",
      "known",
    ]);
    expect(await store.countReporters()).toBe(2);
  });

  it("reads reports in pages, oldest first, each once", async () => {
    const store = await opened();
    const reports = ["b.test", "a.test", "ü.test"].flatMap((homeserver) =>
      [NOW + 2, NOW, NOW + 1].map((timestamp) => reportOf(synapseDocument({ homeserver, timestamp }))),
    );
    await store.write([...reports, reportOf(fedtraceDocument({ homeserver: "a.test" }))]);
    const seen: string[] = [];
    let after: PageQuery["after"];
    do {
      const page = await store.readPage({ ...EVERYTHING, after, max: 3 });
      seen.push(...page.map(({ timestamp, instance, kind }) => `${timestamp - NOW} ${instance} ${kind}`));
      after = page.at(-1);
    } while (after !== undefined);
    expect(seen).toEqual([
      "0 a.test fedtrace",
      "0 a.test synapse",
      "0 b.test synapse",
      "0 ü.test synapse",
      "1 a.test synapse",
      "1 b.test synapse",
      "1 ü.test synapse",
      "2 a.test synapse",
      "2 b.test synapse",
      "2 ü.test synapse",
    ]);
    const of = async (query: Partial<PageQuery>): Promise<readonly string[]> =>
      (await store.readPage({ ...EVERYTHING, ...query })).map(
        ({ timestamp, instance, kind }) => `${timestamp - NOW} ${instance} ${kind}`,
      );
    expect(await of({ since: NOW + 1, until: NOW + 2, instance: "b.test" })).toEqual(["1 b.test synapse"]);
    expect(
      await of({
        instance: "a.test",
        after: { timestamp: NOW, instance: "a.test", kind: "fedtrace" },
        max: 2,
      }),
    ).toEqual(["0 a.test synapse", "1 a.test synapse"]);
    expect(await of({ instance: "a.test' OR 1=1 --" })).toEqual([]);
  });

  it("forgets by receipt: reports, days, and reporters that have none left", async () => {
    const store = await opened();
    const receivedAt = (
      received: number,
      homeserver: string,
      timestamp: number,
    ): ReturnType<typeof reportOf> =>
      reportOf(synapseDocument({ homeserver, timestamp, daily_messages: 1 }), received);
    await store.write([
      receivedAt(NOW - 10 * DAY, "gone.test", NOW - 10 * DAY),
      receivedAt(NOW - 10 * DAY, "stays.test", NOW - 10 * DAY),
      receivedAt(NOW - 9 * DAY, "stays.test", NOW - 9 * DAY),
      receivedAt(NOW - 8 * DAY, "stays.test", NOW - 8 * DAY),
      receivedAt(NOW, "late.test", NOW - 300 * DAY),
    ]);
    const range = { ...RANGE, fromDay: TODAY - 399 };
    await store.summarize(range);
    const cutoff = NOW - 8 * DAY;
    let removed = 0;
    for (let slice = -1; slice !== 0; removed += slice) slice = await store.removeReceivedBefore(cutoff, 2);
    expect(removed).toBe(6);
    const { servers, reports, days, last } = await store.summarize(range);
    expect({ servers, reports, days: days.map(({ day }) => day - TODAY) }).toEqual({
      servers: 2,
      reports: 2,
      days: [-300, -8],
    });
    expect(last.map(({ instance, reports: count }) => [instance, count])).toEqual([
      ["stays.test", 1],
      ["late.test", 1],
    ]);
    expect((await store.readPage(EVERYTHING)).map(({ instance }) => instance)).toEqual([
      "late.test",
      "stays.test",
    ]);
  });

  it("keeps all of it over a restart, and what it is told meanwhile", async () => {
    const store = await opened();
    const names = Array.from({ length: 50 }, (_, index) => `h${index}.test`);
    await store.write(names.map((homeserver) => reportOf(synapseDocument({ homeserver }))));
    const another = await reopen();
    onTestFinished(() => another.close());
    expect(await another.write([reportOf(synapseDocument({ homeserver: "h7.test" }))])).toEqual(["known"]);
    expect(await another.readPage(EVERYTHING)).toHaveLength(50);
    await another.check();
  });

  it("writes from two sides at once, and each report once", async () => {
    const store = await opened();
    const another = await reopen();
    onTestFinished(() => another.close());
    const batch = (from: number): ReturnType<typeof reportOf>[] =>
      Array.from({ length: 100 }, (_, index) =>
        reportOf(
          synapseDocument({ homeserver: `h${(from + index * 7) % 100}.test`, timestamp: NOW + (index % 3) }),
        ),
      );
    const outcomes = await Promise.all(
      [0, 13, 50, 77, 91, 5].map((from, index) => (index % 2 === 0 ? store : another).write(batch(from))),
    );
    const stored = outcomes.flat().filter((outcome) => outcome === "stored").length;
    const kept = await store.readPage(EVERYTHING);
    expect(kept).toHaveLength(stored);
    expect((await another.summarize(RANGE)).reports).toBe(stored);
  });

  it("says of days and reporters what its reports say, whatever came late, twice, or was forgotten", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { maxLength: 12 }), async (steps) => {
        const store = await open(1000);
        try {
          for (const [received, step] of steps.entries()) {
            if ("forget" in step) while ((await store.removeReceivedBefore(NOW + step.forget, 2)) > 0);
            else await store.write(step.map((sent) => sentReport(sent, NOW + received)));
            expect(await toldOf(store, RANGE)).toEqual(plainlyTold(await store.readPage(EVERYTHING), RANGE));
          }
        } finally {
          await store.close();
        }
      }),
      { numRuns: 30 },
    );
  });
}
