/** A strategy followed over HTTP: real sockets; timers of the program stand still until told, so nothing waits for time. */

import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type RemoteStrategyOptions, startRemoteStrategy } from "../../src/strategies/remote-strategy.ts";
import type { StrategySource } from "../../src/strategies/strategy-source.ts";
import { startTlsServer } from "../http1/tls-server.ts";
import {
  LIMITS,
  type Recorded,
  recordTools,
  samplingServer,
  type SamplingServer,
  share,
  text,
} from "./harness.ts";

const POLL_MS = 60_000;

interface Followed extends Recorded {
  readonly source: StrategySource;
  /** Lets the wait that was set last pass, and resolves when the look after it is over. */
  again(): Promise<void>;
  /** The wait that was set last. */
  waitMs(): number;
  /** Of all timers so far: whether any would keep the process alive. */
  isHeld(): boolean;
}

/** Started, and its first look over. */
async function follow(
  server: Pick<SamplingServer, "url">,
  more: Partial<RemoteStrategyOptions> = {},
): Promise<Followed> {
  const followed = start(server, more);
  await followed.untilPolled(1);
  return followed;
}

function start({ url }: Pick<SamplingServer, "url">, more: Partial<RemoteStrategyOptions> = {}): Followed {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const setTimer = vi.spyOn(globalThis, "setTimeout");
  const recorded = recordTools();
  const options = { url, service: "S", pollIntervalMs: POLL_MS, cacheFile: undefined, ...LIMITS, ...more };
  const source = startRemoteStrategy(options, recorded.tools);
  onTestFinished(() => {
    source.stop();
    vi.useRealTimers();
    setTimer.mockRestore();
  });
  const waitMs = (): number => setTimer.mock.lastCall?.[1] ?? Number.NaN;
  return Object.assign(recorded, {
    source,
    waitMs,
    isHeld: () => setTimer.mock.results.some(({ value }) => (value as NodeJS.Timeout).hasRef()),
    async again() {
      const looks = recorded.outcomes.length;
      vi.advanceTimersByTime(Math.ceil(waitMs()));
      await recorded.untilPolled(looks + 1);
    },
  });
}

describe("what is asked", () => {
  it.each([
    { why: "the service as a query", path: "", service: "S", expected: "/sampling?service=S" },
    {
      why: "a name that needs escaping",
      path: "",
      service: "a b&c=ü",
      expected: "/sampling?service=a+b%26c%3D%C3%BC",
    },
    {
      why: "queries that are there stay",
      path: "?key=1",
      service: "S",
      expected: "/sampling?key=1&service=S",
    },
  ])("$why", async ({ path, service, expected }) => {
    const server = await samplingServer(text(share(0.5)));
    await follow({ url: server.url + path }, { service });
    expect(server.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([`GET ${expected}`]);
  });
});

describe("a change", () => {
  it("is told once, with a line that says from what to what", async () => {
    const server = await samplingServer(text(share(0.5)));
    const followed = await follow(server);
    server.answer = text('{"strategyType":1,"rateLimitingSampling":{"maxTracesPerSecond":2}}');
    await followed.again();
    expect(followed.outcomes).toEqual(["changed", "changed"]);
    expect(followed.descriptions()).toEqual(["probabilistic(0.5)", "ratelimiting(2)"]);
    const facts = { source: server.url, from: "probabilistic(0.5)", to: "ratelimiting(2)" };
    expect(followed.lines).toEqual([
      [
        "info",
        "sampling strategy changed",
        { source: server.url, from: undefined, to: "probabilistic(0.5)" },
      ],
      ["info", "sampling strategy changed", facts],
    ]);
  });

  it("is bounded, and the line says how", async () => {
    const server = await samplingServer(text(share(1)));
    const followed = await follow(server, { maxProbability: 0.1 });
    expect(followed.descriptions()).toEqual(["probabilistic(0.1)"]);
    expect(followed.lines[0]?.[2]).toMatchObject({
      to: "probabilistic(0.1)",
      bounded: ["probabilistic(1) cut to probabilistic(0.1)"],
    });
  });

  it("shows no password and no query in the log", async () => {
    const server = await samplingServer(text(share(1)));
    const url = `${server.url.replace("//", "//user:secret@")}?token=secret`;
    const followed = await follow({ url });
    expect(JSON.stringify(followed.lines)).not.toContain("secret");
    expect(server.requests[0]?.headers.authorization).toBe(`Basic ${btoa("user:secret")}`);
  });
});

describe("no change", () => {
  const ordered = (...names: readonly string[]): string =>
    JSON.stringify({
      operationSampling: {
        perOperationStrategies: names.map((operation) => ({
          operation,
          probabilisticSampling: { samplingRate: 1 },
        })),
      },
    });
  it.each([
    { why: "the same text", first: share(0.5), second: share(0.5), outcome: "unchanged" },
    { why: "the same in other words", first: share(0.5), second: ` ${share(0.5)}`, outcome: "unchanged" },
    {
      why: "operations in another order",
      first: ordered("a", "b"),
      second: ordered("b", "a"),
      outcome: "unchanged",
    },
    {
      why: "whatever their names: a star is a letter",
      first: ordered("a*", "ab"),
      second: ordered("ab", "a*"),
      outcome: "unchanged",
    },
  ])("$why", async ({ first, second, outcome }) => {
    const server = await samplingServer(text(first));
    const followed = await follow(server);
    server.answer = text(second);
    await followed.again();
    expect(followed.outcomes).toEqual(["changed", outcome]);
    expect(followed.strategies).toHaveLength(outcome === "changed" ? 2 : 1);
  });

  it("asks with the last ETag, and takes 304", async () => {
    const server = await samplingServer(text(share(0.5), { etag: '"one"' }));
    const followed = await follow(server);
    server.answer = (_, response) => void response.writeHead(304).end();
    await followed.again();
    server.answer = text(share(0.6), { etag: 'W/"two"' });
    await followed.again();
    server.answer = text("refused", { etag: '"three"' });
    await followed.again();
    server.answer = text(share(0.6));
    await followed.again();
    await followed.again();
    const asked = server.requests.map(({ headers }) => headers["if-none-match"]);
    expect(asked).toEqual([undefined, '"one"', '"one"', 'W/"two"', 'W/"two"', undefined]);
    expect(followed.outcomes).toEqual([
      "changed",
      "unchanged",
      "changed",
      "failed",
      "unchanged",
      "unchanged",
    ]);
  });
});

describe("a failure", () => {
  const GOOD = share(0.5);
  it.each<{ why: string; answer: SamplingServer["answer"]; reason: RegExp }>([
    {
      why: "a status",
      answer: (_, response) => void response.writeHead(503).end(GOOD),
      reason: /^HTTP status 503$/,
    },
    {
      why: "304 to no condition",
      answer: (_, response) => void response.writeHead(304).end(),
      reason: /status 304/,
    },
    {
      why: "a redirect is not followed",
      answer: (request, response) => void response.writeHead(302, { location: request.url ?? "/" }).end(GOOD),
      reason: /^HTTP status 302$/,
    },
    { why: "nothing", answer: text(""), reason: /^the answer is refused: not a JSON object$/ },
    { why: "no JSON", answer: text("<html>"), reason: /^the answer is refused: not/ },
    { why: "a share above 1", answer: text(share(2)), reason: /refused: .*samplingRate is 2, more than 1$/ },
    {
      why: "a body that has no end",
      answer: (_, response) => pour(response),
      reason: /^an answer of more than 1048576 bytes$/,
    },
    {
      why: "a body that is cut off",
      answer: (_, response) =>
        void response.writeHead(200, { "content-length": 99 }).write(GOOD, () => response.destroy()),
      reason: /^(?:ECONNRESET|aborted)$/,
    },
    { why: "no answer", answer: ({ socket }) => void socket.destroy(), reason: /^ECONNRESET$/ },
    { why: "what is no HTTP", answer: ({ socket }) => void socket.end("garbage\r\n\r\n"), reason: /^HPE_/ },
    {
      why: "another protocol",
      answer: ({ socket }) => void socket.end("HTTP/1.1 101 No\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
      reason: /closed before an answer/,
    },
  ])("$why: the last strategy stays", async ({ answer, reason }) => {
    const server = await samplingServer(text(GOOD));
    const followed = await follow(server);
    server.answer = answer;
    await followed.again();
    expect(followed.outcomes).toEqual(["changed", "failed"]);
    expect(followed.strategies).toHaveLength(1);
    expect(followed.lines.slice(1)).toEqual([
      [
        "warn",
        "sampling strategy can't be had",
        { source: server.url, reason: expect.stringMatching(reason) as string, stays: "probabilistic(0.5)" },
      ],
    ]);
  });

  it.each([
    { why: "five seconds", pollIntervalMs: POLL_MS, timeoutMs: 5000 },
    { why: "a shorter interval", pollIntervalMs: 800, timeoutMs: 800 },
  ])("no end of an answer within $why", async ({ pollIntervalMs, timeoutMs }) => {
    const server = await samplingServer((_, response) => void response.writeHead(200).write("{"));
    const followed = start(server, { pollIntervalMs });
    await server.untilRequested(1);
    vi.advanceTimersByTime(timeoutMs - 1);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(1);
    await followed.untilPolled(1);
    expect(followed.lines.map(([, , { reason }]) => reason)).toEqual([`no answer within ${timeoutMs} ms`]);
  });

  it("is a line when it begins and when its reason changes, and one when it is over", async () => {
    const server = await samplingServer((_, response) => void response.writeHead(500).end());
    const followed = await follow(server);
    await followed.again();
    server.answer = text("{}");
    await followed.again();
    await followed.again();
    server.answer = text(share(0.5));
    await followed.again();
    await followed.again();
    expect(followed.outcomes).toEqual(["failed", "failed", "failed", "failed", "changed", "unchanged"]);
    expect(followed.lines.map(([level, message, { reason }]) => [level, message, reason])).toEqual([
      ["warn", "sampling strategy can't be had", "HTTP status 500"],
      ["warn", "sampling strategy can't be had", "the answer is refused: probabilisticSampling is not there"],
      ["info", "sampling strategy changed", undefined],
      ["info", "sampling strategy can be had again", undefined],
    ]);
  });

  it("of nobody there is one too", async () => {
    const server = await samplingServer(text(share(0.5)));
    await server.stop();
    const followed = await follow(server);
    await followed.source.ready;
    expect(followed.lines[0]?.[2]).toMatchObject({ reason: "ECONNREFUSED", stays: undefined });
  });
});

describe("over TLS", () => {
  it("believes no certificate that can't be verified", async () => {
    const { port, names } = await startTlsServer();
    const followed = await follow({ url: `https://localhost:${port}/sampling` });
    expect(followed.lines[0]?.[2]).toMatchObject({
      reason: expect.stringMatching(/SIGNATURE|SELF_SIGNED/) as string,
    });
    expect(names).toEqual([]);
  });
});

/** Writes for as long as it is read. */
function pour(response: Parameters<SamplingServer["answer"]>[1]): void {
  const chunk = Buffer.alloc(64 * 1024, " ");
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on("drain", more);
  more();
}

describe("when it is asked again", () => {
  it.each([
    { why: "a tenth sooner at most", fraction: 0, factor: 0.9 },
    { why: "in the middle", fraction: 0.5, factor: 1 },
    { why: "a tenth later at most", fraction: 1 - 2 ** -32, factor: 1.1 },
  ])("$why", async ({ fraction, factor }) => {
    const server = await samplingServer(text(share(0.5)));
    const followed = await follow(server);
    followed.fraction = fraction;
    await followed.again();
    expect(followed.waitMs()).toBeCloseTo(POLL_MS * factor, 3);
    server.answer = text("");
    await followed.again();
    expect(followed.waitMs()).toBeCloseTo(1000 * factor, 3);
  });

  it("sooner after failures, twice as late with each, and as ever once it is well", async () => {
    const server = await samplingServer(text(""));
    const followed = await follow(server);
    const waits = [followed.waitMs()];
    for (let look = 0; look < 7; look++) {
      await followed.again();
      waits.push(followed.waitMs());
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, POLL_MS, POLL_MS]);
    server.answer = text(share(0.5));
    await followed.again();
    server.answer = text("");
    await followed.again();
    expect(followed.waitMs()).toBe(1000);
  });

  it("never later than the interval", async () => {
    const followed = await follow(await samplingServer(text("")), { pollIntervalMs: 300 });
    expect(followed.waitMs()).toBe(300);
  });

  it("not after it was stopped, and nothing is told from then on", async () => {
    const server = await samplingServer(() => undefined);
    const followed = start(server);
    await server.untilRequested(1);
    const closed = new Promise((resolve) => void server.requests[0]?.socket.once("close", resolve));
    followed.source.stop();
    await followed.source.ready;
    await closed;
    expect(followed.outcomes).toEqual([]);
    expect(followed.lines).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("by timers that keep no process alive", async () => {
    const followed = await follow(await samplingServer(text("")));
    await followed.again();
    expect(followed.isHeld()).toBe(false);
  });
});
