/**
 * loadConfig against whole files.
 * Method: each test/golden/config/NAME.yaml is loaded; NAME.faults holds every line that `fedtrace check` would
 * print for it, in order. contract.yaml is the contract's example and gives the exact Config.
 * Hostile files are made here: they must end in faults, and soon.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { formatFault } from "../../src/config/fault.ts";
import { type LoadedConfig, loadConfig, type ConfigChecks } from "../../src/config/load.ts";
import { plainSampling } from "../../src/config/schema-sampling.ts";

const GOLDEN = "test/golden/config";
const ENVIRONMENT = { PORT: "8448", EMPTY: "", FEDTRACE_SECRET: "s3cret" };
const patterns: ConfigChecks = {
  check: ({ text }) => (text.includes("(?=") ? "look-ahead is not known" : undefined),
  checkAll: () => Promise.resolve(undefined),
};

const directory = mkdtempSync(join(tmpdir(), "fedtrace-config-"));
afterAll(() => rmSync(directory, { recursive: true }));

const SMALL = "server_name: hs1.example\ninbound: { listen: 127.0.0.1:0, upstream: http://127.0.0.1:8008 }\n";

function load(text: string | Uint8Array, environment: Record<string, string> = {}): Promise<LoadedConfig> {
  const path = join(directory, "fedtrace.yaml");
  writeFileSync(path, text);
  return loadConfig(path, patterns, environment);
}

function faultsOf(loaded: LoadedConfig): readonly string[] {
  return loaded.ok
    ? []
    : loaded.faults.map(({ line, column, key, message }) => `${line}:${column} ${key} ${message}`);
}

async function configOf(text: string, environment: Record<string, string> = {}) {
  const loaded = await load(text, environment);
  if (!loaded.ok) throw new Error(loaded.faults.map(formatFault).join("\n"));
  return loaded;
}

const goldens = readdirSync(GOLDEN)
  .filter((name) => name.endsWith(".faults"))
  .map((name) => name.replace(".faults", ""));

it.each(goldens)("tells every fault of %s.yaml", async (name) => {
  const loaded = await loadConfig(join(GOLDEN, `${name}.yaml`), patterns, ENVIRONMENT);
  const lines = loaded.ok ? ["valid"] : loaded.faults.map(formatFault);
  const expected = readFileSync(join(GOLDEN, `${name}.faults`), "utf8");
  expect(lines.map((line) => line.replace(`${GOLDEN}/`, ""))).toEqual(expected.trimEnd().split("\n"));
});

it("reads the contract's example", async () => {
  const loaded = await loadConfig(join(GOLDEN, "contract.yaml"), patterns, ENVIRONMENT);
  const file = (name: string) => resolve(GOLDEN, name);
  expect(loaded).toEqual({
    ok: true,
    text: readFileSync(join(GOLDEN, "contract.yaml"), "utf8"),
    warnings: [],
    config: {
      serverName: "hs1.example:8448",
      inbound: {
        listen: { host: "0.0.0.0", port: 8448 },
        upstream: [{ kind: "tcp", host: "127.0.0.1", port: 8008 }],
        tls: {
          certificateFile: file("tls/fullchain.pem"),
          privateKeyFile: file("tls/key.pem"),
          clientCaFile: file("tls/peers-ca.pem"),
          certificates: [],
        },
        identify: ["x-matrix", "http-signature", "mtls", "address"],
        authenticate: "signature",
        authenticateBodyMax: 65_536,
        keys: { fetchesPerSecond: 10 },
        networks: { "relay.example": ["10.1.0.0/16"] },
        trustedProxies: [],
        proxyProtocol: false,
      },
      outbound: {
        listen: { host: "127.0.0.1", port: 3128 },
        sharedSecret: "s3cret",
        caFile: file("tls/peers-ca.pem"),
        pins: {},
        intercept: {
          caCertificateFile: file("tls/fullchain.pem"),
          caPrivateKeyFile: file("tls/key.pem"),
          hosts: undefined,
        },
        allowNetworks: [],
        allowPorts: [],
        resolver: { host: "127.0.0.1", port: 53 },
      },
      whitelist: [
        { kind: "regex", text: "matrix\\.org", sampling: "accept", forcedPerSecond: 1 },
        { kind: "glob", text: "*.example.net", sampling: "accept", forcedPerSecond: 1 },
        { kind: "regex", text: "(.+\\.)?friends\\.example", sampling: "trust", forcedPerSecond: 1 },
      ],
      propagation: { formats: ["w3c", "jaeger", "b3"], remove: [], outboundIds: "shared" },
      sampling: plainSampling({ type: "probabilistic", param: 0.01 }),
      exports: [
        {
          kind: "otlp",
          url: "http://127.0.0.1:4318/v1/traces",
          protocol: "http/protobuf",
          headers: {},
          timeoutMs: 10_000,
          compression: "none",
        },
        { kind: "jaeger", agent: { host: "127.0.0.1", port: 6832 }, protocol: "binary" },
        { kind: "file", path: file("traces.jsonl") },
      ],
      admin: { listen: { host: "127.0.0.1", port: 9470 }, hosts: [] },
      store: { spansMax: 20_000, bytesMax: 48 * 1024 ** 2 },
      metrics: { isEnabled: true, hasIp: true, top: 20, bytesMax: 1024 * 1024 },
      usageReport: { ...REPORTS_OFF, stateFile: file("contract-usage.json") },
      limits: LIMITS,
      workers: 1,
      routes: [],
      log: { level: "info" },
      resource: { serviceName: "hs1.example:8448 fedtrace", attributes: {} },
      isSdkDisabled: false,
    },
  });
});

it("takes SSL_CERT_FILE for the system's roots", async () => {
  const { config } = await configOf(SMALL, { SSL_CERT_FILE: "/roots.pem" });
  expect(config.systemRootsFile).toBe("/roots.pem");
  expect((await configOf(SMALL, { SSL_CERT_FILE: "" })).config.systemRootsFile).toBeUndefined();
});

describe("exporters by module", () => {
  const path = resolve("test/golden/config/modules/two.mjs");
  const beside = join(directory, "beside.cjs");
  const environment = { PORT: "9411" };
  it.each([
    {
      why: "a name alone",
      text: `module: ${path}`,
      item: { kind: "module", path, exporter: undefined, options: {} },
    },
    { why: "a path from the config's directory", text: "module: ./beside.cjs", item: { path: beside } },
    {
      why: "a class and options of any shape",
      text: `module: { name: ${path}, exporter: First, options: { url: "http://a:\${PORT}", list: [1, true, { a: b }], empty: } }`,
      item: { exporter: "First", options: { url: "http://a:9411", list: [1, true, { a: "b" }] } },
    },
  ])("$why", async ({ text, item }) => {
    writeFileSync(beside, "");
    const { config } = await configOf(`${SMALL}export:\n  - ${text}\n`, environment);
    expect(config.exports).toMatchObject([item]);
  });
});

const REPORTS_OFF = {
  isEnabled: false,
  endpoint: undefined,
  intervalMs: 4 * 3_600_000,
  serverContext: undefined,
  isAnonymous: true,
  caFile: undefined,
  offBy: undefined,
};

/** The contract's defaults; contract.yaml writes them out, SMALL leaves them out. */
const LIMITS = {
  headBytes: 65_536,
  headers: 200,
  headTimeoutMs: 15_000,
  bodyTimeoutMs: 60_000,
  idleMs: 125_000,
  connectTimeoutMs: 5000,
  responseTimeoutMs: 300_000,
  connections: 10_000,
  connectionsPerPeer: 1000,
  upstreamConnections: 1024,
  upstreamQueue: 1024,
  drainMs: 30_000,
};

it("fills in the defaults of the smallest file", async () => {
  const { config, warnings } = await configOf(SMALL);
  expect(config).toMatchObject({
    limits: LIMITS,
    whitelist: [],
    propagation: { formats: ["w3c", "jaeger", "b3"], remove: [], outboundIds: "shared" },
    sampling: { type: "const", param: 1 },
    exports: [],
    metrics: { isEnabled: true, hasIp: true, top: 20, bytesMax: 1024 * 1024 },
    usageReport: REPORTS_OFF,
    workers: 1,
    log: { level: "info" },
  });
  expect(config.inbound).toMatchObject({ authenticate: "signature", networks: {} });
  expect([config.outbound, config.admin, warnings]).toEqual([undefined, undefined, []]);
});

describe("variables that turn usage reports off beat the file", () => {
  const asked = `${SMALL}usage_report: { enabled: true, endpoint: "https://stats.example/push" }\n`;
  it.each([
    { environment: {}, offBy: undefined },
    { environment: { FEDTRACE_TELEMETRY: "disabled" }, offBy: "FEDTRACE_TELEMETRY=disabled" },
    { environment: { FEDTRACE_TELEMETRY: "Off" }, offBy: "FEDTRACE_TELEMETRY=disabled" },
    { environment: { FEDTRACE_TELEMETRY: "enabled" }, offBy: undefined },
    { environment: { FEDTRACE_TELEMETRY: "" }, offBy: undefined },
    { environment: { DO_NOT_TRACK: "1" }, offBy: "DO_NOT_TRACK=1" },
    { environment: { DO_NOT_TRACK: "true" }, offBy: "DO_NOT_TRACK=1" },
    { environment: { DO_NOT_TRACK: "please" }, offBy: "DO_NOT_TRACK=1" },
    { environment: { DO_NOT_TRACK: "0" }, offBy: undefined },
    { environment: { DO_NOT_TRACK: "false" }, offBy: undefined },
    { environment: { FEDTRACE_TELEMETRY: "enabled", DO_NOT_TRACK: "1" }, offBy: "DO_NOT_TRACK=1" },
  ])("$environment: $offBy", async ({ environment, offBy }) => {
    const { config } = await configOf(asked, environment);
    expect(config.usageReport).toMatchObject({ isEnabled: offBy === undefined, offBy });
    // Where the file doesn't ask for them there is nothing to say.
    expect((await configOf(SMALL, environment)).config.usageReport).toMatchObject(REPORTS_OFF);
  });
});

it("keeps usage beside the config, in its name, unless systemd has a directory for it", async () => {
  const stateFile = async (environment: Record<string, string>) =>
    (await configOf(SMALL, environment)).config.usageReport.stateFile;
  expect(await stateFile({})).toMatch(/\/[^/]+-usage\.json$/);
  expect(await stateFile({ STATE_DIRECTORY: "/var/lib/fedtrace" })).toMatch(
    /^\/var\/lib\/fedtrace\/[^/]+-usage\.json$/,
  );
});

it("freezes the config to the bottom", async () => {
  const { config } = await configOf(SMALL);
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.inbound?.listen)).toBe(true);
  expect(Object.isFrozen(config.propagation.formats)).toBe(true);
});

/** A config whose way in has these keys. */
function front(keys: string): string {
  return `server_name: a.example\ninbound: { ${keys}, upstream: "http://a" }\n`;
}

describe("warnings", () => {
  const outbound = "outbound: { listen: 0.0.0.0:0 }\n";
  it.each([
    { why: "claimed, nobody listed", text: SMALL, keys: [] },
    { why: "signature by default", text: `${SMALL}whitelist: [a]\n`, keys: [] },
    {
      why: "claimed, written",
      text: `${SMALL.replace("}", ", authenticate: claimed }")}whitelist: [a]\n`,
      keys: ["2:81 inbound.authenticate"],
    },
    {
      why: "network without networks",
      text: `${SMALL.replace("}", ", authenticate: network }")}whitelist: [a]\n`,
      keys: ["2:81 inbound.authenticate"],
    },
    {
      why: "reports that others on the way can read",
      text: `${SMALL}usage_report: { enabled: true, endpoint: "http://stats.example/push" }\n`,
      keys: ["3:42 usage_report.endpoint"],
    },
    {
      why: "reports to this machine",
      text: `${SMALL}usage_report: { enabled: true, endpoint: "http://[::1]:8080/push" }\n`,
      keys: [],
    },
    {
      why: "reports over https",
      text: `${SMALL}usage_report: { enabled: true, endpoint: "https://stats.example/push" }\n`,
      keys: [],
    },
    {
      why: "more peers in the metrics than there is room for",
      text: `${SMALL}metrics: { top: 22 }\n`,
      keys: ["3:17 metrics.top"],
    },
    { why: "as many as there is room for", text: `${SMALL}metrics: { top: 21 }\n`, keys: [] },
    { why: "room for more", text: `${SMALL}metrics: { top: 1000, size: 47MiB }\n`, keys: [] },
    {
      why: "less room than for the usual number",
      text: `${SMALL}metrics: { size: 512KiB }\n`,
      keys: ["3:10 metrics.top"],
    },
    {
      why: "more peers in metrics that are off",
      text: `${SMALL}metrics: { enabled: false, top: 22 }\n`,
      keys: [],
    },
    { why: "an open proxy", text: SMALL + outbound, keys: ["3:21 outbound.listen"] },
    { why: "a proxy with a secret", text: SMALL + outbound.replace("}", ", shared_secret: x }"), keys: [] },
    {
      why: "a proxy on a unix socket",
      text: SMALL + outbound.replace("0.0.0.0:0", "unix:/run/out.sock"),
      keys: [],
    },
    { why: "a proxy on loopback", text: SMALL + outbound.replace("0.0.0.0", "127.0.0.2"), keys: [] },
    {
      why: "proxies that are everybody",
      text: front("listen: 0.0.0.0:1, trusted_proxies: [10.0.0.1, 0.0.0.0/0]"),
      keys: ["2:59 inbound.trusted_proxies[1]"],
    },
    {
      why: "and so in IPv6",
      text: front("listen: 0.0.0.0:1, trusted_proxies: ['::/0']"),
      keys: ["2:49 inbound.trusted_proxies[0]"],
    },
    {
      why: "proxies that no client of a unix socket is",
      text: front("listen: unix:/run/a.sock, trusted_proxies: [10.0.0.1]"),
      keys: ["2:55 inbound.trusted_proxies"],
    },
    {
      why: "a proxy on a unix socket",
      text: front("listen: unix:/run/a.sock, trusted_proxies: ['unix:']"),
      keys: [],
    },
    {
      why: "a proxy on a unix socket that there is not",
      text: front("listen: 0.0.0.0:1, trusted_proxies: [10.0.0.1, 'unix:']"),
      keys: ["2:59 inbound.trusted_proxies[1]"],
    },
    {
      why: "networks behind a proxy that is not named",
      text: front("listen: 127.0.0.1:1, networks: { a.example: [10.0.0.0/8] }"),
      keys: ["2:43 inbound.networks"],
    },
    {
      why: "and behind one on a unix socket",
      text: front("listen: unix:/run/a.sock, networks: { a.example: [10.0.0.0/8] }"),
      keys: ["2:48 inbound.networks"],
    },
    {
      why: "networks behind a proxy that is named",
      text: front("listen: 127.0.0.1:1, trusted_proxies: [127.0.0.1], networks: { a.example: [10.0.0.0/8] }"),
      keys: [],
    },
    {
      why: "networks that come directly",
      text: front("listen: 0.0.0.0:1, networks: { a.example: [10.0.0.0/8] }"),
      keys: [],
    },
    {
      why: "trust of nothing",
      text: `server_name: a.example\noutbound: { listen: "[::1]:0" }\nwhitelist: [{ regex: a, sampling: trust, forced_per_second: 0 }]\n`,
      keys: ["3:61 whitelist[0].forced_per_second"],
    },
    {
      why: "a path over grpc",
      text: `${SMALL}export: [{ otlp: { url: "http://a:4318/v1/traces", protocol: grpc } }]\n`,
      keys: ["3:25 export[0].otlp.url"],
    },
    {
      why: "a path over the environment's grpc",
      text: `${SMALL}export: [{ otlp: { url: "http://a:4318/v1/traces" } }]\n`,
      environment: { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
      keys: ["3:25 export[0].otlp.url"],
    },
    {
      why: "grpc with a bare slash, or without a path",
      text: `${SMALL}export: [{ otlp: { url: "http://a:4317/", protocol: grpc } }, { otlp: { url: "http://a:4317", protocol: grpc } }]\n`,
      keys: [],
    },
    {
      why: "Thrift's encodings to the wrong ports",
      text: `${SMALL}export:\n  - jaeger: { agent: a:6831, protocol: binary }\n  - jaeger: { agent: a:6832, protocol: compact }\n`,
      keys: ["4:40 export[0].jaeger.protocol", "5:40 export[1].jaeger.protocol"],
    },
    {
      why: "Thrift's encodings to their ports, and to others",
      text: `${SMALL}export:\n  - jaeger: { agent: a:6831, protocol: compact }\n  - jaeger: { agent: a:6832 }\n  - jaeger: { agent: a:1, protocol: compact }\n`,
      keys: [],
    },
    {
      why: "a tail of const 1",
      text: `${SMALL}sampling: { type: const, tail: {} }\n`,
      keys: ["3:32 sampling.tail"],
    },
    {
      why: "a tail of const 1 with exceptions",
      text: `${SMALL}sampling: { type: const, tail: {}, peers: [{ regex: a, type: const, param: 0 }] }\n`,
      keys: [],
    },
    {
      why: "a lower bound above all",
      text: `${SMALL}sampling: { type: const, lower_bound: 2, max_per_second: 1 }\n`,
      keys: ["3:39 sampling.lower_bound"],
    },
    {
      why: "nothing at all, said with a number",
      text: `${SMALL}sampling: { type: probabilistic, param: 1e-30 }\n`,
      keys: ["3:41 sampling.param"],
    },
    {
      why: "a strategy that may set nothing",
      text: `${SMALL}sampling: { type: remote, remote: { max_probability: 0, max_per_second: 0 } }\n`,
      keys: ["3:35 sampling.remote"],
    },
    {
      why: "the environment",
      text: SMALL,
      environment: { OTEL_TRACES_SAMPLER: "odd" },
      keys: ["0:0 OTEL_TRACES_SAMPLER"],
    },
  ])("$why", async ({ text, environment, keys }) => {
    const { warnings } = await configOf(text, environment);
    expect(warnings.map(({ line, column, key }) => `${line}:${column} ${key}`)).toEqual(keys);
  });

  it("asks the whitelist's engine where it is given", async () => {
    const path = join(directory, "lint.yaml");
    writeFileSync(path, `${SMALL}whitelist:\n  - 'a.*'\n  - glob: '*b'\n`);
    const lint: ConfigChecks["lint"] = ({ kind, text }) => Promise.resolve([`${kind} ${text} is wide`]);
    const loaded = await loadConfig(path, { ...patterns, lint }, {});
    const lines = loaded.ok ? loaded.warnings.map(formatFault) : [];
    expect(lines.filter((line) => line.includes("wide"))).toEqual([
      `${path}:4:5: whitelist[0]: regex a.* is wide`,
      `${path}:5:11: whitelist[1].glob: glob *b is wide`,
    ]);
  });
});

describe("files that are no config", () => {
  it("tells that there is none", async () => {
    const path = join(directory, "none.yaml");
    const loaded = await loadConfig(path, patterns, {});
    expect(loaded.ok ? [] : loaded.faults.map(formatFault)).toEqual([
      `${path}:1:1: (file): names a file that cannot be read (it does not exist)`,
    ]);
  });

  it.each([
    { why: "not UTF-8", text: Uint8Array.of(0x61, 0x3a, 0x20, 0xff), fault: "1:1 (file) is not UTF-8" },
    {
      why: "over 1 MiB",
      text: "#".repeat(1024 ** 2 + 1),
      fault: "1:1 (file) names a file of over 1048576 bytes",
    },
    { why: "1 MiB of [", text: "[".repeat(1024 ** 2), fault: "is nested too deep" },
    { why: "1 MiB of {a: ", text: "{a: ".repeat(1024 ** 2 / 4), fault: "is nested too deep" },
    { why: "1 MiB of - ", text: "- ".repeat(1024 ** 2 / 2), fault: "is nested too deep" },
  ])("$why", async ({ text, fault }) => {
    const [only, ...more] = faultsOf(await load(text));
    expect(only).toContain(fault);
    expect(more).toEqual([]);
  });

  it("doesn't read a file of 3 GiB", async () => {
    const path = join(directory, "large.yaml");
    writeFileSync(path, "");
    truncateSync(path, 3 * 1024 ** 3);
    expect(faultsOf(await loadConfig(path, patterns, {}))).toEqual([
      "1:1 (file) names a file of over 1048576 bytes",
    ]);
  });

  it("reads 1 MiB of comment", async () => {
    const text = `${SMALL}#`;
    expect(faultsOf(await load(text.padEnd(1024 ** 2, "#")))).toEqual([]);
  });

  it("refuses an alias bomb", async () => {
    const levels = Array.from({ length: 12 }, (_, level) => {
      const item = level === 0 ? "x" : `*l${level - 1}`;
      return `k${level}: &l${level} [${Array.from({ length: 10 }, () => item).join(", ")}]`;
    });
    expect(faultsOf(await load(`${SMALL}${levels.join("\n")}\n`)).join("\n")).toContain(
      "is one value too many",
    );
  });

  it("refuses an alias of itself", async () => {
    expect(faultsOf(await load(`${SMALL}routes: &r [*r]\n`)).join("\n")).toContain(
      "is an alias (*) of what it stands in",
    );
  });

  it("knows no merge keys, and says so", async () => {
    expect(faultsOf(await load(`${SMALL}limits: { <<: { headers: 5 } }\n`))).toEqual([
      `3:11 limits["<<"] is a merge key, which YAML 1.2 does not have; write the keys out, or use an alias (*) for a whole value`,
    ]);
    expect(faultsOf(await load(`${SMALL}limits: { "<<": {} }\n`)).join("\n")).toContain("is not a known key");
  });
});

it.each([
  { why: "a stray brace", text: "} hunter2: [hunter2" },
  { why: "an unknown tag", text: "a: !hunter2" },
  { why: "a tag with a handle that is not declared", text: "a: !x!hunter2" },
  { why: "a handle alone", text: "%TAG !hunter2! x\n---\na: !hunter2!" },
  { why: "the header of a block", text: "a: >hunter2" },
  { why: "a directive", text: "%hunter2\n---\na: 1" },
  { why: "an escape", text: 'a: "\\Uhunter22"' },
])("never repeats text that is no YAML, since it may be a secret: $why", async ({ text }) => {
  const faults = faultsOf(await load(`${text}\n`));
  expect(faults.length).toBeGreaterThan(0);
  expect(faults.join("\n")).not.toContain("hunter2");
});

it("never repeats a value: it may be a secret", async () => {
  const secret = "hunter2 hunter2";
  const loaded = await load(
    `server_name: "${secret}"\noutbound: { listen: "${secret}", shared_secret: "\${S}" }\nlog: { level: "${secret}" }\n`,
    { S: secret },
  );
  expect(faultsOf(loaded)).toHaveLength(4);
  expect(faultsOf(loaded).join("\n")).not.toContain("hunter2");
});

describe("FEDTRACE_METRICS_ENABLED", () => {
  it.each([
    { why: "neither says anything", file: "", variable: undefined, isEnabled: true },
    { why: "the file says no", file: "false", variable: undefined, isEnabled: false },
    { why: "the variable says no", file: "", variable: "false", isEnabled: false },
    {
      why: "the variable says yes, the file no: either turns them on",
      file: "false",
      variable: "true",
      isEnabled: true,
    },
    { why: "the file says yes, the variable no", file: "true", variable: "false", isEnabled: true },
    { why: "the variable is empty", file: "false", variable: " ", isEnabled: false },
    { why: "the variable is in capitals", file: "false", variable: "TRUE", isEnabled: true },
  ])("$why: $isEnabled", async ({ file, variable, isEnabled }) => {
    const text = file === "" ? SMALL : `${SMALL}metrics: { enabled: ${file} }\n`;
    const loaded = await configOf(text, variable === undefined ? {} : { FEDTRACE_METRICS_ENABLED: variable });
    expect(loaded.config.metrics.isEnabled).toBe(isEnabled);
    expect(loaded.warnings).toEqual([]);
  });

  it("is warned of where it can't be read", async () => {
    const { config, warnings } = await configOf(SMALL, { FEDTRACE_METRICS_ENABLED: "maybe" });
    expect(config.metrics.isEnabled).toBe(true);
    expect(warnings.map(({ message }) => message)).toEqual(["is ignored: it is true or false"]);
  });
});
