/** Usage reports of a running sidecar: off unless somebody says yes, whole when they come, and never in the way of anything. */

import { readFileSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import * as v from "valibot";
import { reportSchema, type UsageReport } from "../../src/usage/report-schema.ts";
import { startProcess } from "../deploy/process.ts";
import { CLI, type Environment, runCli, temporaryDirectory } from "../support/cli.ts";
import { startInProcess } from "../support/in-process.ts";
import {
  ADMIN,
  type ConfigDocument,
  configText,
  inboundTo,
  type LogLine,
  OUTBOUND,
  type SpawnedSidecar,
  startSidecar,
} from "../support/sidecar.ts";
import { exchangeRaw, recordingUpstream } from "../support/wire.ts";

interface Collector {
  readonly url: string;
  readonly reports: readonly UsageReport[];
  /** Bytes of each body, as they came. */
  readonly bodies: readonly string[];
  until(isEnough: (reports: readonly UsageReport[]) => boolean): Promise<void>;
}

const TLS = {
  cert: readFileSync("test/fixtures/tls/server.pem"),
  key: readFileSync("test/fixtures/tls/server.key"),
};

/** @param status of each answer; "none": it never answers */
async function startCollector({ isTls = false, status = 200 as number | "none" } = {}): Promise<Collector> {
  const reports: UsageReport[] = [];
  const bodies: string[] = [];
  const waiting = new Set<() => void>();
  const server: Server = isTls ? (createHttpsServer(TLS) as unknown as Server) : createHttpServer();
  server.on("request", (request, response) => {
    void text(request).then((body) => {
      expect([request.method, request.headers["content-type"]]).toEqual(["POST", "application/json"]);
      bodies.push(body);
      reports.push(JSON.parse(body) as UsageReport);
      for (const look of waiting) look();
      if (status !== "none") response.writeHead(status).end("{}");
    });
  });
  await new Promise<void>((listening) => void server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `${isTls ? "https://localhost" : "http://127.0.0.1"}:${port}/report-usage-stats/push`,
    reports,
    bodies,
    until: (isEnough) =>
      new Promise((found) => {
        const look = (): void => {
          if (!isEnough(reports)) return;
          waiting.delete(look);
          found();
        };
        waiting.add(look);
        look();
      }),
  };
}

const PEER = `Authorization: X-Matrix origin="hs2.test",key="ed25519:1",sig="c2ln"`;
const BODY = JSON.stringify({ origin: "hs2.test", pdus: [{}, {}], edus: [{ content: { pdus: [{}] } }] });
const TRANSACTION = [
  "PUT /_matrix/federation/v1/send/1 HTTP/1.1",
  "Host: own.test",
  "Connection: close",
  PEER,
  `Content-Length: ${BODY.length}`,
  "",
  BODY,
].join("\r\n");

/** With the front door, and reports every second. @param usage more of `usage_report` */
async function startReporting(
  usage: ConfigDocument,
  {
    environment = {},
    document = {},
  }: { readonly environment?: Environment; readonly document?: ConfigDocument } = {},
): Promise<SpawnedSidecar> {
  const upstream = await recordingUpstream();
  onTestFinished(() => upstream.stop());
  return startSidecar(
    {
      inbound: inboundTo(upstream.port),
      ...document,
      usage_report: { enabled: true, interval: "1s", ...usage },
    },
    { environment },
  );
}

/** A sidecar in this process, for what needs none of its own. */
interface Reporting {
  readonly inboundPort: number;
  log(): readonly LogLine[];
  stop(): Promise<void>;
}

/** The same without a process. */
async function startReportingHere(usage: ConfigDocument): Promise<Reporting> {
  const upstream = await recordingUpstream();
  onTestFinished(() => upstream.stop());
  const { sidecar, port, logged } = await startInProcess({
    inbound: inboundTo(upstream.port),
    usage_report: {
      enabled: true,
      interval: "1s",
      state_file: join(temporaryDirectory(), "usage.json"),
      ...usage,
    },
  });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= sidecar.stop());
  onTestFinished(stop);
  return {
    inboundPort: port.inbound,
    stop,
    log: () =>
      logged.map((line) => {
        const [, level = "", msg = "", facts = "{}"] =
          /^(\w+) (.+?) (?:(\{.*\})|undefined)$/.exec(line) ?? [];
        return { ...(JSON.parse(facts) as object), level, msg };
      }),
  };
}

const loudIn = (log: readonly LogLine[]): readonly LogLine[] =>
  log.filter(({ level }) => level === "warn" || level === "error");

describe("a report", () => {
  it("says what there was, and nothing about whom", async () => {
    const collector = await startCollector();
    const sidecar = await startReporting({ endpoint: collector.url, server_context: "family" });
    for (let times = 0; times < 3; times++) await exchangeRaw(sidecar.port.inbound, TRANSACTION);
    await collector.until((reports) => (reports.at(-1)?.daily_requests_in ?? 0) === 3);

    const report = collector.reports.at(-1);
    expect(v.safeParse(reportSchema, report).issues).toBeUndefined();
    expect(report).toMatchObject({
      homeserver: report?.environment.instance_id,
      server_context: "family",
      log_level: "INFO",
      cache_factor: 1,
      event_cache_size: 20_000,
      daily_active_peers: 1,
      monthly_active_peers: 1,
      daily_requests_in: 3,
      daily_requests_out: 0,
      daily_transactions: 3,
      daily_pdus: 6,
      daily_edus: 3,
      daily_sampled_traces: 3,
      environment: { os: process.platform, arch: process.arch },
    });
    expect(report?.node_version).toBe(process.versions.node);
    expect(report?.memory_rss).toBeGreaterThan(20_000); // kB
    expect(collector.bodies.at(-1)).not.toMatch(/hs2\.test|own\.test|_matrix|127\.0\.0\.1/);
    expect(await sidecar.stop()).toBe(0);
  });

  it("counts the events of a body in chunks, wherever they part", async () => {
    const collector = await startCollector();
    const sidecar = await startReportingHere({ endpoint: collector.url });
    const chunks = [BODY.slice(0, BODY.indexOf("dus")), BODY.slice(BODY.indexOf("dus")), ""];
    const framed = chunks.map((chunk) => `${chunk.length.toString(16)};a="{"\r\n${chunk}\r\n`).join("");
    const head = TRANSACTION.slice(0, -BODY.length).replace(
      /Content-Length: \d+/,
      "Transfer-Encoding: chunked",
    );
    await exchangeRaw(sidecar.inboundPort, head + framed);
    await collector.until((reports) => reports.at(-1)?.daily_transactions === 1);
    expect(collector.reports.at(-1)).toMatchObject({ daily_pdus: 2, daily_edus: 1 });
  });

  it("counts no peers whose names are only said: what is answered to everybody proves none", async () => {
    const collector = await startCollector();
    const sidecar = await startReportingHere({ endpoint: collector.url });
    const rows = [
      ["GET", "/_matrix/federation/v1/version"],
      ["GET", "/_matrix/key/v2/server"],
      ["GET", "/_matrix/federation/v1/openid/userinfo?access_token=a"],
      ["OPTIONS", "/_matrix/federation/v1/send/1"],
      ["GET", "/users/somebody"],
      ["POST", "/login"],
      ["GET", "/_matrix/federation/v1/query/profile?user_id=a"], // Signed, or the own server refuses it.
      ["POST", "/users/somebody/inbox"],
    ] as const;
    for (const [index, [method, path]] of rows.entries()) {
      const peer = PEER.replace("hs2.test", `made-up-${index}.test`);
      const head = [`${method} ${path} HTTP/1.1`, "Host: own.test", "Connection: close", peer];
      if (method === "POST") head.push("Content-Length: 0");
      await exchangeRaw(sidecar.inboundPort, [...head, "", ""].join("\r\n"));
    }
    await collector.until((reports) => reports.at(-1)?.daily_requests_in === rows.length);
    expect(collector.reports.at(-1)?.daily_active_peers).toBe(2);
  });

  it("names the server where the operator says so", async () => {
    const collector = await startCollector();
    await startReportingHere({ endpoint: collector.url, anonymous: false });
    await collector.until((reports) => reports.length > 0);
    expect(collector.reports[0]?.homeserver).toBe("own.test");
  });

  it("is of all workers together", async () => {
    const collector = await startCollector();
    const outbound = { ...OUTBOUND };
    const sidecar = await startReporting(
      { endpoint: collector.url },
      { document: { outbound, admin: ADMIN, workers: 2 } },
    );
    await Promise.all(Array.from({ length: 8 }, () => exchangeRaw(sidecar.port.inbound, TRANSACTION)));
    await collector.until((reports) => (reports.at(-1)?.daily_requests_in ?? 0) === 8);
    expect(collector.reports.at(-1)).toMatchObject({ daily_active_peers: 1, daily_pdus: 16 });
    expect(new Set(collector.reports.map(({ homeserver }) => homeserver)).size).toBe(1);
    expect(await sidecar.stop()).toBe(0);
  });

  it("goes on where it was after a restart and after a kill, as the same server", async () => {
    const collector = await startCollector();
    const state = join(temporaryDirectory(), "usage.json");
    const usage = { endpoint: collector.url, state_file: state };
    let before = 0;
    for (const end of ["SIGTERM", "SIGKILL", "SIGTERM"] as const) {
      const sidecar = await startReporting(usage);
      await exchangeRaw(sidecar.port.inbound, TRANSACTION);
      before++;
      await collector.until((reports) => (reports.at(-1)?.daily_transactions ?? 0) === before);
      sidecar.signal(end);
      await sidecar.exited;
    }
    const ids = new Set(collector.reports.map(({ environment }) => environment.install_id));
    expect([ids.size, collector.reports.at(-1)?.daily_active_peers]).toEqual([1, 1]);
  });

  it("is not stopped by a file that is damaged", async () => {
    const collector = await startCollector();
    const state = join(temporaryDirectory(), "usage.json");
    writeFileSync(state, '{"format":1,"abo');
    const sidecar = await startReportingHere({ endpoint: collector.url, state_file: state });
    await collector.until((reports) => reports.length > 0);
    const levels = sidecar.log().filter(({ msg }) => msg.startsWith("usage of earlier starts can't be read"));
    expect(levels.map(({ level, reason }) => [level, reason])).toEqual([["warn", "not JSON"]]);
  });
});

it("is taken, kept and summed up by fedtrace collect", async () => {
  const database = join(temporaryDirectory(), "reports.db");
  const collector = startProcess([CLI, "collect", "--listen", "127.0.0.1:0", "--database", database]);
  const address = (await collector.until(/^collect listening on /)).replace("collect listening on ", "");
  const sidecar = await startReporting({
    endpoint: `http://${address}/report-usage-stats/push`,
    server_context: "family",
  });
  await exchangeRaw(sidecar.port.inbound, TRANSACTION);
  const read = async () =>
    (await (await fetch(`http://${address}/api/summary?days=1`)).json()) as {
      readonly days: readonly { readonly pdus: number }[];
    };
  await expect.poll(read, { timeout: 15_000 }).toMatchObject({ days: [{ pdus: 2 }] });
  expect(await read()).toMatchObject({
    totals: { servers: 1, active: 1, synapse: 0, fedtrace: 1 },
    days: [{ fedtrace: 1, new: 1, requests_in: 1, peers: 1 }],
    contexts: [{ context: "family", servers: 1 }],
    servers: [{ kind: "fedtrace", context: "family", runtime: `node ${process.versions.node}` }],
  });
  expect(await collector.stop()).toBe(0);
});

describe("the first line", () => {
  it("says what is on and how to turn it off", async () => {
    const collector = await startCollector();
    const sidecar = await startReportingHere({ endpoint: `${collector.url}?key=s3cret` });
    const line = sidecar.log().find(({ msg }) => msg === "usage reports are on");
    expect(line).toMatchObject({ level: "info", endpoint: collector.url, every_s: 1, anonymous: true });
    expect(line?.["to_turn_off"]).toMatch(/FEDTRACE_TELEMETRY=disabled or DO_NOT_TRACK=1/);
  });
});

describe("TLS", () => {
  it("is verified: a certificate of nobody's gets no report, and no line above info", async () => {
    const collector = await startCollector({ isTls: true });
    const sidecar = await startReportingHere({ endpoint: collector.url });
    const told = (): boolean => sidecar.log().some(({ msg }) => msg.startsWith("usage report not delivered"));
    await expect.poll(told, { timeout: 10_000 }).toBe(true);
    const log = sidecar.log();
    expect(loudIn(log)).toEqual([]);
    expect(log.find(({ msg }) => msg.startsWith("usage report not"))?.["reason"]).toMatch(
      /SELF_SIGNED|UNABLE_TO/,
    );
    expect(collector.reports).toEqual([]);
  });

  it("is verified with the system's roots, as SSL_CERT_FILE names them", async () => {
    const collector = await startCollector({ isTls: true });
    const environment = { SSL_CERT_FILE: resolve("test/fixtures/tls/server.pem") };
    await startReporting({ endpoint: collector.url }, { environment });
    await collector.until((reports) => reports.length > 0);
  });

  it("is verified with the roots of ca_file", async () => {
    const collector = await startCollector({ isTls: true });
    await startReportingHere({ endpoint: collector.url, ca_file: resolve("test/fixtures/tls/server.pem") });
    await collector.until((reports) => reports.length > 0);
  });
});

describe("a stop is not delayed", () => {
  it.each([
    { status: "none" as const, why: "by a collector that never answers" },
    { status: 503, why: "by one that is busy" },
  ])("$why", async ({ status }) => {
    const collector = await startCollector({ status });
    const sidecar = await startReportingHere({ endpoint: collector.url });
    await collector.until((reports) => reports.length > 0);
    const fromMs = performance.now();
    await sidecar.stop();
    // The post's own limit is 10 s.
    expect(performance.now() - fromMs).toBeLessThan(5000);
    expect(loudIn(sidecar.log())).toEqual([]);
  });
});

/** Runs before the program, and writes a line for everything that could leave the process. */
const WATCH = `
  import { appendFileSync } from "node:fs";
  import { createRequire } from "node:module";
  const require = createRequire(import.meta.url);
  const note = (what) => appendFileSync(process.env.WATCHED, what + "\\n");
  const net = require("node:net"), dns = require("node:dns"), dgram = require("node:dgram");
  for (const [module, names] of [
    [net.Socket.prototype, ["connect"]],
    [dns, ["lookup", "resolve", "resolve4", "resolve6", "resolveAny", "resolveSrv", "resolveTxt"]],
    [dns.promises, ["lookup", "resolve", "resolve4", "resolve6", "resolveSrv"]],
    [dgram, ["createSocket"]],
  ]) for (const name of names) {
    const own = module[name];
    module[name] = function (...args) {
      if (name !== "lookup" || net.isIP(args[0]) === 0) note(name); // A listener looks its own address up.
      return own.apply(this, args);
    };
  }
  require("node:module").syncBuiltinESMExports();
`;

async function watched(
  usage: ConfigDocument,
  environment: Environment,
): Promise<{ readonly sidecar: SpawnedSidecar; readonly sockets: () => string }> {
  const directory = temporaryDirectory();
  const [script, sockets] = [join(directory, "watch.mjs"), join(directory, "sockets.txt")];
  writeFileSync(script, WATCH);
  writeFileSync(sockets, "");
  const sidecar = await startReporting(usage, {
    environment: { ...environment, NODE_OPTIONS: `--import ${script}`, WATCHED: sockets },
  });
  return { sidecar, sockets: () => readFileSync(sockets, "utf8") };
}

describe("nothing leaves the process", () => {
  it("while they are off: by default, by DO_NOT_TRACK, by FEDTRACE_TELEMETRY", async () => {
    const collector = await startCollector();
    const state = join(temporaryDirectory(), "usage.json");
    const usage = { endpoint: collector.url, state_file: state };
    const ways = await Promise.all([
      watched({ ...usage, enabled: false }, {}),
      watched(usage, { DO_NOT_TRACK: "1" }),
      watched(usage, { FEDTRACE_TELEMETRY: "disabled" }),
    ]);
    // As long as two reports take elsewhere: time enough, marked by another sidecar's.
    const other = await startCollector();
    await startReporting({ endpoint: other.url });
    await other.until((reports) => reports.length >= 2);
    expect(await Promise.all(ways.map(({ sidecar }) => sidecar.stop()))).toEqual([0, 0, 0]);
    expect(ways.map(({ sockets }) => sockets())).toEqual(["", "", ""]);
    expect(collector.reports).toEqual([]);
    expect(() => readFileSync(state)).toThrow(/ENOENT/);
    const told = ways.map(({ sidecar }) =>
      sidecar
        .log()
        .flatMap(({ level, msg, because }) => (msg.includes("usage reports") ? [[level, msg, because]] : [])),
    );
    expect(told).toEqual([
      [],
      [["info", "usage reports are off", "DO_NOT_TRACK=1"]],
      [["info", "usage reports are off", "FEDTRACE_TELEMETRY=disabled"]],
    ]);
  });

  it("and the watch sees what leaves while they are on", async () => {
    const collector = await startCollector();
    const { sockets } = await watched({ endpoint: collector.url }, {});
    await collector.until((reports) => reports.length > 0);
    expect(sockets()).toContain("connect");
  });
});

describe("a reload", () => {
  it("turns them on and off", async () => {
    const collector = await startCollector();
    const upstream = await recordingUpstream();
    onTestFinished(() => upstream.stop());
    const document = (enabled: boolean) => ({
      inbound: inboundTo(upstream.port),
      usage_report: { enabled, interval: "1s", endpoint: collector.url },
    });
    const sidecar = await startSidecar(document(false));
    const reloaded = async (enabled: boolean): Promise<void> => {
      const before = sidecar.log().filter(({ msg }) => msg === "reloaded").length;
      writeFileSync(sidecar.configPath, configText(document(enabled)));
      await sidecar.untilLog((lines) => lines.filter(({ msg }) => msg === "reloaded").length > before);
    };
    await reloaded(true);
    await exchangeRaw(sidecar.port.inbound, TRANSACTION);
    await collector.until((reports) => (reports.at(-1)?.daily_requests_in ?? 0) === 1);
    await reloaded(false);
    await exchangeRaw(sidecar.port.inbound, TRANSACTION);
    await reloaded(true);
    await exchangeRaw(sidecar.port.inbound, TRANSACTION);
    await collector.until((reports) => (reports.at(-1)?.daily_requests_in ?? 0) > 1);
    // What came while they were off was not counted.
    expect(collector.reports.at(-1)?.daily_requests_in).toBe(2);
  });
});

describe("fedtrace report", () => {
  const configAt = (usage: ConfigDocument): string => {
    const path = join(temporaryDirectory(), "fedtrace.yaml");
    writeFileSync(path, configText({ inbound: inboundTo(8008), usage_report: usage }));
    return path;
  };

  it("prints the document that is sent, byte for byte in its form, and sends nothing", async () => {
    const collector = await startCollector();
    const sidecar = await startReporting({ endpoint: `${collector.url}?key=s3cret`, interval: "2s" });
    await exchangeRaw(sidecar.port.inbound, TRANSACTION);
    await collector.until((reports) => (reports.at(-1)?.daily_requests_in ?? 0) === 1);
    await sidecar.stop();
    const [sent] = collector.reports.slice(-1);
    const before = collector.reports.length;
    const { status, stdout, stderr } = await runCli(["report", "--config", sidecar.configPath]);
    const printed = JSON.parse(stdout) as UsageReport;
    expect(status).toBe(0);
    expect(stdout).toBe(`${JSON.stringify(printed)}\n`);
    expect(Object.keys(printed)).toEqual(Object.keys(sent ?? {}));
    const {
      timestamp: _,
      uptime_seconds: __,
      cpu_average: ___,
      memory_rss: ____,
      resources: _____,
      usage: ______,
      ...counts
    } = printed;
    expect(sent).toMatchObject(counts);
    expect(stderr).toMatch(
      /^note: this goes to http:\/\/127\.0\.0\.1:\d+\/report-usage-stats\/push every 2 s$/m,
    );
    expect(collector.reports.length).toBe(before);
  });

  it.each([
    {
      usage: { enabled: false },
      environment: {},
      note: /usage reports are off: nothing is sent/,
      why: "off by the config",
    },
    {
      usage: { enabled: true, endpoint: "https://stats.example/push" },
      environment: { DO_NOT_TRACK: "1" },
      note: /usage reports are off \(DO_NOT_TRACK=1\): nothing is sent/,
      why: "off by the environment",
    },
  ])("prints one where they are $why, and says so", async ({ usage, environment, note }) => {
    const { status, stdout, stderr } = await runCli(["report", "--config", configAt(usage)], { environment });
    expect(status).toBe(0);
    expect(v.safeParse(reportSchema, JSON.parse(stdout)).success).toBe(true);
    expect(stderr).toMatch(note);
  });

  it("tells every fault of a config", async () => {
    const { status, stderr } = await runCli([
      "report",
      "--config",
      configAt({ enabled: true, interval: "1" }),
    ]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/usage_report\.interval: /);
  });
});
