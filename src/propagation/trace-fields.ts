/**
 * Every header that names or continues a trace, carries baggage or asks for sampling, in any format: the one
 * table of what the border removes (docs contract, section 3, rules 2 to 8).
 *
 * Not here, and passed on untouched:
 * - names of a single request: `x-request-id`, `x-correlation-id`, `x-amz-cf-id` (CloudFront's), `l5d-reqid`,
 *   `cf-ray`, `x-kong-request-id`, and `x-ms-request-id`, which Application Insights once used for a span but
 *   which every Azure service answers with today;
 * - `x-dynatrace-*` as a whole: Dynatrace's web hooks and log intake have headers of that form too;
 * - names that an operator chooses (Kong's `http_response_header_for_traceid`): `propagation.remove` is for them.
 */

import type { ContextField } from "./extract.ts";

/**
 * `context` continues a trace. `baggage` travels with one. `forcing` asks something of the tracer: to sample, to
 * debug, to rename the span. `response` names a trace in an answer. `server-timing` is cut, not removed
 * (server-timing.ts).
 */
export type TraceFieldKind = "context" | "baggage" | "forcing" | "response" | "server-timing";

/** A name in lower case and what it is; in `prefixes` the name is what a header's name starts with. */
interface TraceFieldName {
  readonly name: string;
  readonly kind: TraceFieldKind;
}

/** A row of the table. `name` ends in `*` where any header that starts with it is meant. */
interface TraceField extends TraceFieldName {
  readonly system: string;
  /** Where the name is defined or, where nobody defined it, the program that reads or writes it. */
  readonly source: string;
}

/** For a lookup: an exact name beats a prefix. */
interface TraceFieldNames {
  readonly exact: readonly TraceFieldName[];
  readonly prefixes: readonly TraceFieldName[];
}

/** The rows of one system and source, by kind. */
interface System {
  readonly system: string;
  readonly source: string;
  readonly names: Readonly<Partial<Record<TraceFieldKind, readonly string[]>>>;
}

const READ_FIELDS = {
  w3c: ["traceparent", "tracestate"],
  jaeger: ["uber-trace-id"],
  b3: ["b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled"],
} as const satisfies Record<string, readonly ContextField[]>;

const SYSTEMS: readonly System[] = [
  {
    system: "W3C Trace Context",
    source: "https://www.w3.org/TR/trace-context-2/",
    names: { context: READ_FIELDS.w3c },
  },
  {
    system: "W3C Trace Context",
    source: "https://w3c.github.io/trace-context/#trace-context-http-response-headers-format",
    names: { response: ["traceresponse"] },
  },
  { system: "W3C Baggage", source: "https://www.w3.org/TR/baggage/", names: { baggage: ["baggage"] } },
  {
    system: "W3C Server Timing",
    source: "https://www.w3.org/TR/server-timing/",
    names: { "server-timing": ["server-timing"] },
  },
  {
    system: "Jaeger",
    source: "https://www.jaegertracing.io/docs/1.52/client-libraries/#propagation-format",
    names: {
      context: READ_FIELDS.jaeger,
      baggage: ["uberctx-*", "jaeger-baggage"],
      forcing: ["jaeger-debug-id"],
    },
  },
  {
    system: "Zipkin B3",
    source: "https://github.com/openzipkin/b3-propagation",
    names: { context: [...READ_FIELDS.b3, "x-b3-parentspanid"], forcing: ["x-b3-flags"] },
  },
  {
    system: "OpenTracing, Lightstep",
    source:
      "https://github.com/open-telemetry/opentelemetry-js-contrib/blob/main/propagators/propagator-ot-trace/src/OTTracePropagator.ts",
    names: { context: ["ot-tracer-*"], baggage: ["ot-baggage-*"] },
  },
  {
    system: "Lightstep in Envoy and Istio",
    source: "https://www.envoyproxy.io/docs/envoy/v1.23.11/intro/arch_overview/observability/tracing",
    names: { context: ["x-ot-span-context"] },
  },
  {
    system: "Wavefront",
    source:
      "https://github.com/wavefrontHQ/wavefront-opentracing-sdk-java/blob/master/src/main/java/com/wavefront/opentracing/propagation/TextMapPropagator.java",
    names: { context: ["wf-ot-traceid", "wf-ot-spanid", "wf-ot-sample"], baggage: ["wf-ot-*"] },
  },
  {
    system: "Haystack",
    source:
      "https://github.com/ExpediaDotCom/haystack-client-java/blob/master/core/src/main/java/com/expedia/www/haystack/client/propagation/DefaultKeyConvention.java",
    // `baggage-*` is also what Spring Cloud Sleuth and OpenTracing's B3 codecs write; `parent_id` what apps do.
    names: { context: ["trace-id", "span-id", "parent-id", "parent_id"], baggage: ["baggage-*"] },
  },
  {
    system: "Datadog",
    source:
      "https://github.com/DataDog/dd-trace-js/blob/master/packages/dd-trace/src/opentracing/propagation/text_map.js",
    names: {
      context: ["x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-origin"],
      baggage: ["x-datadog-tags"],
      forcing: ["x-datadog-sampling-priority", "x-datadog-sampled"],
    },
  },
  {
    system: "AWS X-Ray",
    source: "https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader",
    names: { context: ["x-amzn-trace-id"] },
  },
  {
    system: "Google Cloud Trace",
    source: "https://cloud.google.com/trace/docs/trace-context",
    names: { context: ["x-cloud-trace-context"] },
  },
  {
    system: "gRPC, OpenCensus",
    source:
      "https://github.com/census-instrumentation/opencensus-specs/blob/master/encodings/BinaryEncoding.md",
    names: { context: ["grpc-trace-bin"], baggage: ["grpc-tags-bin"] },
  },
  {
    system: "SkyWalking",
    source: "https://skywalking.apache.org/docs/main/next/en/api/x-process-propagation-headers-v3",
    names: { context: ["sw8", "sw8-x"] },
  },
  {
    system: "SkyWalking",
    source: "https://skywalking.apache.org/docs/main/next/en/api/x-process-correlation-headers-v1",
    names: { baggage: ["sw8-correlation"] },
  },
  {
    system: "SkyWalking before 8",
    source:
      "https://skyapm.github.io/document-cn-translation-of-skywalking/zh/6.2.0/protocols/Skywalking-Cross-Process-Propagation-Headers-Protocol-v2.html",
    names: { context: ["sw3", "sw6"] },
  },
  {
    system: "Sentry", // Its baggage is W3C's.
    source: "https://develop.sentry.dev/sdk/telemetry/traces/#header-sentry-trace",
    names: { context: ["sentry-trace"] },
  },
  {
    system: "New Relic",
    source: "https://github.com/newrelic/node-newrelic/blob/main/lib/util/cat.js",
    names: {
      context: ["newrelic", "x-newrelic-id", "x-newrelic-transaction"],
      forcing: ["x-newrelic-synthetics", "x-newrelic-synthetics-info"],
      response: ["x-newrelic-app-data"],
    },
  },
  {
    system: "Elastic APM",
    source: "https://github.com/elastic/apm/blob/main/specs/agents/tracing-distributed-tracing.md",
    names: { context: ["elastic-apm-traceparent"] },
  },
  {
    system: "Instana",
    source: "https://github.com/instana/nodejs/blob/main/packages/core/src/tracing/constants.js",
    names: { context: ["x-instana-t", "x-instana-s", "x-instana-l"], forcing: ["x-instana-synthetic"] },
  },
  {
    system: "Dynatrace",
    source:
      "https://docs.dynatrace.com/docs/observe/application-observability-classic/distributed-traces-classic/context-propagation",
    names: { context: ["x-dynatrace"] },
  },
  {
    system: "Dynatrace real user monitoring",
    source: "https://docs.dynatrace.com/docs/shortlink/link-cross-origin-xhrs",
    names: { context: ["x-dtpc"] },
  },
  {
    system: "Dynatrace load tests",
    source:
      "https://docs.dynatrace.com/docs/setup-and-configuration/test-automation/dynatrace-and-jmeter-integration",
    names: { baggage: ["x-dynatrace-test"] },
  },
  {
    system: "AppDynamics",
    source: "https://community.appdynamics.com/t5/Knowledge-Base/Transaction-Correlation-Overview/ta-p/18776",
    names: { context: ["singularityheader"] },
  },
  {
    system: "AppDynamics",
    source: "https://github.com/thousandeyes/appd-integration-reference/blob/master/http-injection/readme.md",
    names: { forcing: ["appdynamicssnapshotenabled"] },
  },
  {
    system: "Envoy",
    source: "https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers",
    names: { forcing: ["x-client-trace-id", "x-envoy-force-trace"] },
  },
  {
    system: "Envoy",
    source: "https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter",
    names: { forcing: ["x-envoy-decorator-operation"] },
  },
  {
    system: "Honeycomb",
    source: "https://github.com/honeycombio/beeline-nodejs/blob/main/lib/propagation/honeycomb.js",
    names: { context: ["x-honeycomb-trace"] },
  },
  {
    system: "Microsoft",
    source:
      "https://github.com/dotnet/runtime/blob/main/src/libraries/System.Diagnostics.DiagnosticSource/src/HttpCorrelationProtocol.md",
    names: { context: ["request-id"], baggage: ["correlation-context"] },
  },
  {
    system: "Microsoft Application Insights",
    source:
      "https://github.com/microsoft/ApplicationInsights-JS/blob/main/shared/AppInsightsCommon/src/RequestResponseHeaders.ts",
    names: { context: ["request-context", "x-ms-request-root-id"] },
  },
  {
    system: "Linkerd 1, Finagle",
    source: "https://github.com/linkerd/linkerd/blob/main/linkerd/docs/protocol-http.md",
    names: { context: ["l5d-ctx-trace"], forcing: ["l5d-sample"] },
  },
  {
    system: "Pinpoint",
    source: "https://github.com/pinpoint-apm/pinpoint-node-agent/blob/master/lib/constant/http-header.js",
    names: { context: ["pinpoint-*"] },
  },
  {
    system: "Alibaba Cloud ARMS",
    source:
      "https://help.aliyun.com/en/arms/application-monitoring/developer-reference/supported-tracing-protocols",
    names: { context: ["eagleeye-*"], baggage: ["eagleeye-userdata"] },
  },
  {
    system: "SolarWinds",
    source:
      "https://documentation.solarwinds.com/en/success_center/observability/content/intro/services/trigger-trace.htm",
    names: {
      context: ["x-trace"],
      forcing: ["x-trace-options", "x-trace-options-signature"],
      response: ["x-trace-options-response"],
    },
  },
  {
    system: "Tyk",
    source: "https://github.com/TykTechnologies/tyk",
    names: { response: ["x-tyk-trace-id"] },
  },
  {
    system: "Synapse",
    source: "https://element-hq.github.io/synapse/latest/opentracing.html",
    names: { response: ["synapse-trace-id"] },
  },
  {
    system: "none: a habit of many servers",
    source: "https://docs.rs/http-constant/latest/http_constant/constant.X_TRACE_ID.html",
    names: { response: ["x-trace-id"] },
  },
];

/** The table, one row a name; for its lookup see traceFields. */
export const TRACE_FIELDS: readonly TraceField[] = SYSTEMS.flatMap(({ system, source, names }) =>
  (Object.keys(names) as TraceFieldKind[]).flatMap((kind) =>
    (names[kind] ?? []).map((name) => ({ name, kind, system, source })),
  ),
);

/**
 * The names of the table and the operator's own, in the form that a lookup is built from.
 *
 * @param extraNames `propagation.remove`: names in any case, a `*` at the end stands for any ending. They are
 * removed as contexts are. One that the table has keeps the table's kind.
 */
export function traceFields(extraNames: readonly string[]): TraceFieldNames {
  const kinds = new Map<string, TraceFieldKind>(TRACE_FIELDS.map(({ name, kind }) => [name, kind]));
  for (const extraName of extraNames) {
    const name = extraName.toLowerCase();
    if (!kinds.has(name)) kinds.set(name, "context");
  }
  const exact: TraceFieldName[] = [];
  const prefixes: TraceFieldName[] = [];
  for (const [name, kind] of kinds) {
    if (name.endsWith("*")) prefixes.push({ name: name.slice(0, -1), kind });
    else exact.push({ name, kind });
  }
  return { exact, prefixes };
}
