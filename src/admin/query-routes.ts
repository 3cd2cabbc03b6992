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
import type { RecentStore } from "../store/recent-store.ts";
import type { Operation } from "../store/summaries.ts";
import { createStoreSource, type Found, type Traces, type TraceSource } from "../store/trace-source.ts";
import { createTurns, type Turns } from "../store/turns.ts";
import type { AdminAnswer, AdminRequest, AdminRoute } from "./answer.ts";
import { jaegerTraceId } from "./jaeger-json.ts";
import { encodeEnvelope, encodeFault, encodeTraces, type QueryFault } from "./query-encode.ts";
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
  readonly source: TraceSource;
  readonly clock: Clock;
  readonly turns: Turns;
}

/** @param tools `turns`: the line of the listener's other readers, where there are any */
export function createQueryRoutes(
  store: RecentStore,
  tools: { readonly clock: Clock; readonly turns?: Turns },
): readonly AdminRoute[] {
  const turns = tools.turns ?? createTurns(tools.clock);
  return createSourceRoutes({ source: createStoreSource(store, turns), clock: tools.clock, turns });
}

/** The same over any source. @param walksMax searches at once, where not as many as a store bears */
export function createSourceRoutes(api: Api, walksMax = WALKS_MAX): readonly AdminRoute[] {
  const bounded = createBound(walksMax);
  // Of their own: a trace by its id is found at once, and is not kept out by searches.
  const boundedById = createBound(walksMax);
  return [
    { pattern: "/api/services", answer: (request) => bounded(() => answerServices(api, request)) },
    {
      pattern: "/api/services/{service}/operations",
      answer: (request) => bounded(() => answerOperationNames(api, request)),
    },
    { pattern: "/api/operations", answer: (request) => bounded(() => answerOperations(api, request)) },
    { pattern: "/api/traces", answer: (request) => bounded(() => answerTraces(api, request)) },
    { pattern: "/api/traces/{id}", answer: (request) => boundedById(() => answerTrace(api, request)) },
    { pattern: "/api/dependencies", answer: (request) => bounded(() => answerDependencies(api, request)) },
  ];
}

/** Writing an answer is not counted here: it goes at its reader's pace, and the server bounds it (connections.ts). */
function createBound(walksMax: number): (answer: () => Promise<AdminAnswer>) => Promise<AdminAnswer> {
  let open = 0;
  return async (answer) => {
    if (open >= walksMax) return faultAnswer(503, `${walksMax} searches are under way already, try again`);
    open += 1;
    try {
      return await answer();
    } finally {
      open -= 1;
    }
  };
}

async function answerServices({ source }: Api, request: AdminRequest): Promise<AdminAnswer> {
  return listAnswer(await source.services(), request);
}

async function answerOperationNames({ source }: Api, request: AdminRequest): Promise<AdminAnswer> {
  const service = request.parameters["service"] ?? "";
  const names = namesOf(await source.operations(service));
  if (names.value.length > 0 || !service.includes("+")) return listAnswer(names, request);
  // Jaeger reads a + in this path as a space, and there are clients that write one so.
  return listAnswer(namesOf(await source.operations(service.replaceAll("+", " "))), request);
}

function namesOf({ value, missing }: Found<readonly Operation[]>): Found<readonly string[]> {
  return { value: [...new Set(value.map(({ name }) => name))], missing };
}

async function answerOperations({ source }: Api, request: AdminRequest): Promise<AdminAnswer> {
  const parsed = parseOperationsQuery(request.query);
  if ("refusal" in parsed) return faultAnswer(400, parsed.refusal);
  const { service, spanKind } = parsed.value;
  const { value, missing } = await source.operations(service);
  const wanted = value.filter((operation) => spanKind === "" || operation.spanKind === spanKind);
  return listAnswer({ value: wanted, missing }, request);
}

async function answerTraces(api: Api, request: AdminRequest): Promise<AdminAnswer> {
  const parsed = parseTraceQuery(request.query, api.clock.unixMs());
  if ("refusal" in parsed) return faultAnswer(400, parsed.refusal);
  const { search, traceIds, isRaw } = parsed.value;
  if (traceIds.length === 0) {
    const { value, missing } = await api.source.search(search);
    return tracesAnswer(value, { api, request, isRaw, faults: () => faultsOf(missing) });
  }
  const { value, missing } = await api.source.find(traceIds);
  const faults = value.absent.map((traceId) => ({ msg: TRACE_NOT_FOUND, traceID: jaegerTraceId(traceId) }));
  return tracesAnswer(value.traces, {
    api,
    request,
    isRaw,
    faults: () => [...faults, ...faultsOf(missing)],
  });
}

async function answerTrace(api: Api, request: AdminRequest): Promise<AdminAnswer> {
  const parsed = parseTraceRequest(request.parameters["id"] ?? "", request.query);
  if ("refusal" in parsed) return faultAnswer(400, parsed.refusal);
  const { traceId, isRaw } = parsed.value;
  const { value, missing } = await api.source.find([traceId]);
  if (value.absent.length > 0) return faultAnswer(404, [TRACE_NOT_FOUND, ...missing].join("; "));
  // A client that was told 200 takes the first trace without looking whether there is one.
  return tracesAnswer(value.traces, { api, request, isRaw, isOne: true, faults: () => faultsOf(missing) });
}

async function answerDependencies({ source, clock }: Api, request: AdminRequest): Promise<AdminAnswer> {
  const parsed = parseLinksQuery(request.query, clock.unixMs());
  if ("refusal" in parsed) return faultAnswer(400, parsed.refusal);
  const service = request.query.get("service") ?? "";
  const { value, missing } = await source.links(parsed.value);
  const wanted = value.filter(
    ({ parent, child }) => service === "" || parent === service || child === service,
  );
  const faults = faultsOf(missing);
  return okAnswer(encodeEnvelope(wanted, { total: 0, isPretty: isPretty(request), faults }));
}

function tracesAnswer(
  traces: Traces,
  {
    api,
    request,
    isRaw,
    isOne = false,
    faults,
  }: {
    readonly api: Api;
    readonly request: AdminRequest;
    readonly isRaw: boolean;
    readonly isOne?: boolean;
    readonly faults: () => readonly QueryFault[];
  },
): AdminAnswer {
  return okAnswer(
    encodeTraces(traces, { isPretty: isPretty(request), isRaw, isOne, faults, turns: api.turns }),
  );
}

function faultsOf(missing: readonly string[]): readonly QueryFault[] {
  return missing.map((msg) => ({ msg }));
}

function listAnswer({ value, missing }: Found<readonly unknown[]>, request: AdminRequest): AdminAnswer {
  const faults = faultsOf(missing);
  return okAnswer(encodeEnvelope(value, { total: value.length, isPretty: isPretty(request), faults }));
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
