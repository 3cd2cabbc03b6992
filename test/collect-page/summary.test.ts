/** What the page makes of the collector's answers: the summary, who may read, when to ask again, the address, exports. */

import { describe, expect, it } from "vitest";
import { type Asked, nextAsked, NOT_ASKED, waitMsAfter } from "../../src/collect-page/asked.ts";
import { type Answer, authorization, parseToken, readAnswer } from "../../src/collect-page/collector-api.ts";
import { daysInHash, formatDaysHash } from "../../src/collect-page/days-hash.ts";
import { curlCommand, exportPath, fileNameOf } from "../../src/collect-page/export-file.ts";
import { filterServers, type ServerSort, sortServers } from "../../src/collect-page/servers-model.ts";
import { parseSummary, type Server } from "../../src/collect-page/summary.ts";

describe("parseSummary", () => {
  it("reads every field", () => {
    const summary = parseSummary({
      generated: 1_796_025_820,
      from: "2026-09-02",
      to: "2026-11-30",
      totals: { servers: 1000, active: 930, reports: 10_000, synapse: 600, fedtrace: 400 },
      days: [{ day: "2026-11-30", synapse: 600, fedtrace: 400, new: 3, messages: 51_234, sent_messages: 4000, users: 900, pdus: 500, requests_in: 1000, requests_out: 900, peers: 12 }], // prettier-ignore
      versions: [{ kind: "synapse", version: "1.163.2", servers: 500 }],
      contexts: [{ context: "family", servers: 20 }],
      servers: [{ instance: "hs1.test", kind: "synapse", context: null, version: "1.163.2", runtime: "python 3.11.2", first: 1_796_025_820, last: 1_796_025_821, reports: 9, messages: 3, users: 2, memory_rss: 125_000, cpu_average: 1 }], // prettier-ignore
      servers_more: 800,
    });
    expect(summary).toEqual({
      generated: 1_796_025_820,
      from: "2026-09-02",
      to: "2026-11-30",
      totals: { servers: 1000, active: 930, reports: 10_000, synapse: 600, fedtrace: 400 },
      days: [{ day: "2026-11-30", synapse: 600, fedtrace: 400, newServers: 3, messages: 51_234, sentMessages: 4000, users: 900, pdus: 500, requestsIn: 1000, requestsOut: 900, peers: 12 }], // prettier-ignore
      versions: [{ kind: "synapse", version: "1.163.2", servers: 500 }],
      contexts: [{ context: "family", servers: 20 }],
      servers: [{ instance: "hs1.test", kind: "synapse", context: null, version: "1.163.2", runtime: "python 3.11.2", last: 1_796_025_821, reports: 9, messages: 3, users: 2, memoryKib: 125_000, cpuPercent: 1 }], // prettier-ignore
      serversMore: 800,
    });
  });

  it.each([undefined, null, 1, "x", [], {}, { days: {}, totals: [], servers: "x" }])(
    "throws at nothing: %j",
    (answer) => {
      expect(parseSummary(answer)).toMatchObject({ days: [], servers: [], totals: { servers: 0 } });
    },
  );

  it.each(["12", {}, Number.NaN, Number.POSITIVE_INFINITY, undefined, true])(
    "takes %j for no number",
    (users) => {
      expect(parseSummary({ servers: [{ users }] }).servers[0]?.users).toBeNull();
    },
  );
});

describe("readAnswer", () => {
  const body = { totals: {} };
  it.each([
    { why: "a summary", status: 200, body, hadToken: false, kind: "summary" },
    { why: "a page of somebody else's, as JSON", status: 200, body: ["x"], hadToken: false, kind: "failed", says: "the answer was 200 without a summary" },
    { why: "a page, which is no JSON", status: 200, body: undefined, hadToken: false, kind: "failed", says: "the answer was 200 without a summary" },
    { why: "a token is needed", status: 401, body: { error: "a token is needed" }, hadToken: false, kind: "token", isRefused: false },
    { why: "a wrong token", status: 401, body: {}, hadToken: true, kind: "token", isRefused: true },
    { why: "not for this client", status: 403, body: { error: "only from loopback" }, hadToken: false, kind: "forbidden", says: "only from loopback" },
    { why: "the same of a proxy", status: 403, body: undefined, hadToken: true, kind: "forbidden", says: "the answer was 403" },
    { why: "a database that is away", status: 503, body: { error: "no database" }, hadToken: false, kind: "failed", says: "no database" },
    { why: "an error that is no text", status: 500, body: { error: { a: 1 } }, hadToken: false, kind: "failed", says: "the answer was 500" },
  ])("$why", ({ status, body: answered, hadToken, kind, says, isRefused }) => {
    const answer = readAnswer(status, answered, hadToken);
    expect(answer).toMatchObject({
      kind,
      ...(says === undefined ? {} : { why: says }),
      ...(isRefused === undefined ? {} : { isRefused }),
    });
  }); // prettier-ignore
});

describe("parseToken", () => {
  it.each([
    { typed: "s3cret-._~+/=", token: "s3cret-._~+/=", why: "what RFC 6750 allows" },
    { typed: "  s3cret\r\n", token: "s3cret", why: "as a file has it" },
    { typed: "pass:word!", token: "pass:word!", why: "other signs of ASCII" },
    { typed: "two words", token: undefined, why: "a space inside" },
    { typed: "a\nb", token: undefined, why: "a line end inside would be another header" },
    { typed: "schlüssel", token: undefined, why: "can't stand in a header" },
    { typed: "   ", token: undefined, why: "nothing" },
  ])("$why", ({ typed, token }) => {
    expect(parseToken(typed)).toBe(token);
  });

  it("becomes a header only where there is one", () => {
    expect(authorization("s3cret")).toEqual({ authorization: "Bearer s3cret" });
    expect(authorization(undefined)).toEqual({});
  });
});

describe("nextAsked", () => {
  const summary = parseSummary({ totals: { servers: 1 } });
  const shown: Asked = { summary, days: 90, barrier: undefined, problem: undefined };
  it.each<{ why: string; before: Asked; answer: Answer; after: Partial<Asked>; waitMs: number | undefined }>([
    { why: "a summary ends a problem", before: { ...NOT_ASKED, problem: "away" }, answer: { kind: "summary", summary }, after: shown, waitMs: 60_000 },
    { why: "a failure keeps what was there", before: shown, answer: { kind: "failed", why: "away" }, after: { ...shown, problem: "away" }, waitMs: 10_000 },
    { why: "a token that is no longer taken hides it", before: shown, answer: { kind: "token", isRefused: true }, after: { summary: undefined, barrier: { kind: "token", isRefused: true } }, waitMs: undefined },
    { why: "so does a refusal", before: shown, answer: { kind: "forbidden", why: "no" }, after: { summary: undefined, problem: undefined, barrier: { kind: "forbidden", why: "no" } }, waitMs: 60_000 },
    { why: "a failure keeps the form, too", before: { ...NOT_ASKED, barrier: { kind: "token", isRefused: false } }, answer: { kind: "failed", why: "away" }, after: { barrier: { kind: "token", isRefused: false }, problem: "away" }, waitMs: 10_000 },
  ])("$why", ({ before, answer, after, waitMs }) => {
    expect(nextAsked(before, answer, 90)).toMatchObject(after);
    expect(waitMsAfter(answer)).toBe(waitMs);
  }); // prettier-ignore
});

it.each([
  { hash: "", days: 90 },
  { hash: "#days=30", days: 30 },
  { hash: formatDaysHash(365), days: 365 },
  { hash: "#days=400", days: 90 },
  { hash: "#days=30&x", days: 90 },
  { hash: "#days=-30", days: 90 },
])("$hash shows $days days", ({ hash, days }) => {
  expect(daysInHash(hash)).toBe(days);
});

it("names exports", () => {
  expect(exportPath("csv", undefined)).toBe("/api/reports.csv");
  expect(exportPath("json", 1_796_025_600)).toBe("/api/reports.json?since=1796025600");
  expect(fileNameOf("/api/reports.json?since=1")).toBe("fedtrace-reports.json");
  expect(curlCommand("https://collect.example", "/api/reports.csv?since=1")).toBe(
    `curl -fH "Authorization: Bearer $TOKEN" -o fedtrace-reports.csv 'https://collect.example/api/reports.csv?since=1'`,
  );
});

describe("the table of servers", () => {
  const servers = parseSummary({
    servers: [
      { instance: "b.test", kind: "synapse", version: "1.163.10", runtime: "python 3.11", context: "family", last: 30, reports: 2, messages: 5, memory_rss: 10, cpu_average: 1 },
      { instance: "A.test", kind: "synapse", version: "1.163.9", runtime: "python 3.9", context: null, last: 20, reports: 2, messages: 9, memory_rss: 30, cpu_average: 0 },
      { instance: "c10.test", kind: "fedtrace", version: "0.1.0", runtime: "node 20", context: "Work", last: 10, reports: 2, messages: null, memory_rss: null, cpu_average: null },
      { instance: "c9.test", kind: "fedtrace", version: "", runtime: "", context: null, last: 40, reports: 1, messages: null, memory_rss: 20, cpu_average: 2 },
    ],
  }).servers; // prettier-ignore
  const names = (list: readonly Server[]): string => list.map(({ instance }) => instance[0] + instance.slice(1, -5)).join(" "); // prettier-ignore

  it.each<{ key: ServerSort; isDescending: boolean; order: string; why: string }>([
    { key: "instance", isDescending: false, order: "A b c9 c10", why: "numbers inside names count" },
    { key: "instance", isDescending: true, order: "c10 c9 b A", why: "the other way" },
    { key: "version", isDescending: true, order: "b A c10 c9", why: "10 is after 9, and none is last" },
    { key: "version", isDescending: false, order: "c10 A b c9", why: "none is last here, too" },
    { key: "messages", isDescending: false, order: "b A c9 c10", why: "what is not known is last, by name" },
    { key: "reports", isDescending: true, order: "A b c10 c9", why: "equal ones by name" },
    { key: "context", isDescending: false, order: "b c10 A c9", why: "a context before none" },
    { key: "last", isDescending: true, order: "c9 b A c10", why: "the last reporter first" },
  ])("by $key, descending: $isDescending ($why)", ({ key, isDescending, order }) => {
    expect(names(sortServers(servers, key, isDescending))).toBe(order);
  });

  it.each([
    { words: "", kind: "", left: "b A c10 c9", why: "all" },
    { words: "  ", kind: "", left: "b A c10 c9", why: "no word" },
    { words: "a.TEST", kind: "", left: "A", why: "any letter case" },
    { words: "3.11 fam", kind: "", left: "b", why: "every word, each anywhere" },
    { words: "work", kind: "", left: "c10", why: "of the context" },
    { words: "", kind: "fedtrace", left: "c10 c9", why: "of a kind" },
    { words: "family", kind: "fedtrace", left: "", why: "both" },
    { words: "null", kind: "", left: "", why: "no context is no text" },
    { words: "(", kind: "", left: "", why: "no pattern" },
  ])("keeps '$words' of kind '$kind': $why", ({ words, kind, left }) => {
    expect(names(filterServers(servers, words, kind))).toBe(left);
  });
});
