/**
 * The schema's bounds: for each bounded option the row just inside and the row just outside.
 * Method: the smallest valid document with one key set; the file's own words, as YAML gives them.
 */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseDuration, parseSize } from "../../src/config/quantities.ts";
import { checkSchema } from "../../src/config/schema.ts";

const BASE = {
  server_name: "hs1.example",
  inbound: { listen: "127.0.0.1:0", upstream: "unix:/run/hs.sock" },
};

function faultsWith(keys: Record<string, unknown>): readonly string[] {
  const checked = checkSchema({ ...BASE, ...keys });
  return "file" in checked ? [] : checked.findings.map(({ path }) => path.join("."));
}

const limit = (key: string, inside: readonly unknown[], outside: readonly unknown[]) => ({
  key: `limits.${key}`,
  of: (value: unknown): Record<string, unknown> => ({ limits: { [key]: value } }),
  inside,
  outside,
});
const list = (length: number, item: unknown) => Array.from({ length }, () => item);
const mapping = (length: number, value: unknown) =>
  Object.fromEntries(Array.from({ length }, (_, index) => [`h${index}`, value]));

/** A mapping with so many levels of mappings and lists in it. */
const nested = (levels: number): unknown => ({
  a: Array.from({ length: levels }).reduce(
    (inner: unknown, _, level) => (level % 2 === 0 ? [inner] : { a: inner }),
    "x",
  ),
});

const ROWS: readonly {
  key: string;
  of: (value: unknown) => Record<string, unknown>;
  inside: readonly unknown[];
  outside: readonly unknown[];
}[] = [
  limit("head", ["256B", "1MiB"], ["255B", "1025KiB"]),
  limit("headers", [1, 10_000, "200"], [0, 10_001, 1.5, "many", Number.NaN]),
  limit("head_timeout", ["1ms", "1h"], ["0ms", "61m", 15]),
  limit("body_timeout", ["1ms", "24h"], ["0s", "25h"]),
  limit("idle", ["1ms", "24h"], ["0s", "25h"]),
  limit("connect_timeout", ["1ms", "5m"], ["0s", "301s"]),
  limit("response_timeout", ["1ms", "24h"], ["0s", "25h"]),
  limit("connections", [1, 1_000_000], [0, 1_000_001]),
  limit("connections_per_peer", [1, 1_000_000], [0, 1_000_001]),
  limit("upstream_connections", [1, 1_000_000], [0, 1_000_001]),
  limit("upstream_queue", [0, 1_000_000], [-1, 1_000_001]),
  limit("drain", ["0s", "1h"], ["3601s", ""]),
  { key: "workers", of: (workers) => ({ workers }), inside: [1, 256, "auto"], outside: [0, 257, "all"] },
  {
    key: "sampling",
    of: (sampling) => ({ sampling }),
    inside: [
      { type: "const" },
      { type: "const", param: 0 },
      { type: "probabilistic", param: 0 },
      { type: "probabilistic", param: 1 },
      { type: "ratelimiting", param: 0.0001 },
      { type: "ratelimiting", param: 1_000_000 },
      { type: "remote" },
      { type: "remote", param: 1, remote: { file: "/a.json", max_probability: 0.5 } },
      {
        type: "const",
        peers: [{ glob: "*.a.example", type: "const" }],
        lower_bound: 0.1,
        max_per_second: 100,
      },
      {
        type: "const",
        operations: [
          { method: "PUT", type: "const" },
          { template: "*", type: "const", param: 0 },
        ],
      },
      { type: "const", tail: {} },
      { type: "const", tail: { errors: false, slower_than: "2s" } },
      { type: "const", debug_pass_secret: "0123456789abcdef" },
    ],
    outside: [{ type: "probabilistic" }],
  },
  {
    key: "sampling.remote",
    of: (remote) => ({ sampling: { type: "const", remote } }),
    inside: [],
    outside: [{}, { url: "http://127.0.0.1:5778/sampling" }],
  },
  {
    key: "sampling.remote.file",
    of: (file) => ({ sampling: { type: "remote", remote: { url: "http://a.example/sampling", file } } }),
    inside: [],
    outside: ["/a.json"],
  },
  {
    key: "sampling.operations.0.param",
    of: (param) => ({
      sampling: { type: "const", operations: [{ method: "PUT", type: "probabilistic", param }] },
    }),
    inside: [0, 0.5, 1],
    outside: [1.1, -1],
  },
  {
    key: "sampling.operations.0",
    of: (operation) => ({ sampling: { type: "const", operations: [operation] } }),
    inside: [
      { method: "*", type: "const" },
      { operation: "GET /_matrix/*", type: "const" },
    ],
    outside: [{ type: "const" }, { method: "PUT", type: "probabilistic" }],
  },
  {
    key: "sampling.operations.0.operation",
    of: (operation) => ({
      sampling: { type: "const", operations: [{ operation, method: "PUT", type: "const" }] },
    }),
    inside: [],
    outside: ["PUT /a", ""],
  },
  {
    key: "sampling.operations.0.template",
    of: (template) => ({ sampling: { type: "const", operations: [{ template, type: "const" }] } }),
    inside: ["/a", "*/a", "*"],
    outside: ["a", ""],
  },
  {
    key: "sampling.peers.0",
    of: (peer) => ({ sampling: { type: "const", peers: [peer] } }),
    inside: [{ regex: "a", type: "const" }],
    outside: [{ type: "const" }, { regex: "a", glob: "a", type: "const" }],
  },
  {
    key: "sampling.tail.errors",
    of: (errors) => ({ sampling: { type: "const", tail: { errors } } }),
    inside: [true],
    outside: [false, "no"],
  },
  {
    key: "sampling.tail.hold",
    of: (hold) => ({ sampling: { type: "const", tail: { hold } } }),
    inside: ["100ms", "5m"],
    outside: ["99ms", "6m"],
  },
  {
    key: "sampling.param",
    of: (sampling) => ({ sampling }),
    inside: [],
    outside: [
      { type: "const", param: 0.5 },
      { type: "probabilistic", param: 1.01 },
      { type: "probabilistic", param: -0.01 },
      { type: "ratelimiting", param: 0 },
      { type: "ratelimiting", param: 1_000_001 },
    ],
  },
  {
    key: "whitelist.0.forced_per_second",
    of: (forced) => ({ whitelist: [{ regex: "a", sampling: "trust", forced_per_second: forced }] }),
    inside: [0, 0.5, 10_000],
    outside: [-1, 10_001],
  },
  {
    key: "whitelist",
    of: (whitelist) => ({ whitelist }),
    inside: [list(1000, "a")],
    outside: [list(1001, "a"), "a"],
  },
  {
    key: "propagation.formats",
    of: (formats) => ({ propagation: { formats } }),
    inside: [[], ["b3", "b3multi"]],
    outside: [["w3c", "w3c"], "w3c"],
  },
  {
    key: "propagation.remove",
    of: (remove) => ({ propagation: { remove } }),
    inside: [list(100, "x-id")],
    outside: [list(101, "x-id")],
  },
  {
    key: "propagation.outbound_ids",
    of: (ids) => ({ propagation: { outbound_ids: ids } }),
    inside: ["shared", "per_peer"],
    outside: ["per-peer", true],
  },
  {
    key: "inbound.authenticate",
    of: (authenticate) => ({ inbound: { ...BASE.inbound, authenticate } }),
    inside: ["claimed", "network", "signature"],
    outside: ["mtls", "none"],
  },
  {
    key: "inbound.upstream",
    of: (upstream) => ({ inbound: { ...BASE.inbound, upstream } }),
    inside: [
      "unix:/run/hs.sock",
      ["http://127.0.0.1:8008"],
      ["http://a.example", "http://a.example:81", "unix:/run/hs.sock"],
      Array.from({ length: 16 }, (_, index) => `http://127.0.0.1:${8000 + index}`),
    ],
    outside: [
      [],
      Array.from({ length: 17 }, (_, index) => `http://127.0.0.1:${8000 + index}`),
      ["http://a.example", "http://a.example:80/"],
      {},
      8008,
    ],
  },
  {
    key: "inbound.upstream.1",
    of: (second) => ({ inbound: { ...BASE.inbound, upstream: ["unix:/run/hs.sock", second] } }),
    inside: ["http://[::1]:8008"],
    outside: ["https://a.example", "unix:hs.sock", ["http://a.example"], 8008],
  },
  {
    key: "inbound.listen",
    of: (listen) => ({ inbound: { ...BASE.inbound, listen } }),
    inside: ["[::]:8448", "unix:/run/in.sock"],
    outside: ["unix:in.sock", 8448],
  },
  {
    key: "inbound.tls.certificates",
    of: (certificates) => ({
      inbound: { ...BASE.inbound, tls: { certificate: "/c.pem", private_key: "/k.pem", certificates } },
    }),
    inside: [[], list(100, { certificate: "/c.pem", private_key: "/k.pem" })],
    outside: [list(101, { certificate: "/c.pem", private_key: "/k.pem" }), "/c.pem"],
  },
  {
    key: "inbound.identify",
    of: (identify) => ({ inbound: { ...BASE.inbound, identify } }),
    inside: [["mtls"], []],
    outside: [["mtls", "mtls"]],
  },
  {
    key: "inbound.trusted_proxies",
    of: (trusted_proxies) => ({ inbound: { ...BASE.inbound, trusted_proxies } }),
    inside: [[], ["unix:", "10.0.0.1", "fd00::/8", "::ffff:10.0.0.0/104"], list(1000, "10.0.0.1")],
    outside: [list(1001, "10.0.0.1"), "10.0.0.1"],
  },
  {
    key: "inbound.trusted_proxies.0",
    of: (proxy) => ({ inbound: { ...BASE.inbound, trusted_proxies: [proxy] } }),
    inside: ["10.0.0.0/32", "::/128"],
    outside: ["unix:/run/in.sock", "10.0.0.0/33", "proxy.example", "fe80::1%eth0", ""],
  },
  {
    key: "inbound.proxy_protocol",
    of: (proxy_protocol) => ({ inbound: { ...BASE.inbound, proxy_protocol } }),
    inside: [false],
    outside: [true, "v2"], // true is for those who name their proxies.
  },
  {
    key: "export.0.otlp.timeout",
    of: (timeout) => ({ export: [{ otlp: { url: "http://a", timeout } }] }),
    inside: ["1ms", "10m"],
    outside: ["0s", "601s"],
  },
  {
    key: "export.0.otlp.headers",
    of: (headers) => ({ export: [{ otlp: { url: "http://a", headers } }] }),
    inside: [mapping(32, "x"), { a: "" }],
    outside: [mapping(33, "x"), ["a"]],
  },
  {
    key: "export.0.otlp.headers.a",
    of: (a) => ({ export: [{ otlp: { url: "http://a", headers: { a } } }] }),
    inside: ["b c"],
    outside: ["b\r\nc: d", "ü", 7],
  },
  {
    key: "export.0.jaeger",
    of: (jaeger) => ({ export: [{ jaeger }] }),
    inside: [
      { agent: "a:6832" },
      { agent: "a:1", protocol: "compact" },
      { collector: "http://a/api/traces" },
    ],
    outside: [{}, { agent: "a:6832", collector: "http://a" }],
  },
  {
    key: "export.0.jaeger.agent",
    of: (agent) => ({ export: [{ jaeger: { agent } }] }),
    inside: ["a:1"],
    outside: ["a:0", "a"],
  },
  {
    key: "export.0.jaeger.protocol",
    of: (protocol) => ({ export: [{ jaeger: { agent: "a:6831", protocol } }] }),
    inside: ["compact", "binary"],
    outside: ["json"],
  },
  {
    key: "export.0.jaeger.protocol",
    of: (protocol) => ({ export: [{ jaeger: { collector: "http://a", protocol } }] }),
    inside: [],
    outside: ["binary"],
  },
  {
    key: "export.0.module",
    of: (module) => ({ export: [{ module }] }),
    inside: ["/a.mjs", "x".repeat(4096), { name: "a" }],
    outside: ["", "x".repeat(4097), "a\0", 7, ["a"]],
  },
  {
    key: "export.0.module.exporter",
    of: (exporter) => ({ export: [{ module: { name: "a", exporter } }] }),
    inside: ["A", "$_1", "default", "Ü", "x".repeat(128)],
    outside: ["", "1a", "a.b", "x".repeat(129)],
  },
  {
    key: "export.0.module.options",
    of: (options) => ({ export: [{ module: { name: "a", options } }] }),
    inside: [{}, { a: null }, nested(8), mapping(1000, "x"), { a: list(999, 1) }],
    outside: [[], "a", nested(9), mapping(1001, "x"), { a: list(1000, 1) }],
  },
  {
    key: "export",
    of: (items) => ({ export: items }),
    inside: [[], list(16, { file: { path: "/a" } })],
    outside: [list(17, { file: { path: "/a" } })],
  },
  {
    key: "routes.0.template",
    of: (template) => ({ routes: [{ template }] }),
    inside: ["/", "/a/{b}", `/${"a".repeat(255)}`],
    outside: ["a", "/a{b}", "/a?b", `/${"a".repeat(256)}`, "/{1}"],
  },
  {
    key: "outbound.shared_secret",
    of: (secret) => ({ outbound: { listen: "a:1", shared_secret: secret } }),
    inside: ["x"],
    outside: ["", "a b", 7],
  },
  {
    key: "sampling.debug_pass_secret",
    of: (secret) => ({ sampling: { type: "const", debug_pass_secret: secret } }),
    inside: ["x".repeat(16)],
    outside: ["", "x".repeat(15), "sixteen letters, spaces", 7],
  },
  {
    key: "metrics.enabled",
    of: (enabled) => ({ metrics: { enabled } }),
    inside: [true, "false"],
    outside: ["yes", 1],
  },
  { key: "log.level", of: (level) => ({ log: { level } }), inside: ["debug"], outside: ["DEBUG"] },
];

const cases = (side: "inside" | "outside") =>
  ROWS.flatMap((row) =>
    row[side].map((value) => ({ ...row, value, shown: JSON.stringify(value).slice(0, 60) })),
  );

it.each(cases("inside"))("takes $key $shown", ({ of, value }) => {
  expect(faultsWith(of(value))).toEqual([]);
});

it.each(cases("outside"))("refuses $key $shown", ({ key, of, value }) => {
  expect(faultsWith(of(value))).toEqual([key]);
});

it("takes either direction, not neither", () => {
  expect("file" in checkSchema({ server_name: "a", outbound: { listen: "127.0.0.1:0" } })).toBe(true);
  expect(checkSchema({ server_name: "a" })).toMatchObject({ findings: [{ path: [] }] });
});

it("shows examples of durations and sizes that are within their bounds", () => {
  const told = [
    ...readFileSync("docs/config.md", "utf8").matchAll(
      /a (size|duration) with a unit from (\w+) to (\w+), such as (\w+)/g,
    ),
  ];
  expect(told.length).toBeGreaterThan(10);
  for (const [text, noun, ...words] of told) {
    const [least = 0, most = 0, example = 0] = words.map((word) => {
      const parsed = noun === "size" ? parseSize(word) : parseDuration(word);
      return "value" in parsed ? parsed.value : Number.NaN;
    });
    expect(example >= least && example <= most, text).toBe(true);
  }
});
