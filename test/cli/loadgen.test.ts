/** `loadgen`: what its command line may say, that it goes nowhere by a slip, and a run through a sidecar. */

import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { loadgenCommand, type LoadgenWords, parseLoadgen } from "../../src/commands/loadgen.ts";
import { parseHostPort, parseUpstream } from "../../src/config/addresses.ts";
import { parseDuration } from "../../src/config/quantities.ts";
import { startProcess } from "../deploy/process.ts";
import { type Finished, runCli } from "../support/cli.ts";
import { captured } from "../support/commands.ts";
import { inboundTo, OUTBOUND, startSidecar } from "../support/sidecar.ts";

const TO = { to: "http://127.0.0.1:8448" };
const VIA = { via: "http://127.0.0.1:3128", viaTo: "127.0.0.1:8009" };
const LISTENER = { host: "127.0.0.1", port: 8448 };

function parse(words: Partial<LoadgenWords>): ReturnType<typeof parseLoadgen> {
  const readers = { parseDuration, parseHostPort, parseUpstream };
  return parseLoadgen({ isRemote: false, isJson: false, ...words }, readers);
}

describe("reads", () => {
  it("the least, and has a default for all else", () => {
    expect(parse(TO)).toEqual({
      value: {
        to: LISTENER,
        outbound: undefined,
        ratePerSecond: 20,
        forMs: 30_000,
        requests: 1_000_000,
        peers: 20,
        seed: undefined,
        trace: "some",
        isJson: false,
      },
    });
  });

  const outbound = { via: { host: "127.0.0.1", port: 3128 }, target: "127.0.0.1:8009", secret: undefined };
  it.each([
    { words: VIA, read: { to: undefined, outbound }, why: "the way out alone" },
    { words: { ...TO, ...VIA }, read: { to: LISTENER, outbound }, why: "both" },
    { words: { ...VIA, secret: "s" }, read: { outbound: { ...outbound, secret: "s" } }, why: "a secret" },
    { words: { ...TO, secret: "" }, read: { outbound: undefined }, why: "a secret that nothing needs" },
    { words: { to: "http://127.0.0.1:8448/" }, read: { to: LISTENER }, why: "as browsers write it" },
    { words: { to: "http://127.0.0.1" }, read: { to: { host: "127.0.0.1", port: 80 } }, why: "no port" },
    {
      words: { to: "http://127.255.0.1:1" },
      read: { to: { host: "127.255.0.1", port: 1 } },
      why: "the last",
    },
    { words: { to: "http://[::1]:1" }, read: { to: { host: "::1", port: 1 } }, why: "IPv6" },
    { words: { to: "http://[0:0::1]:1" }, read: { to: { host: "0:0::1", port: 1 } }, why: "in another form" },
    {
      words: { to: "http://matrix.example:1", isRemote: true },
      read: { to: { host: "matrix.example", port: 1 } },
      why: "elsewhere, where that is wanted",
    },
    { words: { ...TO, rate: "0.1" }, read: { ratePerSecond: 0.1 }, why: "the lowest rate" },
    { words: { ...TO, rate: "1000" }, read: { ratePerSecond: 1000 }, why: "the highest" },
    { words: { ...TO, for: "1s" }, read: { forMs: 1000 }, why: "the shortest" },
    { words: { ...TO, for: "1h" }, read: { forMs: 3_600_000 }, why: "the longest" },
    { words: { ...TO, requests: "1" }, read: { requests: 1 }, why: "one request" },
    { words: { ...TO, requests: "1000000" }, read: { requests: 1_000_000 }, why: "the most" },
    { words: { ...TO, peers: "1" }, read: { peers: 1 }, why: "one peer" },
    { words: { ...TO, peers: "10000" }, read: { peers: 10_000 }, why: "the most peers" },
    { words: { ...TO, seed: "0" }, read: { seed: 0 }, why: "the least seed" },
    { words: { ...TO, seed: "4294967295" }, read: { seed: 4_294_967_295 }, why: "the greatest" },
    { words: { ...TO, trace: "all" }, read: { trace: "all" }, why: "traces" },
    { words: { ...TO, isJson: true }, read: { isJson: true }, why: "JSON" },
  ])("$why: $words", ({ words, read }) => {
    expect(parse(words)).toMatchObject({ value: read });
  });
});

const NO_LOOPBACK = "is no loopback address (127.0.0.0/8 or [::1]); with --remote others are allowed too";

describe("refuses", () => {
  it.each([
    { words: {}, refused: /^--to is needed, or --via/, why: "nowhere to send to" },
    { words: { to: "" }, refused: /^--to is the http:\/\/ URL/, why: "an empty one" },
    { words: { to: "127.0.0.1:8448" }, refused: /^--to is the http:\/\/ URL/, why: "no URL" },
    { words: { to: "https://127.0.0.1:8448" }, refused: /^--to is the http:\/\/ URL/, why: "TLS" },
    { words: { to: "http://127.0.0.1:8448/x" }, refused: /^--to .*without a path/, why: "a path" },
    { words: { to: "unix:/run/x.sock" }, refused: /^--to is the http:\/\/ URL/, why: "a socket" },
    { words: { via: VIA.via }, refused: /^--via needs --via-to/, why: "for nobody" },
    { words: { ...TO, viaTo: VIA.viaTo }, refused: /^--via-to needs --via/, why: "a target without a way" },
    { words: { ...VIA, viaTo: "127.0.0.1" }, refused: /^--via-to is the host:port/, why: "no port" },
    { words: { ...VIA, viaTo: "127.0.0.1:0" }, refused: /^--via-to is the host:port/, why: "port 0" },
    { words: { ...VIA, secret: "a b" }, refused: /^FEDTRACE_SECRET has characters/, why: "white space" },
    { words: { ...VIA, secret: "a\r\nb: c" }, refused: /^FEDTRACE_SECRET has characters/, why: "a line end" },
    { words: { ...VIA, secret: "" }, refused: /^FEDTRACE_SECRET has characters/, why: "an empty secret" },
    { words: { ...TO, rate: "0.09" }, refused: /^--rate is .* from 0.1 to 1000$/, why: "too slow" },
    { words: { ...TO, rate: "1000.1" }, refused: /^--rate is/, why: "too fast" },
    { words: { ...TO, rate: "1e2" }, refused: /^--rate is/, why: "another form of number" },
    { words: { ...TO, for: "999ms" }, refused: /^--for is .* from 1s to 1h/, why: "too short" },
    { words: { ...TO, for: "61m" }, refused: /^--for is/, why: "too long" },
    { words: { ...TO, for: "30" }, refused: /^--for is/, why: "no unit" },
    { words: { ...TO, requests: "0" }, refused: /^--requests is .* from 1 to 1000000$/, why: "none" },
    { words: { ...TO, requests: "1000001" }, refused: /^--requests is/, why: "too many" },
    { words: { ...TO, peers: "0" }, refused: /^--peers is .* from 1 to 10000$/, why: "no peer" },
    { words: { ...TO, peers: "10001" }, refused: /^--peers is/, why: "too many peers" },
    {
      words: { ...TO, seed: "4294967296" },
      refused: /^--seed is .* from 0 to 4294967295$/,
      why: "too great",
    },
    { words: { ...TO, seed: "1.5" }, refused: /^--seed is/, why: "half a number" },
    { words: { ...TO, trace: "most" }, refused: /^--trace is none, some or all$/, why: "another word" },
  ])("$why: $words", ({ words, refused }) => {
    const parsed = parse(words);
    expect("refused" in parsed ? parsed.refused : []).toEqual([expect.stringMatching(refused)]);
  });

  it.each([
    { host: "192.0.2.1", why: "somebody's address" },
    { host: "10.0.0.1", why: "a private one is still another machine's" },
    { host: "128.0.0.1", why: "the first above the range" },
    { host: "126.255.255.255", why: "the last below it" },
    { host: "0.0.0.0", why: "every address" },
    { host: "[::2]", why: "the one beside" },
    { host: "[::]", why: "every address, in IPv6" },
    { host: "matrix.example", why: "a name" },
    { host: "localhost", why: "a name that may lead anywhere" },
    { host: "127.0.0.1.example", why: "a name that begins as an address" },
  ])("$host without --remote, wherever it stands: $why", ({ host }) => {
    const parsed = parse({ to: `http://${host}:1`, via: `http://${host}:2`, viaTo: `${host}:3` });
    expect(parsed).toEqual({
      refused: ["--to", "--via", "--via-to"].map((name) => `${name} ${NO_LOOPBACK}`),
    });
  });
});

it("tells all that is wrong at once, with the usage, and sends nothing", async () => {
  const args = ["--to", "http://matrix.example", "--via", "x", "--rate", "x", "--for", "1", "--seed", "x"];
  const { status, stdout, stderr } = await runCli(["loadgen", ...args]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  const [told = ""] = stderr.split("\n\nusage: fedtrace COMMAND\n");
  expect(told.split("\n").map((line) => line.split(" ")[0])).toEqual([
    "--rate",
    "--for",
    "--seed",
    "--to",
    "--via",
    "--via",
  ]);
});

interface Report {
  readonly seed: number;
  readonly sent: number;
  readonly answered: number;
  readonly notSent: number;
  readonly byClass: Readonly<Record<string, number>>;
  readonly failures: Readonly<Record<string, number>>;
  readonly routes: readonly {
    readonly direction: string;
    readonly method: string;
    readonly route: string;
    readonly sent: number;
  }[];
}

async function startUpstream(answer = true): Promise<{
  readonly port: number;
  readonly requests: readonly IncomingMessage[];
  readonly asked: Promise<unknown>;
}> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    request.resume();
    if (answer) response.end("{}");
  });
  const asked = once(server, "request");
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, requests, asked };
}

/** By the command's own function. */
function loadgen(words: Partial<LoadgenWords>): Promise<Finished> {
  const parsed = parse(words);
  if ("refused" in parsed) throw new Error(parsed.refused.join("\n"));
  const never = new Promise<string>(() => undefined);
  return captured("/nowhere", (output) => loadgenCommand(parsed.value, output, { stop: never }));
}

const FAST = ["--rate", "500", "--requests", "120"];

it("goes through both listeners of a sidecar, which sees whitelisted peers and strangers", async () => {
  const upstream = await startUpstream();
  const sidecar = await startSidecar({
    inbound: inboundTo(upstream.port),
    outbound: { ...OUTBOUND, allow_ports: [upstream.port], shared_secret: "s3cret" },
    whitelist: [{ glob: "peer*.example" }],
  });
  const { inbound, outbound } = sidecar.port;
  const places = [`--to=http://127.0.0.1:${inbound}`, `--via=http://127.0.0.1:${outbound}`];
  const args = [
    ...places,
    `--via-to=127.0.0.1:${upstream.port}`,
    ...FAST,
    "--seed=3",
    "--json",
    "--trace=all",
  ];
  const environment = { FEDTRACE_SECRET: "s3cret" };
  const { status, stdout, stderr } = await runCli(["loadgen", ...args], { environment });
  expect(status).toBe(0);
  const report = JSON.parse(stdout) as Report;
  expect(report).toMatchObject({ seed: 3, sent: 120, answered: 120, notSent: 0, failures: {} });
  expect(report.byClass).toMatchObject({ "2xx": 120 });
  expect(upstream.requests.length).toBe(120);
  const sentBy = (direction: string): number =>
    report.routes.filter((row) => row.direction === direction).reduce((sum, { sent }) => sum + sent, 0);
  expect([sentBy("in"), sentBy("out")]).toEqual([60, 60]);
  const origins = upstream.requests.map(
    ({ headers }) => /origin="([^"]+)"/.exec(headers.authorization ?? "")?.[1],
  );
  expect(new Set(origins)).toContain("peer1.example");
  expect(origins.some((name) => name?.startsWith("stranger"))).toBe(true);
  expect(upstream.requests.some(({ headers }) => "proxy-authorization" in headers)).toBe(false);
  expect(stdout + stderr).not.toContain("s3cret");
});

it("is told what the way out says to a wrong secret", async () => {
  const upstream = await startUpstream();
  const sidecar = await startSidecar({ outbound: { ...OUTBOUND, shared_secret: "s3cret" } });
  const places = { via: `http://127.0.0.1:${sidecar.port.outbound}`, viaTo: `127.0.0.1:${upstream.port}` };
  const { status, stdout } = await loadgen({ ...places, rate: "500", requests: "10", isJson: true });
  expect(status).toBe(0); // It was answered.
  expect(JSON.parse(stdout)).toMatchObject({ answered: 10, byClass: { "4xx": 10 } });
  expect(upstream.requests).toEqual([]);
});

it("sends the same for a seed", async () => {
  const targetsOf = async (): Promise<readonly string[]> => {
    const upstream = await startUpstream();
    const to = `http://127.0.0.1:${upstream.port}`;
    const asked = { to, rate: "500", requests: "120", seed: "9", isJson: true };
    const { status, stdout, stderr } = await loadgen(asked);
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ sent: 120, answered: 120, failures: {} });
    // Over several connections they don't arrive in order.
    return upstream.requests.map(({ url = "" }) => url).toSorted((left, right) => left.localeCompare(right));
  };
  expect(await targetsOf()).toEqual(await targetsOf());
});

it("exits 1 where nobody answers, and says why in a table", async () => {
  const { status, stdout, stderr } = await runCli([
    "loadgen",
    "--to=http://127.0.0.1:1",
    "--rate=100",
    "--requests=5",
  ]);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^loadgen: 100 requests a second for 30 s, at most 5; seed \d+; Ctrl-C ends it\n$/);
  expect(stdout).toMatch(/^ +method +route +sent .*\n(?:in +(?:GET|PUT|POST) +\/_matrix\/.*\n)+ +all +5 /);
  expect(stdout).toMatch(/\nfailures: refused 5\nnot sent: 0\nseed: \d+\n$/);
});

it("ends at a signal, and tells what there is until then", async () => {
  const upstream = await startUpstream(false);
  const loadgen = startProcess([
    "dist/cli.js",
    "loadgen",
    `--to=http://127.0.0.1:${upstream.port}`,
    "--rate=100",
  ]);
  await upstream.asked;
  expect(await loadgen.stop()).toBe(1);
  expect(loadgen.lines.find((line) => line.startsWith("failures: "))).toMatch(/^failures: stopped \d+$/);
});
