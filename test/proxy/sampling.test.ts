/**
 * Sampling on the wire: what is recorded of what peers and the own server send, what the spans say about it, what `tracestate` carries
 * on, debug passes, and what is kept once it is known how it ended. Both directions, real sockets.
 */

import { metricsText } from "../support/metrics.ts";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSecret } from "../../src/core/random.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { createPassIssuer } from "../../src/passes/debug-pass.ts";
import type { SpanRecord } from "../../src/span/record.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { inboundTo, OUTBOUND } from "../support/sidecar.ts";
import { exchangeRaw, OK_RESPONSE, recordingUpstream, type RecordingUpstream } from "../support/wire.ts";

const TRACE = "d4cda95b652f4a1592b449d5929fda1b";
const SPAN = "6e0c63257de34c92";
const R = "b449d5929fda1b";
const HIGH = "f".repeat(14);
const LOW = "0".repeat(14);

const from = (name: string): string => `Authorization: X-Matrix origin="${name}",key="ed25519:a",sig="AA"`;
const FRIEND = from("friend.test");
const STRANGER = from("stranger.test");
const TRUSTED = from("trusted.test");
const WHITELIST = ["friend\\.test", { regex: "trusted\\.test", sampling: "trust", forced_per_second: 1 }];

const NONE = { type: "const", param: 0 };
const ALL = { type: "const", param: 1 };
const HALF = { type: "probabilistic", param: 0.5 };

interface Passed {
  /** What the server behind got. */
  readonly arrived: string;
  /** What came back. */
  readonly received: string;
}

interface Staged {
  readonly sidecar: TestSidecar;
  readonly upstream: RecordingUpstream;
  readonly passIn: (lines: readonly string[], path?: string) => Promise<Passed>;
  readonly passOut: (host: string, lines: readonly string[]) => Promise<Passed>;
}

async function stage(sampling: object, answer: () => string = () => OK_RESPONSE): Promise<Staged> {
  const upstream = await recordingUpstream(answer);
  const sidecar = await startInProcess({
    inbound: { ...inboundTo(upstream.port), authenticate: "claimed" },
    outbound: OUTBOUND,
    whitelist: WHITELIST,
    sampling,
  });
  onTestFinished(async () => {
    upstream.stop();
    await sidecar.sidecar.stop();
  });
  async function pass(port: number, head: readonly string[]) {
    const known = upstream.received().length;
    const received = await exchangeRaw(port, `${head.join("\r\n")}\r\nConnection: close\r\n\r\n`);
    return { arrived: upstream.received().slice(known), received };
  }
  return {
    sidecar,
    upstream,
    passIn: (lines, path = "/_matrix/key/v2/server") =>
      pass(sidecar.port.inbound, [`GET ${path} HTTP/1.1`, "Host: own.test", ...lines]),
    passOut(host, lines) {
      const authority = `${host}:${upstream.port}`;
      return pass(sidecar.port.outbound, [
        `GET http://${authority}/ HTTP/1.1`,
        `Host: ${authority}`,
        ...lines,
      ]);
    },
  };
}

function w3c(flags: string, ids = `${TRACE}-${SPAN}`): string {
  return `traceparent: 00-${ids}-${flags}`;
}

/** Of the only span there is; undefined: none was recorded. */
function attributesOf({ spans }: TestSidecar): SpanRecord["attributes"] | undefined {
  expect(spans.length).toBeLessThanOrEqual(1);
  return spans[0]?.attributes;
}

describe("what a span says about its sampling", () => {
  it.each([
    {
      why: "a new trace",
      sampling: ALL,
      lines: [STRANGER],
      asked: undefined,
      decided: "local",
      type: "const",
      param: true,
    },
    {
      why: "a share of all",
      sampling: { type: "probabilistic", param: 1 },
      lines: [],
      asked: undefined,
      decided: "local",
      type: "probabilistic",
      param: 1,
    },
    {
      why: "a rate",
      sampling: { type: "ratelimiting", param: 5 },
      lines: [],
      asked: undefined,
      decided: "local",
      type: "ratelimiting",
      param: 5,
    },
    {
      why: "the lower bound",
      sampling: { ...HALF, param: 0, lower_bound: 2 },
      lines: [],
      asked: undefined,
      decided: "local",
      type: "lowerbound",
      param: 0,
    },
    {
      why: "a friend's yes is heard, the sampler decides",
      sampling: ALL,
      lines: [FRIEND, w3c("01")],
      asked: "sampled",
      decided: "local",
    },
    {
      why: "a friend's no",
      sampling: ALL,
      lines: [FRIEND, w3c("00")],
      asked: "not_sampled",
      decided: "local",
    },
    {
      why: "a trusted friend's yes",
      sampling: NONE,
      lines: [TRUSTED, w3c("01")],
      asked: "sampled",
      decided: "forced",
    },
    {
      why: "a friend leaves it to us",
      sampling: ALL,
      lines: [FRIEND, `b3: ${TRACE}-${SPAN}`],
      asked: undefined,
      decided: "local",
    },
    {
      why: "debug in b3",
      sampling: ALL,
      lines: [FRIEND, `b3: ${TRACE}-${SPAN}-d`],
      asked: "debug",
      decided: "local",
    },
    {
      why: "debug in Jaeger's flags",
      sampling: ALL,
      lines: [FRIEND, `uber-trace-id: ${TRACE}:${SPAN}:0:3`],
      asked: "debug",
      decided: "local",
    },
    {
      why: "a debug id",
      sampling: ALL,
      lines: [FRIEND, "jaeger-debug-id: look"],
      asked: "debug",
      decided: "local",
      type: "const",
      param: true,
    },
    {
      why: "b3's debug header",
      sampling: ALL,
      lines: [FRIEND, w3c("00"), "x-b3-flags: 1"],
      asked: "debug",
      decided: "local",
    },
    {
      why: "b3's debug header that says no",
      sampling: ALL,
      lines: [FRIEND, w3c("00"), "x-b3-flags: 0"],
      asked: "not_sampled",
      decided: "local",
    },
    {
      why: "a stranger asks in vain, and unheard",
      sampling: ALL,
      lines: [STRANGER, w3c("01"), "jaeger-debug-id: x"],
      asked: undefined,
      decided: "local",
      type: "const",
      param: true,
    },
  ])("$why", async ({ sampling, lines, asked, decided, type, param }) => {
    const { sidecar, passIn } = await stage(sampling);
    await passIn(lines);
    await sidecar.spansOf(1);
    const attributes = attributesOf(sidecar) ?? {};
    expect(attributes["fedtrace.sampling.asked"]).toBe(asked);
    expect(attributes["fedtrace.sampling.decided"]).toBe(decided);
    expect(attributes["sampler.type"]).toBe(type);
    expect(attributes["sampler.param"]).toBe(param);
  });

  it.each([
    { why: "a friend's yes", lines: [FRIEND, w3c("01")] },
    {
      why: "debug, whoever asks",
      lines: [TRUSTED, `uber-trace-id: ${TRACE}:${SPAN}:0:2`, "jaeger-debug-id: x", "x-b3-flags: 1"],
    },
    { why: "debug in b3", lines: [TRUSTED, `b3: ${TRACE}-${SPAN}-d`] },
    {
      why: "a stranger's everything",
      lines: [STRANGER, w3c("01"), `b3: ${TRACE}-${SPAN}-d`, "jaeger-debug-id: x"],
    },
  ])("forces nothing: $why", async ({ lines }) => {
    const { sidecar, passIn } = await stage(NONE);
    const { arrived } = await passIn(lines);
    expect(arrived).toMatch(/\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-0[02]\r\n/);
    expect(sidecar.spans).toEqual([]);
  });

  it("follows a trusted friend's yes for as many new traces as its budget has, and counts the rest", async () => {
    const { sidecar, passIn } = await stage(NONE);
    for (let index = 0; index < 5; index++) {
      await passIn([TRUSTED, w3c("01", `${index}${TRACE.slice(1)}-${SPAN}`)]);
    }
    expect(sidecar.spans.length).toBe(1);
    await passIn([TRUSTED, w3c("01", `0${TRACE.slice(1)}-${SPAN}`)]);
    expect(sidecar.spans.length).toBe(2);
    const counted = metricsText(sidecar.sidecar.registry);
    expect(counted).toContain('fedtrace_sampling_decisions_total{decided="forced",sampled="true"} 2');
    expect(counted).toContain('fedtrace_sampling_decisions_total{decided="local",sampled="false"} 4');
  });

  it("follows the own server's yes, and says so", async () => {
    const { sidecar, passOut } = await stage(NONE);
    await passOut("stranger.test", [w3c("01")]);
    expect(attributesOf(sidecar)).toMatchObject({
      "fedtrace.sampling.asked": "sampled",
      "fedtrace.sampling.decided": "own",
    });
  });
});

describe("samplers of operations and peers", () => {
  const operations = [{ method: "GET", template: "/_matrix/key/*", ...ALL }];

  it.each([
    { why: "by its parts", operations },
    { why: "by its template alone", operations: [{ template: "/_matrix/key/v2/server", ...ALL }] },
    { why: "by its whole name", operations: [{ operation: "GET /_matrix/key/*", ...ALL }] },
    { why: "the first that matches", operations: [...operations, { method: "GET", ...NONE }] },
  ])("takes what its rule takes, and nothing else: $why", async ({ operations: rules }) => {
    const { sidecar, passIn } = await stage({ ...NONE, operations: rules });
    await passIn([STRANGER], "/_matrix/federation/v1/version");
    await passIn([STRANGER], "/_matrix/key/v2/server");
    expect(sidecar.spans.map(({ name }) => name)).toEqual(["GET /_matrix/key/v2/server"]);
  });

  it.each([
    { why: "a proven friend", lines: [FRIEND], isSampled: true },
    { why: "another friend", lines: [TRUSTED], isSampled: false },
    { why: "a stranger's name that the pattern has", lines: [STRANGER], isSampled: false },
  ])("inbound asks who is whitelisted and proven: $why", async ({ lines, isSampled }) => {
    const { sidecar, passIn } = await stage({ ...NONE, peers: [{ glob: "{friend,stranger}.test", ...ALL }] });
    await passIn(lines);
    expect(sidecar.spans.length).toBe(isSampled ? 1 : 0);
  });

  it("outbound counts for whoever the own server names", async () => {
    const { sidecar, passOut } = await stage({ ...NONE, peers: [{ regex: "stranger\\.test", ...ALL }] });
    await passOut("friend.test", []);
    await passOut("stranger.test", []);
    expect(sidecar.spans.map(({ attributes }) => attributes["server.address"])).toEqual(["stranger.test"]);
  });

  it("takes a reload over at once", async () => {
    const { sidecar, upstream, passIn } = await stage(NONE);
    await passIn([]);
    const inbound = { ...inboundTo(upstream.port), authenticate: "claimed" };
    const next = { ...NONE, operations };
    const keys = await sidecar.reload({ inbound, outbound: OUTBOUND, whitelist: WHITELIST, sampling: next });
    expect(keys).toEqual([]);
    await passIn([]);
    expect(sidecar.spans.length).toBe(1);
  });
});

describe("tracestate", () => {
  it.each([
    { why: "kept: our threshold", sampling: HALF, lines: [FRIEND, w3c("00")], flags: "01", state: "ot=th:8" },
    {
      why: "a friend's R is high",
      sampling: HALF,
      lines: [FRIEND, w3c("03"), `tracestate: a=1,ot=th:4;rv:${HIGH}`],
      flags: "03",
      state: `ot=th:8;rv:${HIGH},a=1`,
    },
    {
      why: "a friend's R is low",
      sampling: HALF,
      lines: [FRIEND, w3c("01"), `tracestate: ot=th:4;rv:${LOW};p:8,a=1`],
      flags: "00",
      state: `ot=rv:${LOW};p:8,a=1`,
    },
    {
      why: "not kept: nothing to say",
      sampling: NONE,
      lines: [FRIEND, w3c("01")],
      flags: "00",
      state: undefined,
    },
    {
      why: "const: nothing to say",
      sampling: ALL,
      lines: [FRIEND, w3c("01"), "tracestate: a=1"],
      flags: "01",
      state: "a=1",
    },
    {
      why: "a trusted friend's yes: its threshold has no weight here",
      sampling: NONE,
      lines: [TRUSTED, w3c("01"), "tracestate: ot=th:8"],
      flags: "01",
      state: undefined,
    },
    {
      why: "a stranger's R is not read",
      sampling: { ...HALF, param: 0 },
      lines: [STRANGER, w3c("01"), `tracestate: ot=th:0;rv:${HIGH}`],
      flags: "02",
      state: undefined,
    },
  ])("$why", async ({ sampling, lines, flags, state }) => {
    const { passIn, sidecar } = await stage(sampling);
    const { arrived } = await passIn(lines);
    expect(/\r\ntraceparent: \S+-(..)\r\n/.exec(arrived)?.[1]).toBe(flags);
    expect(/\r\ntracestate: (.+)\r\n/.exec(arrived)?.[1]).toBe(state);
    // What is exported carries what went on.
    if (sidecar.spans.length > 0) {
      expect(sidecar.spans[0]?.spanContext().traceState?.serialize()).toBe(state);
    }
  });

  it("is decided alike on the way out, by the trace id where nothing else says R", async () => {
    for (const [threshold, isSampled] of [
      [0.25, false],
      [0.5, true],
    ] as const) {
      const { sidecar, passOut } = await stage({ type: "probabilistic", param: threshold });
      const { arrived } = await passOut("friend.test", [w3c("00")]);
      expect(sidecar.spans.length).toBe(isSampled ? 1 : 0);
      expect(arrived.includes("tracestate: ot=th:8\r\n")).toBe(isSampled);
      expect(R > "8").toBe(true);
    }
  });
});

it("takes nobody for the own server who may not use the way out", async () => {
  const upstream = await recordingUpstream();
  const sidecar = await startInProcess({
    outbound: { ...OUTBOUND, shared_secret: "open" },
    sampling: { ...ALL, max_per_second: 2 },
  });
  onTestFinished(async () => {
    upstream.stop();
    await sidecar.sidecar.stop();
  });
  const ask = (lines: string): Promise<string> => {
    const host = `127.0.0.1:${upstream.port}`;
    const head = `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n${lines}Connection: close\r\n\r\n`;
    return exchangeRaw(sidecar.port.outbound, head);
  };
  for (let index = 0; index < 10; index++) expect(await ask("")).toContain("407");
  const refused = sidecar.spans.length;
  expect(refused).toBeLessThan(10);
  expect(await ask("Proxy-Authorization: Bearer open\r\n")).toContain(" 200 ");
  expect(sidecar.spans.length).toBe(refused + 1); // Half of the bound was left.
});

describe("a friend that chooses its trace ids", () => {
  it("gets no more than twice its share and twenty, and is counted", async () => {
    const { sidecar, passIn } = await stage({ type: "probabilistic", param: 0.01 });
    for (let index = 0; index < 60; index++) {
      const traceId = index.toString(16).padStart(18, "0") + HIGH;
      await passIn([FRIEND, w3c("01", `${traceId}-${SPAN}`), `tracestate: ot=rv:${HIGH}`]);
    }
    expect(sidecar.spans.length).toBe(21);
    expect(metricsText(sidecar.sidecar.registry)).toContain(
      'fedtrace_sampling_withheld_total{reason="share"} 39',
    );
  });

  it("does not silence a trace of our own server by sending it back", async () => {
    const { sidecar, passIn, passOut } = await stage({ type: "probabilistic", param: 0.001 });
    const state = `tracestate: ot=rv:${HIGH}`;
    for (let index = 0; index < 30; index++) {
      await passIn([FRIEND, w3c("00", `${index.toString(16).padStart(32, "a")}-${SPAN}`), state]);
    }
    sidecar.forget();
    const decided = (): unknown[] => sidecar.spans.map(({ attributes }) => attributes["fedtrace.direction"]);
    await passOut("friend.test", [w3c("00"), state]);
    await passIn([FRIEND, w3c("00"), state]);
    await passOut("other.test", [w3c("00"), state]);
    expect(decided()).toEqual(["outbound", "inbound", "outbound"]);
  });
});

const SECRET = "a secret of sixteen and more".replaceAll(" ", "-");

async function issue(
  changes: { peer?: string; audience?: string; count?: number; ttlMs?: number } = {},
): Promise<string> {
  const issuer = await createPassIssuer(SECRET);
  const issued = issuer.issue(
    { peer: "friend.test", audience: "own.test", ttlMs: 60_000, count: 2, ...changes },
    { clock: createSystemClock(), secretBytes: createSecret },
  );
  if ("refused" in issued) throw new Error(issued.refused);
  return issued.value.token;
}

describe("a debug pass", () => {
  const sampling = { ...NONE, debug_pass_secret: SECRET };

  it("has so many traces of its peer recorded, and no more", async () => {
    const { sidecar, passIn } = await stage(sampling);
    const line = `fedtrace-debug-pass: ${await issue()}`;
    for (let index = 0; index < 4; index++) {
      const { arrived } = await passIn([FRIEND, line]);
      expect(arrived.toLowerCase()).not.toContain("debug-pass");
      expect(arrived).toMatch(index < 2 ? /\r\ntraceparent: \S+-03\r\n/ : /\r\ntraceparent: \S+-02\r\n/);
    }
    expect(sidecar.spans.map(({ attributes }) => attributes["fedtrace.sampling.decided"])).toEqual([
      "debug_pass",
      "debug_pass",
    ]);
    const counted = metricsText(sidecar.sidecar.registry);
    expect(counted).toContain('fedtrace_debug_passes_total{outcome="used"} 2');
    expect(counted).toContain('fedtrace_debug_passes_total{outcome="spent"} 2');
  });

  it("counts a trace once, however many requests it has", async () => {
    const { sidecar, passIn } = await stage(sampling);
    const line = `fedtrace-debug-pass: ${await issue({ count: 1 })}`;
    for (let index = 0; index < 3; index++) await passIn([FRIEND, w3c("00"), line]);
    expect(sidecar.spans.length).toBe(3);
  });

  it("stays spent when the secret was away for a while", async () => {
    const { sidecar, upstream, passIn } = await stage(sampling);
    const line = `fedtrace-debug-pass: ${await issue({ count: 1 })}`;
    await passIn([FRIEND, line]);
    const inbound = { ...inboundTo(upstream.port), authenticate: "claimed" };
    const document = { inbound, outbound: OUTBOUND, whitelist: WHITELIST };
    await sidecar.reload({ ...document, sampling: NONE });
    await sidecar.reload({ ...document, sampling });
    await passIn([FRIEND, line]);
    expect(sidecar.spans.length).toBe(1);
  });

  it("ends with its time", async () => {
    const { sidecar, passIn } = await stage(sampling);
    const line = `fedtrace-debug-pass: ${await issue({ ttlMs: 5000 })}`;
    sidecar.advance(6001);
    await passIn([FRIEND, line]);
    expect(sidecar.spans).toEqual([]);
  });

  it.each([
    { why: "a stranger, with a friend's", lines: [STRANGER], pass: {} },
    { why: "nobody, with a friend's", lines: [], pass: {} },
    { why: "a friend, with another's", lines: [TRUSTED], pass: {} },
    { why: "a stranger, with its own", lines: [STRANGER], pass: { peer: "stranger.test" } },
    { why: "a friend, with one of another server", lines: [FRIEND], pass: { audience: "other.test" } },
    { why: "a friend, with nonsense", lines: [FRIEND], token: "v1.x.y" },
    { why: "a friend that nominates it", lines: [FRIEND, "Connection: fedtrace-debug-pass"], pass: {} },
  ])("is nothing to $why", async ({ lines, pass, token }) => {
    const { sidecar, passIn } = await stage(sampling);
    const { arrived } = await passIn([...lines, `fedtrace-debug-pass: ${token ?? (await issue(pass))}`]);
    expect(sidecar.spans).toEqual([]);
    expect(arrived).toContain("traceparent: ");
    expect(arrived.toLowerCase()).not.toContain("fedtrace-debug-pass");
  });

  it("is nothing where the config has no secret, and does not get through either", async () => {
    const { sidecar, passIn } = await stage(NONE);
    const { arrived } = await passIn([FRIEND, `fedtrace-debug-pass: ${await issue()}`]);
    expect(sidecar.spans).toEqual([]);
    expect(arrived.toLowerCase()).not.toContain("fedtrace-debug-pass");
  });

  it("goes out to whitelisted peers alone, and never back in an answer", async () => {
    const { passOut } = await stage(NONE, () =>
      OK_RESPONSE.replace("\r\n", "\r\nfedtrace-debug-pass: x\r\n"),
    );
    const friend = await passOut("friend.test", ["fedtrace-debug-pass: v1.a.b"]);
    const stranger = await passOut("stranger.test", ["fedtrace-debug-pass: v1.a.b"]);
    expect(friend.arrived).toContain("\r\nfedtrace-debug-pass: v1.a.b\r\n");
    expect(stranger.arrived).not.toContain("debug-pass");
    expect(friend.received + stranger.received).not.toContain("debug-pass");
  });
});

describe("tail", () => {
  const FAILED = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";

  it("keeps what ended in an error, and says why", async () => {
    const { sidecar, passIn } = await stage({ ...NONE, tail: {} }, () => FAILED);
    await passIn([FRIEND, w3c("00")]);
    const [span] = await sidecar.spansOf(1);
    expect(span?.attributes).toMatchObject({
      "fedtrace.sampling.decided": "tail_error",
      "http.response.status_code": 500,
      "fedtrace.sampling.asked": "not_sampled",
    });
    expect(span?.spanContext().traceFlags).toBe(1);
    expect(span?.attributes["sampler.type"]).toBeUndefined();
    expect(sidecar.sidecar.store?.find(TRACE)?.spans.length).toBeUndefined(); // There is no admin listener.
  });

  it("keeps with it what came before and comes after of its trace, and nothing else", async () => {
    let answer = OK_RESPONSE;
    const { sidecar, passIn } = await stage({ ...NONE, tail: {} }, () => answer);
    const other = w3c("00", `${TRACE.replace("d", "e")}-${SPAN}`);
    await passIn([FRIEND, w3c("00")]);
    await passIn([FRIEND, other]);
    answer = FAILED;
    await passIn([FRIEND, w3c("00")]);
    answer = OK_RESPONSE;
    await passIn([FRIEND, w3c("00")]);
    await passIn([FRIEND, other]);
    const spans = await sidecar.spansOf(3);
    expect(
      spans.map(({ traceId, fields }) => [traceId, fields.attributes["http.response.status_code"]]),
    ).toEqual([
      [TRACE, 200],
      [TRACE, 500],
      [TRACE, 200],
    ]);
  });

  it.each([
    { why: "slower", afterMs: 5000, isKept: true },
    { why: "not slower", afterMs: 0, isKept: false },
  ])("keeps what was slow: $why", async ({ afterMs, isKept }) => {
    let clock: TestSidecar | undefined;
    const late = (): string => {
      clock?.advance(afterMs);
      return OK_RESPONSE;
    };
    const { sidecar, passIn } = await stage({ ...NONE, tail: { errors: false, slower_than: "4s" } }, late);
    clock = sidecar;
    await passIn([]);
    await passIn([]);
    const decided = sidecar.spans.map(({ attributes }) => attributes["fedtrace.sampling.decided"]);
    expect(decided).toEqual(isKept ? ["tail_slow", "tail_slow"] : []);
  });

  it("lets a pass have what was held of its trace", async () => {
    const { sidecar, passIn } = await stage({ ...NONE, debug_pass_secret: SECRET, tail: {} });
    await passIn([FRIEND, w3c("00")]);
    await passIn([FRIEND, w3c("00"), `fedtrace-debug-pass: ${await issue()}`]);
    const spans = await sidecar.spansOf(2);
    expect(spans.map(({ attributes }) => String(attributes["fedtrace.sampling.decided"])).toSorted()).toEqual(
      ["debug_pass", "tail_asked"],
    );
  });

  it("lets no more traces out than its rate, when everything fails", async () => {
    const { sidecar, passIn } = await stage({ ...NONE, tail: { max_per_second: 0.02 } }, () => FAILED);
    for (let index = 0; index < 10; index++) await passIn([]);
    expect(sidecar.spans.length).toBe(1);
  });

  it("makes no span of an unsampled request where it is not wanted", async () => {
    const { sidecar, passIn } = await stage(NONE, () => FAILED);
    await passIn([]);
    expect(sidecar.spans).toEqual([]);
    expect(metricsText(sidecar.sidecar.registry)).not.toContain("fedtrace_tail_spans");
  });
});
