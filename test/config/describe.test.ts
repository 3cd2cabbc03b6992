/** The config as the admin listener shows it: it means the same when read back, and holds no secret. */

import { expect, it } from "vitest";
import { describeConfig, HIDDEN } from "../../src/config/describe.ts";
import { type Config, mergeConfig } from "../../src/config/merge.ts";
import { readOtelEnvironment } from "../../src/config/otel-environment.ts";
import { checkSchema } from "../../src/config/schema.ts";

function configOf(document: unknown, environment: Record<string, string> = {}): Config {
  const checked = checkSchema(document);
  if ("findings" in checked) throw new Error(JSON.stringify(checked.findings));
  return mergeConfig(checked.file, readOtelEnvironment(environment));
}

/** As JSON gives it to whoever asks. */
function describedOf(config: Config): Record<string, unknown> {
  return JSON.parse(JSON.stringify(describeConfig(config))) as Record<string, unknown>;
}

const SMALLEST = {
  server_name: "hs1.example",
  inbound: { listen: "127.0.0.1:0", upstream: "unix:/run/hs.sock" },
};

/** Every key that a file can have, each with another value than its default. */
const LARGEST = {
  server_name: "hs1.example:8448",
  inbound: {
    listen: "[::]:8448",
    upstream: ["http://[::1]:8008", "unix:/run/hs.sock", "http://hs.example:80"],
    tls: {
      certificate: "/c.pem",
      private_key: "/k.pem",
      client_ca: "/ca.pem",
      certificates: [{ certificate: "/c2.pem", private_key: "/k2.pem" }],
    },
    identify: ["mtls", "address"],
    authenticate: "mtls",
    authenticate_body_limit: "8KiB",
    keys: {
      notary: {
        server_name: "notary.example",
        verify_keys: { "ed25519:auto": "Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw" },
      },
      fetches_per_second: 3,
      ca_file: "/keys-ca.pem",
      allow_networks: ["10.2.0.0/16"],
      resolver: "127.0.0.1:5353",
    },
    networks: { "relay.example": ["10.1.0.0/16"] },
    trusted_proxies: ["10.0.0.1", "unix:"],
    proxy_protocol: true,
  },
  outbound: {
    listen: "127.0.0.1:3128",
    shared_secret: "s3cret-word",
    tls: { certificate: "/o.pem", private_key: "/o.key" },
    ca_file: "/roots.pem",
    pins: { "peer.example": ["ab".repeat(32)] },
    intercept: { ca_certificate: "/i.pem", ca_private_key: "/i.key", hosts: ["*.example"] },
    allow_networks: ["10.0.0.0/8"],
    allow_ports: [25],
    resolver: "127.0.0.1:53",
  },
  whitelist: [
    "a\\.example",
    { glob: "*.b.example", sampling: "trust", forced_per_second: 3, authenticate: "mtls" },
  ],
  whitelist_file: "/peers.txt",
  propagation: { formats: ["b3multi", "w3c"], remove: ["x-request-id"], outbound_ids: "per_peer" },
  sampling: {
    type: "remote",
    param: 0.5,
    operations: [
      { operation: "PUT /a/{b}", type: "probabilistic", param: 0.25 },
      { operation: "* /c", type: "const", param: 1 },
      { operation: "GET*", type: "ratelimiting", param: 2.5 },
    ],
    peers: [
      { glob: "*.b.example", type: "const", param: 1 },
      { regex: "a\\.example", type: "probabilistic", param: 0.1 },
    ],
    lower_bound: 0.1,
    max_per_second: 50,
    remote: {
      url: "http://127.0.0.1:5778/sampling",
      poll_interval: "5s",
      max_probability: 0.5,
      max_per_second: 10,
      cache_file: "/sampling.json",
    },
    tail: { errors: true, slower_than: "2s", hold: "5s", spans: 100, size: "1MiB", max_per_second: 2 },
    debug_pass_secret: "s3cret-word-of-16",
  },
  export: [
    {
      otlp: {
        url: "https://collector.example/v1/traces?key=s3cret-word",
        protocol: "grpc",
        headers: { "x-api-key": "s3cret-word" },
        timeout: "1500ms",
        compression: "gzip",
        certificate: "/otlp.pem",
      },
    },
    { jaeger: { agent: "127.0.0.1:6832" } },
    { jaeger: { collector: "http://127.0.0.1:14268/api/traces" } },
    { module: { name: "/exporter.mjs", exporter: "Exporter", options: { token: "s3cret-word" } } },
    { file: { path: "/traces.jsonl" } },
  ],
  admin: { listen: "127.0.0.1:9470", hosts: ["trace.example"] },
  store: { spans: 100, size: "1MiB" },
  metrics: { enabled: false, ip: false, top: 7, size: "2MiB" },
  usage_report: {
    enabled: true,
    endpoint: "https://collector.example/push",
    interval: "90m",
    server_context: "family",
    anonymous: false,
    ca_file: "/collector-ca.pem",
    state_file: "/usage.json",
  },
  limits: {
    head: "1000B",
    headers: 7,
    head_timeout: "90s",
    body_timeout: "2m",
    idle: "1h",
    connect_timeout: "1ms",
    response_timeout: "1500ms",
    connections: 9,
    connections_per_peer: 8,
    upstream_connections: 1,
    upstream_queue: 0,
    drain: "0ms",
  },
  workers: "auto",
  routes: [{ method: "POST", template: "/users/{id}/inbox" }, { template: "/any" }],
  log: { level: "debug" },
};

/** In the place of the hidden one, which is too short to be taken for a key that nobody knows. */
function withPassSecret(described: object): unknown {
  const text = JSON.stringify(described);
  return JSON.parse(
    text.replace(
      `"debug_pass_secret":"${HIDDEN}"`,
      `"debug_pass_secret":"${LARGEST.sampling.debug_pass_secret}"`,
    ),
  );
}

it.each([
  { document: SMALLEST, why: "all defaults" },
  { document: LARGEST, why: "no default" },
])("means the same when it is read back: $why", ({ document }) => {
  const config = configOf(document);
  const { resource: _, ...described } = describedOf(config);
  const again = describedOf(configOf(withPassSecret(described)));
  expect(again).toEqual(describedOf(config));
  expect(Object.keys(described).sort()).toEqual(expect.arrayContaining(Object.keys(document).sort()));
});

it("holds what was written, secrets aside", () => {
  const { export: exporters, resource: _, ...described } = describedOf(configOf(LARGEST));
  const { export: written, ...file } = LARGEST;
  expect(described).toEqual({
    ...file,
    outbound: { ...file.outbound, shared_secret: HIDDEN },
    sampling: { ...file.sampling, debug_pass_secret: HIDDEN },
    whitelist: [
      { regex: "a\\.example", sampling: "accept", forced_per_second: 1 },
      { glob: "*.b.example", sampling: "trust", forced_per_second: 3, authenticate: "mtls" },
    ],
  });
  expect(exporters).toHaveLength(written.length);
});

it("leaves the entries of whitelist_file to the file", () => {
  const config = configOf(LARGEST);
  const entry = { ...config.whitelist[0], kind: "regex", text: "listed", source: "peers.txt:1" } as const;
  const whitelist = [...config.whitelist, { sampling: "accept", forcedPerSecond: 1, ...entry } as const];
  expect(describedOf({ ...config, whitelist })).toEqual(describedOf(config));
});

it("holds no secret", () => {
  const text = JSON.stringify(describedOf(configOf(LARGEST)));
  expect(text).not.toContain("s3cret");
  expect(text.split(HIDDEN).length - 1).toBe(5); // Both secrets, a query, a header, an option.
});

it("shows what the environment says", () => {
  const config = configOf(SMALLEST, {
    OTEL_SERVICE_NAME: "my sidecar",
    OTEL_RESOURCE_ATTRIBUTES: "host.name=h1",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=s3cret-word",
    OTEL_SDK_DISABLED: "true",
  });
  expect(describedOf(config)).toMatchObject({
    export: [{ otlp: { url: "http://127.0.0.1:4318/v1/traces", headers: { authorization: HIDDEN } } }],
    otel_sdk_disabled: true,
    resource: { "service.name": "my sidecar", "host.name": "h1" },
  });
});
