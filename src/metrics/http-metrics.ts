/**
 * Requests: the front door's in the list of Synse's names, and both directions' in OpenTelemetry's conventions.
 *
 * https://opentelemetry.io/docs/specs/semconv/http/http-metrics/ (1.45), as Prometheus writes their names: dots are underscores. Each
 * attempt of the way out is a request of its own there, as each has a span.
 */

import type { Busiest } from "./busiest.ts";
import type { ExemplarIds } from "./children.ts";
import type { LabelBounds } from "./label-bounds.ts";
import { OTHER } from "./definition.ts";
import type { Registry } from "./registry.ts";
import { type Fold, SeriesTable } from "./series-table.ts";

interface HttpRequest {
  /** Of the conventions' list, or `_OTHER`. */
  readonly method: string;
  /** Undefined where none was answered. */
  readonly status: number | undefined;
  readonly scheme: string;
  /** "1.0" or "1.1". */
  readonly protocolVersion: string;
  /** `error.type`; "": none. */
  readonly error: string;
  /** Until the last byte of the answer; of what became a tunnel or a WebSocket, until that began. */
  readonly seconds: number;
  /** Of recorded spans. */
  readonly exemplar: ExemplarIds | undefined;
}

interface ServedRequest extends HttpRequest {
  /** "": none matched. */
  readonly route: string;
  /** With the query. */
  readonly path: string;
  /** The client's address. */
  readonly ip: string;
  /** Of the answer's body. */
  readonly bytes: number;
}

interface SentRequest extends HttpRequest {
  readonly address: string;
  readonly port: number | undefined;
}

export interface HttpMetrics {
  /** One request of the front door is over. */
  served(request: ServedRequest): void;
  /** One attempt of the way out is. */
  sent(request: SentRequest): void;
}

/** Few, since each stands in a line for each of five labels' values; the conventions' histogram has the finer ones. */
const FRONT_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10];
/** The conventions' advice, for both. */
const HTTP_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** As Envoy has it, where there was no answer: the client went away. */
const NO_STATUS = 0;

/** @param hasIp whether `ip` is told */
export function createHttpMetrics(
  registry: Registry,
  { bounds, hasIp }: { readonly bounds: LabelBounds; readonly hasIp: boolean },
): HttpMetrics {
  const front = createFront(registry, { bounds, hasIp });
  const { endpoint: endpoints, ip: ips } = front.bounds;
  const addresses = bounds.busiest("server_address");
  const server = createServerDurations(registry, bounds);
  const client = createClientDurations(registry, bounds, addresses);

  return {
    served({ method, route, path, status, ip, bytes, seconds, scheme, protocolVersion, error, exemplar }) {
      const query = path.indexOf("?");
      const endpoint = endpoints.note(query === -1 ? path : path.slice(0, query));
      const source = hasIp ? ips.note(ip) : "";
      const series = front.table.find([method, route, endpoint, status ?? NO_STATUS, source]);
      series.count.add(1);
      series.latency.sample(seconds);
      series.bytes.add(bytes);
      server
        .find([method, route, status ?? "", scheme, protocolVersion, error])
        .duration.sample(seconds, exemplar);
    },
    sent({ method, status, address, port, seconds, scheme, protocolVersion, error, exemplar }) {
      const shown = addresses.note(address);
      const shownPort = shown === OTHER ? OTHER : (port ?? "");
      client
        .find([method, status ?? "", shown, shownPort, scheme, protocolVersion, error])
        .duration.sample(seconds, exemplar);
    },
  };
}

function createFront(
  registry: Registry,
  { bounds, hasIp }: { readonly bounds: LabelBounds; readonly hasIp: boolean },
) {
  const labels = ["method", "template", "endpoint", "http_code", "ip"];
  const http = registry.module("http");
  const unbounded = { seriesMax: Infinity };
  const count = http.metric(
    "counter",
    "request_count",
    "",
    "Requests of the front door, answered or not.",
    labels,
    unbounded,
  );
  const latency = http.metric(
    "histogram",
    "request_latency",
    "sec",
    "Time from a request's head to the end of its answer.",
    labels,
    { buckets: FRONT_BUCKETS, ...unbounded },
  );
  const bytes = http.metric(
    "counter",
    "response",
    "bytes",
    "Bytes of the answers' bodies.",
    labels,
    unbounded,
  );
  const own = { endpoint: bounds.busiest("endpoint"), ip: bounds.busiest("ip") };
  const table = new SeriesTable({
    families: { count, latency, bytes },
    bounds: own,
    folds: [
      { labels: hasIp ? ["endpoint", "ip"] : ["endpoint"], share: 0.5 },
      { labels: ["method", "template"], share: 0.7 },
    ],
    bytesMax: bounds.room("front"),
    overflow: bounds.overflow,
  });
  return { table, bounds: own };
}

const SERVER_LABELS = [
  "http_request_method",
  "http_route",
  "http_response_status_code",
  "url_scheme",
  "network_protocol_version",
  "error_type",
];
const CLIENT_LABELS = [
  "http_request_method",
  "http_response_status_code",
  "server_address",
  "server_port",
  "url_scheme",
  "network_protocol_version",
  "error_type",
];

/** Whoever asks chooses among them. A status that is an error must be seen, whatever was asked before. */
const HOW_IT_CAME: Fold = {
  labels: ["http_request_method", "url_scheme", "network_protocol_version"],
  share: 0.7,
};

function createServerDurations(registry: Registry, bounds: LabelBounds) {
  const help = "Duration of requests of the front door.";
  return new SeriesTable({
    families: { duration: durationFamily(registry, "http_server_request_duration", help, SERVER_LABELS) },
    bounds: {},
    folds: [{ labels: ["http_route"], share: 0.5 }, HOW_IT_CAME],
    bytesMax: bounds.room("server"),
    hasExemplars: true,
    overflow: bounds.overflow,
  });
}

function createClientDurations(registry: Registry, bounds: LabelBounds, addresses: Busiest) {
  const help = "Duration of attempts of the way out.";
  return new SeriesTable({
    families: { duration: durationFamily(registry, "http_client_request_duration", help, CLIENT_LABELS) },
    bounds: { server_address: addresses },
    folds: [{ labels: ["server_address", "server_port"], share: 0.5 }, HOW_IT_CAME],
    bytesMax: bounds.room("client"),
    hasExemplars: true,
    overflow: bounds.overflow,
  });
}

function durationFamily(registry: Registry, name: string, help: string, labels: readonly string[]) {
  const extra = { buckets: HTTP_BUCKETS, seriesMax: Infinity };
  return registry.unprefixed.metric("histogram", name, "seconds", help, labels, extra);
}
