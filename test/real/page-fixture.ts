/**
 * A sidecar's admin listener with canned answers, for tests of the page: the real routes of the page behind the real
 * admin server; the traces and peers are made up here, hostile ones among them.
 */

import { join } from "node:path";
import { type AdminRequest, type AdminRoute, jsonAnswer, refusal } from "../../src/admin/answer.ts";
import { createPageRoutes } from "../../src/admin/page-files.ts";
import { startAdmin } from "../../src/admin/server.ts";
import { createLog } from "../../src/core/log.ts";

export const PAIR_TRACE = "0af7651916cd43dd8448eb211c80319c";
export const STRANGER_TRACE = "5ca1ab1e5ca1ab1e5ca1ab1e00000001";
/** Ours, sent to two peers under an id each; the first has called back within its own. */
export const FANNED_TRACE = "fa0000000000000000000000000000a0";
export const CALLED_BACK = "fa0000000000000000000000000000a1";
export const NOT_CALLED_BACK = "fa0000000000000000000000000000a2";
export const HOSTILE_TRACE = "00000000000000000000000000000bad";
export const BIG_TRACE = "000000000000000000000000000b1600";
export const BIG_SPANS = 1000;

/** Everything that was ever tried against a page, in one name. */
export const HOSTILE_NAME = `<img src=x onerror="alert(1)"><script>alert(2)</script>\u202Egnp.exe\u202C\u0000\u001B[31m\u200B🦊${"x".repeat(1000)}`;

type Json = Readonly<Record<string, unknown>>;

interface SpanOptions {
  readonly id: number;
  readonly parent?: number;
  readonly name: string;
  readonly process?: string;
  readonly startUs: number;
  readonly durationUs: number;
  readonly tags?: Json;
  readonly links?: readonly { readonly traceID: string; readonly spanID: string }[];
}

export interface PageServer {
  readonly origin: string;
  stop(): Promise<void>;
}

/** @param directory of the built page */
export async function startPageServer(directory = join("dist", "page")): Promise<PageServer> {
  const nowUs = Date.now() * 1000;
  const traces = [
    ...makeTraces(nowUs),
    makeHostile(nowUs - 50e6),
    ...makeFanned(nowUs - 7200e6),
    makeBig(nowUs - 7200e6),
  ];
  const server = await startAdmin({
    host: "127.0.0.1",
    port: 0,
    hosts: () => [],
    routes: [...createPageRoutes(directory), ...apiRoutes(traces, nowUs)],
    log: createLog("error"),
  });
  return { origin: `http://${server.address}`, stop: () => server.stop() };
}

function apiRoutes(traces: readonly Trace[], nowUs: number): readonly AdminRoute[] {
  const answer = (data: readonly unknown[]): ReturnType<typeof jsonAnswer> =>
    jsonAnswer(200, { data, total: data.length, limit: 0, offset: 0, errors: null });
  return [
    { pattern: "/api/services", answer: () => answer(["one.demo fedtrace", "two.demo fedtrace"]) },
    {
      pattern: "/api/services/{service}/operations",
      answer: () =>
        answer([...new Set(traces.flatMap(({ spans }) => spans.map((span) => span["operationName"])))]),
    },
    { pattern: "/api/traces", answer: ({ query }) => answer(searchTraces(traces, query, nowUs)) },
    {
      pattern: "/api/traces/{id}",
      answer: ({ parameters }) => {
        const found = traces.find(({ traceID }) => traceID === parameters["id"]);
        return found === undefined
          ? jsonAnswer(404, { data: null, errors: [{ code: 404, msg: "trace not found" }] })
          : answer([found]);
      },
    },
    { pattern: "/api/fedtrace/peers", answer: () => jsonAnswer(200, makePeers(nowUs)) },
    { pattern: "/api/fedtrace/decide", answer: decide },
    {
      pattern: "/api/fedtrace/config",
      answer: () =>
        jsonAnswer(200, { server_name: "one.demo", whitelist: ["(one|two)\\.demo"], note: HOSTILE_NAME }),
    },
  ];
}

function decide({ query }: AdminRequest): ReturnType<typeof jsonAnswer> {
  const host = query.get("host") ?? "";
  if (host === "") return refusal(400, "host is a server name");
  const isWhitelisted = /^(one|two|careless)\.demo(:\d+)?$/i.test(host);
  return jsonAnswer(200, {
    host,
    direction: query.get("direction"),
    whitelisted: isWhitelisted,
    entry: isWhitelisted ? "(one|two|careless)\\.demo" : null,
    sampling: isWhitelisted ? "accept" : null,
    formats: isWhitelisted ? ["w3c", "jaeger", "b3"] : [],
    reason: isWhitelisted
      ? "whitelist[0] matches the whole name; its proof must be at least claimed"
      : "none of the 1 whitelist entries matches the whole name",
  });
}

interface Trace extends Json {
  readonly traceID: string;
  readonly spans: readonly Json[];
}

function searchTraces(traces: readonly Trace[], query: URLSearchParams, nowUs: number): readonly Trace[] {
  const tags = Object.entries(JSON.parse(query.get("tags") ?? "{}") as Record<string, string>);
  const minUs = Number.parseFloat(query.get("minDuration") ?? "0") * 1000;
  const sinceUs = query.has("start") ? 0 : nowUs - (query.get("lookback") === "5m" ? 300e6 : 3600e6);
  const traceIds = query.getAll("traceID");
  if (traceIds.length > 0) return traces.filter(({ traceID }) => traceIds.includes(traceID));
  const limit = Number(query.get("limit") ?? 20);
  return traces
    .filter(({ spans }) =>
      spans.some((span) => {
        const own = new Map(
          (span["tags"] as { key: string; value: unknown }[]).map(({ key, value }) => [key, String(value)]),
        );
        return (
          tags.every(([key, value]) => own.get(key) === value) &&
          Number(span["duration"]) >= minUs &&
          Number(span["startTime"]) >= sinceUs &&
          (query.get("operation") ?? span["operationName"]) === span["operationName"]
        );
      }),
    )
    .slice(0, limit);
}

function makeTrace(traceID: string, spans: readonly SpanOptions[], processes: Json = PROCESSES): Trace {
  return {
    traceID,
    spans: spans.map(({ id, parent, name, process = "p1", startUs, durationUs, tags = {}, links = [] }) => ({
      traceID,
      spanID: spanId(id),
      operationName: name,
      references: [
        ...(parent === undefined ? [] : [{ refType: "CHILD_OF", traceID, spanID: spanId(parent) }]),
        ...links.map((link) => ({ refType: "FOLLOWS_FROM", ...link })),
      ],
      startTime: Math.round(startUs),
      duration: Math.round(durationUs),
      tags: Object.entries(tags).map(([key, value]) => ({ key, type: typeof value, value })),
      logs: [],
      processID: process,
      warnings: null,
    })),
    processes,
  };
}

function spanId(id: number): string {
  return id.toString(16).padStart(16, "0");
}

const PROCESSES = {
  p1: { serviceName: "one.demo fedtrace", tags: [{ key: "host.name", type: "string", value: "demo" }] },
  p2: { serviceName: "two.demo fedtrace", tags: [{ key: "host.name", type: "string", value: "demo" }] },
};

function border(direction: string, peer: string, isWhitelisted: boolean, context: string, removed = 0): Json {
  return {
    "fedtrace.direction": direction,
    ...(peer === "" ? {} : { "fedtrace.peer.name": peer }),
    "fedtrace.peer.proof": peer === "" ? "none" : "claimed",
    "fedtrace.whitelisted": isWhitelisted,
    "fedtrace.context": context,
    "fedtrace.headers.removed": removed,
    "http.request.method": "PUT",
    "url.path": "/_matrix/federation/v1/send/demo17",
    "url.scheme": "http",
    "server.address": "one.demo",
    "network.protocol.version": "1.1",
    "user_agent.original": "Synapse/1.99.0",
  };
}

const SEND = "PUT /_matrix/federation/v1/send/{txnId}";
const KEY = "GET /_matrix/key/v2/server";

/** As the demo's: every fourth from a stranger, some malformed, slow and failed ones. */
function makeTraces(nowUs: number): readonly Trace[] {
  const traces: Trace[] = [];
  for (let index = 0; index < 18; index++) {
    const startUs = nowUs - 4e6 - index * 7.3e6;
    const wobble = 1 + ((index * 7) % 11) / 5;
    if (index % 4 === 1) {
      const id =
        index === 1 ? STRANGER_TRACE : `5ca1ab1e5ca1ab1e5ca1ab1e000001${String(index).padStart(2, "0")}`;
      traces.push(makeTrace(id, [strangerSpan(startUs, wobble)]));
    } else if (index % 7 === 3)
      traces.push(makeTrace(`ca1e${String(index).padStart(28, "0")}`, [carelessSpan(startUs, wobble)]));
    else
      traces.push(
        pairTrace(
          index === 0 ? PAIR_TRACE : `0af7651916cd43dd8448eb211c80${String(index).padStart(4, "0")}`,
          startUs,
          wobble,
          index,
        ),
      );
  }
  return traces;
}

function strangerSpan(startUs: number, wobble: number): SpanOptions {
  return {
    id: 1,
    name: SEND,
    startUs,
    durationUs: 3100 * wobble,
    tags: {
      ...border("inbound", "stranger.demo:41233", false, "restarted", 5),
      "http.response.status_code": 200,
      "span.kind": "server",
    },
  };
}

function carelessSpan(startUs: number, wobble: number): SpanOptions {
  return {
    id: 1,
    name: SEND,
    startUs,
    durationUs: 2700 * wobble,
    tags: {
      ...border("inbound", "careless.demo:40991", true, "refused", 1),
      "http.response.status_code": 200,
    },
  };
}

function pairTrace(traceId: string, startUs: number, wobble: number, index: number): Trace {
  const isFailed = index % 9 === 6;
  const slow = index % 8 === 4 ? 60 : 1;
  const failure = isFailed
    ? { error: true, "error.type": "502", "http.response.status_code": 502 }
    : { "http.response.status_code": 200 };
  const at = (share: number): number => startUs + share * 12_000 * wobble * slow;
  const long = (share: number): number => share * 12_000 * wobble * slow;
  return makeTrace(traceId, [
    {
      id: 1,
      name: "PUT",
      process: "p1",
      startUs,
      durationUs: long(1),
      tags: { ...border("outbound", "two.demo:41111", true, "extracted", 1), ...failure },
    },
    {
      id: 2,
      parent: 1,
      name: SEND,
      process: "p2",
      startUs: at(0.08),
      durationUs: long(0.86),
      tags: {
        ...border("inbound", "one.demo:42222", true, "extracted", 1),
        ...failure,
        "http.route": "/_matrix/federation/v1/send/{txnId}",
      },
    },
    {
      id: 3,
      parent: 2,
      name: "GET",
      process: "p2",
      startUs: at(0.2),
      durationUs: long(0.5),
      tags: { ...border("outbound", "one.demo:42222", true, "extracted"), "http.response.status_code": 200 },
    },
    {
      id: 4,
      parent: 3,
      name: KEY,
      process: "p1",
      startUs: at(0.27),
      durationUs: long(0.38),
      tags: { ...border("inbound", "two.demo:41111", true, "extracted"), "http.response.status_code": 200 },
      links: [{ traceID: STRANGER_TRACE, spanID: spanId(1) }],
    },
  ]);
}

/** `propagation.outbound_ids: per_peer`. */
function makeFanned(startUs: number): readonly Trace[] {
  const sent = (id: number, peer: string, peerTraceId: string): SpanOptions => ({
    id,
    name: "PUT",
    startUs: startUs + id,
    durationUs: 9000,
    tags: { ...border("outbound", peer, true, "absent"), "fedtrace.peer.trace_id": peerTraceId },
    links: [{ traceID: peerTraceId, spanID: "00000000000000ff" }],
  });
  const back: SpanOptions = {
    id: 3,
    name: KEY,
    startUs: startUs + 3000,
    durationUs: 2000,
    tags: border("inbound", "two.demo:41111", true, "extracted", 1),
  };
  return [
    makeTrace(FANNED_TRACE, [
      sent(1, "two.demo:41111", CALLED_BACK),
      sent(2, "one.demo:42222", NOT_CALLED_BACK),
    ]),
    makeTrace(CALLED_BACK, [back]),
  ];
}

function makeHostile(startUs: number): Trace {
  const tags = {
    ...border("inbound", HOSTILE_NAME, false, "restarted", 3),
    [HOSTILE_NAME]: HOSTILE_NAME,
    "error.type": HOSTILE_NAME,
  };
  const deep = Array.from({ length: 60 }, (_, index): SpanOptions => ({
    id: index + 2,
    parent: index + 1,
    name: HOSTILE_NAME,
    startUs: startUs + index * 10,
    durationUs: 5000,
    tags,
  }));
  return makeTrace(
    HOSTILE_TRACE,
    [
      {
        id: 1,
        name: HOSTILE_NAME,
        startUs,
        durationUs: 9000,
        tags,
        links: [{ traceID: HOSTILE_NAME, spanID: HOSTILE_NAME }],
      },
      ...deep,
    ],
    { p1: { serviceName: HOSTILE_NAME, tags: [{ key: HOSTILE_NAME, type: "string", value: HOSTILE_NAME }] } },
  );
}

function makeBig(startUs: number): Trace {
  const spans = Array.from({ length: BIG_SPANS }, (_, index): SpanOptions => ({
    id: index + 1,
    ...(index === 0 ? {} : { parent: Math.floor((index - 1) / 4) + 1 }),
    name: index % 3 === 0 ? SEND : KEY,
    process: index % 2 === 0 ? "p1" : "p2",
    startUs: startUs + index * 900,
    durationUs: index === 0 ? 1e6 : 40_000 + ((index * 37) % 90) * 1000,
    tags: {
      ...border(index % 2 === 0 ? "inbound" : "outbound", "two.demo:41111", true, "extracted"),
      ...(index % 97 === 5 ? { "error.type": "504" } : {}),
    },
  }));
  return makeTrace(BIG_TRACE, spans);
}

function makePeers(nowUs: number): Json {
  const at = (secondsAgo: number): string => new Date(nowUs / 1000 - secondsAgo * 1000).toISOString();
  const side = (requests: number, ago: number | null, contexts: Json = {}, more: Json = {}): Json => ({
    requests,
    failed: 0,
    last_contact: ago === null ? null : at(ago),
    contexts: { absent: 0, extracted: 0, restarted: 0, refused: 0, ...contexts },
    headers_removed: 0,
    ...more,
  });
  const peer = (
    name: string,
    isWhitelisted: boolean,
    inbound: Json,
    outbound: Json,
    more: Json = {},
  ): Json => ({
    name,
    whitelisted: isWhitelisted,
    entry: isWhitelisted ? "(one|two|careless)\\.demo" : null,
    proof: "claimed",
    reason: isWhitelisted
      ? "whitelist[0] matches the whole name"
      : "none of the 1 whitelist entries matches the whole name",
    inbound,
    outbound,
    refused: [],
    ...more,
  });
  return {
    server_name: "one.demo",
    service: "one.demo fedtrace",
    authenticate: "claimed",
    forgotten: 0,
    peers: [
      peer(
        "two.demo:41111",
        true,
        side(128, 4, { extracted: 128 }, { headers_removed: 128 }),
        side(204, 3, { extracted: 204 }, { failed: 6 }),
      ),
      peer(
        "stranger.demo:41233",
        false,
        side(61, 6, { restarted: 61 }, { headers_removed: 305 }),
        side(0, null),
      ),
      peer(
        "careless.demo:40991",
        true,
        side(20, 12, { refused: 20 }, { headers_removed: 20 }),
        side(0, null),
        { refused: [{ format: "w3c", reason: "length", count: 20 }] },
      ),
      peer("gone.demo:8448", false, side(0, null), side(31, 40, {}, { failed: 31 }), { proof: "none" }),
      peer("", false, side(9, 90, { absent: 9 }), side(0, null), {
        proof: "none",
        reason: "no name was given",
      }),
      peer(HOSTILE_NAME, false, side(2, 50, { restarted: 2 }, { headers_removed: 6 }), side(1, 30)),
    ],
  };
}
