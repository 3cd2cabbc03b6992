/**
 * Jaeger's query API over the built-in store, so that Jaeger's clients, Grafana's Jaeger data source among them, read it
 * with nothing else installed.
 *
 * Jaeger documents it as "internal" (https://www.jaegertracing.io/docs/2.13/architecture/apis/), so its source is the
 * definition: https://github.com/jaegertracing/jaeger/blob/v1.76.0/cmd/query/app/http_handler.go; a test beside the
 * real Jaeger holds it, and lists what is different on purpose (test/real/query-api.test.ts).
 * Not here: what writes (archive), what needs a metrics back end, `/api/v3`.
 */

import type { Clock } from "../core/clock.ts";
import type { RecentStore, StoredTrace } from "../store/recent-store.ts";
import { searchTraces } from "../store/search.ts";
import { listOperations, listServiceLinks, listServices, type Operation } from "../store/summaries.ts";
import { createTurns, type Turns } from "../store/turns.ts";
import type { AdminAnswer, AdminRequest, AdminRoute } from "./answer.ts";
import { jaegerTraceId } from "./jaeger-json.ts";
import { encodeEnvelope, encodeFault, type EncodeOptions, encodeTraces } from "./query-encode.ts";
import {
  parseLinksQuery,
  parseOperationsQuery,
  parseTraceQuery,
  parseTraceRequest,
} from "./query-parameters.ts";

/**
 * Walks over the store at once: a browser opens six connections, so two trace pages and a Grafana. They take turns, so
 * more of them keep no request waiting for longer, but each other.
 */
const WALKS_MAX = 16;

const JSON_TYPE = "application/json";
const TRACE_NOT_FOUND = "trace not found";

interface Api {
  readonly store: RecentStore;
  readonly clock: Clock;
  readonly turns: Turns;
}

/** @param tools `turns`: the line of the listener's other readers, where there are any */
export function createQueryRoutes(
  store: RecentStore,
  tools: { readonly clock: Clock; readonly turns?: Turns },
): readonly AdminRoute[] {
  const api: Api = { store, clock: tools.clock, turns: tools.turns ?? createTurns(tools.clock) };
  const bounded = createBound();
  return [
    { pattern: "/api/services", answer: (request) => bounded(() => answerServices(api, request)) },
    {
      pattern: "/api/services/{service}/operations",
      answer: (request) => bounded(() => answerOperationNames(api, request)),
    },
    { pattern: "/api/operations", answer: (request) => bounded(() => answerOperations(api, request)) },
    { pattern: "/api/traces", answer: (request) => bounded(() => answerTraces(api, request)) },
    { pattern: "/api/traces/{id}", answer: (request) => answerTrace(api, request) },
    { pattern: "/api/dependencies", answer: (request) => bounded(() => answerDependencies(api, request)) },
  ];
}

/** Writing an answer is not counted here: it goes at its reader's pace, and the server bounds it (open-answers.ts). */
function createBound(): (answer: () => Promise<AdminAnswer>) => Promise<AdminAnswer> {
  let open = 0;
  return async (answer) => {
    if (open >= WALKS_MAX) return faultAnswer(503, `${WALKS_MAX} searches are under way already, try again`);
    open += 1;
    try {
      return await answer();
    } finally {
      open -= 1;
    }
  };
}

async function answerServices({ store, turns }: Api, request: AdminRequest): Promise<AdminAnswer> {
  return listAnswer(await listServices(store, turns), request);
}

async function answerOperationNames({ store, turns }: Api, request: AdminRequest): Promise<AdminAnswer> {
  const service = request.parameters["service"] ?? "";
  const names = namesOf(await listOperations(store, turns, service));
  if (names.length > 0 || !service.includes("+")) return listAnswer(names, request);
  // Jaeger reads a + in this path as a space, and there are clients that write one so.
  return listAnswer(namesOf(await listOperations(store, turns, service.replaceAll("+", " "))), request);
}

function namesOf(operations: readonly Operation[]): readonly string[] {
  return [...new Set(operations.map(({ name }) => name))];
}

async function answerOperations({ store, turns }: Api, request: AdminRequest): Promise<AdminAnswer> {
  const parsed = parseOperationsQuery(request.query);
  if ("refusal" in parsed) return faultAnswer(400, parsed.refusal);
  const { service, spanKind } = parsed.value;
  const operations = await listOperations(store, turns, service);
  return listAnswer(
    operations.filter((operation) => spanKind === "" || operation.spanKind === spanKind),
    request,
  );
}

async function answerTraces(api: Api, request: AdminRequest): Promise<AdminAnswer> {
  const parsed = parseTraceQuery(request.query, api.clock.unixMs());
  if ("refusal" in parsed) return faultAnswer(400, parsed.refusal);
  const { search, traceIds, isRaw } = parsed.value;
  if (traceIds.length === 0) {
    return tracesAnswer(await searchTraces(api.store, search, api.turns), { api, request, isRaw });
  }
  const found = traceIds.map((traceId) => api.store.find(traceId));
  const faults = traceIds
    .filter((_, index) => found[index] === undefined)
    .map((traceId) => ({ msg: TRACE_NOT_FOUND, traceID: jaegerTraceId(traceId) }));
  const traces = found.filter((trace) => trace !== undefined);
  return tracesAnswer(traces, { api, request, isRaw, faults });
}

function answerTrace(api: Api, request: AdminRequest): AdminAnswer {
  const parsed = parseTraceRequest(request.parameters["id"] ?? "", request.query);
  if ("refusal" in parsed) return faultAnswer(400, parsed.refusal);
  const { traceId, isRaw } = parsed.value;
  const trace = api.store.find(traceId);
  if (trace === undefined) return faultAnswer(404, TRACE_NOT_FOUND);
  // A client that was told 200 takes the first trace without looking whether there is one.
  return tracesAnswer([trace], { api, request, isRaw, isOne: true });
}

async function answerDependencies({ store, clock, turns }: Api, request: AdminRequest): Promise<AdminAnswer> {
  const parsed = parseLinksQuery(request.query, clock.unixMs());
  if ("refusal" in parsed) return faultAnswer(400, parsed.refusal);
  const service = request.query.get("service") ?? "";
  const links = await listServiceLinks(store, turns, parsed.value);
  const wanted = links.filter(
    ({ parent, child }) => service === "" || parent === service || child === service,
  );
  return okAnswer(encodeEnvelope(wanted, 0, isPretty(request)));
}

function tracesAnswer(
  traces: readonly StoredTrace[],
  {
    api,
    request,
    isRaw,
    isOne = false,
    faults = [],
  }: {
    readonly api: Api;
    readonly request: AdminRequest;
    readonly isRaw: boolean;
    readonly isOne?: boolean;
    readonly faults?: EncodeOptions["faults"];
  },
): AdminAnswer {
  return okAnswer(
    encodeTraces(traces, { isPretty: isPretty(request), isRaw, isOne, faults, turns: api.turns }),
  );
}

function listAnswer(list: readonly unknown[], request: AdminRequest): AdminAnswer {
  return okAnswer(encodeEnvelope(list, list.length, isPretty(request)));
}

function isPretty({ query }: AdminRequest): boolean {
  const value = query.get("prettyPrint") ?? "";
  return value !== "" && value !== "false";
}

function okAnswer(body: AdminAnswer["body"]): AdminAnswer {
  return { status: 200, type: JSON_TYPE, body };
}

function faultAnswer(status: number, message: string): AdminAnswer {
  return { status, type: JSON_TYPE, body: encodeFault(status, message) };
}
