/**
 * Question: what does it cost a request to be counted in all families, and a scrape to be written?
 * Decision it feeds: the bars of the metrics: 1.5 µs for all families of one request; 25 ms for a scrape of 10,000 series, whose
 *           longest piece at a time is `collect`, since text is written in turns of a millisecond (store/turns.ts). Above them the
 *           tables, or the text, are written again.
 * Input:    100 requests a task, so its time in ms is ten times less than that of one request in µs: 0.1 is 1 µs. As many as fit into a core's cache,
 *           where a request that ends just now is too. Each task has others, of a ring of 20,000. Strings are flat and objects of
 *           one shape, as parsers make them: with ropes and shapes that change, half of the time was V8's for those. Mixed: 40
 *           routes, paths of which each second one is new, 50 addresses, 100 peers, one in ten sampled. Flood: path, address and
 *           peer are new each time.
 *           10,000 series: lines of 0.0.4's text, nine in ten in histograms of fourteen buckets, as a sidecar has them.
 * Run:      npx vitest bench --run bench/metrics.bench.ts   (alone on the machine, 5 times)
 * Last:     see bench/RESULTS.md: date, commit, CPU, Node; never numbers in this file.
 */

import { bench, describe } from "vitest";
import { createSystemClock } from "../src/core/clock.ts";
import { createProxyMetrics } from "../src/metrics/proxy-metrics.ts";
import { createRegistry } from "../src/metrics/registry.ts";
import { formatText } from "../src/metrics/text.ts";
import { createTrafficMetrics } from "../src/metrics/traffic-metrics.ts";
import { noteExchange } from "../src/proxy/exchange-end.ts";
import type { ExchangeFacts } from "../src/proxy/exchange-span.ts";
import { countRequest } from "../src/proxy/traffic-counts.ts";

const REQUESTS = 100;
const TASKS = 200;
const SERIES = 10_000;
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5];

const clock = createSystemClock();
const context = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceState: "" };
let serial = 0;

/** One piece of memory, as a parser's slices are of. */
function flat(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

const ROUTES = Array.from({ length: 40 }, (_, at) => flat(`/_matrix/federation/v1/send/{${at}}`));
const ADDRESSES = Array.from({ length: 50 }, (_, at) => flat(`192.0.2.${at}`));

/** What the counting reads of an exchange; each path is a slice of a head, as the parser makes it. */
function factsOf(direction: "inbound" | "outbound", at: number, isFlood: boolean): ExchangeFacts {
  const isNew = isFlood || at % 2 === 0;
  const number = isNew ? serial++ : at % 50;
  const head = flat(`PUT /_matrix/federation/v1/send/${number}?x=1 HTTP/1.1\r\n`);
  const peer = flat(isFlood ? `peer${serial}.example` : `peer${at % 100}.example`);
  const isSampled = at % 10 === 0;
  return {
    direction,
    head: { method: "PUT", isHttp10: false },
    target: {
      path: head.slice(4, head.indexOf(" HTTP")),
      scheme: "https",
      server: { address: peer, port: 8448 },
    },
    route: ROUTES[at % ROUTES.length],
    client: undefined,
    clientAddress: isFlood
      ? flat(`10.${serial >> 16}.${(serial >> 8) & 255}.${serial & 255}`)
      : ADDRESSES[at % ADDRESSES.length],
    crossing: {
      peer: { name: peer, proof: "signature" },
      isWhitelisted: true,
      isUnproven: false,
      refusals: [],
      asked: isSampled ? "sampled" : undefined,
      decision: { by: "local", isSampled },
      context: {
        traceId: context.traceId,
        spanId: context.spanId,
        traceState: "",
        isSampled,
        isRandom: true,
      },
    },
    status: at % 20 === 0 ? 404 : 200,
    error: undefined,
    startUnixMs: 1000,
    responseBytes: 512,
  } as unknown as ExchangeFacts;
}

function counting(direction: "inbound" | "outbound", isFlood: boolean): () => void {
  const registry = createRegistry({ prefix: "fedtrace", clock });
  const metrics = createProxyMetrics(registry);
  const traffic = createTrafficMetrics(registry, { top: 20, bytesMax: 1024 * 1024, hasIp: true });
  const count = (facts: ExchangeFacts): void => {
    noteExchange(metrics, facts);
    metrics.sampling.decided("local", facts.crossing.context.isSampled);
    metrics.removed[direction].add(1);
    countRequest(traffic, facts, 1000.5);
  };
  for (let at = 0; at < 100_000; at++) count(factsOf(direction, at, isFlood));
  const tasks = Array.from({ length: TASKS }, (_, task) =>
    Array.from({ length: REQUESTS }, (_request, at) => factsOf(direction, task * REQUESTS + at, isFlood)),
  );
  let turn = 0;
  return () => {
    turn = (turn + 1) % TASKS;
    for (const facts of tasks[turn] ?? []) count(facts);
  };
}

describe.each(["inbound", "outbound"] as const)("100 requests %s, counted in all families", (direction) => {
  bench("mixed", counting(direction, false));
  bench("a flood: all labels new", counting(direction, true));
});

describe(`a scrape of ${SERIES} series`, () => {
  const registry = createRegistry({ prefix: "fedtrace", clock });
  const labels = ["http_request_method", "http_route", "http_response_status_code", "url_scheme"];
  const duration = registry.metric("histogram", "duration", "seconds", "Help.", labels, {
    buckets: BUCKETS,
    seriesMax: SERIES,
  });
  const count = registry.metric("counter", "requests", "", "Help.", labels, { seriesMax: SERIES });
  const lines = BUCKETS.length + 3;
  for (let at = 0; at < (0.9 * SERIES) / lines; at++) {
    const series = duration.withLabels("GET", `/_matrix/federation/v1/route/${at}`, "200", "https");
    for (let sample = 0; sample < 20; sample++)
      series.sample(sample / 10, sample % 4 === 0 ? context : undefined);
  }
  for (let at = 0; at < 0.1 * SERIES; at++) {
    count.withLabels("GET", `/_matrix/federation/v1/route/${at}`, "200", "https").add(at);
  }

  bench("collected: the longest piece at a time", () => {
    registry.collect();
  });
  bench("collected and written, 0.0.4", () => {
    formatText(registry.collect(), "prometheus");
  });
  bench("collected and written, OpenMetrics with exemplars", () => {
    formatText(registry.collect(), "openmetrics");
  });
});
