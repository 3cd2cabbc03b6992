/** What a report may be, and each thing that it may not: one word of refusal each, and nothing thrown. */

import { describe, expect, it } from "vitest";
import { readReport } from "../../src/collect/report.ts";
import { fedtraceDocument, NOW, reportOf, SYNAPSE_AGENT, synapseDocument } from "../support/collect.ts";

const ABOUT = { unixMs: NOW * 1000, userAgent: SYNAPSE_AGENT };

function readText(text: string | Uint8Array): ReturnType<typeof readReport> {
  return readReport(typeof text === "string" ? Buffer.from(text) : text, ABOUT);
}

function wordOf(text: string | Uint8Array): string | undefined {
  const read = readText(text);
  return "refused" in read ? read.refused.word : undefined;
}

describe("reads", () => {
  it("Synapse's, whose version stands in User-Agent", () => {
    const document = synapseDocument({ server_context: "family" });
    expect(reportOf(document)).toEqual({
      kind: "synapse",
      instance: "hs1.test",
      timestamp: NOW,
      received: NOW,
      context: "family",
      version: "1.163.2",
      runtime: "python 3.11.2",
      messages: 3,
      sent_messages: 2,
      users: 2,
      pdus: null,
      requests_in: null,
      requests_out: null,
      peers: null,
      memory_rss: 125_000,
      cpu_average: 1,
      document: JSON.stringify(document),
    });
  });

  it("fedtrace's, by its environment", () => {
    expect(reportOf(fedtraceDocument())).toMatchObject({
      kind: "fedtrace",
      version: "0.1.0",
      runtime: "node 20.20.2",
      messages: null,
      pdus: 500,
      requests_in: 1000,
      requests_out: 900,
      peers: 12,
    });
  });

  it.each([
    { agent: "Synapse/1.163.2", version: "1.163.2", why: "as it is" },
    { agent: "Synapse/1.99.0rc1 (b=matrix-org-hotfixes,abc)", version: "1.99.0rc1", why: "a branch" },
    { agent: "curl/7.88", version: null, why: "another program" },
    { agent: undefined, version: null, why: "none" },
    { agent: `Synapse/${"1".repeat(65)}`, version: null, why: "longer than versions are" },
    { agent: 'Synapse/1"><b>', version: null, why: "no version" },
  ])("$agent as $version: $why", ({ agent, version }) => {
    const read = readReport(Buffer.from(JSON.stringify(synapseDocument())), { ...ABOUT, userAgent: agent });
    expect(read).toMatchObject({ value: { version } });
  });

  it("keys that it does not know, and keeps them", () => {
    const document = synapseDocument({ daily_new_thing: 7, constructor: 1, has_own_property: [1, "two"] });
    expect(JSON.parse(reportOf(document).document)).toEqual(document);
  });

  it.each([
    { key: "timestamp", value: 946_684_800, why: "the earliest" },
    { key: "timestamp", value: NOW + 86_400, why: "the latest" },
    { key: "homeserver", value: "h".repeat(255), why: "the longest name" },
    { key: "homeserver", value: "bücher.test:8448", why: "a name in letters of its own" },
    { key: "daily_messages", value: null, why: "a count that could not be known" },
    { key: "daily_messages", value: 2 ** 53, why: "the greatest count" },
    { key: "cache_factor", value: -1, why: "what is no count may be negative" },
    { key: "log_level", value: "x".repeat(512), why: "the longest text" },
    { key: "a", value: { b: { c: {} } }, why: "the deepest object" },
    { key: "k".repeat(64), value: 1, why: "the longest key" },
    { key: "environment", value: "no object", why: "Synapse's, whatever it means by it" },
  ])("$key $value: $why", ({ key, value }) => {
    expect(wordOf(JSON.stringify(synapseDocument({ [key]: value })))).toBeUndefined();
  });

  it("takes out of texts what turns or breaks lines", () => {
    const read = reportOf(
      synapseDocument({ server_context: " fa\u202emi\u0000ly\r\n\u2028", log_level: "\ud800INFO\u2066" }),
    );
    expect(read.context).toBe("family");
    expect(JSON.parse(read.document)).toMatchObject({ server_context: "family", log_level: "INFO" });
  });

  it("the last of two keys of one name, as JSON.parse does", () => {
    const text = JSON.stringify(synapseDocument()).replace("{", '{"homeserver":"first.test",');
    expect(readText(text)).toMatchObject({ value: { instance: "hs1.test" } });
  });
});

const NESTED = `${"[".repeat(32_000)}${"]".repeat(32_000)}`;

describe("refuses", () => {
  it.each([
    { text: "", word: "json", why: "nothing" },
    { text: "{", word: "json", why: "half of an object" },
    { text: "{}{}", word: "json", why: "two objects" },
    { text: "{'a':1}", word: "json", why: "JavaScript" },
    { text: '{"homeserver":NaN}', word: "json", why: "no number of JSON's" },
    { text: Buffer.from([0x7b, 0xff, 0x7d]), word: "utf-8", why: "bytes that are no UTF-8" },
    { text: Buffer.from('{"a":1}', "utf16le"), word: "json", why: "another encoding" },
    { text: "null", word: "object", why: "no object" },
    { text: "[]", word: "object", why: "a list" },
    { text: '"text"', word: "object", why: "a text" },
    { text: NESTED, word: "object", why: "a list, however deep" },
    { text: `{"a":${NESTED}}`, word: "depth", why: "deeper than anything has to be" },
    { text: '{"a":{"b":{"c":{"d":{}}}}}', word: "depth", why: "one level too deep" },
    { text: '{"__proto__":{"homeserver":"h"}}', word: "key", why: "a prototype" },
    { text: '{"a":{"__proto__":{}}}', word: "key", why: "a prototype further in" },
    { text: '{"Homeserver":"h"}', word: "key", why: "a capital letter" },
    { text: '{"":1}', word: "key", why: "an empty key" },
    { text: `{"${"k".repeat(65)}":1}`, word: "key", why: "a key too long" },
    { text: '{"a\\u0000":1}', word: "key", why: "a control in a key" },
    { text: '{"a":1e999}', word: "number", why: "infinity" },
    { text: '{"a":-9007199254740994}', word: "number", why: "beyond 2^53" },
    { text: '{"a":[1e300]}', word: "number", why: "beyond it in a list" },
    { text: `{"a":"${"x".repeat(513)}"}`, word: "text", why: "a text too long" },
    { text: `{"a":[${"0,".repeat(256)}0]}`, word: "keys", why: "a list too long" },
    {
      text: `{${Array.from({ length: 257 }, (_, index) => `"k${index}":0`).join(",")}}`,
      word: "keys",
      why: "keys too many",
    },
    { text: "{}", word: "homeserver", why: "no name" },
  ])("$word: $why", ({ text, word }) => {
    expect(wordOf(text)).toBe(word);
  });

  it.each([
    { key: "homeserver", value: null, word: "homeserver", why: "no name" },
    { key: "homeserver", value: 7, word: "homeserver", why: "a number" },
    { key: "homeserver", value: "", word: "homeserver", why: "an empty name" },
    { key: "homeserver", value: "h".repeat(256), word: "homeserver", why: "a name too long" },
    { key: "homeserver", value: "h s", word: "homeserver", why: "a blank" },
    { key: "homeserver", value: "h\u0000", word: "homeserver", why: "a control" },
    { key: "homeserver", value: "h\u202etset", word: "homeserver", why: "text that turns round" },
    { key: "homeserver", value: "h\u200b", word: "homeserver", why: "a letter that shows nothing" },
    { key: "homeserver", value: "\u3164", word: "homeserver", why: "another one" },
    { key: "homeserver", value: "\ud800", word: "homeserver", why: "half a character" },
    { key: "timestamp", value: undefined, word: "timestamp", why: "no time" },
    { key: "timestamp", value: null, word: "timestamp", why: "no time, said so" },
    { key: "timestamp", value: String(NOW), word: "timestamp", why: "a text" },
    { key: "timestamp", value: NOW + 0.5, word: "timestamp", why: "half a second" },
    { key: "timestamp", value: 946_684_799, word: "timestamp", why: "too early" },
    { key: "timestamp", value: NOW + 86_401, word: "timestamp", why: "too late" },
    { key: "timestamp", value: NOW * 1000, word: "timestamp", why: "milliseconds" },
    { key: "daily_messages", value: -1, word: "count", why: "fewer than none" },
    { key: "daily_messages", value: "3", word: "count", why: "a text" },
    { key: "daily_new_thing", value: [], word: "count", why: "a count that nobody knows" },
    { key: "monthly_active_users", value: -1, word: "count", why: "a month's" },
    { key: "memory_rss", value: -1, word: "count", why: "memory" },
    { key: "r30v2_users_all", value: true, word: "count", why: "no number" },
  ])("$key $value as $word: $why", ({ key, value, word }) => {
    expect(wordOf(JSON.stringify(synapseDocument({ [key]: value })))).toBe(word);
  });

  it.each([
    { change: { usage: { latency: { min: "0" } } }, word: "schema", why: "a figure that is none" },
    { change: { resources: [] }, word: undefined, why: "a group of another version's" },
    { change: { environment: { os: 1 } }, word: "schema", why: "an environment that is none" },
    { change: { a_later_key: { p99: 1 } }, word: undefined, why: "keys of a later version" },
  ])("of fedtrace's, $why: $word", ({ change, word }) => {
    expect(wordOf(JSON.stringify({ ...fedtraceDocument(), ...change }))).toBe(word);
  });
});
