/**
 * Every option: name, type, bounds, default, unit, who may change it at run time, and its documentation.
 *
 * docs/config.md and fedtrace.schema.json are made from this (scripts/docs.ts) and never edited;
 * test/config/generated.test.ts fails when they are stale. The other sections stand in schema-border.ts,
 * schema-outbound.ts and schema-export.ts. Not here: what the environment adds (otel-environment.ts, merge.ts).
 */

import * as v from "valibot";
import type { Finding } from "./fault.ts";
import type { KeyPath } from "./key-path.ts";
import { inbound, propagation } from "./schema-border.ts";
import { exports } from "./schema-export.ts";
import { sampling } from "./schema-sampling.ts";
import { outbound } from "./schema-outbound.ts";
import { defaulted, list, optional, required, section } from "./schema-option.ts";
import {
  duration,
  filePath,
  flag,
  hostName,
  integer,
  integerOrAuto,
  listenAddress,
  oneOf,
  serverName,
  size,
  text,
} from "./schema-values.ts";
import { usageReport } from "./schema-usage.ts";
import { whitelist, type WhitelistEntry, whitelistFile } from "./schema-whitelist.ts";

/** Names the admin listener may be reached by. */
const ADMIN_HOSTS_MAX = 100;
/** Span names are made of templates, and their number is bounded (contract, section 4). */
const ROUTES_MAX = 500;
const ROUTE_LENGTH_MAX = 256;
/** `store.spans` unless said. */
export const STORE_SPANS = 20_000;
/** A gigabyte of spans; more of them belong in a back end. */
const STORE_SPANS_MAX = 1_000_000;
/** More processes than any machine this runs on has cores. */
const WORKERS_MAX = 256;

const admin = section(
  {
    listen: defaulted(listenAddress(), "127.0.0.1:9470", {
      reload: "restart",
      doc: "Health, metrics, the trace page and its API. **Danger:** it has no password and shows every trace; keep it on loopback or behind a proxy that asks.",
    }),
    hosts: defaulted(list(hostName(), ADMIN_HOSTS_MAX), [], {
      reload: "live",
      doc: "Names it may be called by, besides loopback names and addresses. Any other Host or Origin is refused, which keeps web pages out that point a name of theirs here.",
      example: "[fedtrace.internal.example]",
    }),
  },
  (file) => file,
);

const store = section(
  {
    spans: defaulted(integer(0, STORE_SPANS_MAX), STORE_SPANS, {
      reload: "restart",
      doc: "Spans that are kept; the oldest whole traces go first. `0` keeps none.",
    }),
    size: defaulted(size("64KiB", "4GiB"), "48MiB", {
      reload: "restart",
      doc: "Memory that they may take, about. Whichever bound is reached first counts.",
    }),
  },
  ({ spans, size: bytesMax }) => ({ spansMax: spans, bytesMax }),
);

const limits = section(
  {
    head: defaulted(size("256B", "1MiB"), "64KiB", {
      reload: "live",
      doc: "Bytes of a request's or response's head, and of trailers. Above it a request is answered 431.",
    }),
    headers: defaulted(integer(1, 10_000), 200, {
      reload: "live",
      doc: "Header lines of a head. Above it a request is answered 431.",
    }),
    head_timeout: defaulted(duration("1ms", "1h"), "15s", {
      reload: "live",
      doc: "From a connection's first byte of a request to the end of its head; then 408.",
    }),
    body_timeout: defaulted(duration("1ms", "24h"), "60s", {
      reload: "live",
      doc: "Between two bytes of a body, in either direction.",
    }),
    idle: defaulted(duration("1ms", "24h"), "125s", {
      reload: "live",
      doc: "How long a kept connection may wait for its next request. Homeservers keep theirs for 120 s and don't repeat a request that met a closed one, so less than 125 s breaks requests.",
    }),
    connect_timeout: defaulted(duration("1ms", "5m"), "5s", {
      reload: "live",
      doc: "To reach an upstream or a target; then 504.",
    }),
    response_timeout: defaulted(duration("1ms", "24h"), "300s", {
      reload: "live",
      doc: "From the end of a request to the head of its response; then 504.",
    }),
    connections: defaulted(integer(1, 1_000_000), 10_000, {
      reload: "live",
      doc: "Open connections of each listener. Above it a new one takes the place of an idle one: of the client with the most connections, the one that is idle longest. Where none is idle it is answered 503. Every one costs a file descriptor, and a second one upstream.",
    }),
    connections_per_peer: defaulted(integer(1, 1_000_000), 1000, {
      reload: "live",
      doc: "Open connections of one client address of the inbound listener; of IPv6 addresses a /64 counts as one. Above it 503; with TLS the connection is closed before the handshake. Loopback clients and those of a unix socket are not counted: behind another proxy all peers have its address. `inbound.trusted_proxies` are not counted either; with `inbound.proxy_protocol` their clients are. **Danger:** another proxy on another machine is counted as one client, and its peers share this bound.",
    }),
    upstream_connections: defaulted(integer(1, 1_000_000), 1024, {
      reload: "live",
      doc: "Connections that requests may hold at a time to one address of the upstream, or of a target; upgraded ones count. One more request waits. Set it to what the server behind can take.",
    }),
    upstream_queue: defaulted(integer(0, 1_000_000), 1024, {
      reload: "live",
      doc: "Requests that may wait for one of these connections, of each upstream or target. One more, or one that has waited for `connect_timeout`, is answered 503. Their bodies are not read meanwhile. `0` lets none wait, not even for the first look-up of a name.",
    }),
    drain: defaulted(duration("0s", "1h"), "30s", {
      reload: "live",
      doc: "How long SIGTERM waits for open requests before it cuts them. `0s` cuts at once.",
    }),
  },
  (file) => ({
    headBytes: file.head,
    headers: file.headers,
    headTimeoutMs: file.head_timeout,
    bodyTimeoutMs: file.body_timeout,
    idleMs: file.idle,
    connectTimeoutMs: file.connect_timeout,
    responseTimeoutMs: file.response_timeout,
    connections: file.connections,
    connectionsPerPeer: file.connections_per_peer,
    upstreamConnections: file.upstream_connections,
    upstreamQueue: file.upstream_queue,
    drainMs: file.drain,
  }),
);

const method = text("a method in upper case, such as PUT", (written) =>
  /^[A-Z][A-Z-]{0,31}$/.test(written) ? { value: written } : { refused: "is not a method" },
);

const TEMPLATE = /^(\/([A-Za-z0-9._~!$&'()*+,;=:@%-]*|\{[A-Za-z_][A-Za-z0-9_]*\}))+$/;
const template = text(
  `a path of at most ${ROUTE_LENGTH_MAX} characters, such as /users/{id}; a {name} is one whole segment`,
  (written) =>
    TEMPLATE.test(written) && written.length <= ROUTE_LENGTH_MAX
      ? { value: written }
      : { refused: "is not a route template" },
);

const route = section(
  {
    method: optional(method, { reload: "live", doc: "The method it counts for.", byDefault: "every method" }),
    template: required(template, {
      reload: "live",
      doc: "The path, with `{name}` for a segment that varies. It becomes part of the span's name.",
      example: "/users/{id}/inbox",
    }),
  },
  (file) => file,
);

/** The whole file. */
export const configSchema = section(
  {
    server_name: required(serverName(), {
      reload: "restart",
      doc: "This server's own federation name, as peers know it.",
      example: "hs1.example:8448",
    }),
    inbound: optional(inbound, {
      reload: "restart",
      doc: "Remote peers → this server. `inbound` or `outbound` may be left out, not both.",
    }),
    outbound: optional(outbound, {
      reload: "restart",
      doc: "This server → remote peers. `inbound` or `outbound` may be left out, not both.",
    }),
    whitelist: defaulted(whitelist, [], {
      reload: "live",
      doc: "The servers that trace context is taken from and given to. Empty: nobody. A string is a regular expression, as in Synapse's `homeserver_whitelist`, but it must match the whole name.",
      example: "['matrix\\.org', { glob: '*.example.net' }]",
    }),
    whitelist_file: optional(filePath(), {
      reload: "live",
      doc: "A file with more entries, which come after those of `whitelist`: up to 20,000, in at most 1 MiB of UTF-8. Text has one entry a line: a regular expression as in `whitelist`, without quotes, or `glob: *.example.net`; empty lines and lines that begin with `#` are passed over. A file named .yaml or .yml is a list as `whitelist` has it, with its mappings; reading that takes some five times as long. It is read again when it changes, and on SIGHUP; a bad one changes nothing, nor does one whose last line has no line end: a program writes another file beside it and renames that.",
      example: "peers.txt",
    }),
    propagation: defaulted(propagation, {}, { reload: "live", doc: "How trace context travels." }),
    sampling: optional(sampling, {
      reload: "live",
      doc: "Which traces are recorded, where no trusted peer has a say.",
      byDefault: "`OTEL_TRACES_SAMPLER`, else `{ type: const, param: 1 }`: all",
      example: "{ type: probabilistic, param: 0.01 }",
    }),
    export: optional(exports, {
      reload: "restart",
      doc: "Where spans go, besides the built-in store. Any number, each an item with one key. What is missing of an `otlp` item is filled in from the environment.",
      byDefault:
        "one `otlp` where `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set, else none",
    }),
    admin: optional(admin, { reload: "restart", doc: "The admin listener. Without this key there is none." }),
    store: defaulted(
      store,
      {},
      {
        reload: "restart",
        doc: "The built-in store: the last traces, in memory, for the trace page and Jaeger's query API of the admin listener. Without `admin` there is none.",
      },
    ),
    metrics: defaulted(
      section(
        {
          enabled: optional(flag(), {
            reload: "restart",
            doc: "Counts, and answers `/metrics` of the admin listener; off, nothing is counted. `true` unless said, here or by the variable `FEDTRACE_METRICS_ENABLED` (`true` or `false`); either `true` turns them on.",
          }),
          ip: defaulted(flag(), true, {
            reload: "restart",
            doc: "Tells clients' addresses in the labels `ip` and `source`; `false` leaves both empty.",
          }),
          top: defaulted(integer(1, 1000), 20, {
            reload: "restart",
            doc: "Busiest values that a label shows whose values come from outside (peers, addresses, paths); all others are `other`. With `workers` each has its own.",
          }),
          size: defaulted(size("256KiB", "64MiB"), "1MiB", {
            reload: "restart",
            doc: "What the text of a scrape may grow to, about. Combinations of labels for which there is no room are counted as `other`.",
          }),
        },
        ({ enabled, ip, top, ...rest }) => ({ isEnabled: enabled, hasIp: ip, top, bytesMax: rest.size }),
      ),
      {},
      { reload: "restart", doc: "Metrics." },
    ),
    usage_report: defaulted(usageReport, {}, { reload: "live", doc: "Usage reports. Off unless turned on." }),
    limits: defaulted(
      limits,
      {},
      {
        reload: "live",
        doc: "Bounds on what peers and the own server may take.",
      },
    ),
    workers: defaulted(integerOrAuto(1, WORKERS_MAX), 1, {
      reload: "restart",
      doc: "Processes that share the listeners; `auto` is one a core. What `limits`, `store`, `forced_per_second` and a rate-limiting sampler allow is divided among them, so it holds for all together; each rate allows one trace at once in each of them. More than one costs some 60 MB each and one more for the process that accepts: docs/guides/workers.md.",
    }),
    routes: defaulted(list(route, ROUTES_MAX), [], {
      reload: "live",
      doc: "Route templates for span names, besides those of the Matrix and ActivityPub APIs. They are tried first.",
      example: "[{ method: POST, template: '/users/{id}/inbox' }]",
    }),
    log: defaulted(
      section(
        {
          level: defaulted(oneOf(["debug", "info", "warn", "error"]), "info", {
            reload: "live",
            doc: "The least severe line that is written to standard error.",
          }),
        },
        (file) => file,
      ),
      {},
      { reload: "live", doc: "The log." },
    ),
  },
  (file) => ({
    serverName: file.server_name,
    exports: file.export,
    usageReport: file.usage_report,
    inbound: file.inbound,
    outbound: file.outbound,
    whitelist: file.whitelist,
    whitelistFile: file.whitelist_file,
    propagation: file.propagation,
    sampling: file.sampling,
    admin: file.admin,
    store: file.store,
    metrics: file.metrics,
    limits: file.limits,
    workers: file.workers,
    routes: file.routes,
    log: file.log,
  }),
  { anyOf: ["inbound", "outbound"] },
);

/** What a file says, in its typed form; undefined is what it doesn't say and the environment may. */
export type ConfigFile = v.InferOutput<typeof configSchema>;

/** Checks a parsed document against the schema: its typed form, or everything that is wrong with it. */
export function checkSchema(
  document: unknown,
): { readonly file: ConfigFile } | { readonly findings: readonly Finding[] } {
  const result = v.safeParse(configSchema, document);
  return result.success ? { file: result.output } : { findings: result.issues.map(findingOf) };
}

/** Checks a parsed `whitelist_file`; paths of findings begin with an entry's index. */
export function checkWhitelistFile(
  document: unknown,
): { readonly entries: readonly WhitelistEntry[] } | { readonly findings: readonly Finding[] } {
  const result = v.safeParse(whitelistFile, document);
  return result.success ? { entries: result.output } : { findings: result.issues.map(findingOf) };
}

function findingOf({ path: steps, message }: v.BaseIssue<unknown>): Finding {
  const path: readonly v.IssuePathItem[] = steps ?? [];
  const last = path.at(-1);
  return {
    path: path.map((item) => item.key) as KeyPath,
    isAboutKey: last?.type === "object" && last.origin === "key",
    message,
  };
}
