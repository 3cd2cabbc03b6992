/** `collect`: what its command line may say, all that is wrong told at once, its start, its stop, and that it ends clean. */

import { statSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type CollectWords, parseCollect } from "../../src/commands/collect-options.ts";
import { startProcess } from "../deploy/process.ts";
import { CLI, runCli, temporaryDirectory } from "../support/cli.ts";
import { ask, send, synapseDocument } from "../support/collect.ts";

const LEAST: CollectWords = { listen: "127.0.0.1:9470", database: "reports.db" };
const TOKEN = "correct-horse-battery-staple";

describe("reads", () => {
  it("the least, and has a default for all else", () => {
    expect(parseCollect(LEAST)).toEqual({
      value: {
        host: "127.0.0.1",
        port: 9470,
        database: { kind: "sqlite", path: "reports.db" },
        paths: ["/report-usage-stats/push"],
        tokenFile: undefined,
        token: undefined,
        keptSeconds: 400 * 86_400,
        trustedProxies: [],
        addressRate: { perSecond: 1, burst: 600 },
        instanceRate: { perSecond: 0.1, burst: 60 },
      },
    });
  });

  const postgres = (url: string): object => ({ database: { kind: "postgres", url } });
  it.each([
    { words: { listen: "[::]:0" }, read: { host: "::", port: 0 }, why: "a port of the system's choice" },
    { words: { database: "postgres://u:p@h/d" }, read: postgres("postgres://u:p@h/d"), why: "PostgreSQL" },
    { words: { database: "postgresql://h/d" }, read: postgres("postgresql://h/d"), why: "its longer name" },
    {
      words: { database: "postgres:///d?host=/run" },
      read: postgres("postgres:///d?host=/run"),
      why: "a socket",
    },
    {
      words: { database: "postgres://u@/d?host=/run" },
      read: postgres("postgres://u@/d?host=/run"),
      why: "a user",
    },
    {
      words: { database: undefined, databaseVariable: "postgres://u:p@h/d" },
      read: postgres("postgres://u:p@h/d"),
      why: "from the environment",
    },
    { words: { path: ["/a", "/b/c"] }, read: { paths: ["/a", "/b/c"] }, why: "other paths" },
    { words: { tokenVariable: TOKEN }, read: { token: TOKEN }, why: "a token" },
    { words: { tokenVariable: "x".repeat(16) }, read: { token: "x".repeat(16) }, why: "the shortest" },
    { words: { tokenFile: "/run/token" }, read: { tokenFile: "/run/token" }, why: "its file" },
    { words: { retention: "1d" }, read: { keptSeconds: 86_400 }, why: "the shortest" },
    { words: { retention: "3650d" }, read: { keptSeconds: 3650 * 86_400 }, why: "the longest" },
    {
      words: { trustedProxy: ["10.0.0.0/8", "fd00::/8", "192.0.2.1"] },
      read: { trustedProxies: ["10.0.0.0/8", "fd00::/8", "192.0.2.1"] },
      why: "ranges and an address",
    },
    {
      words: { addressRate: "0.001", addressBurst: "1", instanceRate: "100000", instanceBurst: "1000000" },
      read: {
        addressRate: { perSecond: 0.001, burst: 1 },
        instanceRate: { perSecond: 100_000 / 60, burst: 1_000_000 },
      },
      why: "the ends of rates",
    },
  ])("$why: $words", ({ words, read }) => {
    expect(parseCollect({ ...LEAST, ...words })).toMatchObject({ value: read });
  });
});

describe("refuses", () => {
  it.each([
    { words: { listen: undefined }, says: "--listen is needed", why: "nowhere to listen" },
    { words: { listen: "9470" }, says: "--listen is not host:port", why: "a port alone" },
    { words: { listen: ":9470" }, says: "--listen has no host", why: "no host" },
    { words: { listen: "unix:/run/x" }, says: "--listen is not host:port", why: "a socket" },
    { words: { database: undefined }, says: "--database or FEDTRACE_COLLECT_DATABASE", why: "no database" },
    { words: { database: "" }, says: "--database or FEDTRACE_COLLECT_DATABASE", why: "an empty word" },
    { words: { databaseVariable: "x.db" }, says: "are both given", why: "two databases" },
    { words: { database: "mysql://h/d" }, says: "neither a file nor a URL", why: "another database" },
    { words: { database: "postgres://h:port/d" }, says: "not a URL of the form", why: "no port" },
    { words: { path: ["push"] }, says: '"push" is none', why: "no path" },
    { words: { path: ["/a b"] }, says: '"/a b" is none', why: "a blank" },
    { words: { path: ["/a?b"] }, says: '"/a?b" is none', why: "a query" },
    { words: { path: ["/"] }, says: "--path / is where", why: "the page" },
    { words: { path: ["/api/summary"] }, says: "--path /api/summary is where", why: "what is read" },
    { words: { path: ["/metrics"] }, says: "--path /metrics is where", why: "metrics" },
    { words: { path: Array<string>(17).fill("/a") }, says: "16 times", why: "too many paths" },
    { words: { tokenVariable: "x".repeat(15) }, says: "FEDTRACE_COLLECT_TOKEN holds", why: "a short token" },
    { words: { tokenVariable: `${TOKEN} x` }, says: "FEDTRACE_COLLECT_TOKEN holds", why: "a blank in it" },
    {
      words: { tokenVariable: "" },
      says: "FEDTRACE_COLLECT_TOKEN holds",
      why: "an empty one: no lock left open",
    },
    { words: { tokenVariable: TOKEN, tokenFile: "f" }, says: "are both given", why: "two tokens" },
    { words: { tokenFile: "" }, says: "--token-file is the path", why: "no file" },
    { words: { retention: "0d" }, says: "from 1d to 3650d", why: "too short" },
    { words: { retention: "3651d" }, says: "from 1d to 3650d", why: "too long" },
    { words: { retention: "400" }, says: "from 1d to 3650d", why: "no unit" },
    { words: { trustedProxy: ["proxy.test"] }, says: '"proxy.test" is not an address', why: "a name" },
    { words: { trustedProxy: ["10.0.0.0/33"] }, says: "has a prefix over 32", why: "no range" },
    { words: { addressRate: "0" }, says: "--address-rate is", why: "nothing at all" },
    { words: { addressRate: "-1" }, says: "--address-rate is", why: "less than nothing" },
    { words: { addressBurst: "0" }, says: "--address-burst is", why: "no burst" },
    { words: { instanceRate: "100001" }, says: "--instance-rate is", why: "too many" },
    { words: { instanceBurst: "1.5" }, says: "--instance-burst is", why: "half a report" },
  ])("$why: $words", ({ words, says }) => {
    const parsed = parseCollect({ ...LEAST, ...words });
    expect("refused" in parsed ? parsed.refused : []).toEqual([expect.stringContaining(says)]);
  });

  it("a password in a message: it is not shown", () => {
    const parsed = parseCollect({ ...LEAST, database: "postgres://u:hunter2@h:port/d" });
    expect(JSON.stringify(parsed)).not.toContain("hunter2");
  });

  it("all that is wrong at once, with the usage and status 2", async () => {
    const { status, stdout, stderr } = await runCli(["collect", "--path", "x", "--retention", "1y"]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(
      stderr
        .split("\n\n")[0]
        ?.split("\n")
        .map((line) => line.split(" ")[0]),
    ).toEqual(["--listen", "--database", "--path", "--retention"]);
    expect(stderr).toContain("\n\nusage: fedtrace COMMAND\n");
  });
});

describe("the program", () => {
  it("receives, is read, and ends clean at SIGTERM; what it took is there the next time", async () => {
    const database = join(temporaryDirectory(), "reports.db");
    const words = [CLI, "collect", "--listen", "127.0.0.1:0", "--database", database];
    for (const reports of [1, 1]) {
      const running = startProcess(words);
      const line = await running.until(/^collect listening on /);
      await running.until(/^ready$/);
      const [, port] = /^collect listening on 127\.0\.0\.1:(\d+)$/.exec(line) ?? [];
      const timestamp = 1_767_225_600;
      expect((await send(Number(port), synapseDocument({ timestamp }))).status).toBe(200);
      const summary = JSON.parse((await ask(Number(port), "/api/summary")).body) as { totals: object };
      expect(summary.totals).toMatchObject({ servers: 1, reports });
      expect((await ask(Number(port), "/metrics")).body).toContain("process_resident_memory_bytes");
      expect(await running.stop()).toBe(0);
      const logged = running.lines.filter((text) => text.startsWith("{"));
      expect(logged.map((text) => (JSON.parse(text) as { msg: string }).msg)).toEqual([
        "collecting",
        "stopping",
      ]);
      expect(logged[0]).toContain('"reading":"from this machine alone, without a token"');
      // Nothing else on either output: no warning of the runtime's.
      expect(running.lines).toHaveLength(4);
    }
  });

  it("reads its token from a file, and says that it needs one", async () => {
    const directory = temporaryDirectory();
    const file = join(directory, "token");
    writeFileSync(file, `${TOKEN}\n`);
    const where = ["--listen", "127.0.0.1:0", "--database", join(directory, "reports.db")];
    const running = startProcess([CLI, "collect", ...where, "--token-file", file]);
    const port = Number((await running.until(/^collect listening on /)).split(":").at(-1));
    expect((await ask(port, "/api/summary")).status).toBe(401);
    expect((await ask(port, "/api/summary", { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(
      200,
    );
    expect(await running.until(/"reading"/)).toContain('"reading":"with the token"');
    expect(running.lines.join("\n")).not.toContain(TOKEN);
    expect(await running.stop()).toBe(0);
  });

  it.each([
    {
      database: "no-such-directory/reports.db",
      reason: "ENOENT",
      why: "a file in a directory that is not there",
    },
    { database: ".", reason: "EISDIR", why: "a directory" },
    {
      database: "postgres://u:hunter2@127.0.0.1:1/d",
      reason: "ECONNREFUSED",
      why: "a database that is away",
    },
  ])("exits 1 with its reason: $why", async ({ database, reason }) => {
    const directory = temporaryDirectory();
    const args = ["collect", "--listen", "127.0.0.1:0", "--database", database, "--token-file", "none"];
    const { status, stdout, stderr } = await runCli(args, { directory });
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    const reasons = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { msg: string; reason: string });
    expect(reasons.map(({ msg }) => msg)).toEqual(["cannot start", "cannot start"]);
    expect(reasons[0]?.reason).toContain("cannot read --token-file: ENOENT");
    expect(reasons[1]?.reason).toContain(reason);
    expect(stderr).not.toContain("hunter2");
  });

  it("exits 1 where its address is taken, and where its token can't be one", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const directory = temporaryDirectory();
    const taken = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const refused = await runCli(["collect", "--listen", taken, "--database", ":memory:"], { directory });
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toContain(`cannot listen on ${taken}: EADDRINUSE`);
    // A file like others, though SQLite has another meaning for its name.
    expect(statSync(join(directory, ":memory:")).size).toBeGreaterThan(0);
    const file = join(directory, "token");
    writeFileSync(file, "short");
    const args = ["collect", "--listen", "127.0.0.1:0", "--database", "b.db", "--token-file", file];
    const short = await runCli(args, { directory });
    expect(short.status).toBe(1);
    expect(short.stderr).toContain("--token-file holds a token of another form");
  });
});
