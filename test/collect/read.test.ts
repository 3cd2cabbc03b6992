/** Who may read what, and what he gets: tokens, host rebinding, the page, the summary's shape, exports, health and metrics. */

import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import {
  type Answered,
  ask,
  fedtraceDocument,
  NOW,
  send,
  startTestCollector,
  synapseDocument,
} from "../support/collect.ts";

const TOKEN = "correct-horse-battery-staple";
const READ = ["/api/summary", "/api/reports.json", "/api/reports.csv"];

function errorOf({ status, body }: Answered): readonly [number, string] {
  return [status, (JSON.parse(body) as { errcode: string }).errcode];
}

describe("with a token", () => {
  it.each([
    { authorization: undefined, why: "none" },
    { authorization: "Bearer ", why: "an empty one" },
    { authorization: "Bearer correct-horse-battery-stapl", why: "a part of it" },
    { authorization: `Bearer ${TOKEN}x`, why: "more than it" },
    { authorization: `Basic ${TOKEN}`, why: "in another scheme" },
    { authorization: TOKEN, why: "in none" },
  ])("$why reads nothing", async ({ authorization }) => {
    const { port } = await startTestCollector({ token: TOKEN });
    const headers: Readonly<Record<string, string>> = authorization === undefined ? {} : { authorization };
    for (const path of READ) {
      const answer = await ask(port, path, { headers });
      expect(errorOf(answer)).toEqual([401, "FEDTRACE_TOKEN_WRONG"]);
      expect(answer.headers["www-authenticate"]).toBe('Bearer realm="fedtrace"');
    }
    expect((await ask(port, `/api/summary?token=${TOKEN}`, { headers })).status).toBe(401);
    expect((await ask(port, `http://x/api/summary`, { headers })).status).toBe(401);
    expect((await ask(port, `/%61pi/summary`, { headers })).status).toBe(404);
    expect((await ask(port, `//api/summary`, { headers })).status).toBe(404);
  });

  it("whoever has it reads, under any name and through any proxy", async () => {
    const { port } = await startTestCollector({ token: TOKEN });
    const headers = {
      authorization: `bearer ${TOKEN}`,
      host: "stats.example",
      "x-forwarded-for": "192.0.2.1",
    };
    for (const path of READ) expect((await ask(port, path, { headers })).status).toBe(200);
  });

  it("the page, health and metrics are everybody's, and no report needs it", async () => {
    const { port } = await startTestCollector({ token: TOKEN });
    const headers = { host: "stats.example", "x-forwarded-for": "192.0.2.1" };
    expect((await send(port, synapseDocument(), { headers })).status).toBe(200);
    for (const path of ["/", "/favicon.svg", "/health/live", "/health/ready", "/metrics"]) {
      const { status, body } = await ask(port, path, { headers });
      expect(status).toBe(200);
      expect(body).not.toContain("hs1.test");
    }
  });
});

describe("without a token", () => {
  it.each([
    { headers: {}, why: "this machine" },
    { headers: { host: "localhost:1" }, why: "a loopback name" },
    { headers: { host: "[::1]:9470" }, why: "IPv6" },
    { headers: { host: "127.0.0.1", origin: "http://127.0.0.1:9470" }, why: "the page itself" },
  ])("$why reads", async ({ headers }) => {
    const { port } = await startTestCollector();
    for (const path of READ) expect((await ask(port, path, { headers })).status).toBe(200);
  });

  it.each([
    { headers: { host: "rebound.example" }, why: "a name that leads here (DNS rebinding)" },
    { headers: { host: "127.0.0.1.rebound.example" }, why: "one that looks like an address" },
    { headers: { host: "localhost", origin: "https://evil.example" }, why: "a page of another site" },
    { headers: { host: "localhost", origin: "null" }, why: "a page of nowhere" },
    { headers: { host: "localhost", "sec-fetch-site": "cross-site" }, why: "an image on one" },
    { headers: { "x-forwarded-for": "127.0.0.1" }, why: "a proxy's client who says he is here" },
    { headers: { "x-forwarded-for": "192.0.2.1" }, why: "a proxy's client" },
    { headers: { forwarded: "for=127.0.0.1" }, why: "another proxy's" },
    { headers: { via: "1.1 x" }, why: "one who hides" },
    { headers: { authorization: `Bearer ${TOKEN}`, host: "stats.example" }, why: "a token that nobody set" },
  ])("$why does not", async ({ headers }) => {
    const { port } = await startTestCollector();
    for (const path of READ)
      expect(errorOf(await ask(port, path, { headers: headers as Record<string, string> }))).toEqual([
        403,
        "FEDTRACE_READER_REFUSED",
      ]);
  });

  it.each([
    { head: "HTTP/1.0\r\nHost: 127.0.0.1", why: "who speaks HTTP/1.0" },
    { head: "HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: x", why: "who names two hosts" },
    {
      head: `HTTP/1.1\r\nHost: 127.0.0.1\r\n${"a:\r\n".repeat(2100)}X-Forwarded-For: 192.0.2.1`,
      why: "a proxy's client with so many headers that the proxy's own come late",
    },
  ])("$why does not", async ({ head }) => {
    const { port } = await startTestCollector();
    const status = await new Promise<string>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("data", (chunk: Buffer) => {
        resolve(chunk.toString().slice(9, 12));
        socket.destroy();
      });
      socket.write(`GET /api/summary ${head}\r\n\r\n`);
    });
    expect(status).toBe("403");
  });
});

describe("answers", () => {
  it.each([
    { path: "/api/summary?days=0", status: 400, code: "QUERY_MALFORMED", why: "too few days" },
    { path: "/api/summary?days=401", status: 400, code: "QUERY_MALFORMED", why: "too many" },
    { path: "/api/summary?days=1.5", status: 400, code: "QUERY_MALFORMED", why: "half a day" },
    { path: "/api/summary?days=", status: 400, code: "QUERY_MALFORMED", why: "none" },
    { path: "/api/reports.json?since=x", status: 400, code: "QUERY_MALFORMED", why: "no time" },
    { path: "/api/reports.csv?until=-1", status: 400, code: "QUERY_MALFORMED", why: "before all time" },
    {
      path: `/api/reports.csv?instance=${"x".repeat(256)}`,
      status: 400,
      code: "QUERY_MALFORMED",
      why: "no name",
    },
    { path: "/api/reports.csv?instance=a%00", status: 400, code: "QUERY_MALFORMED", why: "a control" },
    { path: "/api/nothing", status: 404, code: "PATH_UNKNOWN", why: "no such path" },
    { path: "/../etc/passwd", status: 404, code: "PATH_UNKNOWN", why: "a way out" },
  ])("$why with $status", async ({ path, status, code }) => {
    const { port } = await startTestCollector();
    expect(errorOf(await ask(port, path))).toEqual([status, `FEDTRACE_${code}`]);
  });

  it("no way to change anything where it is read", async () => {
    const { port } = await startTestCollector();
    for (const method of ["POST", "DELETE", "OPTIONS"]) {
      const answer = await ask(port, "/api/summary", { method });
      expect(errorOf(answer)).toEqual([405, "FEDTRACE_METHOD_REFUSED"]);
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    }
  });

  it("the summary in the shape that the page reads", async () => {
    const { port } = await startTestCollector();
    await send(port, synapseDocument({ server_context: "family" }));
    await send(port, fedtraceDocument({ homeserver: "side.test", timestamp: NOW - 2 * 86_400 }));
    const none = {
      messages: 0,
      sent_messages: 0,
      users: 0,
      pdus: 0,
      requests_in: 0,
      requests_out: 0,
      peers: 0,
    };
    const { body, headers } = await ask(port, "/api/summary?days=3");
    expect(headers["cache-control"]).toBe("no-store");
    expect(JSON.parse(body)).toEqual({
      generated: NOW,
      from: "2025-12-30",
      to: "2026-01-01",
      totals: { servers: 2, active: 1, reports: 2, synapse: 1, fedtrace: 0 },
      days: [
        {
          day: "2025-12-30",
          synapse: 0,
          fedtrace: 1,
          new: 1,
          ...none,
          pdus: 500,
          requests_in: 1000,
          requests_out: 900,
          peers: 12,
        },
        { day: "2025-12-31", synapse: 0, fedtrace: 0, new: 0, ...none },
        {
          day: "2026-01-01",
          synapse: 1,
          fedtrace: 0,
          new: 1,
          ...none,
          messages: 3,
          sent_messages: 2,
          users: 2,
        },
      ],
      versions: [{ kind: "synapse", version: "1.163.2", servers: 1 }],
      contexts: [{ context: "family", servers: 1 }],
      servers: [
        {
          instance: "hs1.test",
          kind: "synapse",
          context: "family",
          version: "1.163.2",
          runtime: "python 3.11.2",
          first: NOW,
          last: NOW,
          reports: 1,
          messages: 3,
          users: 2,
          memory_rss: 125_000,
          cpu_average: 1,
        },
        {
          instance: "side.test",
          kind: "fedtrace",
          context: null,
          version: "0.1.0",
          runtime: "node 20.20.2",
          first: NOW - 2 * 86_400,
          last: NOW - 2 * 86_400,
          reports: 1,
          messages: null,
          users: null,
          memory_rss: 85_000,
          cpu_average: 3,
        },
      ],
      servers_more: 0,
    });
  });

  it("90 days where none are named, the last one today", async () => {
    const { port } = await startTestCollector();
    const { days, from, to } = JSON.parse((await ask(port, "/api/summary")).body) as {
      days: { day: string }[];
      from: string;
      to: string;
    };
    expect([days.length, days[0]?.day, days.at(-1)?.day]).toEqual([90, from, to]);
    expect(to).toBe("2026-01-01");
  });

  it("exports of a time and of one server", async () => {
    const { port } = await startTestCollector();
    for (const homeserver of ["a.test", "b.test"])
      for (const second of [0, 1, 2])
        await send(port, synapseDocument({ homeserver, timestamp: NOW + second }));
    const read = async (query: string): Promise<readonly string[]> => {
      const { body, headers } = await ask(port, `/api/reports.json${query}`);
      expect(headers["content-disposition"]).toBe('attachment; filename="fedtrace-reports.json"');
      const rows = JSON.parse(body) as {
        instance: string;
        timestamp: number;
        document: { homeserver: string };
      }[];
      return rows.map(({ timestamp, document }) => `${document.homeserver} ${timestamp - NOW}`);
    };
    expect(await read("")).toEqual(["a.test 0", "b.test 0", "a.test 1", "b.test 1", "a.test 2", "b.test 2"]);
    expect(await read(`?since=${NOW + 1}&until=${NOW + 2}`)).toEqual(["a.test 1", "b.test 1"]);
    expect(await read("?instance=b.test")).toEqual(["b.test 0", "b.test 1", "b.test 2"]);
    expect(await read("?instance=nobody")).toEqual([]);
    const csv = (await ask(port, "/api/reports.csv?instance=a.test")).body.trimEnd().split("\r\n");
    expect(csv).toHaveLength(4);
  });

  it("metrics in which no name of a server stands", async () => {
    const { port } = await startTestCollector();
    await send(port, synapseDocument());
    await send(port, synapseDocument({ homeserver: "" }));
    const { body } = await ask(port, "/metrics");
    expect(body).toContain('fedtrace_collect_reports_total{kind="synapse",outcome="stored"} 1');
    expect(body).toContain('fedtrace_collect_reports_refused_total{reason="homeserver"} 1');
    expect(body).not.toContain("hs1.test");
  });
});
